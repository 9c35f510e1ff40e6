"""One agent's conversation: the model turn, its ending, what it used, a fork of it.

| activity      | retry       | timeout | heartbeat |
|---------------|-------------|---------|-----------|
| `agent.turn`  | 12 attempts | 30 min  | 15 s      |
| `agent.close` | without end | 5 min   | 5 s       |
| `agent.usage` | without end | 5 min   | 5 s       |
| `agent.fork`  | without end | 5 min   | 5 s       |
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import reduce
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import lost
from activities.asking import ask
from activities.conversation import (
    answer_record,
    brief_of,
    cut_off_results,
    estimate,
    messages_of,
    question,
    results_of_calls,
    spent_of,
    turn_of,
)
from activities.deltas import Voice
from activities.host import BEAT, Host, guarded, reached
from activities.pictures import shown_images
from app import prompts
from app.context.record import summary
from app.domain.activities import CLOSE, FORK, TURN, USAGE, Brief, CloseInput, ForkInput, SessionUse, Turn, TurnInput
from app.domain.budget import Spent
from app.domain.context import Context
from app.domain.run import ModelRef
from app.domain.session import EventRange, NewRecord
from app.domain.tool import ToolCall, Workspace
from app.llm import ChatRequest, ModelError, room_for_answer, window_of
from app.stream import Stream, Unwritable, digest, fork
from app.stream.view import seen
from app.tools.registry import REGISTRY, specs


class Question(NamedTuple):
    """What a turn asks: who asks, the records it adds, and the whole conversation as messages."""

    brief: Brief
    new: list[NewRecord]
    messages: list[dict[str, object]]
    model: ModelRef
    window: int
    tokens: int
    """Of the whole question, estimated."""


class AgentActivities:
    """Reads and appends one session's stream. Whoever appends first is right; nothing is asked twice."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=TURN)
    async def turn(self, order: TurnInput) -> Turn:
        """Finds the recorded answer of this step, or asks the model and records it."""
        self.host.own(order.data_id)
        return await guarded(self._turn(order))

    async def _turn(self, order: TurnInput) -> Turn:
        more = [part for part in (order.model, order.notes) if part]
        asked = digest(order.session, order.brief, order.task, order.told, order.results, *more)
        found = await asyncio.to_thread(self._begin, order, asked)
        if isinstance(found, Turn):
            return found
        answered = await self._ask(order, found)
        reached("done")
        while True:
            try:
                turn = await asyncio.to_thread(self._end, order, asked, found, answered)
                break
            except Unwritable as error:  # a full disk: the answer is paid, only the append is tried again
                _voice(order, found.brief).say("trouble", error.strerror or str(error))
                await asyncio.sleep(BEAT)
        for line in _refused(turn.calls):
            _voice(order, found.brief).say("note", line)
        return turn

    def _begin(self, order: TurnInput, asked: str) -> Turn | Question:
        """The turn, if its answer is recorded; else what is to be asked."""
        stream = Stream(self.host.data, order.session.session_id)
        batch = stream.find(start=order.session.end, step_id=order.step_id, digest=asked)
        history = stream.history(order.session.end)
        if batch is not None:
            recorded = stream.read(batch)
            brief = brief_of([*history, *recorded])
            return turn_of(self.host.data, order, brief, batch, recorded[-1].body, replayed=True)
        new = question(self.host.data, self.host.settings.config_dir, order, history)
        brief = brief_of([*history, *new])
        model, view = order.model or brief.model, seen(history)
        images = shown_images(self.host.data, [*view, *new], model, self.host.settings)
        return Question(
            brief,
            new,
            [*messages_of(view, images), *messages_of(new, images)],
            model,
            order.window or window_of(model),
            estimate(view, new),
        )

    def _end(self, order: TurnInput, asked: str, found: Question, answered: NewRecord) -> Turn:
        stream = Stream(self.host.data, order.session.session_id)
        batch = stream.append(
            expected=order.session.end,
            step_id=order.step_id,
            digest=asked,
            records=[*found.new, answered],
            ids=found.brief.ids,
        )
        # Another attempt may have been faster: its answer is the recorded one. The tools read it next.
        recorded = stream.history(batch.end)[-1].body
        return turn_of(self.host.data, order, found.brief, batch, recorded, replayed=recorded != answered.body)

    async def _ask(self, order: TurnInput, found: Question) -> NewRecord:
        brief = found.brief
        names = [name for name in brief.tools if not order.must_answer or REGISTRY[name].effect == "answer"]
        room = room_for_answer(found.window)
        if order.session.end and not order.unchecked and found.tokens * MARGIN > found.window - room:
            raise _failure(
                ModelError("context", f"the conversation is too long for model `{found.model.id}`"), order, found
            )
        system = prompts.render(brief.persona, where=_where(brief.workspace) + _planning(brief)) + _memory(brief)
        request = ChatRequest(
            model=found.model,
            system="\n\n".join(filter(None, (system, brief.context.text))),
            messages=found.messages,
            tools=[*specs(names), *([] if order.must_answer else await self._plugin_specs(brief))],
            must_call=order.must_answer,
            max_tokens=room,
        )
        step = lost.Step(self.host.data, order.session.session_id, order.step_id)
        voice = _voice(order, brief)
        for line in _began(found.new):
            voice.say("note", line)
        voice.say("model_started", found.model.id)
        try:
            asked = await ask(request, voice, step, voice.say)
        except ModelError as error:
            raise _failure(error, order, found, lost.spent(*step)) from error
        return answer_record(asked.answer, found.model.id, asked.seconds)

    async def _plugin_specs(self, brief: Brief) -> list[dict[str, object]]:
        if not brief.plugins:
            return []
        from app.tools.plugin import plugin_specs  # JSON Schema takes long to import, and few runs need it

        return await asyncio.to_thread(plugin_specs, self.host.data, brief.plugins)

    @activity.defn(name=CLOSE)
    async def close(self, order: CloseInput) -> EventRange:
        """Leaves a stream in which every call has a result, and the reason of the end."""
        return await guarded(asyncio.to_thread(self._close, order))

    def _close(self, order: CloseInput) -> EventRange:
        """Closes at the stream's end: a cancelled turn may have recorded an answer that nobody waited for."""
        stream = Stream(self.host.data, order.session.session_id)
        end = stream.end()
        history = stream.history(end)
        if not (history and history[-1].kind == "closed" and history[-1].step_id == order.step_id):
            late = end > order.session.end
            results = (
                cut_off_results(history) if late else results_of_calls(self.host.data, order, history, order.missing)
            )
            end = stream.append(
                expected=end,
                step_id=order.step_id,
                digest=digest(order.session, order.results, order.missing, order.reason),
                records=[*results, NewRecord(kind="closed", body={"reason": order.reason})],
                ids=order.ids,
            ).end
        return order.session.model_copy(update={"end": end})

    @activity.defn(name=USAGE)
    async def usage(self, session: EventRange) -> SessionUse:
        """What the stream says was used, however its agent ended."""
        return await guarded(asyncio.to_thread(self._usage, session))

    def _usage(self, session: EventRange) -> SessionUse:
        stream = Stream(self.host.data, session.session_id)
        whole = session.model_copy(update={"end": session.end or stream.end()})
        answers = (record for record in stream.read(whole) if "usage" in record.body)
        return SessionUse(
            session=whole,
            spent=reduce(
                lambda sum_, record: sum_ + spent_of(record.body),
                answers,
                lost.spent(self.host.data, session.session_id),
            ),
        )

    @activity.defn(name=FORK)
    async def fork(self, order: ForkInput) -> EventRange:
        """A new session that goes on from another one's end, by reference."""
        return await guarded(asyncio.to_thread(fork, self.host.data, order.parent, order.session_id, order.ids))


