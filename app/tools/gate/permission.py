"""What may run, what is asked, what is refused: the policy's verdict on each call of an answer.

Mode `ask`: reads, edits inside the worktree and sandboxed commands without network are allowed; the
network, paths outside, `.env`-like files and commands without a sandbox are asked. Mode `full` allows
those too. A standing rule of a person beats both. A verdict with a `reason` needed permission.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.tool import Mode, Rule, ToolCall, Workspace
from app.tools.base import ToolError
from app.tools.execute import parsed
from app.tools.gate.sandbox import Sandbox
from app.tools.paths import outside, sensitive
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
) -> ToolCall:
    """The call as the workflow sees it. An unknown tool or bad arguments schedule nothing."""
    tool = REGISTRY.get(name)
    if tool is None or name not in offered:
        return _nothing(index, f"error: unknown tool `{name[:64]}`; the tools are: {', '.join(offered)}")
    try:
        values = parsed(tool, arguments)
    except ToolError as error:
        return _nothing(index, f"error: {error}")
    for number, (inner, given) in enumerate(tool.inner(values) if tool.inner else (), 1):
        if problem := _bundled(inner, given, offered, rules, workspace=workspace, worktree=worktree, sandbox=sandbox):
            return _nothing(index, f"error: call {number} of `{name}` {problem}; none was made")
    pattern = _pattern(tool, values)
    call = ToolCall(
        index=index,
        activity=name,
        runs_as=tool.runs_as,
        effect=tool.effect,
        preview=_line(tool.preview(values), 400 if tool.runs_as == "wait" else _SHORT),
        fingerprint=sha256(f"{name}\0{_canonical(arguments)}".encode()).hexdigest()[:16],
    )
    rule = next((rule for rule in rules if rule.tool == name and rule.pattern == pattern), None)
    if rule is not None and rule.verdict == "deny":
        return call.model_copy(update={"verdict": "deny", "reason": "a person said never"})
    reason = _needs(tool, values, workspace=workspace, worktree=worktree, sandbox=sandbox)
    free = not reason or mode == "full" or rule is not None
    if free:
        return call.model_copy(update={"reason": reason[:400]})
    whole = _line(tool.preview(values), 300)
    asked = {"verdict": "ask", "reason": _fitting(reason, 300), "rule": f"{name}: {pattern}", "preview": whole}
    return call.model_copy(update=asked)


def _bundled(
    name: str,
    arguments: str,
    offered: Sequence[str],
    rules: Sequence[Rule],
    *,
    workspace: Workspace,
    worktree: Path,
    sandbox: Sandbox,
) -> str:
    """Why a call cannot be one of several: it does more than read, or a person must be asked; empty if it can."""
    tool = REGISTRY.get(name)
    if tool is None or name not in offered:
        return f"is of the unknown tool `{name[:64]}`"
    if tool.effect != "read" or tool.inner is not None:
        return f"(`{name}`) does more than read; make it on its own"
    try:
        values = parsed(tool, arguments)
    except ToolError as error:
        return f"is wrong: {error}"
    pattern = _pattern(tool, values)
    ruled = any(rule.tool == name and rule.pattern == pattern for rule in rules)
    reason = _needs(tool, values, workspace=workspace, worktree=worktree, sandbox=sandbox)
    return f"(`{name}`) needs a person's word ({reason or 'there is a rule for it'}); make it on its own" * bool(
        ruled or reason
    )


def _needs(tool: Tool, values: Any, *, workspace: Workspace, worktree: Path, sandbox: Sandbox) -> str:
    """Why a person must allow this call; empty when nobody needs to."""
    if tool.effect == "run":
        if not sandbox.works:
            return f"no sandbox: {sandbox.reason}"
        return "it wants the network" if getattr(values, "network", False) else ""
    for path in tool.paths(values):
        if outside(workspace, worktree, path):
            return f"`{path}` lies outside the repository"
        if sensitive(path):
            return f"`{path}` may hold secrets"
    return ""


def _pattern(tool: Tool, values: Any) -> str:
    """What a standing rule names: the whole call, or its beginning with a digest of the whole."""
    if tool.effect == "run":
        where = "" if values.cwd in ("", ".") else f" (in {values.cwd})"
        whole = f"{values.command}{where}{' (network)' if values.network else ''}"
    else:
        whole = " ".join(tool.paths(values)) or "*"
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
