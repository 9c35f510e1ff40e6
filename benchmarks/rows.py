"""The rows of the table, and their two shapes: for a terminal and as JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.table import Table

WORDS = {None: "", True: "yes", False: "NO"}


@dataclass(frozen=True)
class Row:
    """A figure; with `ratio` and `limit` where a limit is set. A limit is kept by staying at or below it."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    limit: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the ratio (or the value, without one) stays within the limit; None without a limit."""
        if self.limit is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.limit


def table(rows: Iterable[Row]) -> Table:
    """All rows, for a terminal."""
    out = Table()
    out.add_column("name")
    for name in ("value", "unit", "ratio", "limit", "met"):
        out.add_column(name, justify="left" if name in ("unit", "met") else "right", no_wrap=True)
    out.add_column("note")
    for row in rows:
        out.add_row(row.name, shown(row.value), row.unit, shown(row.ratio), shown(row.limit), WORDS[row.met], row.note)
    return out


def shown(value: float | None) -> str:
    """A number with three significant digits, whole ones from 100 on; empty for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def to_json(rows: Iterable[Row]) -> str:
    """The rows as a JSON array, `met` included."""
    return json.dumps([{**asdict(row), "met": row.met} for row in rows], indent=1) + "\n"
