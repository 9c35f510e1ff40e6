"""The verdict on what a call is about: its points weighed by the mode and a person's rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.domain.tool import Mode, Rule, Verdict, Workspace
from app.tools.gate import places
from app.tools.gate.rules import allows, glob, of_tool, shown, strictest, touches
from app.tools.gate.sandbox import Sandbox
from app.tools.gate.shell import Part, Script, read
from app.tools.paths import composed, inside


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
    why = real = ""
    if subject.paths:
        careful = subject.effect == "write" and standing.mode == "ask"
        real = inside(standing.workspace, standing.worktree, name) if rules or careful else ""
        why = places.of_path(standing.workspace, standing.worktree, name)
        if not why and careful and (places.protected(name) or places.protected(real)):
            why = f"`{name[:200]}` is a protected file"
    elif subject.network:
        why = "it wants the network"
    if not rules:
        return _point(name, why, None)
    shapes = _shapes(name, standing.workspace) if subject.paths else (name,)
    led = (real,) if real and real not in shapes else ()  # where links lead: an allowing rule must cover that, too
    about = [rule for rule in rules if _about(rule, shapes, led)]
    return _point(name, why, strictest(about))


def _about(rule: Rule, written: tuple[str, ...], led: tuple[str, ...]) -> bool:
    fits = [any(glob(composed(shape), composed(rule.pattern)) for shape in shapes) for shapes in (written, led)]
    return all(fits) if led and rule.verdict == "allow" else any(fits)


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
