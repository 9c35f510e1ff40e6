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
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.plugin import PREFIX, PluginRef
from app.domain.tool import Mode, Rule, ToolCall, Verdict, Workspace
from app.tools.base import ToolError
from app.tools.execute import parsed
from app.tools.gate import places
from app.tools.gate.rules import allows, glob, of_tool, shown, strictest, touches
from app.tools.gate.sandbox import Sandbox
from app.tools.gate.shell import Part, Script, read
from app.tools.paths import composed
from app.tools.registry import REGISTRY, Tool

_PATTERN = 300
"""Bytes of a rule; a longer call is named by its digest, so that no other call passes for it."""
_SHORT = 120
"""Characters of a preview that only the history shows; who is asked sees more."""


@dataclass(frozen=True)
class Standing:
    """What verdicts rest on: where the agent works, its mode, a person's rules, and what can hold a command."""

    workspace: Workspace
    worktree: Path
    mode: Mode
    rules: Sequence[Rule]
    sandbox: Sandbox


@dataclass(frozen=True)
class Subject:
    """What a call is about. `command` is None for a tool that runs none; `text`: a URL, or arguments as JSON."""

    tool: str
    effect: str
    whole: str
    command: str | None = None
    network: bool = False
    paths: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Point:
    """The verdict on one part of a call, why, and the rule that decided (empty: the mode did)."""

    what: str
    verdict: Verdict
    why: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Finding:
    """The verdict on a call: the strictest of its points. `reason`: why it needed permission, if it did."""

    verdict: Verdict
    reason: str
    points: tuple[Point, ...]


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
    for number, (inner, given) in enumerate(tool.inner(values) if tool.inner else (), 1):
        if problem := _bundled(inner, given, offered, Standing(workspace, worktree, mode, rules, sandbox)):
            return _nothing(index, f"error: call {number} of `{name}` {problem}; none was made")
    call = ToolCall(
        index=index,
        activity=name,
        runs_as=tool.runs_as,
        effect=tool.effect,
        preview=_line(tool.preview(values), 400 if tool.runs_as == "wait" else _SHORT),
        fingerprint=sha256(f"{name}\0{_canonical(arguments)}".encode()).hexdigest()[:16],
        read_only=mode == "plan" and tool.effect == "run",
        background=bool(getattr(values, "background", False)),
        stops=int(getattr(values, "stops", 0)),
        text=str(getattr(values, "plan", ""))[:4000] if tool.runs_as == "wait" else "",
    )
    if tool.effect in ("answer", "wait"):
        return call
    subject = subject_of(tool, values, arguments)
    found = weigh(subject, Standing(workspace, worktree, mode, rules, sandbox))
    reason = _fitting(found.reason, 300)
    if found.verdict != "ask":
        return call.model_copy(update={"verdict": found.verdict, "reason": reason})
    whole = _line(tool.preview(values), 300)
    return call.model_copy(
        update={"verdict": "ask", "reason": reason, "rule": f"{name}: {subject.whole}", "preview": whole}
    )


def subject_of(tool: Tool, values: Any, arguments: str) -> Subject:
    """What a call with these checked arguments is about."""
    command = values.command if tool.effect == "run" else None
    paths = tool.paths(values)
    return Subject(
        tool=tool.name,
        effect=tool.effect,
        whole=_whole(tool, values, arguments),
        command=command,
        network=bool(getattr(values, "network", False)) or bool(getattr(values, "url", "")),
        paths=paths,
        text=str(getattr(values, "url", "")) or _canonical(arguments),
    )


def _bundled(name: str, arguments: str, offered: Sequence[str], standing: "Standing") -> str:
    """Why a call cannot be one of several: it does more than read, or a person must be asked; empty if it can."""
    tool = REGISTRY.get(name)
    if tool is None or name not in offered:
        return f"is of the unknown tool `{name[:64]}`"
    if tool.effect != "read" or tool.inner is not None:
        return f"(`{name}`) does more than read; make it on its own"
    try:
        found = weigh(subject_of(tool, parsed(tool, arguments), arguments), standing)
    except ToolError as error:
        return f"is wrong: {error}"
    # Also what a rule or mode `full` lets through: who is to be told of it sees it only on its own.
    return f"(`{name}`) needs a person's word ({found.reason}); make it on its own" if found.reason else ""


def weigh(subject: Subject, standing: Standing) -> Finding:
    """The verdict on a call, with its points. A rule that names the whole call word for word decides alone."""
    rules = of_tool(standing.rules, subject.tool)
    exact = strictest(
        [r for r in rules if r.tool == subject.tool and r.pattern == subject.whole and r.verdict != "ask"]
    )
    rules = [rule for rule in rules if rule is not exact]
    points = _points(subject, standing, rules)
    if exact is not None and exact.verdict == "deny":
        points = [Point(subject.whole, "deny", "a person said never", shown(exact))]
    elif exact is not None and exact.verdict == "allow" and standing.mode != "plan":
        points = [_freed(point, exact) for point in points]
    if standing.mode == "full":
        points = [Point(p.what, "allow", p.why, p.rule) if p.verdict == "ask" else p for p in points]
    ordered = [point for verdict in ("deny", "ask", "allow") for point in points if point.verdict == verdict]
    needed = [point for point in ordered if point.why]
    unheld = [point for point in needed if point.why.startswith("no sandbox") and point.verdict == ordered[0].verdict]
    return Finding(ordered[0].verdict, (unheld or needed or ordered)[0].why, tuple(points))


def _freed(point: Point, rule: Rule) -> Point:
    return Point(point.what, "allow", point.why, shown(rule)) if point.verdict == "ask" else point


