"""What a conversation knows of a file, from its recorded results alone: the latest word on it counts."""

from pathlib import Path

import pytest

from activities.conversation import seen_in
from app.domain.session import EventRange, Ids, Record
from app.domain.tool import ToolInput
from app.stream import StoredResult, write_result


def record(kind: str, **body: object) -> Record:
    return Record.model_validate({"offset": 0, "step_id": "s", "kind": kind, "at": "", "ids": Ids(), "body": body})


def answer(*names: str) -> Record:
    return record("assistant", calls=[{"id": f"c{n}", "name": name, "arguments": "{}"} for n, name in enumerate(names)])


def order(index: int, name: str = "edit") -> ToolInput:
    return ToolInput(step_id=f"w:r:t4-s{index}-{name}", turn=EventRange(session_id="s"), index=index)


def earlier(data: Path, index: int, name: str, **seen: str) -> None:
    """What a call of the same answer recorded."""
    write_result(data, "s", f"w:r:t4-s{index}-{name}", StoredResult(status="ok", text="", seen=seen))


@pytest.fixture
def history() -> list[Record]:
    return [
        record("tool_result", seen={"a": "first", "b": "old"}),
        record("tool_result", text="nothing was seen"),
        record("tool_result", seen={"a": "second", "gone": ""}),
        record("user", text="hurry", seen={"a": "not a result"}),
        answer("read", "edit", "edit"),
    ]


def test_the_last_record_counts(tmp_path: Path, history: list[Record]) -> None:
    assert seen_in(tmp_path, history, order(0), "a") == "second"
    assert seen_in(tmp_path, history, order(0), "b") == "old"
    assert seen_in(tmp_path, history, order(0), "gone") == "", "it is known to be gone"
    assert seen_in(tmp_path, history, order(0), "never") is None


def test_earlier_calls_of_the_same_answer_come_first(tmp_path: Path, history: list[Record]) -> None:
    earlier(tmp_path, 0, "read", a="read now")
    earlier(tmp_path, 1, "edit", a="edited now", c="made")
    earlier(tmp_path, 2, "edit", a="this very call, before a crash")
    assert seen_in(tmp_path, history, order(0), "a") == "second", "nothing of what comes after it"
    assert seen_in(tmp_path, history, order(1), "a") == "read now"
    assert seen_in(tmp_path, history, order(2), "a") == "edited now", "not its own result"
    assert seen_in(tmp_path, history, order(2), "c") == "made"
    assert seen_in(tmp_path, history, order(2), "b") == "old"


def test_a_call_that_left_no_result_is_passed_over(tmp_path: Path, history: list[Record]) -> None:
    earlier(tmp_path, 0, "read", a="read now")
    assert seen_in(tmp_path, history, order(2), "a") == "read now"
