"""What stands between an agent's call and its start: the mode, hooks, a person's word. And leaving plan mode."""

from dataclasses import dataclass, field

from temporalio import workflow

from app.domain.contracts import ASK, REPORT, AgentInput, ToolAnswer
from app.domain.event import RunEvent
from app.domain.run import Request
from app.domain.session import EventRange
from app.domain.tool import Mode, Rule, ToolCall, ToolResult
from workflows.parts import hooks, modes

SAME_LIMIT = 3
"""The same call with the same result so often, with no edit between, is no progress."""


@dataclass(frozen=True)
class Passed:
    """A call that may run: as it is judged now, what a person answered, and the hook step that wrote its arguments."""

    call: ToolCall
    words: str = ""
    updated: str = ""


@dataclass
class Asking:
    """One agent's mode, rules and open questions. `base`: what a plan that is approved goes back to.

    `judged`: the mode under which the last answer's calls were judged.
    """

    order: AgentInput
    mode: Mode
    base: Mode
    judged: Mode
    rules: tuple[Rule, ...]
    answers: dict[str, ToolAnswer] = field(default_factory=dict[str, ToolAnswer])

    @staticmethod
    def of(order: AgentInput) -> "Asking":
        """The state that an agent begins with, or carries."""
        mode = order.now or order.mode
        return Asking(order, mode, mode, mode, order.rules)

    def answered(self, answer: ToolAnswer) -> None:
        """A person's answer; its rule holds for the rest of this agent."""
        self.answers[answer.request_id] = answer
        if answer.rule is not None and answer.rule not in self.rules:
            self.rules = (*self.rules, answer.rule)

    async def passes(self, turn: EventRange, session: EventRange, call: ToolCall, name: str) -> Passed | ToolResult:
        """The call when it may run, else its result. Waits for hooks, and for a person where one is asked."""
        if call.runs_as == "none":
            return ToolResult(id=name, status="error", preview=call.preview)
        if call.activity in ("plan_enter", "plan_exit"):
            return await self._plan(call, name)
        judged = modes.judged_again(call, self.judged, self.mode)
        said = await hooks.before(self.order, session, turn, judged, name, self.rules, self.judged)

        def now() -> ToolCall:
            return hooks.decided(modes.judged_again(said.call or judged, self.judged, self.mode), said)

        call = now()
        if call.verdict == "ask":
            answer = await self._about(call, name)
            if not answer.allowed:
                words = f"a person denied this call{': ' + answer.text if answer.text else ''}"
                return ToolResult(id=name, status="denied", preview=words[:400])
            call = now()  # it may have changed while a person thought
        if call.verdict == "deny":
            return ToolResult(id=name, status="denied", preview=f"denied: {call.reason}"[:400])
        words = ""
        if call.runs_as == "wait":
            answer = await self._about(call, name)
            if not answer.allowed:
                return ToolResult(id=name, status="denied", preview=f"no answer was given: {answer.text}"[:400])
            words = answer.text
        return Passed(call, words, hooks.pre(name) if said.call else "")

    async def _plan(self, call: ToolCall, name: str) -> ToolResult:
        """Into plan mode at once; out of it when a person approved the plan."""
        if call.activity == "plan_enter":
            await self._go_into("plan")
            return ToolResult(id=name, status="ok", preview=modes.ENTERED)
        if self.mode != "plan":
            return ToolResult(id=name, status="ok", preview=modes.NO_PLAN)
        answer = await self._about(call, name)
        if not answer.allowed:
            words = f"a person did not approve the plan{': ' + answer.text if answer.text else ''}"
            return ToolResult(id=name, status="denied", preview=words[:400])
        if self.mode == "plan":
            await self._go_into("ask" if self.base == "plan" else self.base)
        return ToolResult(id=name, status="ok", preview=modes.APPROVED)

    async def goes_on(self, turn: int) -> str:
        """What the agent is told when a person lets it go on although it repeats itself; empty: it stops."""
        request = Request(
            id=f"{self.order.name}-t{turn}-repeats",
            kind="tool",
            title=f"go on, although the same call gave the same result {SAME_LIMIT} times",
            reason="the agent repeats itself",
            agent=workflow.info().workflow_id,
        )
        answer = await self._answer(request)
        told = answer.text or "You repeat yourself: that call gives the same result again. Try another way."
        return told if answer.allowed else ""

    async def _about(self, call: ToolCall, name: str) -> ToolAnswer:
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

    async def _go_into(self, mode: Mode) -> None:
        self.mode = mode
        event = RunEvent(kind="mode", body={"mode": mode, "agent": self.order.name})
        await workflow.get_external_workflow_handle(self.order.top).signal(REPORT, event)
