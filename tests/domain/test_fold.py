"""A journal folded into a view: the same for the workflow and for the file."""

import pytest

from app.domain.event import RunEvent
from app.domain.fold import apply
from app.domain.okr import Command, KeyResult, Okr, Reading
from app.domain.run import Decision, ModelRef, Request, RunInput, RunResult, RunView
from app.domain.session import Ids

ORDER = RunInput(
    run="go-x-1",
    kind="go",
    intent="make it faster",
    repo="/r",
    data_id="d",
    model=ModelRef(provider="demo", name="scripted"),
    ids=Ids(okr_id="x", okr_run_id="go-x-1"),
)
KR = KeyResult(id="KR-1", title="t", measure=Command(argv=("true",)), direction="down", target=0)
OKR = Okr(id="x", intent="make it faster", objective="faster", key_results=(KR,))


def fold(*events: tuple[str, object]) -> RunView:
    view: RunView | None = None
    for kind, body in [("started", {"input": ORDER.model_dump(mode="json")}), *events]:
        data = body.model_dump(mode="json") if hasattr(body, "model_dump") else body  # pyright: ignore
        view = apply(view, RunEvent.model_validate({"kind": kind, "body": data}), "2026-01-01T00:00:00.000+00:00")
    assert view is not None
    return view


def test_a_journal_begins_with_started() -> None:
    with pytest.raises(ValueError, match="begins with"):
        apply(None, RunEvent(kind="paused"), "")


def test_a_draft_waits_and_a_decision_ends_the_waiting() -> None:
    request = Request(id="draft-1", kind="draft", title="approve")
    drafted = (("prepared", {"base": "b" * 40}), ("draft", {"okr": OKR.model_dump(mode="json")}), ("asked", request))
    view = fold(*drafted)
    assert (view.status, view.base, view.requests) == ("waiting", "b" * 40, (request,))
    view = fold(*drafted, ("decision", Decision(request_id="draft-1", verdict="approve")))
    assert (view.status, view.requests, len(view.decisions)) == ("working", (), 1)


def test_use_adds_up_and_readings_replace() -> None:
    met = KR.model_copy(update={"last": Reading(value=0.0)})
    view = fold(
        ("draft", {"okr": OKR.model_dump(mode="json")}),
        ("turn_ended", {"turn": 1, "spent": {"calls": 2, "usd": 0.5}}),
        ("turn_ended", {"turn": 2, "spent": {"calls": 1, "usd": 0.25}}),
        ("reading", {"key_results": [met.model_dump(mode="json")]}),
    )
    assert (view.spent.calls, view.spent.usd) == (3, 0.75)
    assert view.okr is not None and view.okr.progress == 1.0


def test_pausing_and_the_end() -> None:
    assert fold(("paused", {})).status == "paused"
    assert fold(("paused", {}), ("resumed", {"budget": None})).status == "working"
    ended = fold(("outcome", RunResult(outcome="denied", reason="no")))
    assert ended.status == "ended" and ended.result is not None and ended.result.reason == "no"
