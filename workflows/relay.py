"""RelayWorkflow: a team passes a baton until the key results are measured to be met."""

import asyncio
from functools import partial

from temporalio import workflow

from app.domain.activities import COMMIT, FORK, CommitInput, Committed, ForkInput
from app.domain.contracts import (
    GRANTED,
    HOLD,
    MODE,
    RELAY,
    REPORT,
    RESERVE,
    AgentInput,
    AgentResult,
    Grant,
    ModeChange,
    RelayInput,
    RelayResult,
    ReserveRequest,
)
from app.domain.event import EventKind, RunEvent
from app.domain.okr import KeyResult, Member, Reading
from app.domain.run import Checkpoint, Outcome
from app.domain.session import EventRange, Ids
from workflows.parts import tasks
from workflows.parts.child import grant, run_agent
from workflows.parts.measuring import read_key_result
from workflows.parts.purse import Purse
from workflows.parts.steps import should_continue_as_new, step, step_id

WRITING_TOOLS = ("@writing",)
"""Every tool that says it is for agents that write; the first turn settles which those are."""

SESSIONS = 100
"""Session ids that travel in results; the journal has them all."""


@workflow.defn(name=RELAY)
class RelayWorkflow:
    """One turn is: an agent works, its tree is committed, every key result is measured on that commit.

    Ends `completed` when all key results are met, `needs_review` when they are met only with changed
    protected files, `stalled` when one full round of the team changed neither the tree nor any
    reading, or at a limit. Continues as new only between turns, when no child runs.
    Messages: from agents `reserve` · from the top workflow `granted` `hold`.
    """

    @workflow.init
    def __init__(self, order: RelayInput) -> None:
        self.order = order
        self.purse = Purse(order.budget, order.spent)
        self.key_results = order.key_results
        self.turn = order.turn
        self.baton = order.baton
        self.told = order.told
        self.rules = order.rules
        self.checkpoint = order.checkpoint
        self.quiet = order.quiet
        self.sessions = order.sessions
        self.held = order.held

    @workflow.signal(name=RESERVE)
    async def on_reserve(self, request: ReserveRequest) -> None:
        """An agent asks for a larger share."""
        await grant(self.purse, request)

    @workflow.signal(name=GRANTED)
    def on_granted(self, grant: Grant) -> None:
        """A person raised the limits of the run."""
        self.purse.budget = grant.budget

    @workflow.signal(name=MODE)
    def on_mode(self, change: ModeChange) -> None:
        """The mode of the next agents."""
        self.order = self.order.model_copy(update={"mode": change.mode})

    @workflow.signal(name=HOLD)
    def on_hold(self, held: bool) -> None:
        """Starts no further turn, or goes on."""
        self.held = held

    @workflow.run
    async def run(self, order: RelayInput) -> RelayResult:
        while True:
            await workflow.wait_condition(lambda: not self.held)
            if ended := self._ended():
                await workflow.wait_condition(workflow.all_handlers_finished)
                return ended
            if should_continue_as_new(self.order.history_limit):
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self.carried())
            member = order.team[self.turn % len(order.team)]
            self.turn += 1
            result, session = await self._agent(member)
            self.purse.settle(session.session_id, result.spent)
            self.told = (*result.told, *self.told)
            self.rules, self.baton = result.rules, result.text
            changed = await self._commit(member, result)
            moved = await self._measure() if changed or not self._measured() else False
            self.quiet = 0 if changed or moved else self.quiet + 1
            if result.status in ("failed", "budget") and not self._met():
                return self._result("budget" if result.status == "budget" else "failed", result.reason)
            if self.order.once:
                return self._solo(result)

    # One turn -------------------------------------------------------------------------------------

    async def _agent(self, member: Member) -> tuple[AgentResult, EventRange]:
        session = await self._session(member)
        child = session.session_id
        self.sessions = (*self.sessions, child)[-SESSIONS:]
        ids = self.order.ids.model_copy(update={"session_id": child})
        body: dict[str, object] = {
            "agent": member.name, "turn": self.turn, "session_id": child, "agent_id": child
        }  # fmt: skip
        order = self._agent_order(member, session, ids)
        started = partial(self._report, "turn_started", body)
        title = f"{member.name} · turn {self.turn}"
        return await run_agent(order, title, started, mode=self.order.mode, rules=self.rules), session

    def _agent_order(self, member: Member, session: EventRange, ids: Ids) -> AgentInput:
        order = self.order
        told = tasks.readable(self.told)
        self.told = self.told[len(told) :]
        return AgentInput(
            run=order.run,
            top=order.top,
            name=f"t{self.turn}-{member.name}",
            ids=ids,
            persona="solo" if order.once else "relay",
            task=tasks.turn(
                member,
                objective=order.objective,
                task=order.task,
                key_results=self.key_results,
                baton=self.baton,
            ),
            session=session,
            tools=WRITING_TOOLS,
            model=order.model,
            fallback=order.fallback,
            workspace=order.workspace,
            mode=order.mode,
            rules=self.rules,
            told=told,
            budget=self.purse.lend(session.session_id),
            max_steps=order.max_steps,
            history_limit=order.history_limit,
            plugins=order.plugins,
            hooks=order.hooks,
        )

    async def _session(self, member: Member) -> EventRange:
        order = self.order
        name = f"{order.run}-t{self.turn}-{member.name}"
        if not (order.session and self.turn == 1):
            return EventRange(session_id=name)
        parent = EventRange(session_id=order.session, end=order.session_end)
        fork = ForkInput(ids=order.ids.model_copy(update={"session_id": name}), parent=parent, session_id=name)
        return await step(FORK, fork, EventRange, id="fork", data_id=order.workspace.data_id)

    async def _commit(self, member: Member, result: AgentResult) -> bool:
        name = f"r{self.turn}-commit"
        title = tasks.subject(result.text) or f"turn {self.turn}"
        order = CommitInput(
            step_id=step_id(name),
            ids=self.order.ids,
            workspace=self.order.workspace,
            message=f"{member.name}: {title}",
        )
        committed = await step(COMMIT, order, Committed, id=name, data_id=self.order.workspace.data_id, summary=title)
        changed = committed.commit != self.checkpoint.commit
        self.checkpoint = Checkpoint(
            session_id=result.session.session_id, stream_end=result.session.end, commit=committed.commit
        )
        await self._report(
            "turn_ended",
            {
                "agent": member.name,
                "turn": self.turn,
                "session_id": result.session.session_id,
                "status": result.status,
                "reason": result.reason,
                "text": result.text[:1000],
                "spent": result.spent.model_dump(),
                "checkpoint": self.checkpoint.model_dump(),
                "diffstat": committed.diffstat.model_dump(),
            },
        )
        return changed

    # Measuring ------------------------------------------------------------------------------------

    async def _measure(self) -> bool:
        """Reads every key result on the checkpoint; whether any value moved."""
        if not self.key_results:
            return False
        before = [kr.last and kr.last.value for kr in self.key_results]
        readings = [await self._reading(kr) for kr in self.key_results]
        self.key_results = tuple(
            kr.model_copy(update={"last": reading}) for kr, reading in zip(self.key_results, readings, strict=True)
        )
        await self._report("reading", {"key_results": [kr.model_dump(mode="json") for kr in self.key_results]})
        return before != [reading.value for reading in readings]

    async def _reading(self, kr: KeyResult) -> Reading:
        return await read_key_result(
            kr,
            name=f"r{self.turn}-measure-{kr.id}",
            run=self.order.run,
            top=self.order.top,
            ids=self.order.ids,
            workspace=self.order.workspace,
            commit=self.checkpoint.commit,
            model=self.order.model,
            fallback=self.order.fallback,
            purse=self.purse,
            mode=self.order.mode,
            rules=self.rules,
            hooks=self.order.hooks,
            allowed=True,
        )

    def _measured(self) -> bool:
        return all(kr.last is not None for kr in self.key_results)

    def _met(self) -> bool:
        return bool(self.key_results) and all(kr.met for kr in self.key_results)

    # Ending ---------------------------------------------------------------------------------------

    def _ended(self) -> RelayResult | None:
        if self._met():
            return self._result("completed", "every key result is measured to be met")
        if self.key_results and all(kr.met or kr.suspicious for kr in self.key_results):
            names = sorted({path for kr in self.key_results if kr.suspicious and kr.last for path in kr.last.changed})
            return self._result(
                "needs_review", f"met only with changed files that a measure rests on: {', '.join(names)}"[:900]
            )
        if self.purse.empty:
            return self._result("budget", "the budget is used up")
        if self.quiet >= len(self.order.team):
            if not self.key_results:
                return self._result("completed", "a full round of the team found nothing left to change")
            return self._result("stalled", "a full round of the team changed neither the tree nor any key result")
        if self.turn >= self.order.max_turns:
            return self._result("max_iterations", f"{self.turn} turns were used")
        return None

    def _solo(self, result: AgentResult) -> RelayResult:
        outcomes: dict[str, Outcome] = {"done": "completed", "stalled": "stalled", "steps": "max_iterations"}
        return self._result(outcomes.get(result.status, "failed"), result.reason)

    def _result(self, outcome: Outcome, reason: str) -> RelayResult:
        return RelayResult(
            outcome=outcome,
            reason=reason,
            text=self.baton,
            key_results=self.key_results,
            spent=self.purse.spent,
            turns=self.turn,
            checkpoint=self.checkpoint,
            sessions=self.sessions,
        )

    async def _report(self, kind: EventKind, body: dict[str, object]) -> None:
        handle = workflow.get_external_workflow_handle(self.order.top)
        await asyncio.shield(handle.signal(REPORT, RunEvent(kind=kind, body=body)))

    def carried(self) -> RelayInput:
        """What the next run of this workflow begins with."""
        return self.order.model_copy(
            update={
                "held": self.held,
                "budget": self.purse.budget,
                "spent": self.purse.spent,
                "key_results": self.key_results,
                "rules": self.rules,
                "turn": self.turn,
                "baton": self.baton,
                "told": self.told,
                "checkpoint": self.checkpoint,
                "quiet": self.quiet,
                "sessions": self.sessions,
            }
        )
