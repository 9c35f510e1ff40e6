"""What goes into a hook and what comes out of it: Claude Code's wire format (code.claude.com/docs/en/hooks).

stdin and stdout are JSON. Exit 0: stdout is read; 2: blocked, stderr says why; else: a warning.
Where a hook that guards something (`Pre…`) cannot be understood, it blocks.
"""

import json
import os
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from app.context.hooks import CLAUDE_NAMES, Hook
from app.domain.activities import Brief
from app.domain.base import Model
from app.domain.hook import HookVerdict

WORDS = 10_000
"""Characters that one hook may tell the model, as in Claude Code."""
_CONTEXT_EVENTS = ("SessionStart", "UserPromptSubmit")
_MODES = {"ask": "default", "full": "bypassPermissions", "auto-edit": "acceptEdits", "plan": "plan"}
_FILE_TOOLS = ("read", "write", "edit", "multiedit")
_TO_WIRE = {"path": "file_path", "old": "old_string", "new": "new_string"}
_FROM_WIRE = {wire: own for own, wire in _TO_WIRE.items()}
_BACKGROUND = "run_in_background"
_IGNORED = {"bash": ("description", "dangerouslyDisableSandbox")}


class Said(Model):
    """What one hook said. `message` is for the person; `words` for the model."""

    verdict: HookVerdict = ""
    reason: str = ""
    words: str = ""
    message: str = ""
    updated: dict[str, Any] | None = None
    stop: str = ""


class _Wire(Model):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, strict=True)


class _Specific(_Wire):
    hook_event_name: str = ""
    permission_decision: Literal["allow", "deny", "ask"] | None = None
    permission_decision_reason: str = ""
    updated_input: dict[str, Any] | None = None
    additional_context: str = ""


class _Answer(_Wire):
    go_on: bool = Field(default=True, alias="continue")
    stop_reason: str = ""
    system_message: str = ""
    decision: Literal["approve", "block"] | None = None
    reason: str = ""
    hook_specific_output: _Specific | None = None


def told(event: str, brief: Brief, **more: object) -> dict[str, object]:
    """The document for stdin; `more` holds the fields of the event."""
    space = brief.workspace
    return {
        "session_id": brief.ids.session_id,
        "transcript_path": "",
        "cwd": os.path.normpath(PurePosixPath(space.root) / space.subdir),
        "hook_event_name": event,
        "model": brief.model.id,
        "permission_mode": _MODES.get(brief.mode, "default"),
        "agent_id": brief.agent,
        "agent_type": brief.persona,
        **more,
    }


def tool_input(name: str, values: dict[str, Any], cwd: str) -> dict[str, Any]:
    """The checked arguments of a tool of ours as the tool of that name in Claude Code has them."""
    if name == "bash":
        given = {_BACKGROUND if key == "background" else key: value for key, value in values.items()}
        return {**given, "timeout": round(values["timeout"] * 1000)}
    if name not in _FILE_TOOLS:
        return values
    given = {_TO_WIRE.get(key, key): value for key, value in values.items()}
    if "edits" in given:
        given["edits"] = [{_TO_WIRE.get(key, key): value for key, value in edit.items()} for edit in given["edits"]]
    return {**given, "file_path": os.path.normpath(PurePosixPath(cwd) / given["file_path"])}


def arguments(name: str, updated: dict[str, Any]) -> str:
    """The arguments that a hook wrote, as JSON for the tool of ours; its schema still has to agree."""
    given = {key: value for key, value in updated.items() if key not in _IGNORED.get(name, ())}
    if name == "bash":
        given = {"background" if key == _BACKGROUND else key: value for key, value in given.items()}
        if isinstance(given.get("timeout"), int | float):
            given["timeout"] = given["timeout"] / 1000
    if name in _FILE_TOOLS:
        given = {_FROM_WIRE.get(key, key): value for key, value in given.items()}
        if isinstance(given.get("edits"), list):
            given["edits"] = [
                {_FROM_WIRE.get(key, key): value for key, value in edit.items()} if isinstance(edit, dict) else edit  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportUnknownArgumentType]
                for edit in given["edits"]
            ]
    return json.dumps(given)


def tool_name(name: str) -> str:
    """What a hook is told that a tool is called."""
    return CLAUDE_NAMES.get(name, (name,))[0]


def said(hook: Hook, exit: int | None, stdout: str, stderr: str, *, timed_out: bool = False) -> Said:
    """What a hook that ended like this said."""
    if timed_out:
        return not_understood(hook, f"it did not end within {hook.timeout:g} s")
    if exit is None or exit < 0 or exit > 128:
        return not_understood(hook, "it was killed, or could not be started")
    if exit in (126, 127):
        return not_understood(hook, f"its program cannot be run: {_line(stderr)}")
    if exit == 2:
        return Said(verdict="deny", reason=stderr.strip()[:WORDS] or f"hook `{_line(hook.command)}` said no")
    if exit != 0:
        return Said(message=f"hook `{_line(hook.command)}` ended with {exit}: {_line(stderr)}")
    if not stdout.lstrip().startswith("{"):
        return Said(words=stdout.strip()[:WORDS] if hook.event in _CONTEXT_EVENTS else "")
    try:
        answer = _Answer.model_validate_json(stdout)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "its output"
        return not_understood(hook, f"`{field}` in its output: {first['msg']}")
    specific = answer.hook_specific_output or _Specific()
    if specific.hook_event_name not in ("", hook.event):
        return not_understood(hook, f"it answered for `{specific.hook_event_name[:40]}`, not for `{hook.event}`")
    return Said(
        verdict=_verdict(hook.event, answer, specific),
        reason=(specific.permission_decision_reason or answer.reason)[:WORDS],
        words=specific.additional_context[:WORDS],
        message=_line(answer.system_message, 400),
        updated=specific.updated_input if hook.event == "PreToolUse" else None,
        stop="" if answer.go_on else _line(answer.stop_reason, 300) or f"hook `{_line(hook.command)}` stopped it",
    )


def _verdict(event: str, answer: _Answer, specific: _Specific) -> HookVerdict:
    if answer.decision == "block":
        return "deny"
    if event != "PreToolUse":
        return ""
    return specific.permission_decision or ("allow" if answer.decision == "approve" else "")


def not_understood(hook: Hook, why: str) -> Said:
    """A hook whose answer is unknown: one that guards something blocks it; another one is only told of."""
    sentence = f"hook `{_line(hook.command)}` cannot be understood: {why}"[:400]
    return Said(verdict="deny", reason=sentence) if hook.event.startswith("Pre") else Said(message=sentence)


def _line(text: str, most: int = 120) -> str:
    return " ".join(text.split())[:most]
