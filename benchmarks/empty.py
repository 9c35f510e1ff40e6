"""The baseline of a step: two activities on the same queues, with the same timeouts and ids, that do nothing."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from app.domain.base import Model
from app.domain.contracts import host_queue, llm_queue

EMPTY = "EmptyAgent"
NOTHING = "empty"


class EmptyInput(Model):
    """How many steps, and whose host queue."""

    steps: int
    data_id: str


@activity.defn(name=NOTHING)
async def nothing(step_id: str) -> str:
    """The step id, at once."""
    return step_id


@workflow.defn(name=EMPTY)
class EmptyAgent:
    """As many steps as asked for: one activity on the model queue, one on the host's."""

    @workflow.run
    async def run(self, order: EmptyInput) -> int:
        """The number of steps made."""
        for number in range(order.steps):
            await _step(f"t{number}-model", llm_queue(order.data_id), minutes=30, heartbeat=15, attempts=12)
            await _step(f"t{number}-s0-read", host_queue(order.data_id), minutes=15, heartbeat=5, attempts=10)
        return order.steps


async def _step(name: str, queue: str, *, minutes: int, heartbeat: int, attempts: int) -> None:
    """As `workflows.parts.steps.step` schedules a model turn and a tool."""
    info = workflow.info()
    await workflow.execute_activity(
        NOTHING,
        f"{info.workflow_id}:{info.first_execution_run_id}:{name}",
        result_type=str,
        activity_id=name,
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=minutes),
        heartbeat_timeout=timedelta(seconds=heartbeat),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_attempts=attempts),
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=name,
    )
