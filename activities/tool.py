"""Every tool call, as one dynamic activity whose type is the tool's own name.

| activity    | retry                                          | timeout | heartbeat |
|-------------|------------------------------------------------|---------|-----------|
| a tool      | 10 attempts; `bash` runs only in its first one | 15 min  | 5 s       |
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from temporalio import activity
from temporalio.common import RawValue

from activities.conversation import brief_of, seen_in
from activities.deltas import Voice
from activities.host import Host, cancelled_by_person, guarded, reached
from app import workspace
from app.context.record import arguments_of
from app.domain.contracts import Brief
from app.domain.plugin import PLUGIN
from app.domain.session import Record
from app.domain.tool import ToolInput, ToolResult, Workspace
from app.llm import blind
from app.settings import Settings
from app.stream import StoredResult, Stream, read_result, write_result
from app.tools.execute import execute, preview
from app.tools.gate.sandbox import Mounts
from app.tools.registry import Output, ToolContext


class ToolActivities:
    """Runs one call through the gate's decision and leaves its result in the results folder."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(dynamic=True)
    async def tool(self, args: Sequence[RawValue]) -> ToolResult:
        """Finds the recorded result of this step, or runs the tool and records it."""
        order: ToolInput = activity.payload_converter().from_payload(args[0].payload, ToolInput)
        return await guarded(self._tool(activity.info().activity_type, order))

    async def _tool(self, name: str, order: ToolInput) -> ToolResult:
        stored, records = await asyncio.to_thread(self._begin, order)
        if stored is None:
            stored = await self._run(name, order, records)
        return ToolResult(
            id=order.step_id.rpartition(":")[2],
            status=stored.status,
            preview=stored.preview,
            size=stored.size,
            fingerprint=stored.fingerprint,
            seconds=stored.seconds,
        )

    def _begin(self, order: ToolInput) -> tuple[StoredResult | None, list[Record]]:
        session = order.turn.session_id
        stored = read_result(self.host.data, session, order.step_id)
        return stored, [] if stored else Stream(self.host.data, session).history(order.turn.end)

    async def _run(self, name: str, order: ToolInput, records: list[Record]) -> StoredResult:
        session = order.turn.session_id
        brief = brief_of(records)
        self.host.own(brief.workspace.data_id)
        called = records[-1].body["calls"][order.index]
        arguments: str = called["arguments"]
        if order.updated:
            step = order.step_id.rpartition(":")[0]
            arguments = await asyncio.to_thread(arguments_of, self.host.data, session, f"{step}:{order.updated}")
        name = str(called["name"]) if name == PLUGIN else name
        voice = Voice.of(brief.run, session, session, 0, tool=name)
        context = self._context(order, brief, voice, records)
        started = time.monotonic()
        voice.say("tool_started", preview(name, arguments))
        try:
            output = await execute(name, arguments, context)
        except asyncio.CancelledError:
            if not cancelled_by_person():
                raise  # another attempt follows: this one records nothing
            output = Output(status="cut_off", text="a person cancelled the run during this call", preview="cancelled")
            self._store(name, order, output, time.monotonic() - started)
            raise
        reached("done")
        stored = await asyncio.to_thread(self._store, name, order, output, time.monotonic() - started)
        voice.say("tool_ended", f"{stored.status}: {stored.preview}")
        return stored

    def _context(self, order: ToolInput, brief: Brief, voice: Voice, records: list[Record]) -> ToolContext:
        data, space = self.host.data, brief.workspace
        return ToolContext(
            data=data,
            workspace=space,
            worktree=workspace.worktree_path(data, space),
            mounts=partial(_mounts, data, space, self.host.settings, read_only=order.read_only),
            ids=brief.ids,
            step_id=order.step_id,
            session_id=order.turn.session_id,
            attempt=activity.info().attempt,
            sandboxed=order.sandboxed,
            allowed=order.allowed,
            config=self.host.settings.config_dir,
            emit=lambda text: voice.say("tool_output", text),
            plugins=brief.plugins,
            blind=blind(records[-1].body["model"], self.host.settings),
            answer=order.answer,
            job=order.job,
            jobs=order.jobs,
            seen=partial(seen_in, data, records, order),
        )

    def _store(self, name: str, order: ToolInput, output: Output, seconds: float) -> StoredResult:
        said = (name, output.status, output.text, *(image.digest for image in output.images))
        result = StoredResult(
            status=output.status,
            text=output.text,
            preview=output.preview,
            fingerprint=sha256("\0".join(said).encode()).hexdigest()[:16],
            seconds=round(seconds, 3),
            seen=dict(output.seen),
            images=output.images,
        )
        return write_result(self.host.data, order.turn.session_id, order.step_id, result)


def _mounts(data: Path, space: Workspace, settings: Settings, *, read_only: bool) -> Mounts:
    return replace(workspace.mounts(data, space, settings), read_only=read_only)
