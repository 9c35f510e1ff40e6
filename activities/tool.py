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
from typing import NamedTuple

from temporalio import activity
from temporalio.common import RawValue

from activities.conversation import brief_of, seen_in
from activities.deltas import Voice
from activities.host import Host, cancelled_by_person, guarded, reached
from app import workspace
from app.context.record import arguments_of
from app.domain.activities import Brief
from app.domain.plugin import PLUGIN
from app.domain.session import Record
from app.domain.tool import ToolInput, ToolResult, Workspace
from app.llm import blind
from app.settings import Settings
from app.stream import StoredResult, Stream, read_result, write_result
from app.tools.execute import blocks, execute, execute_blocking, preview
from app.tools.gate.sandbox import Mounts
from app.tools.registry import Output, ToolContext


class _Begun(NamedTuple):
    name: str
    arguments: str
    context: ToolContext
    voice: Voice


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
        started = time.monotonic()
        try:
            if blocks(name):  # one thread from the beginning to the record: each change of threads takes a while
                stored = await asyncio.to_thread(self._at_once, name, order, started)
            else:
                stored = await self._by_steps(name, order, started)
        except asyncio.CancelledError:
            if cancelled_by_person():  # else another attempt follows: this one records nothing
                said = "a person cancelled the run during this call"
                output = Output(status="cut_off", text=said, preview="cancelled")
                self._store(name, order, output, time.monotonic() - started)
            raise
        return stored.told(order.step_id)

    def _at_once(self, name: str, order: ToolInput, started: float) -> StoredResult:
        begun = self._begin(name, order)
        if isinstance(begun, StoredResult):
            return begun
        return self._end(begun, order, execute_blocking(begun.name, begun.arguments, begun.context), started)

    async def _by_steps(self, name: str, order: ToolInput, started: float) -> StoredResult:
        begun = await asyncio.to_thread(self._begin, name, order)
        if isinstance(begun, StoredResult):
            return begun
        output = await execute(begun.name, begun.arguments, begun.context)
        return await asyncio.to_thread(self._end, begun, order, output, started)

    def _begin(self, name: str, order: ToolInput) -> "StoredResult | _Begun":
        """The recorded result of this step, else all that the call needs."""
        data, session = self.host.data, order.turn.session_id
        if (stored := read_result(data, session, order.step_id)) is not None:
            return stored
        records = Stream(data, session).history(order.turn.end)
        brief = brief_of(records)
        self.host.own(brief.workspace.data_id)
        called = records[-1].body["calls"][order.index]
        arguments: str = called["arguments"]
        if order.updated:
            arguments = arguments_of(data, session, f"{order.step_id.rpartition(':')[0]}:{order.updated}")
        name = str(called["name"]) if name == PLUGIN else name
        voice = Voice.of(brief.run, session, session, 0, tool=name)
        voice.say("tool_started", preview(name, arguments))
        return _Begun(name, arguments, self._context(order, brief, voice, records), voice)

    def _end(self, begun: "_Begun", order: ToolInput, output: Output, started: float) -> StoredResult:
        reached("done")
        stored = self._store(begun.name, order, output, time.monotonic() - started)
        begun.voice.say("tool_ended", f"{stored.status}: {stored.preview}")
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
