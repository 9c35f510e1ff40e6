"""Compaction: a step of its own, with a record of its own, so that no paid call hides behind another's.

| activity        | retry                                               | timeout | heartbeat |
|-----------------|-----------------------------------------------------|---------|-----------|
| `agent.compact` | without end; a model that fails is given up at once | 5 min   | 15 s      |
"""

import asyncio
from typing import Any, NamedTuple

from temporalio import activity

from activities import lost
from activities.asking import ask
from activities.conversation import results_of_calls, spent_of
from activities.deltas import Voice
from activities.host import Host, guarded, reached
from activities.shortening import TAIL, TARGET, Cut, after, kept_words, pruned, tail, tokens, transcript
from app import prompts
from app.domain.activities import COMPACT, Compacted, CompactInput
from app.domain.budget import Spent
from app.domain.session import EventRange, Ids, NewRecord, Record
from app.llm import ChatRequest, ModelError, room_for_answer, user_message
from app.stream import Stream, digest
from app.stream.view import seen

PATIENCE = 3
"""Attempts of a summary; then the conversation is cut without one."""


class Plan(NamedTuple):
    """What is to be recorded: pending results, and which of the shown records stay."""

    results: list[NewRecord]
    view: list[Record]
    history: list[Record]
    cut: Cut
    scale: float
    """How many tokens one estimated token is."""


class CompactActivities:
    """Appends one `compacted` record to a session's stream. The original stays where it is."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=COMPACT)
    async def compact(self, order: CompactInput) -> Compacted:
        """Finds the record of this step, or shortens the conversation: prunes, else sums up, else cuts."""
        self.host.own(order.data_id)
        return await guarded(self._compact(order))

    async def _compact(self, order: CompactInput) -> Compacted:
        asked = digest(order.session, order.model, order.window, order.results, order.hard)
        found = await asyncio.to_thread(self._begin, order, asked)
        if isinstance(found, Compacted):
            return found
        body = await self._body(order, found)
        reached("done")
        done = await asyncio.to_thread(self._end, order, asked, found, body)
        told = f"{body['left_out']} records, {body['before']:,} → {body['after']:,} tokens ({body['how']})"
        Voice.of(order.run, order.agent, order.session.session_id, order.turn).say("compacted", told)
        return done

    def _begin(self, order: CompactInput, asked: str) -> Compacted | Plan:
        stream = Stream(self.host.data, order.session.session_id)
        batch = stream.find(start=order.session.end, step_id=order.step_id, digest=asked)
        if batch is not None:
            return self._compacted(order, batch, stream.read(batch)[-1].body)
        history = stream.history(order.session.end)
        results = results_of_calls(self.host.data, order, history)
        history = [*history, *(_as_record(new) for new in results)]
        view = seen(history)
        now = max(1, tokens(view))
        scale = min(3.0, max(1.0, order.context / now))
        cut = None if order.hard else pruned(view, int(order.window * TARGET / scale))
        if cut is None:
            share = TAIL / 2 if order.hard else TAIL
            cut = tail(view, int(order.window * share / scale))
        return Plan(results, view, history, cut, scale)

    async def _body(self, order: CompactInput, plan: Plan) -> dict[str, Any]:
        cut, whole = plan.cut, len(plan.view)
        left_out = plan.view[: whole - cut.keep]
        body: dict[str, Any] = {"how": "pruned", "text": "", **cut._asdict(), "left_out": len(left_out)}
        if left_out:
            notes, used = await self._notes(order, left_out, plan.scale)
            words = [kept_words(plan.history), *([f"Notes on what was left out:\n{notes}"] if notes else [])]
            body |= {"how": "summary" if notes else "cut", "text": "\n\n".join(words), **used}
        rest = tokens(after(plan.view, cut)) + len(body["text"]) // 4
        return body | {"before": int(tokens(plan.view) * plan.scale), "after": int(rest * plan.scale)}

    async def _notes(self, order: CompactInput, left_out: list[Record], scale: float) -> tuple[str, dict[str, Any]]:
        """The model's summary with what it cost; empty where it gives none: the run goes on all the same."""
        if order.hard:
            return "", {}
        room = room_for_answer(order.window) // 2
        most = int((order.window * 0.8 - room) * 4 / scale * 0.8)
        request = ChatRequest(
            model=order.model,
            system=prompts.render("compact"),
            messages=[user_message(transcript(left_out, most))],
            tools=[],
            max_tokens=room,
        )
        voice = Voice.of(order.run, order.agent, order.session.session_id, order.turn)
        try:
            given, seconds = await ask(
                request, voice, lost.Step(self.host.data, order.session.session_id, order.step_id)
            )
        except ModelError as error:
            if error.kind == "vault" or (error.retryable and activity.info().attempt < PATIENCE):
                raise
            return "", {}
        used = {"model": order.model.id, "usage": given.usage.model_dump(), "usd": given.cost.usd}
        return given.text.strip()[: room * 4], {**used, "seconds": round(seconds, 3)}

    def _end(self, order: CompactInput, asked: str, plan: Plan, body: dict[str, Any]) -> Compacted:
        stream = Stream(self.host.data, order.session.session_id)
        batch = stream.append(
            expected=order.session.end,
            step_id=order.step_id,
            digest=asked,
            records=[*plan.results, NewRecord(kind="compacted", body=body)],
            ids=order.ids,
        )
        return self._compacted(order, batch, stream.read(batch)[-1].body)

    def _compacted(self, order: CompactInput, batch: EventRange, body: dict[str, Any]) -> Compacted:
        spent = spent_of(body) if "usage" in body else Spent()
        spent += lost.spent(self.host.data, order.session.session_id, order.step_id)
        return Compacted(batch=batch, context=body["after"], spent=spent)


def _as_record(new: NewRecord) -> Record:
    """A record that is about to be appended, as it will be read."""
    return Record(offset=0, step_id="", kind=new.kind, at="", ids=Ids(), body=new.body)