def _began(new: list[NewRecord]) -> Iterator[str]:
    """What of the repository is told with this turn, for whoever watches."""
    for record in new:
        told = Context.model_validate(record.body.get("context", record.body if "files" in record.body else {}))
        if told.files or told.skills:
            yield summary(told)
        yield from told.notes


def _refused(calls: Sequence[ToolCall]) -> Iterator[str]:
    """The calls that no activity will tell of, since they do not run."""
    for call in calls:
        if call.runs_as == "none":
            yield call.preview
        elif call.verdict == "deny":
            yield f"denied: {call.activity} {call.preview}: {call.reason}"


def _voice(order: TurnInput, brief: Brief) -> Voice:
    return Voice.of(brief.run, brief.agent, order.session.session_id, order.turn)


def _memory(brief: Brief) -> str:
    if not brief.memory:
        return ""
    return f"\n\n# Notes about this repository\nWritten in earlier work; check what matters.\n\n{brief.memory}"


def _where(workspace: Workspace) -> str:
    place = workspace.root if workspace.subdir in ("", ".") else f"{workspace.root}/{workspace.subdir}"
    return f"You work in `{place}`. Paths are relative to it."


def _planning(brief: Brief) -> str:
    """What an agent that begins in mode `plan` is told."""
    if brief.mode != "plan" or "plan_exit" not in brief.tools:
        return ""
    return " The mode is `plan`: look around, change nothing, and call `plan_exit` with your plan."


MARGIN = 1.1
"""An estimate may be this much too low."""
PATIENCE, WAIT = 4, 30.0
"""Attempts, and seconds that a server may ask to wait, while a fallback model stands behind this one."""
ENDLESS = 2
"""Attempts whose answer does not end: each may cost more than the longest answer."""


def _failure(error: ModelError, order: TurnInput, found: Question, used: Spent | None = None) -> ApplicationError:
    """The failure that a workflow sees; of a full context with its size in tokens and those of the conversation.

    `used`: what the attempts of this step used although none gave an answer.
    """
    attempt = activity.info().attempt
    final = order.relieved and (attempt >= PATIENCE or (error.retry_after or 0) > WAIT)
    final = final or (error.kind == "endless" and attempt >= ENDLESS)
    details: list[int | Spent] = []
    if error.kind == "context":
        # A server that names no number takes less than what it was sent.
        window = error.window or min(found.window, max(1024, found.tokens))
        details = [window, max(found.tokens, window)]
    if used and used.calls:
        details.append(used)
    delay = None if error.retry_after is None else timedelta(seconds=error.retry_after)
    return ApplicationError(
        str(error),
        *details,
        type=f"Model.{error.kind}",
        non_retryable=final or not error.retryable,
        next_retry_delay=delay,
    )
