"""How workflows schedule activities: one row per activity, and the ids of its steps.

| activity            | queue | start-to-close | heartbeat | attempts |
|---------------------|-------|----------------|-----------|----------|
| `agent.turn`        | llm   | 30 min         | 15 s      | 12; 4 with a fallback model behind it |
| `agent.compact`     | llm   | 30 min         | 15 s      | without end: after 3 it is cut without a summary |
| a tool              | host  | 15 min         | 5 s       | 10, `bash` runs only in its first |
| `measure.read`      | host  | 60 min         | 5 s       | 10       |
| `hook.run`          | host  | 60 min         | 5 s       | 10, a hook runs only in its first |
| `job.run`           | host  | 5 h            | 5 s       | 10, a command runs only in its first |
| everything else     | host  | 5 min          | 5 s       | without end: they are found done, or made again |
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, ChildWorkflowError

from app.domain.activities import COMPACT, HOOK, JOB, MEASURE, TURN
from app.domain.contracts import host_queue, llm_queue

Result = TypeVar("Result")

TEXT_LIMIT = 900
"""Characters of a reason: results cap it at 1,000."""


_EVENTS, _BYTES = 10_240, 10 << 20
"""A Temporal server warns of longer histories, and ends a workflow at five times that."""


@dataclass(frozen=True)
class _Row:
    timeout: timedelta
    heartbeat: timedelta
    retry: RetryPolicy


def _retry(attempts: int, most: float) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=0.5),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=most),
        maximum_attempts=attempts,
    )


_TURN = _Row(timedelta(minutes=30), timedelta(seconds=15), _retry(12, 15))
_COMPACT = _Row(timedelta(minutes=30), timedelta(seconds=15), _retry(0, 15))
_TOOL = _Row(timedelta(minutes=15), timedelta(seconds=5), _retry(10, 5))
_MEASURE = _Row(timedelta(minutes=60), timedelta(seconds=5), _retry(10, 5))
_HOOK = _Row(timedelta(minutes=60), timedelta(seconds=5), _retry(10, 5))
_JOB = _Row(timedelta(hours=5), timedelta(seconds=5), _retry(10, 5))
_OTHER = _Row(timedelta(minutes=5), timedelta(seconds=5), _retry(0, 10))


async def step(
    name: str, order: Any, result: type[Result], *, id: str, data_id: str, summary: str = "", ending: bool = False
) -> Result:
    """Runs one activity and waits for its result, also for the end of a cancelled one.

    A cancelled activity is waited for: nothing of it runs on when the workflow goes on. One that
    completed all the same does not hide the cancel, unless it belongs to the `ending` that the cancel asks for.
    """
    while True:
        try:
            given = await begin(name, order, result, id=id, data_id=data_id, summary=summary)
            break
        except ActivityError as error:
            if not _waits_for_vault(error):
                raise
    if not ending:
        heed_cancel()
    return given


def begin(
    name: str, order: Any, result: type[Result], *, id: str, data_id: str, summary: str = ""
) -> workflow.ActivityHandle[Result]:
    """Starts one activity and returns its handle; whoever holds it ends it before the workflow ends."""
    rows = {TURN: _TURN, COMPACT: _COMPACT, MEASURE: _MEASURE, HOOK: _HOOK, JOB: _JOB}
    row = rows.get(name) or (_OTHER if "." in name else _TOOL)
    return workflow.start_activity(
        name,
        order,
        result_type=result,
        activity_id=id,
        task_queue=llm_queue(data_id) if name in (TURN, COMPACT) else host_queue(data_id),
        start_to_close_timeout=row.timeout,
        heartbeat_timeout=row.heartbeat,
        retry_policy=row.retry,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary[:200] or None,
    )


def _waits_for_vault(error: ActivityError) -> bool:
    """Whether all attempts only waited for Vault: a person may need days, and the step has the same record then.

    One that is not to be tried again has a fallback behind it.
    """
    cause = error.cause
    return isinstance(cause, ApplicationError) and cause.type == "Model.vault" and not cause.non_retryable


def heed_cancel() -> None:
    """Raises `CancelledError` where a cancel was asked for: the SDK forgets it when what it waited for completes."""
    if workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError


def step_id(activity_id: str) -> str:
    """Workflow id, first run id and activity id: the same after a retry, a restart, a continue-as-new."""
    info = workflow.info()
    return f"{info.workflow_id}:{info.first_execution_run_id}:{activity_id}"


def reason_of(error: BaseException) -> str:
    """The sentence at the root of a failure, for a person."""
    while isinstance(error, ActivityError | ChildWorkflowError) and error.cause is not None:
        error = error.cause
    text = error.message if isinstance(error, ApplicationError) else str(error)
    return (text or type(error).__name__)[:TEXT_LIMIT]


def was_cancelled(error: BaseException) -> bool:
    """Whether a failure is only the echo of a cancellation."""
    while isinstance(error, ActivityError | ChildWorkflowError) and error.cause is not None:
        error = error.cause
    return isinstance(error, CancelledError)


def should_continue_as_new(limit: int) -> bool:
    """At a turn boundary: whether the history grew long enough to start a fresh one."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or bool(limit and info.get_current_history_length() >= limit)


def overlong(limit: int) -> bool:
    """Whether the history must begin anew, whatever is open: at four times `limit`, or where the server warns."""
    info = workflow.info()
    events, size = info.get_current_history_length(), info.get_current_history_size()
    return events >= (4 * limit or _EVENTS) or size >= _BYTES
