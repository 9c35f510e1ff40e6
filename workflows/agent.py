"""AgentWorkflow: the loop of one agent. Ask the model, run what it calls, until it is done."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from app.domain.activities import CLOSE, CloseInput, Turn, TurnInput
from app.domain.contracts import (
    AGENT,
    ANSWERED,
    GRANTED,
    HOLD,
    MODE,
    TELL,
    AgentInput,
    AgentResult,
    Grant,
    ModeChange,
    Tell,
    ToolAnswer,
)
from app.domain.session import EventRange
from app.domain.tool import ToolCall, ToolResult, at_most
from workflows.parts import hooks, modes, tasks
from workflows.parts.asking import SAME_LIMIT, Asking
from workflows.parts.calls import carry_out, groups, pending
from workflows.parts.child import ask_for_more
from workflows.parts.jobs import Jobs
from workflows.parts.steps import overlong, reason_of, should_continue_as_new, step, step_id, was_cancelled
from workflows.parts.thinking import Thinking, brief_of

MALFORMED_LIMIT = 5
"""Turns in a row in which the model gave nothing that can be run."""
UNREAD = "Give your answer by calling the tool that the task names; text alone is not read."
EMPTY = "Your answer was empty. Call a tool, or say in words what you found."
SEEN = 60


@workflow.defn(name=AGENT)
class AgentWorkflow:
    """One agent until its last answer or a limit.

    Lifecycle: turn (model) → tools → turn …; continues as new only between turns.
    Messages: `tell` words for the next turn · `hold` pause or go on · `answered` a person's answer
    to a tool question · `granted` new limits. It signals its top workflow `ask`, its parent `reserve`.
    """

    @workflow.init
    def __init__(self, order: AgentInput) -> None:
        self.order = order
        self.session = order.session
        self.turn = order.turn
        self.spent = order.spent
        self.call = order.call
        self.budget = order.budget
        self.told = list(order.told)
        self.results = order.results
        self.missing: list[str] = []
        self.malformed = order.malformed
        self.seen = list(order.seen)
        self.notes = list(order.notes)
        self.stops = order.stops
        self.text = order.last_text
        self.asking = Asking.of(order)
        self.jobs = Jobs(order, order.jobs)
        self.held = order.held
        self.grants = 0
        self.thinking = Thinking.of(order)

    @workflow.signal(name=TELL)
    def on_tell(self, words: Tell) -> None:
        """Words of a person, read at the next turn."""
        self.told.append(words.text)

    @workflow.signal(name=MODE)
    def on_mode(self, change: ModeChange) -> None:
        """The mode from the next call on."""
        mode = at_most(self.order.most, change.mode)
        if mode != self.asking.mode:
            self.told.append(modes.told(mode))
        self.asking.mode = self.asking.base = mode

    @workflow.signal(name=HOLD)
    def on_hold(self, held: bool) -> None:
        """Pauses before the next turn, or goes on."""
        self.held = held

    @workflow.signal(name=ANSWERED)
    def on_answered(self, answer: ToolAnswer) -> None:
        """A person's answer; its rule holds for the rest of this agent."""
        self.asking.answered(answer)

    @workflow.signal(name=GRANTED)
    def on_granted(self, grant: Grant) -> None:
        """New limits, or the old ones when there is no more."""
        self.budget = grant.budget
        self.grants += not grant.recalled

    @workflow.run
    async def run(self, order: AgentInput) -> AgentResult:
        try:
            result = await self._loop()
            await self.jobs.end()
            return result
        except (FailureError, asyncio.CancelledError) as error:
            cancelled = isinstance(error, asyncio.CancelledError) or was_cancelled(error)
            reason = "cancelled" if cancelled else reason_of(error)
            await asyncio.shield(asyncio.create_task(self._close(reason)))
            if cancelled:
                raise
            return self._result("failed", reason)

    async def _loop(self) -> AgentResult:
        while True:
            await workflow.wait_condition(lambda: not self.held)
            if stop := await self._stop():
                await self._close(stop.reason)
                return stop
            await self._renew()
            if self.asking.mode == "plan":
                await self.jobs.end("mode `plan` changes nothing", writing=True)
            if not self.order.started and self.order.hooks:
                self.notes.extend(await hooks.begin(self.order, self.session, brief_of(self.order)))
            turn = await self._model_turn()
            answer = next((call for call in turn.calls if call.runs_as == "answer"), None)
            if answer is not None:
                return self._result("done", answer=turn.batch, index=answer.index)
            if not turn.calls and not self._owes_answer() and not self._says_nothing(turn):
                if back := await hooks.stopping(self.order, self.session, self.turn, self.stops):
                    self.notes.extend(back)
                    self.stops += 1
                    continue
                return self._result("done")
            await self._run_calls(turn)
            self._notice_malformed(turn)

    async def _renew(self) -> None:
        """Continues as new where the history is long. An open job holds that back, up to a bound."""
        limit = self.order.history_limit
        if not should_continue_as_new(limit) or tasks.readable(self.told) != tuple(self.told):
            return
        if self.jobs.open:
            if not overlong(limit):
                return
            await self.jobs.end("the history of this agent had to begin anew; start it again if you need it")
        workflow.continue_as_new(self.carried())

    # The model ------------------------------------------------------------------------------------

    async def _model_turn(self) -> Turn:
        order, told = self.order, tasks.readable(self.told)
        self.asking.judged = self.asking.mode
        news = self.jobs.news()

        def ask(session: EventRange, results: tuple[ToolResult, ...]) -> TurnInput:
            return TurnInput(
                step_id="",
                data_id=order.workspace.data_id,
                session=session,
                turn=self.turn,
                brief=None if order.started else brief_of(order),
                task="" if order.started else order.task,
                told=(*told, *news),
                notes=tuple(self.notes),
                results=results,
                rules=self.asking.rules,
                mode=None if self.asking.mode == order.mode else self.asking.mode,
                must_answer=self._owes_answer() and self.turn >= order.max_steps - 1,
            )

        summary = f"{order.name} turn {self.turn}"
        turn = await self.thinking.turn(self, self.turn, ask, summary)
        del self.told[: len(told)]
        self.order = order.model_copy(update={"started": True})
        self.session = self.session.model_copy(update={"end": turn.batch.end})
        self.results, self.turn = (), self.turn + 1
        self.notes.clear()
        self.spent += turn.spent
        self.call = turn.spent
        self.text = turn.text or self.text
        return turn

    def _owes_answer(self) -> bool:
        return any(name in ("propose_okr", "give_score") for name in self.order.tools)

    def _says_nothing(self, turn: Turn) -> bool:
        """Whether the model has given neither a word nor a call since it began: that is no end of a task."""
        unbroken = self.turn == self.malformed + 1
        return unbroken and not turn.text.strip() and workflow.patched("an-empty-answer-is-none")

    def _notice_malformed(self, turn: Turn) -> None:
        usable = any(call.runs_as != "none" for call in turn.calls)
        self.malformed = 0 if usable else self.malformed + 1
        if not turn.calls:
            self.told.insert(0, UNREAD if self._owes_answer() else EMPTY)

    # The tools ------------------------------------------------------------------------------------

    async def _run_calls(self, turn: Turn) -> None:
        """Read-only calls that stand next to each other at once, all others one by one, in order."""
        names = [f"t{self.turn - 1}-s{call.index}-{call.activity}"[:120] for call in turn.calls]
        self.missing = list(names)
        for group in groups(list(zip(turn.calls, names, strict=True))):
            results = await asyncio.gather(*(self._one_call(turn, call, name) for call, name in group))
            for (call, _), result in zip(group, results, strict=True):
                self._notice(call, result)
            self.results = (*self.results, *(pending(result) for result in results))
            self.missing = self.missing[len(group) :]

    async def _one_call(self, turn: Turn, call: ToolCall, name: str) -> ToolResult:
        passed = await self.asking.passes(turn.batch, self.session, call, name)
        if isinstance(passed, ToolResult):
            return passed
        result = await carry_out(self.order, self.jobs, turn.batch, passed, name)
        self.spent = self.spent.model_copy(update={"seconds": self.spent.seconds + result.seconds})
        self.thinking.context += result.size // 4
        self.notes.extend(await hooks.after(self.order, self.session, turn.batch, passed.call, result, passed.updated))
        return result

    async def _goes_on(self) -> bool:
        """Whether a person lets an agent go on that repeats itself. Mode `full` asks nobody."""
        if self.asking.mode == "full" or self._owes_answer() or not workflow.patched("repeats-are-asked"):
            return False
        if told := await self.asking.goes_on(self.turn):
            self.seen.clear()
            self.told.append(told)
        return bool(told)

    def _notice(self, call: ToolCall, result: ToolResult) -> None:
        if call.effect == "write" and result.status == "ok":
            self.seen.clear()
        elif call.runs_as == "activity":
            self.seen = [*self.seen, f"{call.fingerprint}:{result.fingerprint}"][-SEEN:]

    # Stopping -------------------------------------------------------------------------------------

    async def _stop(self) -> AgentResult | None:
        if self.malformed >= MALFORMED_LIMIT:
            return self._result("malformed", f"the model gave nothing usable {self.malformed} times in a row")
        if any(self.seen.count(pair) >= SAME_LIMIT for pair in self.seen[-8:]) and not await self._goes_on():
            return self._result("stalled", f"the same call gave the same result {SAME_LIMIT} times")
        if self.turn >= self.order.max_steps:
            return self._result("steps", f"the agent used its {self.order.max_steps} turns")
        if self._lacks() and not await self._more():
            return self._result("budget", "the budget is used up")
        return None

    def _lacks(self) -> bool:
        """Whether the next call must not start on what this agent holds: it may use as much as the last one."""
        if self.spent.share(self.budget) >= 1.0:
            return True
        return (self.spent + self.call).share(self.budget) > 1.0 + 1e-9 and workflow.patched("a-call-fits-its-share")

    async def _more(self) -> bool:
        seen = self.grants
        await ask_for_more(self.spent, self.call)
        await workflow.wait_condition(lambda: self.grants > seen)
        return self.spent.share(self.budget) < 1.0

    async def _close(self, reason: str) -> None:
        """Leaves a stream in which every call has a result and the reason of the end is told."""
        await self.jobs.end()
        name = f"t{self.turn}-close"
        order = CloseInput(
            step_id=step_id(name),
            ids=self.order.ids,
            session=self.session,
            results=self.results,
            missing=tuple(self.missing),
            reason=reason[:400],
        )
        self.session = await step(CLOSE, order, EventRange, id=name, data_id=self.order.workspace.data_id, ending=True)
        self.results, self.missing = (), []

    def _result(
        self, status: str, reason: str = "", *, answer: EventRange | None = None, index: int = 0
    ) -> AgentResult:
        return AgentResult(
            status=status,
            reason=reason,
            text=self.text,
            answer=answer,
            answer_index=index,
            session=self.session,
            spent=self.spent,
            steps=self.turn,
            rules=self.asking.rules,
            told=tasks.readable(self.told, tasks.LEFT_LIMIT),
        )

    def carried(self) -> AgentInput:
        """What the next run of this workflow begins with."""
        return self.order.model_copy(
            update={
                "held": self.held,
                "session": self.session,
                "turn": self.turn,
                "spent": self.spent,
                "call": self.call,
                "budget": self.budget,
                "told": (*self.told, *self.jobs.news()),
                "rules": self.asking.rules,
                "now": self.asking.mode,
                "jobs": self.jobs.begun,
                "results": self.results,
                "malformed": self.malformed,
                "seen": tuple(self.seen),
                "notes": tuple(self.notes),
                "stops": self.stops,
                "last_text": self.text,
                **self.thinking.carried(),
            }
        )
