"""What every top workflow shares beside its journal: decisions, pausing, words for agents."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from app.domain.budget import Budget
from app.domain.contracts import (
    AMEND,
    ANSWERED,
    APPROVE,
    ASK,
    DECIDE,
    DENY,
    GRANTED,
    HOLD,
    MODE,
    PAUSE,
    REPORT,
    RESUME,
    TELL,
    VIEW,
    Grant,
    ModeChange,
    Tell,
    ToolAnswer,
)
from app.domain.event import RunEvent
from app.domain.run import Decision, Request, RunInput, RunView
from app.domain.tool import Rule
from workflows.parts import tasks
from workflows.parts.journal import Journalled

WARN_AT = 0.8
SHOWN_DECISIONS, SHOWN_TEXT = 20, 200
"""Of what a query or an update answers: the journal has everything."""


class TopWorkflow(Journalled):
    """The base of GoWorkflow and DirectWorkflow.

    Messages: signals `approve` `deny` `amend` (draft 1, or the draft they name) · `tell` · `pause` ·
    `resume` · from children `report` `ask`; the validated update `decide`; the query `view`.
    """

    def __init__(self, order: RunInput) -> None:
        super().__init__(order)
        self.told: list[Tell] = []
        self.rules = order.rules
        self.switched = False
        self.relay = ""
        self.agent = ""

    # Decisions ------------------------------------------------------------------------------------

    @workflow.update(name=DECIDE, description="Answer a request: approve, deny or amend.")
    async def decide(self, decision: Decision) -> RunView:
        await self._decide(decision)
        return self.shown()

    @decide.validator
    def check(self, decision: Decision) -> None:
        """Rejects what cannot count, with a sentence; a rejected update leaves no trace."""
        request = next((r for r in self.view.requests if r.id == decision.request_id), None)
        if request is None:
            earlier = next((d for d in self.view.decisions if d.request_id == decision.request_id), None)
            if earlier is not None:
                raise ApplicationError(f"`{decision.request_id}` was already decided: {earlier.verdict}", type="Stale")
            raise ApplicationError(f"there is no request `{decision.request_id}` to decide", type="Stale")
        if decision.verdict == "amend" and (request.kind != "draft" or not decision.text.strip()):
            raise ApplicationError("only a draft can be amended, and with words that say how", type="Refused")
        try:
            _rule(request, decision)
        except ValueError:
            raise ApplicationError(f"`{decision.rule[:80]}` is no rule of a tool", type="Refused") from None
        if request.kind == "question" and decision.verdict == "approve" and not decision.text.strip():
            raise ApplicationError("a question is answered with words: `ctl answer RUN TEXT`", type="Refused")
        if problem := self.refuses(decision, request):
            raise ApplicationError(problem, type="Refused")

    def refuses(self, decision: Decision, request: Request) -> str:
        """Why this decision cannot be taken now; empty when it can."""
        return ""

    async def _decide(self, decision: Decision) -> None:
        request = next(r for r in self.view.requests if r.id == decision.request_id)
        self.note("decision", decision)
        if request.kind == "plan" and decision.verdict == "approve" and self.order.mode == "plan":
            await self._switch(ModeChange(mode="ask", by=decision.by))
        if request.kind != "draft":
            answer = ToolAnswer(
                request_id=request.id,
                allowed=decision.verdict == "approve",
                text=decision.text,
                rule=_rule(request, decision),
            )
            if answer.rule is not None:
                self.rules = (*self.rules, answer.rule)
            await self._send(request.agent, ANSWERED, answer)
        await self.flush()

    async def _bare(self, draft: int, verdict: str, text: str) -> None:
        decision = Decision.model_validate(
            {"request_id": f"draft-{draft}", "verdict": verdict, "text": text, "by": "signal"}
        )
        try:
            self.check(decision)
        except ApplicationError as error:
            await self.record("warned", {"text": f"a signal was not counted: {error.message}"})
            return
        await self._decide(decision)

    @workflow.signal(name=APPROVE, description="Approve the draft OKR (its number; 1 when omitted).")
    async def on_approve(self, draft: int = 1) -> None:
        """From Temporal's own UI: counts only for the draft that was seen."""
        await self._bare(draft, "approve", "")

    @workflow.signal(name=DENY, description="Deny the draft OKR, with a reason.")
    async def on_deny(self, reason: str = "", draft: int = 1) -> None:
        """From Temporal's own UI."""
        await self._bare(draft, "deny", reason)

    @workflow.signal(name=AMEND, description="Have the OKR drafted again, with your words.")
    async def on_amend(self, text: str, draft: int = 1) -> None:
        """From Temporal's own UI."""
        await self._bare(draft, "amend", text)

    # Words, pausing, children ---------------------------------------------------------------------

    @workflow.query(name=VIEW)
    def on_view(self) -> RunView:
        return self.shown()

    def shown(self) -> RunView:
        """The view, small enough for an answer."""
        decisions = self.view.decisions[-SHOWN_DECISIONS:]
        short = tuple(d.model_copy(update={"text": d.text[:SHOWN_TEXT]}) for d in decisions)
        result = self.view.result
        if result is not None:  # its key results are the OKR's
            result = result.model_copy(update={"key_results": ()})
        return self.view.model_copy(update={"journal_end": self.journal.end, "decisions": short, "result": result})

    @workflow.signal(name=TELL, description="Words for the agent at work, read at its next turn.")
    async def on_tell(self, words: Tell) -> None:
        self.note("told", words)
        self.told.append(words)
        await self._pass_on()
        await self.flush()

    @workflow.signal(name=MODE, description="The permission mode from the next call on.")
    async def on_mode(self, change: ModeChange) -> None:
        """A person's word: also for agents that begin later."""
        await self._switch(change)
        await self.flush()

    async def _switch(self, change: ModeChange) -> None:
        self.switched = True
        self.order = self.order.model_copy(update={"mode": change.mode})
        self.note("mode", change)
        for child in (self.relay, self.agent):
            await self._send(child, MODE, change)

    @workflow.signal(name=PAUSE, description="Start nothing new until `resume`.")
    async def on_pause(self) -> None:
        self.note("paused")
        await self._hold(True)
        await self.flush()

    @workflow.signal(name=RESUME, description="Go on, with new limits when given.")
    async def on_resume(self, budget: Budget | None = None) -> None:
        if budget is not None:
            self.order = self.order.model_copy(update={"budget": budget})
            await self._send(self.relay, GRANTED, Grant(budget=budget))
        self.note("resumed", {"budget": budget.model_dump() if budget else None})
        await self._hold(False)
        await self.flush()

    @workflow.signal(name=ASK)
    async def on_ask(self, request: Request) -> None:
        self.note("asked", request)
        await self.flush()

    @workflow.signal(name=REPORT)
    async def on_report(self, event: RunEvent) -> None:
        """A child tells what happened; only this workflow writes it down."""
        before = self.view.spent.share(self.view.budget)
        self.note(event.kind, event.body)
        if event.kind == "turn_started":
            self.agent = str(event.body.get("agent_id", ""))
            await self._pass_on()
            if self.paused:  # it began while the pause was on its way
                await self._hold(True)
            if self.switched:
                await self._send(self.agent, MODE, ModeChange(mode=self.order.mode))
        if event.kind == "turn_ended":
            self.agent = ""
            if before < WARN_AT <= self.view.spent.share(self.view.budget):
                self.note("warned", {"text": "80 % of the budget is used"})
        if event.kind == "reading":
            self.show_progress()
        await self.flush()

    def take_told(self) -> tuple[str, ...]:
        """The waiting words that fit into one order; the others go to the agent at work, or stay."""
        told = tasks.readable([words.text for words in self.told])
        del self.told[: len(told)]
        return told

    @property
    def paused(self) -> bool:
        """Whether nothing new may start."""
        return self.view.status == "paused"

    async def _hold(self, held: bool) -> None:
        for child in (self.relay, self.agent):
            await self._send(child, HOLD, held)

    async def _pass_on(self) -> None:
        while self.told and self.agent:
            words = self.told.pop(0)
            if not await self._send(self.agent, TELL, words):
                self.told.insert(0, words)  # that agent just ended: the next one gets them
                return

    async def _send(self, child: str, signal: str, value: Any) -> bool:
        """Signals a child; False when it already ended."""
        if not child:
            return False
        try:
            await workflow.get_external_workflow_handle(child).signal(signal, value)
        except ApplicationError:
            return False
        return True


def _rule(request: Request, decision: Decision) -> Rule | None:
    """The standing rule of `always` and `never`: the request's own words are `tool: pattern`."""
    words = decision.rule or request.rule
    if decision.scope == "once" or ": " not in words:
        return None
    tool, pattern = words.split(": ", 1)
    return Rule(tool=tool, pattern=pattern, verdict="allow" if decision.scope == "always" else "deny")
