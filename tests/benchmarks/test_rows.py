"""A row knows whether its limit is met; the table and the JSON say the same."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.rows import Row, shown, table, to_json


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a", 10.0, "ms"), None),
        (Row("a", 10.0, "ms", ratio=1.2), None),
        (Row("a", 10.0, "ms", limit=10.0), True),
        (Row("a", 10.1, "ms", limit=10.0), False),
        (Row("a", 10.0, "ms", ratio=1.2, limit=1.6), True),
        (Row("a", 1.0, "ms", ratio=1.7, limit=1.6), False),
    ],
)
def test_a_limit_holds_for_the_ratio_else_for_the_value(row: Row, met: bool | None) -> None:
    assert row.met is met


def test_json_holds_every_field_and_whether_it_is_met() -> None:
    rows = [Row("step", 12.5, "ms", ratio=1.25, limit=1.6, note="five runs"), Row("idle", 90.0, "MB")]
    first, second = json.loads(to_json(rows))
    assert first == {
        "name": "step", "value": 12.5, "unit": "ms", "ratio": 1.25, "limit": 1.6, "note": "five runs", "met": True
    }  # fmt: skip
    assert second["met"] is None and second["ratio"] is None


def test_the_table_names_what_is_missed() -> None:
    console = Console(width=160, file=io.StringIO())
    console.print(table([Row("kept", 1.0, "s", limit=2.0), Row("missed", 3.0, "s", limit=2.0), Row("free", 4.0, "s")]))
    assert isinstance(console.file, io.StringIO)
    words = [line.replace("│", " ").split() for line in console.file.getvalue().splitlines()]
    lines = {line[0]: line for line in words if line}
    assert "yes" in lines["kept"] and "NO" in lines["missed"]
    assert not {"yes", "NO"} & set(lines["free"])


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0.0, "0"), (1.2345, "1.23"), (2199.6, "2,200")])
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert shown(value) == text
