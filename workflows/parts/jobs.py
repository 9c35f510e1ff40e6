"""The commands of one agent that go on in the background while it works.

A job is an activity that nobody awaits: `t3-s2-bash-job`, begun once the call `t3-s2-bash` has noted it on disk.
It ends with the agent at the latest. Nothing is scheduled where there is no job, so old histories replay.
"""

import asyncio
from dataclasses import dataclass, field

from temporalio import workflow
from temporalio.exceptions import FailureError

from app.domain.activities import JOB, JobInput
from app.domain.contracts import AgentInput
from app.domain.tool import ToolCall, ToolResult
from workflows.parts.steps import begin, reason_of, step_id

MOST = 5
"""Jobs of one agent at once."""


@dataclass
class Job:
    """One that was begun. `silent`: the model knows, or will not ask, how it ended."""

    handle: workflow.ActivityHandle[ToolResult]
    writes: bool
    why: str = ""
    silent: bool = False


@dataclass
class Jobs:
    """All jobs of an agent, by number. `begun`: the last number, carried through continue-as-new."""

    order: AgentInput
    begun: int
    jobs: dict[int, Job] = field(default_factory=dict[int, Job])
    watching: "asyncio.Task[None] | None" = None

    @property
    def open(self) -> tuple[int, ...]:
        """The numbers of those that have not ended."""
        return tuple(number for number, job in self.jobs.items() if not job.handle.done())

    def refused(self, call: ToolCall) -> str:
        """Why a call can begin no job now; empty: it can, or it wants none."""
        if not call.background or len(self.open) < MOST:
            return ""
        names = ", ".join(f"job-{number}" for number in self.open)
        return f"error: {MOST} jobs are open ({names}), which is the most; stop one with `job`, or wait for one"

    def start(self, call: ToolCall, name: str) -> None:
        """Begins the job that the call `name` noted."""
        self.begun += 1
        own = f"{name}-job"
        order = JobInput(
            step_id=step_id(own),
            session_id=self.order.session.session_id,
            number=self.begun,
            run=self.order.run,
            workspace=self.order.workspace,
            sandboxed=not call.reason.startswith("no sandbox"),
            read_only=call.read_only,
        )
        data_id = self.order.workspace.data_id
        handle = begin(JOB, order, ToolResult, id=own, data_id=data_id, summary=f"job-{self.begun}: {call.preview}")
        self.jobs[self.begun] = Job(handle, writes=not call.read_only)
        if self.watching is None:
            self.watching = asyncio.create_task(self._watch())

    async def stop(self, number: int) -> None:
        """Ends one job, and waits until nothing is left of it. A number that is none is left to the tool."""
        if number in self.open:
            self.jobs[number].silent = True
            await self._over(number)

    async def end(self, why: str = "", *, writing: bool = False) -> None:
        """Ends all jobs, or those that may write, and waits until nothing is left. `why` is told to the model."""
        numbers = [number for number in self.open if self.jobs[number].writes or not writing]
        for number in numbers:
            self.jobs[number].why = why
        await self._over(*numbers)
        if not self.open and self.watching is not None:
            self.watching.cancel()
            self.watching = None

    def news(self) -> tuple[str, ...]:
        """A sentence about each job that ended since the model last heard of it."""
        ended = [(number, job) for number, job in self.jobs.items() if job.handle.done()]
        told = tuple(f"job-{number} {_ending(job)}" for number, job in ended if not job.silent)
        for number, _ in ended:
            del self.jobs[number]
        return told

    async def _over(self, *numbers: int) -> None:
        handles = [self.jobs[number].handle for number in numbers]
        if not handles:
            return
        for handle in handles:
            handle.cancel()
        await asyncio.gather(*handles, return_exceptions=True)

    async def _watch(self) -> None:
        """A cancel reaches jobs at once, not only after the step that the agent is waiting for."""
        await workflow.wait_condition(lambda: workflow.cancellation_reason() is not None)
        for number in self.open:
            self.jobs[number].handle.cancel()


def _ending(job: Job) -> str:
    """How a job ended, in a few words of ours."""
    more = "`job` with `read` shows its output"
    if job.why:
        return f"was ended: {job.why}; {more}"
    error = None if job.handle.cancelled() else job.handle.exception()
    if job.handle.cancelled() or error is not None:
        lost = reason_of(error) if isinstance(error, FailureError) else "it was cancelled"
        return f"is lost: {lost}; {more}"
    return f"ended: {job.handle.result().preview}; {more}"[:600]
