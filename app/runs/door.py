"""Starting runs and talking to them, through Temporal. Every failure is one sentence."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from app.domain.budget import Budget
from app.domain.contracts import DECIDE, DIRECT, GO, MODE, PAUSE, QUEUE, RESUME, TELL, VIEW, ModeChange, Tell
from app.domain.run import Decision, RunInput, RunView
from app.errors import UserError

PATIENCE = timedelta(seconds=5)
"""For one question about a run that is asked again anyway."""
_SILENCE = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


class Stale(UserError):
    """The request was decided before, or never existed."""


class Silent(UserError):
    """Temporal gives no answer now; it may come back."""


async def start(client: Client, order: RunInput) -> None:
    """Starts the run's workflow, once. Raises `UserError` when its id is taken or Temporal refuses."""
    ids = {"OkrId": order.ids.okr_id, "OkrRunId": order.ids.okr_run_id, "RunKind": order.kind}
    attributes = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in ids.items() if value
    ]
    with _told(order.run):
        try:
            await client.start_workflow(
                GO if order.kind == "go" else DIRECT,
                order,
                id=order.run,
                task_queue=QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                search_attributes=TypedSearchAttributes(attributes),
                static_summary=" ".join(order.intent.split())[:200],
                static_details=f"repository `{order.repo}` · model `{order.model.id}`",
            )
        except WorkflowAlreadyStartedError:
            raise UserError(f"run `{order.run}` exists already; watch it: `ctl watch {order.run}`", 1) from None


async def decide(client: Client, run: str, decision: Decision) -> RunView:
    """Gives a decision and returns the view after it. The first one on a request counts."""
    with _told(run):
        try:
            return await _handle(client, run).execute_update(DECIDE, decision, result_type=RunView)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from None  # the SDK hides it behind an error of its own
            raise UserError(f"run `{run}` did not answer in time; `ctl status` shows the stack", 4) from None
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            kind = Stale if isinstance(cause, ApplicationError) and cause.type == "Stale" else UserError
            raise kind(cause.message if isinstance(cause, ApplicationError) else str(cause), 1) from None


async def tell(client: Client, run: str, words: Tell) -> None:
    """Passes a person's words on; the agent at work reads them at its next turn."""
    with _told(run):
        await _handle(client, run).signal(TELL, words)


async def switch(client: Client, run: str, change: ModeChange) -> None:
    """Changes the permission mode of a run, from its next call on."""
    with _told(run):
        await _handle(client, run).signal(MODE, change)


async def pause(client: Client, run: str) -> None:
    """Lets what runs end, and starts nothing new."""
    with _told(run):
        await _handle(client, run).signal(PAUSE)


async def resume(client: Client, run: str, budget: Budget | None) -> None:
    """Lets a paused run go on, with new limits when given."""
    with _told(run):
        await _handle(client, run).signal(RESUME, budget)


async def cancel(client: Client, run: str) -> None:
    """Asks the run to end: its work so far is committed and kept."""
    with _told(run):
        await _handle(client, run).cancel()


async def ask_view(client: Client, run: str) -> RunView:
    """The view as the workflow itself has it. Needs a worker."""
    with _told(run):
        return await _handle(client, run).query(VIEW, result_type=RunView)


@dataclass(frozen=True)
class Trouble:
    """A step that failed and is being tried again. `attempt`: the one under way or next."""

    step: str
    attempt: int
    reason: str


async def look(client: Client, run: str) -> tuple[str, list[Trouble]]:
    """How Temporal says the run ended (`failed`, `terminated`, ...; empty: it runs), and what it struggles with.

    Raises `Silent` when Temporal does not answer soon.
    """
    with _told(run):
        description = await _handle(client, run).describe(rpc_timeout=PATIENCE)
    status = description.status
    if status not in (None, WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
        return status.name.lower(), []
    return "", await _troubles(client, description)


async def _troubles(client: Client, description: WorkflowExecutionDescription, depth: int = 0) -> list[Trouble]:
    raw = description.raw_description
    found = [
        Trouble(pending.activity_type.name, pending.attempt, pending.last_failure.message)
        for pending in raw.pending_activities
        if pending.attempt > 1 and pending.last_failure.message
    ]
    for child in raw.pending_children if depth < 2 else ():
        with suppress(RPCError):  # it just ended
            found += await _troubles(
                client, await _handle(client, child.workflow_id).describe(rpc_timeout=PATIENCE), depth + 1
            )
    return found


def _handle(client: Client, run: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(run)


@contextmanager
def _told(run: str) -> Generator[None]:
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise UserError(f"run `{run}` is not running; see how it ended: `ctl okr status {run}`", 1) from None
        words = error.message or error.status.name
        if error.status in _SILENCE:
            raise Silent(f"Temporal does not answer: {words}; `ctl status` shows the stack", 4) from error
        raise UserError(f"Temporal refused: {words}; `ctl status` shows the stack", 4) from error
