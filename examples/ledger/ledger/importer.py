"""Imports the rows of a bank statement, each one once."""

from collections.abc import Iterable, Mapping


class Ledger:
    """Entries in the order of their import."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, float]] = []

    def add(self, rows: Iterable[Mapping[str, str]]) -> int:
        """Adds the rows whose reference is new; returns how many."""
        added = 0
        for row in rows:
            if self._known(row["reference"]):
                continue
            self.entries.append((row["reference"], row["text"], float(row["amount"])))
            added += 1
        return added

    def _known(self, reference: str) -> bool:
        for known, _, _ in self.entries:
            if known == reference:
                return True
        return False

    def total(self) -> float:
        """The sum of all amounts."""
        return sum(amount for _, _, amount in self.entries)
