"""Hooks: commands of a person, or of a repository that they trust, at fixed points of an agent's work.

| activity   | retry                                     | timeout | heartbeat |
|------------|-------------------------------------------|---------|-----------|
| `hook.run` | 10 attempts; a hook runs only in its first | 60 min  | 5 s       |

Like `bash`: what was started is never started again. A hook that guards something and was cut off blocks.
"""

import asyncio
import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporalio import activity

from activities.conversation import brief_of
from activities.deltas import Voice
from activities.host import Host, guarded, reached
from app import workspace
from app.context import agent, hooks, record, trust, wire
from app.context.said import Together
from app.domain.activities import HOOK, Brief
from app.domain.hook import HookInput, HookOutput
from app.domain.session import Record
from app.domain.tool import ToolCall
from app.stream import Stream, read_result
from app.stream.files import safe_name, session_folder
from app.tools import process
from app.tools.execute import inner_calls, parsed
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import Mounts, probe
from app.tools.registry import REGISTRY

# stdin comes as words (a word holds 128 KiB); stdout, then the mark with the exit code, then stderr.
_RUN = (
    "command=$1 mark=$2 CLAUDE_PROJECT_DIR=$3; shift 3; export CLAUDE_PROJECT_DIR\n"
    "errors=$(mktemp) || exit 125\n"
    'printf %s "$@" | sh -c "$command" 2>"$errors"\n'
    'code=$?; printf "\\n%s %s\\n" "$mark" "$code"; cat "$errors"; rm -f "$errors"'
)
_WORD = 100_000
_INPUT = 1_000_000
"""Bytes of stdin: a hook that guards something blocks what is larger."""


