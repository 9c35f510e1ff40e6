"""AgentWorkflow: the loop of one agent. Ask the model, run what it calls, until it is done."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from app.domain.contracts import (
    AGENT,
    ANSWERED,
    ASK,
    CLOSE,
    GRANTED,
    HOLD,
    MODE,
    REPORT,
    RESERVE,
    TELL,
    AgentInput,
    AgentResult,
    Brief,
    CloseInput,
    Grant,
    ModeChange,
    ReserveRequest,
    Tell,
    ToolAnswer,
    Turn,
    TurnInput,
)
from app.domain.event import RunEvent
from app.domain.run import Request
from app.domain.session import EventRange
from app.domain.tool import Mode, ToolCall, ToolInput, ToolResult
from workflows import hooks, modes, tasks
from workflows.calls import groups, pending
from workflows.steps import reason_of, should_continue_as_new, step, step_id, was_cancelled
from workflows.thinking import Thinking

MALFORMED_LIMIT = 5
"""Turns in a row in which the model gave nothing that can be run."""
SAME_LIMIT = 3
"""The same call with the same result so often, with no edit between, is no progress."""
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
        self.budget = order.budget
        self.told = list(order.told)
        self.rules = order.rules
        self.results = order.results
        self.missing: list[str] = []
        self.malformed = order.malformed
        self.seen = list(order.seen)
        self.notes = list(order.notes)
        self.stops = order.stops
        self.text = order.last_text
        self.mode: Mode = order.now or order.mode
        self.base: Mode = self.mode  # what a plan that is approved goes back to
        self.judged: Mode = self.mode
        self.held = False
        self.answers: dict[str, ToolAnswer] = {}
        self.grants = 0
        self.thinking = Thinking.of(order)

    @workflow.signal(name=TELL)
    def on_tell(self, words: Tell) -> None:
        """Words of a person, read at the next turn."""
        self.told.append(words.text)

    @workflow.signal(name=MODE)
    def on_mode(self, change: ModeChange) -> None:
        """The mode from the next call on."""
        if change.mode != self.mode:
            self.told.append(modes.told(change.mode))
        self.mode = self.base = change.mode

    @workflow.signal(name=HOLD)
    def on_hold(self, held: bool) -> None:
        """Pauses before the next turn, or goes on."""
        self.held = held

    @workflow.signal(name=ANSWERED)
    def on_answered(self, answer: ToolAnswer) -> None:
        """A person's answer; its rule holds for the rest of this agent."""
        self.answers[answer.request_id] = answer
        if answer.rule is not None and answer.rule not in self.rules:
            self.rules = (*self.rules, answer.rule)

    @workflow.signal(name=GRANTED)
    def on_granted(self, grant: Grant) -> None:
        """New limits, or the old ones when there is no more."""
        self.budget = grant.budget
        self.grants += 1

    @workflow.run
    async def run(self, order: AgentInput) -> AgentResult:
        try:
            return await self._loop()
        except FailureError as error:
            if was_cancelled(error):
                await self._shielded_close("cancelled")
                raise
            reason = reason_of(error)
            await self._shielded_close(reason)
            return self._result("failed", reason)
        except asyncio.CancelledError:
            await self._shielded_close("cancelled")
            raise

    async def _loop(self) -> AgentResult:
        while True:
            await workflow.wait_condition(lambda: not self.held)
            if stop := await self._stop():
                await self._close(stop.reason)
                return stop
            if should_continue_as_new(self.order.history_limit) and tasks.readable(self.told) == tuple(self.told):
                workflow.continue_as_new(self._carried())
            if not self.order.started and self.order.hooks:
                self.notes.extend(await hooks.begin(self.order, self.session, self._brief()))
            turn = await self._model_turn()
            answer = next((call for call in turn.calls if call.runs_as == "answer"), None)
            if answer is not None:
                return self._result("done", answer=turn.batch, index=answer.index)
            if not turn.calls and not self._owes_answer():
                if back := await hooks.stopping(self.order, self.session, self.turn, self.stops):
                    self.notes.extend(back)
                    self.stops += 1
                    continue
                return self._result("done")
            await self._run_calls(turn)
            self._notice_malformed(turn)

    # The model ------------------------------------------------------------------------------------

    async def _model_turn(self) -> Turn:
        order, told = self.order, tasks.readable(self.told)
        self.judged = self.mode

        def ask(session: EventRange, results: tuple[ToolResult, ...]) -> TurnInput:
            return TurnInput(
                step_id="",
                data_id=order.workspace.data_id,
                session=session,
                turn=self.turn,
                brief=None if order.started else self._brief(),
                task="" if order.started else order.task,
                told=told,
                notes=tuple(self.notes),
                results=results,
                rules=self.rules,
                mode=None if self.mode == order.mode else self.mode,
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
        self.text = turn.text or self.text
        return turn

    def _brief(self) -> Brief:
        order = self.order
        return Brief(
            run=order.run,
            agent=order.name,
            persona=order.persona,
            tools=order.tools,
            model=order.model,
            workspace=order.workspace,
            mode=order.mode,
            ids=order.ids,
            plugins=order.plugins,
        )

    def _owes_answer(self) -> bool:
        return any(name in ("propose_okr", "give_score") for name in self.order.tools)

    def _notice_malformed(self, turn: Turn) -> None:
        usable = any(call.runs_as != "none" for call in turn.calls)
        self.malformed = 0 if usable else self.malformed + 1
        if not turn.calls:
            self.told.insert(0, "Give your answer by calling the tool that the task names; text alone is not read.")

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
        if call.runs_as == "none":
            return ToolResult(id=name, status="error", preview=call.preview)
        if call.activity in ("plan_enter", "plan_exit"):
            return await self._plan(call, name)
        judged, call = call, modes.judged_again(call, self.judged, self.mode)
        said = await hooks.before(self.order, self.session, turn.batch, call, name, self.rules, self.judged)
        call = hooks.decided(modes.judged_again(said.call or judged, self.judged, self.mode), said)
        if call.verdict == "deny":
            return ToolResult(id=name, status="denied", preview=f"denied: {call.reason}"[:400])
        if call.verdict == "ask":
            answer = await self._ask(call, name)
            if not answer.allowed:
                words = f"a person denied this call{': ' + answer.text if answer.text else ''}"
                return ToolResult(id=name, status="denied", preview=words[:400])
            call = hooks.decided(
                modes.judged_again(said.call or judged, self.judged, self.mode), said
            )  # it may have changed while a person thought
            if call.verdict == "deny":
                return ToolResult(id=name, status="denied", preview=f"denied: {call.reason}"[:400])
        words = ""
        if call.runs_as == "wait":
            answer = await self._ask(call, name)
            if not answer.allowed:
                return ToolResult(id=name, status="denied", preview=f"no answer was given: {answer.text}"[:400])
            words = answer.text
        order = ToolInput(
            step_id=step_id(name),
            turn=turn.batch,
            index=call.index,
            updated=hooks.pre(name) if said.call else "",
            allowed=bool(call.reason),
            sandboxed=not call.reason.startswith("no sandbox"),
            read_only=call.read_only,
            answer=words,
        )
        data_id = self.order.workspace.data_id
        result = await step(call.activity, order, ToolResult, id=name, data_id=data_id, summary=call.preview)
        self.spent = self.spent.model_copy(update={"seconds": self.spent.seconds + result.seconds})
        self.thinking.context += result.size // 4
        self.notes.extend(await hooks.after(self.order, self.session, turn.batch, call, result, order.updated))
        return result

    async def _ask(self, call: ToolCall, name: str) -> ToolAnswer:
        request = Request(
            id=f"{self.order.name}-{name}",
            kind="plan" if call.text else "question" if call.runs_as == "wait" else "tool",
            title=(call.preview if call.runs_as == "wait" else f"{call.activity}: {call.preview}")[:400],
            reason=call.reason,
            rule=call.rule,
            agent=workflow.info().workflow_id,
            text=call.text,
        )
        return await self._answer(request)

    async def _answer(self, request: Request) -> ToolAnswer:
        await workflow.get_external_workflow_handle(self.order.top).signal(ASK, request)
        await workflow.wait_condition(lambda: request.id in self.answers)
        return self.answers.pop(request.id)

    async def _plan(self, call: ToolCall, name: str) -> ToolResult:
        """Into plan mode at once; out of it when a person approved the plan."""
        if call.activity == "plan_enter":
            await self._go_into("plan")
            return ToolResult(id=name, status="ok", preview=modes.ENTERED)
        if self.mode != "plan":
            return ToolResult(id=name, status="ok", preview=modes.NO_PLAN)
        answer = await self._ask(call, name)
        if not answer.allowed:
            words = f"a person did not approve the plan{': ' + answer.text if answer.text else ''}"
            return ToolResult(id=name, status="denied", preview=words[:400])
        if self.mode == "plan":
            await self._go_into("ask" if self.base == "plan" else self.base)
        return ToolResult(id=name, status="ok", preview=modes.APPROVED)

    async def _go_into(self, mode: Mode) -> None:
        self.mode = mode
        event = RunEvent(kind="mode", body={"mode": mode, "agent": self.order.name})
        await workflow.get_external_workflow_handle(self.order.top).signal(REPORT, event)

    async def _goes_on(self) -> bool:
        """Whether a person lets an agent go on that repeats itself. Mode `full` asks nobody."""
        if self.mode == "full" or self._owes_answer() or not workflow.patched("repeats-are-asked"):
            return False
        request = Request(
            id=f"{self.order.name}-t{self.turn}-repeats",
            kind="tool",
            title=f"go on, although the same call gave the same result {SAME_LIMIT} times",
            reason="the agent repeats itself",
            agent=workflow.info().workflow_id,
        )
        answer = await self._answer(request)
        if answer.allowed:
            self.seen.clear()
            self.told.append(
                answer.text or "You repeat yourself: that call gives the same result again. Try another way."
            )
        return answer.allowed

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
        if self.spent.share(self.budget) >= 1.0 and not await self._more():
            return self._result("budget", "the budget is used up")
        return None

    async def _more(self) -> bool:
        """Asks the parent for a larger share, and waits for its answer."""
        parent = workflow.info().parent
        if parent is None:
            raise ApplicationError("an agent needs a parent that grants its budget", non_retryable=True)
        seen = self.grants
        request = ReserveRequest(agent=workflow.info().workflow_id, spent=self.spent)
        await workflow.get_external_workflow_handle(parent.workflow_id).signal(RESERVE, request)
        await workflow.wait_condition(lambda: self.grants > seen)
        return self.spent.share(self.budget) < 1.0

    async def _close(self, reason: str) -> None:
        """Leaves a stream in which every call has a result and the reason of the end is told."""
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

    async def _shielded_close(self, reason: str) -> None:
        """Closes although this workflow is being cancelled, or its last step failed."""
        await asyncio.shield(asyncio.create_task(self._close(reason)))

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
            rules=self.rules,
            told=tasks.readable(self.told, tasks.LEFT_LIMIT),
        )

    def _carried(self) -> AgentInput:
        return self.order.model_copy(
            update={
                "session": self.session,
                "turn": self.turn,
                "spent": self.spent,
                "budget": self.budget,
                "told": tuple(self.told),
                "rules": self.rules,
                "now": self.mode,
                "results": self.results,
                "malformed": self.malformed,
                "seen": tuple(self.seen),
                "notes": tuple(self.notes),
                "stops": self.stops,
                "last_text": self.text,
                **self.thinking.carried(),
            }
        )
