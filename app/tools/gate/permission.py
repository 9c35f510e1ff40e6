"""What may run, what is asked, what is refused: the policy's verdict on each call of an answer.

| mode        | edits                     | commands                          | what is asked for          |
|-------------|---------------------------|-----------------------------------|----------------------------|
| `plan`      | denied                    | in a sandbox that cannot write    | the rest, as in `ask`      |
| `ask`       | but of protected files    | in a sandbox, without network     | the rest, and the unclear  |
| `auto-edit` | all inside the repository | as in `ask`                       | the rest, and the unclear  |
| `full`      | all                       | all                               | nothing                    |

A person's rules beat the mode; a rule that denies beats even `full`. A verdict with a `reason` needed permission.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.plugin import PREFIX, PluginRef
from app.domain.tool import Mode, Rule, ToolCall, Workspace
from app.tools.base import ToolError
from app.tools.execute import parsed
from app.tools.gate.sandbox import Sandbox
from app.tools.gate.verdict import Standing, Subject, weigh
from app.tools.registry import REGISTRY, Tool

_PATTERN = 300
"""Bytes of a rule; a longer call is named by its digest, so that no other call passes for it."""
_SHORT = 120
"""Characters of a preview that only the history shows; who is asked sees more."""


def judge(
    name: str,
    arguments: str,
    *,
    index: int,
    offered: Sequence[str],
    workspace: Workspace,
    worktree: Path,
    mode: Mode,
    rules: Sequence[Rule],
    sandbox: Sandbox,
    data: Path | None = None,
    plugins: Sequence[PluginRef] = (),
) -> ToolCall:
    """The call as the workflow sees it. An unknown tool or bad arguments schedule nothing."""
    if name.startswith(PREFIX) and data is not None:
        from app.tools.gate.plugins import judge_plugin

        return judge_plugin(
            name, arguments, index=index, data=data, plugins=plugins, mode=mode, rules=rules, sandbox=sandbox
        )
    tool = REGISTRY.get(name)
    if tool is None or name not in offered:
        return _nothing(index, f"error: unknown tool `{name[:64]}`; the tools are: {', '.join(offered)}")
    try:
        values = parsed(tool, arguments)
    except ToolError as error:
        return _nothing(index, f"error: {error}")
    standing = Standing(workspace, worktree, mode, rules, sandbox)
    for number, (inner, given) in enumerate(tool.inner(values) if tool.inner else (), 1):
        if problem := _bundled(inner, given, offered, standing):
            return _nothing(index, f"error: call {number} of `{name}` {problem}; none was made")
    canonical, waits = _canonical(arguments), tool.runs_as == "wait"
    verdict = {} if tool.effect in ("answer", "wait") else _verdict(tool, values, canonical, standing)
    preview = _line(tool.preview(values), 400 if waits else 300 if "rule" in verdict else _SHORT)
    return ToolCall(
        index=index,
        activity=name,
        runs_as=tool.runs_as,
        effect=tool.effect,
        preview=preview,
        fingerprint=sha256(f"{name}\0{canonical}".encode()).hexdigest()[:16],
        read_only=mode == "plan" and tool.effect == "run",
        background=bool(getattr(values, "background", False)),
        stops=int(getattr(values, "stops", 0)),
        text=str(getattr(values, "plan", ""))[:4000] if waits else "",
        **verdict,
    )


def _verdict(tool: Tool, values: Any, canonical: str, standing: Standing) -> dict[str, Any]:
    """The fields of `ToolCall` that say whether it may run; with `rule` where a person is asked."""
    subject = subject_of(tool, values, canonical)
    found = weigh(subject, standing)
    said = {"verdict": found.verdict, "reason": _fitting(found.reason, 300)}
    return said | ({"rule": f"{tool.name}: {subject.whole}"} if found.verdict == "ask" else {})


def subject_of(tool: Tool, values: Any, canonical: str) -> Subject:
    """What a call with these checked arguments, and as JSON in one form, is about."""
    command = values.command if tool.effect == "run" else None
    paths = tool.paths(values)
    return Subject(
        tool=tool.name,
        effect=tool.effect,
        whole=_whole(tool, values, canonical),
        command=command,
        network=bool(getattr(values, "network", False)) or bool(getattr(values, "url", "")),
        paths=paths,
        text=str(getattr(values, "url", "")) or canonical,
    )


def _bundled(name: str, arguments: str, offered: Sequence[str], standing: Standing) -> str:
    """Why a call cannot be one of several: it does more than read, or a person must be asked; empty if it can."""
    tool = REGISTRY.get(name)
    if tool is None or name not in offered:
        return f"is of the unknown tool `{name[:64]}`"
    if tool.effect != "read" or tool.inner is not None:
        return f"(`{name}`) does more than read; make it on its own"
    try:
        found = weigh(subject_of(tool, parsed(tool, arguments), _canonical(arguments)), standing)
    except ToolError as error:
        return f"is wrong: {error}"
    # Also what a rule or mode `full` lets through: who is to be told of it sees it only on its own.
    return f"(`{name}`) needs a person's word ({found.reason}); make it on its own" if found.reason else ""


def _whole(tool: Tool, values: Any, canonical: str) -> str:
    """What a standing answer names: the whole call, or its beginning with a digest of the whole."""
    if tool.effect == "run":
        where = "" if values.cwd in ("", ".") else f" (in {values.cwd})"
        whole = f"{values.command}{where}{' (network)' if values.network else ''}"
    else:
        whole = " ".join(tool.paths(values)) or str(getattr(values, "url", "")) or canonical
    if len(whole.encode()) <= _PATTERN:
        return whole
    return f"{_fitting(whole, _PATTERN - 80)} … sha256:{sha256(whole.encode()).hexdigest()}"


def _fitting(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


def _nothing(index: int, text: str) -> ToolCall:
    return ToolCall(index=index, activity="none", runs_as="none", preview=text[:400])


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), sort_keys=True)
    except ValueError:
        return arguments


def _line(text: str, most: int) -> str:
    return _fitting(" ".join(text.split()), most)
