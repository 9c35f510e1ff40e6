"""One row of the table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure; with `ratio` and `limit` where the issue asks for one."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    limit: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the ratio (or the value, without one) stays within the limit."""
        if self.limit is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.limit
