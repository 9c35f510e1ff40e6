"""What GoWorkflow and DirectWorkflow do alike: set up, hand over to a relay, end, survive a cancel."""

import asyncio
from abc import abstractmethod

from temporalio import workflow
from temporalio.exceptions import FailureError

from app.domain.activities import (
    COMMIT,
    FINISH,
    PREPARE,
    USAGE,
    CommitInput,
    Committed,
    Finished,
    FinishInput,
    PrepareInput,
    SessionUse,
)
from app.domain.budget import Spent
from app.domain.contracts import RELAY, RelayInput, RelayResult
from app.domain.okr import KeyResult, Member
from app.domain.run import Outcome, RunInput, RunResult
from app.domain.session import EventRange
from app.domain.tool import Workspace
from workflows.parts.child import attributes
from workflows.parts.steps import heed_cancel, reason_of, step, step_id, was_cancelled
from workflows.top import TopWorkflow


class WorkingWorkflow(TopWorkflow):
    """A top workflow whose work is one relay in one workspace."""

    def __init__(self, order: RunInput) -> None:
        super().__init__(order)
        self.workspace: Workspace | None = None

    @abstractmethod
    async def work(self) -> RunResult:
        """Everything between setting up and ending."""

    async def carry_out(self) -> RunResult:
        """Runs the work; whatever ends it, its commit is saved and its outcome recorded."""
        try:
            await self.flush()  # from now on everybody can see the run, and talk to it
            self.workspace = await self._prepare()
            self.note("prepared", {"base": self.workspace.base})
            return await self._end(await self.work())
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.create_task(self._cancelled()))
            raise
        except FailureError as error:
            if was_cancelled(error):
                await asyncio.shield(asyncio.create_task(self._cancelled()))
                raise
            return await self._end(await self._saved("failed", reason_of(error)))

    async def _cancelled(self) -> None:
        await self._end(await self._saved("cancelled", "a person cancelled the run"))

    async def _prepare(self) -> Workspace:
        order = self.order
        return await step(
            PREPARE,
            PrepareInput(
                run=order.run,
                data_id=order.data_id,
                name="main",
                repo=order.repo,
                subdir=order.subdir,
                include_dirty=order.include_dirty,
                start=order.resume_commit,
                base=order.resume_base,
            ),
            Workspace,
            id="prepare",
            data_id=order.data_id,
        )

    # The relay ------------------------------------------------------------------------------------

    async def hand_over(
        self, team: tuple[Member, ...], *, objective: str = "", key_results: tuple[KeyResult, ...] = ()
    ) -> RunResult:
        """Runs the relay to its end and hands the finished branch to the user's repository."""
        assert self.workspace is not None
        order = self.order
        await workflow.wait_condition(lambda: not self.paused)
        self.relay = f"{order.run}-relay"
        told = self.take_told()
        relay: RelayResult = await workflow.execute_child_workflow(
            RELAY,
            RelayInput(
                run=order.run,
                top=order.run,
                ids=order.ids.model_copy(update={"relay_id": self.relay}),
                task=order.intent,
                objective=objective,
                key_results=key_results,
                team=team,
                model=order.model,
                fallback=order.fallback,
                workspace=self.workspace,
                mode=order.mode,
                rules=self.rules,
                budget=order.budget,
                spent=self.view.spent,
                told=told,
                max_turns=order.max_turns,
                once=order.kind == "run",
                history_limit=order.history_limit,
                plugins=order.plugins,
                hooks=order.hooks,
                session=order.session,
                session_end=order.session_end,
                checkpoint=self.view.checkpoint,
            ),
            id=self.relay,
            result_type=RelayResult,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            search_attributes=attributes(order.ids.model_copy(update={"relay_id": self.relay}), "relay"),
            static_summary=f"relay of {len(team)}: {', '.join(member.name for member in team)}",
        )
        self.relay = ""
        heed_cancel()
        return await self._finished(
            RunResult(
                outcome=relay.outcome,
                reason=relay.reason,
                text=relay.text,
                key_results=relay.key_results,
                spent=relay.spent,
                turns=relay.turns,
                base=self.workspace.base,
                commit=relay.checkpoint.commit,
                sessions=relay.sessions,
            )
        )

    @property
    def used(self) -> Spent:
        """What the run used so far."""
        return self.view.spent

    # Endings --------------------------------------------------------------------------------------

    async def _finished(self, result: RunResult) -> RunResult:
        """The result with the branch that the user's repository now has, if anything changed."""
        assert self.workspace is not None
        done = await step(
            FINISH,
            FinishInput(run=self.order.run, workspace=self.workspace, commit=result.commit),
            Finished,
            id="finish",
            data_id=self.order.data_id,
            ending=True,
        )
        return result.model_copy(update={"branch": done.branch, "diffstat": done.diffstat})

    async def _saved(self, outcome: Outcome, reason: str) -> RunResult:
        """A run that ends early: what its worktree holds is committed and kept on the branch."""
        view = self.view
        result = RunResult(
            outcome=outcome,
            reason=reason,
            key_results=view.okr.key_results if view.okr else (),
            spent=self.used,
            turns=view.turn,
            base=view.base,
            commit=view.checkpoint.commit,
        )
        if self.workspace is None:
            return result
        try:
            if self.agent:
                session = EventRange(session_id=self.agent)
                use = await step(USAGE, session, SessionUse, id="end-use", data_id=self.order.data_id, ending=True)
                result = result.model_copy(update={"spent": self.used + use.spent})
            order = CommitInput(
                step_id=step_id("end-commit"),
                ids=self.order.ids,
                workspace=self.workspace,
                message=f"codetether: {outcome}, work in progress",
            )
            saved = await step(COMMIT, order, Committed, id="end-commit", data_id=self.order.data_id, ending=True)
            return await self._finished(result.model_copy(update={"commit": saved.commit}))
        except FailureError as error:
            return result.model_copy(
                update={"reason": f"{reason}; its work could not be saved: {reason_of(error)}"[:1000]}
            )

    async def _end(self, result: RunResult) -> RunResult:
        await self.record("outcome", result)
        if self.view.okr is not None:
            self.show_progress()
        self.show_outcome(result.outcome)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self.flush()
        return result
