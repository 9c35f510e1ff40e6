"""Hooks in Claude Code's configuration: which commands run at which event, and whose they are.

`{"hooks": {"PreToolUse": [{"matcher": "Write|Edit", "hooks": [{"type": "command", "command": "…", "timeout": 60}]}]}}`
in `.claude/settings.json`, `.codetether/hooks.json`, and in the person's own `hooks.json`.
"""

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from app.context.source import Item, Source
from app.domain.base import Model
from app.domain.context import Origin
from app.domain.hook import EVENTS
from app.errors import UserError

FILES = (".claude/settings.json", ".codetether/hooks.json")
TIMEOUT = 60.0
LONGEST = 600.0
"""Seconds that a hook may take; a longer wish is cut to it."""
LARGEST = 1024 * 1024

CLAUDE_NAMES: dict[str, tuple[str, ...]] = {
    "bash": ("Bash",),
    "read": ("Read",),
    "write": ("Write",),
    "edit": ("Edit",),
    "multiedit": ("MultiEdit", "Edit"),
    "apply_patch": ("apply_patch", "Edit", "Write"),
    "glob": ("Glob",),
    "grep": ("Grep",),
    "list": ("LS",),
    "todo_read": ("TodoRead",),
    "todo_write": ("TodoWrite",),
    "skill": ("Skill",),
    "task": ("Task", "Agent"),
    "webfetch": ("WebFetch",),
    "websearch": ("WebSearch",),
}
"""What a tool is called in matchers. The first is what a hook is told; the others keep a guard of edits whole."""


class Hook(Model):
    """One command of one event. `problem`: why it cannot be run; then it blocks what it would guard."""

    event: str
    matcher: str = ""
    command: str = ""
    timeout: float = TIMEOUT
    origin: Origin = "user"
    file: str = ""
    problem: str = ""

    def matches(self, tool: str) -> bool:
        """Whether it is meant for a tool of ours; the matcher is a pattern for a whole name."""
        if self.matcher in ("", "*") or not tool:
            return True
        names = (*CLAUDE_NAMES.get(tool, ()), tool)
        return any(re.fullmatch(self.matcher, name) for name in names)


class _Command(Model):
    type: str = "command"
    command: str = ""
    timeout: float = Field(default=TIMEOUT, gt=0)


class _Group(Model):
    matcher: str | None = None
    hooks: tuple[_Command, ...] = ()


def of_run(source: Source, config_dir: Path, *, trusted: bool) -> tuple[Hook, ...]:
    """All hooks: the repository's, when a person trusted them, then the person's own, who have the last word.

    Raises `UserError` naming the file that cannot be read.
    """
    theirs: list[Hook] = []
    if trusted:
        items = source.items(FILES)
        for name in FILES:
            if (item := items.get(name)) is not None:
                theirs += read(content_of(item), name, "project")
    file = config_dir / "hooks.json"
    own = read(file.read_bytes(), str(file), "user") if file.is_file() else []
    return (*theirs, *own)


def events_of(hooks: Iterable[Hook]) -> tuple[str, ...]:
    """The events that have hooks, in a fixed order: what a run is started with."""
    there = {hook.event for hook in hooks}
    return tuple(event for event in EVENTS if event in there)


def content_of(item: Item) -> bytes:
    """The content of a configuration file. Raises `UserError` for a link and for what is too large."""
    if item.kind not in ("file", "program") or item.size > LARGEST:
        raise UserError(f"`{item.path}` is a link or larger than {LARGEST:,} bytes; make it a plain file")
    return item.read()


def read(content: bytes, file: str, origin: Origin) -> list[Hook]:
    """The hooks that a configuration file names; events that are not ours are not read."""
    try:
        groups: dict[str, Any] = (json.loads(content) or {}).get("hooks") or {}
        return [
            _hook(event, group, command, file, origin)
            for event in EVENTS
            for group in (_Group.model_validate(each) for each in groups.get(event, ()))
            for command in group.hooks
        ]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        words = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise UserError(f"cannot read the hooks in `{file}`: {words}; correct the file, or take it away") from None


def _hook(event: str, group: _Group, command: _Command, file: str, origin: Origin) -> Hook:
    problem, matcher = "", group.matcher or ""
    if command.type != "command" or not command.command.strip():
        problem = f"a hook of type `{command.type}` in `{file}` cannot be run; only `command` can"
    try:
        re.compile(matcher if matcher != "*" else "")
    except re.error as error:
        problem, matcher = f"the matcher `{matcher[:80]}` in `{file}` is not valid: {error}", ""
    return Hook(
        event=event,
        matcher=matcher,
        command=command.command,
        timeout=min(command.timeout, LONGEST),
        origin=origin,
        file=file,
        problem=problem,
    )


def paths_in(item: Item | None) -> set[str]:
    """The words of a configuration's commands that could be files of the repository."""
    if item is None or item.kind not in ("file", "program") or item.size > LARGEST:
        return set()
    try:
        hooks = read(item.read(), item.path, "project")
    except UserError:
        return set()
    return {path for hook in hooks for word in _words(hook.command) if (path := _inside(word))}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, comments=False)
    except ValueError:
        return command.split()


def _inside(word: str) -> str:
    for prefix in ("$CLAUDE_PROJECT_DIR/", "${CLAUDE_PROJECT_DIR}/", "./"):
        word = word.removeprefix(prefix)
    parts = Path(word).parts
    return word if word and parts and not word.startswith("/") and ".." not in parts and parts != (".",) else ""
