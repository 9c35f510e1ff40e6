import unittest
from decimal import Decimal

from ledger.importer import Ledger


def row(reference: str, amount: str = "1.50") -> dict[str, str]:
    return {"reference": reference, "text": "coffee", "amount": amount}


class Importing(unittest.TestCase):
    def test_rows_are_added_once(self) -> None:
        ledger = Ledger()
        self.assertEqual(ledger.add([row("a"), row("b"), row("a")]), 2)
        self.assertEqual(ledger.add([row("b"), row("c")]), 1)

    def test_entries_keep_their_order(self) -> None:
        ledger = Ledger()
        ledger.add([row("b"), row("a")])
        self.assertEqual([reference for reference, _, _ in ledger.entries], ["b", "a"])

    def test_cents_add_up(self) -> None:
        ledger = Ledger()
        ledger.add([row("a", "0.10"), row("b", "0.20")])
        self.assertEqual(ledger.total(), Decimal("0.30"))

    def test_thousands_are_understood(self) -> None:
        ledger = Ledger()
        ledger.add([row("a", "1,204.50")])
        self.assertEqual(ledger.total(), Decimal("1204.50"))

    def test_a_missing_amount_is_nothing(self) -> None:
        ledger = Ledger()
        ledger.add([row("a", ""), row("b", "2.00")])
        self.assertEqual(ledger.total(), Decimal("2.00"))


if __name__ == "__main__":
    unittest.main()
