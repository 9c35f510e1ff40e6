"""Which calls of an answer run at once, and which words fit into a turn."""

from app.domain.tool import ToolCall, ToolResult
from workflows.parts.calls import groups, pending
from workflows.parts.tasks import TOLD_LIMIT, readable, subject


def call(index: int, effect: str, verdict: str = "allow") -> tuple[ToolCall, str]:
    return ToolCall.model_validate({"index": index, "activity": "x", "effect": effect, "verdict": verdict}), f"s{index}"


def test_only_neighbouring_reads_run_at_once_and_order_is_kept() -> None:
    effects = ["read", "read", "write", "read", "run", "run", "read", "read"]
    found = groups([call(index, effect) for index, effect in enumerate(effects)])
    assert [[name for _, name in group] for group in found] == [
        ["s0", "s1"], ["s2"], ["s3"], ["s4"], ["s5"], ["s6", "s7"],
    ]  # fmt: skip


def test_a_call_that_is_asked_runs_alone() -> None:
    found = groups([call(0, "read"), call(1, "read", "ask"), call(2, "read")])
    assert [len(group) for group in found] == [1, 1, 1]


def test_a_result_is_carried_by_reference_unless_nothing_ran() -> None:
    ran = ToolResult(id="a", status="ok", preview="long", fingerprint="f", size=9, seconds=1.0)
    assert pending(ran) == ToolResult(id="a", status="ok")
    denied = ToolResult(id="b", status="denied", preview="a person said no")
    assert pending(denied) == denied


def test_words_wait_for_the_next_turn_where_one_is_full() -> None:
    words = ["x" * (TOLD_LIMIT - 10), "y" * 20, "z"]
    assert readable(words) == (words[0],)
    assert readable(["x" * (TOLD_LIMIT + 1), "y"]) == ("x" * (TOLD_LIMIT + 1),)
    assert readable([]) == ()


def test_a_commits_subject_is_the_first_sentence_cut_between_words() -> None:
    assert subject("Faster now. Left: the tests.\nMore.") == "Faster now"
    assert subject("") == "" and subject("\n\n") == ""
    long = subject("word " * 30)
    assert len(long) <= 60 and long.endswith("word…")
