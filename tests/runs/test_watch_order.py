"""Deltas come by a socket, events by a file: a person sees them in the order in which things happened."""

from app.domain.event import Delta, RunEvent
from app.runs.watch import Update, _Order  # pyright: ignore[reportPrivateUsage]


def said(session: str) -> Update:
    delta = Delta(run="go-x-1", agent="a", session_id=session, turn=0, attempt=1, seq=1, kind="tool_started")
    return Update(None, delta=delta)


def began(session: str) -> Update:
    return Update(None, event=RunEvent(kind="turn_started", body={"session_id": session}))


def test_what_an_agent_says_waits_for_the_beginning_of_its_turn() -> None:
    order, first, second = _Order("go-x-1"), said("go-x-1-t1-dev"), said("go-x-1-t2-check")
    assert order.take(said("go-x-1-draft-1")) != []
    assert order.take(first) == [] and order.take(second) == []
    started = began("go-x-1-t1-dev")
    assert order.take(started) == [started, first]
    assert order.take(first) == [first]
    assert order.take(began("go-x-1-t2-check"))[1:] == [second]
