"""GoWorkflow: an intent becomes an OKR, a person decides, a relay works until it is measured."""

import asyncio

from temporalio import workflow

from app.domain.activities import DRAFT, DraftInput, DraftOutput
from app.domain.budget import Spent
from app.domain.contracts import GO, RESERVE, AgentInput, ReserveRequest, Tell
from app.domain.okr import Judge, KeyResult, Okr, Reading
from app.domain.run import Decision, Request, RunInput, RunResult
from app.domain.session import EventRange
from workflows.parts import tasks
from workflows.parts.child import grant, run_agent
from workflows.parts.measuring import read_key_result
from workflows.parts.purse import Purse
from workflows.parts.steps import step
from workflows.parts.team import DEFAULT_TEAM
from workflows.work import WorkingWorkflow

DRAFT_STEPS = 8
NOTES = 5
"""Amendments that a new draft hears of."""
READING_TOOLS = ("@reading", "propose_okr")
UNMEASURED = "not measured yet"


@workflow.defn(name=GO)
class GoWorkflow(WorkingWorkflow):
    """Lifecycle: draft → baseline → decide (amend: draft again) → relay → outcome.

    A resumed run starts at the relay, with the OKR that was approved before.
    """

    @workflow.init
    def __init__(self, order: RunInput) -> None:
        super().__init__(order)
        self.purse = Purse(order.budget, self.view.spent)
        self.drafts = 0

    @workflow.run
    async def run(self, order: RunInput) -> RunResult:
        return await self.carry_out()

    @workflow.signal(name=RESERVE)
    async def on_reserve(self, request: ReserveRequest) -> None:
        """The drafting agent asks for a larger share."""
        await grant(self.purse, request)

    @property
    def used(self) -> Spent:
        """Drafts and judgements of baselines, besides what the journal tells of."""
        return self.purse.spent

    async def work(self) -> RunResult:
        """Agrees on an OKR, then has it reached."""
        okr = self.order.resume or await self._agree()
        if isinstance(okr, RunResult):
            return okr
        okr = await self._baselines(okr, allowed=True, again=True)
        return await self.hand_over(okr.team or DEFAULT_TEAM, objective=okr.objective, key_results=okr.key_results)

    # Agreeing -------------------------------------------------------------------------------------

    async def _agree(self) -> Okr | RunResult:
        """Drafts until a person approves or denies; a result when there is nothing to work on."""
        notes: tuple[str, ...] = ()
        okr: Okr | None = None
        number = 0
        while True:
            number += 1
            okr, problem = await self._draft(number, okr, notes)
            if okr is None:
                return await self._saved("failed", problem)
            request = Request(id=f"draft-{number}", kind="draft", title=f"approve the OKR: {okr.objective}"[:400])
            self.note("asked", request)
            self._approve_ahead(request)
            await self.flush()
            decision = await self._decided(request.id)
            if decision.verdict == "approve":
                return okr
            if decision.verdict == "deny":
                return await self._saved("denied", decision.text or "a person denied the draft")
            notes = (*notes, decision.text)[-NOTES:]

    def _approve_ahead(self, request: Request) -> None:
        """`--yes --detach`: who ordered the run approved its first draft ahead, if it can be approved."""
        by = self.order.approved_by
        decision = Decision(request_id=request.id, verdict="approve", text="--yes", by=by)
        if by and request.id == "draft-1" and not self.refuses(decision, request):
            self.note("decision", decision)

    async def _decided(self, request_id: str) -> Decision:
        def found() -> Decision | None:
            return next((d for d in self.view.decisions if d.request_id == request_id), None)

        await workflow.wait_condition(lambda: found() is not None, timeout_summary="approval")
        decision = found()
        assert decision is not None
        return decision

    def refuses(self, decision: Decision, request: Request) -> str:
        """A draft with a key result that cannot be measured must be amended first."""
        if request.kind != "draft" or decision.verdict != "approve" or self.view.okr is None:
            return ""
        for kr in self.view.okr.key_results:
            if problem := _unmeasurable(kr):
                return f"key result `{kr.id}` cannot be measured ({problem}); amend the draft, or have it dropped"
        return ""

    async def _draft(self, number: int, earlier: Okr | None, notes: tuple[str, ...]) -> tuple[Okr | None, str]:
        """One draft with baselines; what cannot be read or measured goes back to the model once."""
        okr: Okr | None = None
        problem = ""
        for _ in range(2):
            extra = (*notes, problem) if problem else notes
            drafted = await self._ask_model(number, okr or earlier, extra)
            if drafted.okr is None:
                problem = drafted.problem
                continue
            okr = drafted.okr
            self.note("draft", {"okr": okr.model_dump(mode="json")})
            okr = await self._baselines(okr, allowed=False)
            problem = "; ".join(f"`{kr.id}`: {text}" for kr in okr.key_results if (text := _unmeasurable(kr)))
            if not problem:
                break
        return okr, f"the model gave no usable OKR: {problem}; say the intent differently or use another `--model`"

    async def _ask_model(self, number: int, earlier: Okr | None, notes: tuple[str, ...]) -> DraftOutput:
        assert self.workspace is not None
        await workflow.wait_condition(lambda: not self.paused)
        self.drafts += 1
        order = self.order
        told = self.take_told()
        session = EventRange(session_id=f"{order.run}-draft-{self.drafts}")
        child = session.session_id
        self.agent = child
        result = await run_agent(
            AgentInput(
                run=order.run,
                top=order.run,
                name=f"draft-{self.drafts}",
                ids=order.ids.model_copy(update={"session_id": child}),
                persona="draft",
                task=tasks.drafting(order.intent, earlier, notes),
                session=session,
                tools=READING_TOOLS,
                model=order.model,
                fallback=order.fallback,
                workspace=self.workspace,
                most="ask",
                rules=self.rules,
                told=told,
                budget=self.purse.lend(child),
                max_steps=DRAFT_STEPS,
                history_limit=order.history_limit,
                hooks=order.hooks,
            ),
            f"draft {number}",
            mode=order.mode,
            rules=self.rules,
        )
        self.agent = ""
        self.told = [*(Tell(text=text) for text in result.told), *self.told]  # unread: for who works next
        self.purse.settle(child, result.spent)
        self.note("turn_ended", {"agent": "draft", "turn": 0, "session_id": child, "status": result.status,
                                 "spent": result.spent.model_dump()})  # fmt: skip
        if result.answer is None:
            return DraftOutput(problem=result.reason or "it ended without calling `propose_okr`")
        ask = DraftInput(
            answer=result.answer, index=result.answer_index, okr_id=order.ids.okr_id, intent=order.intent, draft=number
        )
        return await step(DRAFT, ask, DraftOutput, id=f"draft-{self.drafts}-read", data_id=order.data_id)

    # Baselines ------------------------------------------------------------------------------------

    async def _baselines(self, okr: Okr, *, allowed: bool, again: bool = False) -> Okr:
        """Reads each key result on the base commit; `again`: only those that had to wait for approval."""
        assert self.workspace is not None
        base = self.workspace.base
        waiting = [kr for kr in okr.key_results if not again or kr.baseline is None or _waits(kr.baseline)]
        readings = await asyncio.gather(*(self._baseline(kr, base, allowed) for kr in waiting))
        new = {kr.id: reading for kr, reading in zip(waiting, readings, strict=True)}
        okr = okr.model_copy(
            update={
                "key_results": tuple(
                    kr.model_copy(update={"baseline": new[kr.id], "last": new[kr.id]}) if kr.id in new else kr
                    for kr in okr.key_results
                )
            }
        )
        if new:
            await self.record("baseline", {"key_results": [kr.model_dump(mode="json") for kr in okr.key_results]})
        return okr

    async def _baseline(self, kr: KeyResult, base: str, allowed: bool) -> Reading:
        assert self.workspace is not None
        return await read_key_result(
            kr,
            name=f"d{self.drafts}-baseline-{kr.id}{'-allowed' if allowed else ''}",
            run=self.order.run,
            top=self.order.run,
            ids=self.order.ids,
            workspace=self.workspace,
            commit=base,
            model=self.order.model,
            fallback=self.order.fallback,
            purse=self.purse,
            mode=self.order.mode,
            rules=self.rules,
            hooks=self.order.hooks,
            allowed=allowed,
        )


def _waits(reading: Reading) -> bool:
    return reading.problem.startswith(UNMEASURED)


def _unmeasurable(kr: KeyResult) -> str:
    """Why a key result cannot be measured; empty when it can, or waits for approval only."""
    if isinstance(kr.measure, Judge) or kr.baseline is None or kr.baseline.value is not None or _waits(kr.baseline):
        return ""
    return kr.baseline.problem or "it gave no number"
