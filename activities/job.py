"""The commands that an agent runs in the background, each an activity that its workflow does not wait for.

| activity  | retry                                       | timeout | heartbeat |
|-----------|---------------------------------------------|---------|-----------|
| `job.run` | 10 attempts; a command runs only in its first | 5 h   | 5 s       |

Like `bash`: what was started is never started again. How it ended is recorded as the result of its step.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from temporalio import activity

from activities.host import Host, cancelled_by_person, guarded, reached
from app import workspace
from app.domain.activities import JOB, JobInput
from app.domain.tool import ToolResult
from app.stream import Damaged, StoredResult, read_result, write_result
from app.stream.files import session_folder
from app.tools import jobs, process
from app.tools.base import clip
from app.tools.gate.sandbox import Mounts

_STOPPED = "stopped"
_WORKER = "cut off: the worker stopped while it ran; it was not started again; it may have had effects"
_DIED = "cut off: the worker died while it ran; it was not started again; it may have had effects"


class JobActivities:
    """Runs what a call noted, and leaves its output in the session's folder."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=JOB)
    async def run(self, order: JobInput) -> ToolResult:
        """Finds how the job ended, or runs it to its end. A cancel ends it, and so does the end of this worker."""
        self.host.own(order.workspace.data_id)
        return await guarded(self._run(order))

    async def _run(self, order: JobInput) -> ToolResult:
        stored = await asyncio.to_thread(read_result, self.host.data, order.session_id, order.step_id)
        if stored is None:
            stored = await self._recorded(order)
        return stored.told(order.step_id)

    async def _recorded(self, order: JobInput) -> StoredResult:
        data, key = self.host.data, order.step_id
        folder = session_folder(data, order.session_id)
        spool = jobs.spool(folder, order.number)
        if activity.info().attempt > 1 and await asyncio.to_thread(process.started, data, key):
            await process.cut_off(data=data, key=key, spool=spool)
            return await self._store(order, StoredResult(status="cut_off", text=_DIED))
        job = await asyncio.to_thread(jobs.noted, folder, order.number)
        if job is None:
            raise Damaged(f"what `{jobs.name_of(order.number)}` is to run was noted nowhere in `{folder}`")
        began = time.monotonic()
        try:
            result = await self._until_stopped(order, job, spool)
        except asyncio.CancelledError:
            if cancelled_by_person():  # else another attempt follows, and finds what was started
                spent = time.monotonic() - began
                await asyncio.shield(self._store(order, StoredResult(status="ok", text=_STOPPED, seconds=spent)))
            raise
        reached("done")
        return await self._store(order, result.model_copy(update={"seconds": time.monotonic() - began}))

    async def _until_stopped(self, order: JobInput, job: jobs.Noted, spool: Path) -> StoredResult:
        """A job does not hold up the end of its worker: it is ended when that begins to drain."""
        running = asyncio.create_task(self._command(order, job, spool))
        stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            return StoredResult(status="cut_off", text=_WORKER)
        finally:
            stopping.cancel()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.wait({running}))

    async def _command(self, order: JobInput, job: jobs.Noted, spool: Path) -> StoredResult:
        finished = await process.run_command(
            data=self.host.data,
            key=order.step_id,
            argv=[*process.SHELL, job.command],
            cwd=job.cwd,
            mounts=await asyncio.to_thread(self._mounts, order),
            timeout=job.timeout,
            network=job.network,
            sandboxed=order.sandboxed,
            spool=spool,
        )
        if finished.timed_out:
            return StoredResult(status="error", text=f"killed after {job.timeout:g} s, its `timeout`")
        text = "; ".join((f"{finished.ending} after {finished.seconds:.1f} s", *finished.notes))
        return StoredResult(status="ok", text=text)

    def _mounts(self, order: JobInput) -> Mounts:
        found = workspace.mounts(self.host.data, order.workspace, self.host.settings)
        return replace(found, read_only=order.read_only)

    async def _store(self, order: JobInput, result: StoredResult) -> StoredResult:
        whole = result.model_copy(update={"preview": clip(result.text), "seconds": round(result.seconds, 3)})
        return await asyncio.to_thread(write_result, self.host.data, order.session_id, order.step_id, whole)