def _points(subject: Subject, standing: Standing, rules: Sequence[Rule]) -> list[Point]:
    if subject.effect == "write" and standing.mode == "plan":
        return [Point(subject.whole, "deny", "mode `plan` changes nothing; call `plan_exit` with your plan")]
    if subject.command is not None:
        return _command(subject, subject.command, standing, rules)
    names = subject.paths or (subject.text,)
    return [_named(subject, name, standing, rules) for name in names]


def _named(subject: Subject, name: str, standing: Standing, rules: Sequence[Rule]) -> Point:
    """A path, a URL or other arguments."""
    why = ""
    if subject.paths:
        why = places.of_path(standing.workspace, standing.worktree, name)
        if not why and subject.effect == "write" and standing.mode == "ask" and places.protected(name):
            why = f"`{name[:200]}` is a protected file"
    elif subject.network:
        why = "it wants the network"
    shapes = _shapes(name, standing.workspace) if subject.paths else (name,)
    about = [rule for rule in rules if any(glob(composed(shape), composed(rule.pattern)) for shape in shapes)]
    return _point(name, why, strictest(about))


def _shapes(path: str, workspace: Workspace) -> tuple[str, ...]:
    """A path as rules may name it: as it was written, and below the repository."""
    import os

    whole = os.path.normpath(os.path.join(workspace.root, workspace.subdir, path))  # noqa: PTH118 - may not exist
    below = os.path.relpath(whole, workspace.root)
    return (path, whole) if below.startswith("..") else (below, whole)


def _point(what: str, why: str, rule: Rule | None) -> Point:
    if rule is None:
        return Point(what, "ask" if why else "allow", why)
    if rule.verdict == "allow":
        return Point(what, "allow", why, shown(rule))
    past = "denies" if rule.verdict == "deny" else "asks for"
    return Point(what, rule.verdict, why or f"a rule {past} it: `{shown(rule)}`"[:300], shown(rule))


# Commands -----------------------------------------------------------------------------------------


def _command(subject: Subject, command: str, standing: Standing, rules: Sequence[Rule]) -> list[Point]:
    script = read(command)
    everything = strictest([rule for rule in rules if rule.pattern == "*"])
    denies = any(rule.verdict == "deny" for rule in rules)
    points = [_part(subject, part, standing, rules) for part in script.parts]
    points += _unclear(script, standing, everything, denies)
    for redirect in script.redirects:
        careful = standing.mode == "ask"
        why = places.of_redirect(standing.workspace, standing.worktree, redirect, careful=careful)
        if why:
            points.append(_point(f"> {redirect.target.text}", why, everything))
    for path in subject.paths:
        if why := places.of_path(standing.workspace, standing.worktree, path):
            points.append(_point(f"in {path}", why, everything))
    if not points:
        points = [_held(subject, Point(command[:200], "allow"), standing, None)]
    return points


def _unclear(script: Script, standing: Standing, everything: Rule | None, denies: bool) -> list[Point]:
    """What cannot be read is asked for; in mode `full` it is denied where a rule could deny it."""
    if denies and standing.mode == "full":
        why = "; a rule denies some commands, and this one cannot be told from them: write it plainly"
        return [Point("the command", "deny", doubt + why) for doubt in script.doubts]
    return [_point("the command", doubt, everything) for doubt in script.doubts]


def _part(subject: Subject, part: Part, standing: Standing, rules: Sequence[Rule]) -> Point:
    about = [
        rule
        for rule in rules
        if rule.pattern == "*"
        or (allows(rule, part, network=subject.network) if rule.verdict == "allow" else
            touches(rule, part, network=subject.network, sure=True))
    ]  # fmt: skip
    rule = strictest(about)
    if rule is None or rule.verdict != "deny":
        unsure = [r for r in rules if r.verdict == "deny" and touches(r, part, network=subject.network, sure=False)]
        if unsure:
            verdict = "deny" if standing.mode == "full" else "ask"
            return Point(
                part.text, verdict, f"it may be what a rule denies: `{shown(unsure[0])}`"[:300], shown(unsure[0])
            )
    if rule is not None and rule.verdict == "allow" and subject.network and rule.pattern == "*":
        rule = None  # `*` says nothing about the network
    return _held(
        subject, _point(part.text, places.of_words(standing.workspace, standing.worktree, part), rule), standing, rule
    )


def _held(subject: Subject, point: Point, standing: Standing, rule: Rule | None) -> Point:
    """The point with what the whole call needs: a sandbox, the network. A rule that allows the part covers it."""
    if point.verdict == "deny":
        return point
    if not standing.sandbox.enough:
        why = _unheld(standing.sandbox, network=subject.network)
        if standing.mode == "plan":
            return Point(point.what, "deny", f"mode `plan` runs commands in a whole sandbox only; {why}")
    elif subject.network:
        why = "it wants the network"
    else:
        return point
    free = rule is not None and rule.verdict == "allow"
    return Point(point.what, "allow" if free else "ask", why, point.rule)


def _unheld(sandbox: Sandbox, *, network: bool) -> str:
    if not sandbox.works:
        return f"no sandbox: {sandbox.reason}"
    wish = "; it wants the network, and no list of hosts can be held" if network else ""
    return f"{sandbox.backend} alone does not hold {', '.join(sandbox.lacks)}{wish}"


def _whole(tool: Tool, values: Any, arguments: str) -> str:
    """What a standing answer names: the whole call, or its beginning with a digest of the whole."""
    if tool.effect == "run":
        where = "" if values.cwd in ("", ".") else f" (in {values.cwd})"
        whole = f"{values.command}{where}{' (network)' if values.network else ''}"
    else:
        whole = " ".join(tool.paths(values)) or str(getattr(values, "url", "")) or _canonical(arguments)
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