class HookActivities:
    """Runs the hooks of one event, one after the other; each sees the arguments as the one before left them."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=HOOK)
    async def run(self, order: HookInput) -> HookOutput:
        """What the hooks of this step said: recorded, or found."""
        self.host.own(order.data_id)
        return await guarded(self._run(order))

    async def _run(self, order: HookInput) -> HookOutput:
        data, session = self.host.data, order.session.session_id
        found = await asyncio.to_thread(record.load, data, session, order.step_id)
        if found is None:
            made = await self._all(order)
            reached("done")
            found = await asyncio.to_thread(record.store, data, session, order.step_id, made)
        return found.output

    async def _all(self, order: HookInput) -> record.HookRecord:
        data, session = self.host.data, order.session.session_id
        history = await asyncio.to_thread(self._history, order)
        brief = order.brief or brief_of(history)
        name, arguments = self._call(order, history)
        voice = Voice.of(brief.run, brief.agent, session, 0, tool=name)
        chosen = [hook for hook in await asyncio.to_thread(self._hooks, brief) if hook.event == order.event]
        together = Together(order.event, arguments)
        calls = inner_calls(name, arguments)
        for number, (hook, inner) in enumerate((hook, call) for call in calls for hook in chosen):
            if not hook.matches(inner[0]) or together.decided:
                continue
            step = f"{order.step_id}.{number}"
            said = await asyncio.to_thread(record.load_one, data, session, step)
            if said is None:
                subject = inner if inner[0] != name else (name, together.arguments)
                document = self._document(order, brief, history, *subject)
                said = await self._one(hook, step, session, brief, json.dumps(document))
                said = await asyncio.to_thread(record.store_one, data, session, step, said)
            if said.message:
                voice.say("note", said.message)
            together.hear(hook, said, inner[0], whole=inner[0] == name)
        return await asyncio.to_thread(self._sum, order, brief, name, together)

    def _history(self, order: HookInput) -> list[Record]:
        end = order.turn.end if order.turn else order.session.end
        return Stream(self.host.data, order.session.session_id).history(end)

    def _call(self, order: HookInput, history: list[Record]) -> tuple[str, str]:
        """Name and arguments of the call that the event is about."""
        if order.turn is None:
            return "", ""
        call = history[-1].body["calls"][order.index]
        if order.updated:
            step = f"{order.step_id.rpartition(':')[0]}:{order.updated}"
            return str(call["name"]), record.arguments_of(self.host.data, order.session.session_id, step)
        return str(call["name"]), str(call["arguments"])

    def _hooks(self, brief: Brief) -> tuple[hooks.Hook, ...]:
        data, space = self.host.data, brief.workspace
        source = agent.approved(data, space)
        trusted = trust.standing(data, space.root, source).usable
        return hooks.of_run(source, self.host.settings.config_dir, trusted=trusted)

    def _document(
        self, order: HookInput, brief: Brief, history: list[Record], name: str, arguments: str
    ) -> dict[str, object]:
        more: dict[str, object] = {"turn_id": order.step_id}
        match order.event:
            case "SessionStart":
                more["source"] = "resume" if history else "startup"
            case "UserPromptSubmit":
                more["prompt"] = order.prompt
            case "Stop":
                more["stop_hook_active"] = order.active
            case "PreCompact":
                more |= {"trigger": "auto", "custom_instructions": ""}
            case _:
                cwd = str(wire.told(order.event, brief)["cwd"])
                tool = REGISTRY.get(name)
                values: dict[str, Any] = (
                    parsed(tool, arguments).model_dump(mode="json") if tool else json.loads(arguments or "{}")
                )
                more["tool_name"] = wire.tool_name(name)
                more["tool_input"] = wire.tool_input(name, values, cwd)
                more["tool_use_id"] = history[-1].body["calls"][order.index]["id"]
        if order.result:
            step = f"{order.step_id.rpartition(':')[0]}:{order.result}"
            stored = read_result(self.host.data, order.session.session_id, step)
            more["tool_response"] = {"status": stored.status, "content": stored.text} if stored else {}
        return wire.told(order.event, brief, **more)

    async def _one(self, hook: hooks.Hook, step: str, session: str, brief: Brief, document: str) -> wire.Said:
        """Runs one hook, in the sandbox and without network, if it never ran."""
        data = self.host.data
        spool = session_folder(data, session) / "output" / f"{safe_name(step)}.spool"
        if await asyncio.to_thread(process.started, data, step):
            await process.cut_off(data=data, key=step, spool=spool)
            return wire.not_understood(hook, "the worker died while it ran, and it is never run twice")
        if hook.problem:
            return wire.not_understood(hook, hook.problem)
        if not probe().works:
            return wire.not_understood(hook, f"there is no sandbox to run it in ({probe().reason})")
        if len(document) > _INPUT:
            return wire.not_understood(hook, f"its input has {len(document):,} bytes, more than {_INPUT:,}")
        mark = secrets.token_hex(16)
        words = [document[start : start + _WORD] for start in range(0, len(document), _WORD)]
        root = brief.workspace.root
        ended = await process.run_command(
            data=data,
            key=step,
            argv=["sh", "-c", _RUN, "sh", hook.command, mark, root, *words],
            cwd=root,
            mounts=await asyncio.to_thread(self._mounts, hook, brief),
            timeout=hook.timeout,
            spool=spool,
        )
        out, _, rest = ended.output.rpartition(f"\n{mark} ")
        code, _, errors = rest.partition("\n")
        exit = int(code) if code.isdigit() and ended.exit == 0 else None
        return wire.said(hook, exit, out, errors, timed_out=ended.timed_out)

    def _mounts(self, hook: hooks.Hook, brief: Brief) -> Mounts:
        """What the hook sees: the worktree; over it, what a person trusted, whatever the agent made of it."""
        data, space = self.host.data, brief.workspace
        mounts = workspace.mounts(data, space, self.host.settings)
        if hook.origin != "project":
            return mounts
        copies = trust.pinned(data, trust.starters(agent.approved(data, space)).values())
        places = {name: copy for name, copy in copies.items() if _plain(mounts.worktree, name)}
        pins = tuple((copy, f"{mounts.root}/{name}") for name, copy in sorted(places.items()))
        return replace(mounts, readonly=(*mounts.readonly, *pins))

    def _sum(self, order: HookInput, brief: Brief, name: str, together: Together) -> record.HookRecord:
        call = self._judged(order, brief, name, together.arguments) if together.changed else None
        output = together.output(call)
        return record.HookRecord(
            output=output, words=together.told, arguments=together.arguments if output.call is not None else ""
        )

    def _judged(self, order: HookInput, brief: Brief, name: str, arguments: str) -> ToolCall:
        """Schema and permission once more: what a hook wrote has no rights of its own."""
        return judge(
            name,
            arguments,
            index=order.index,
            offered=brief.tools,
            workspace=brief.workspace,
            worktree=workspace.worktree_path(self.host.data, brief.workspace),
            mode=order.mode or brief.mode,
            rules=order.rules,
            sandbox=probe(),
            data=self.host.data,
            plugins=brief.plugins,
        )


def _plain(worktree: Path, name: str) -> bool:
    """Whether a plain file lies there that something can be mounted over, with no link on the way."""
    path = worktree / name
    above = [parent for parent in path.parents if parent.is_relative_to(worktree) and parent != worktree]
    return path.is_file() and not path.is_symlink() and not any(parent.is_symlink() for parent in above)
