"""What a run used, by agent, turn, key result or model: rows that add up to the total, figure by figure."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.domain.okr import KeyResult
from app.stream.journal import events
from app.stream.paid import Paid, of_run
from app.stream.used import Used, total

By = Literal["agent", "turn", "kr", "model"]
KR_RULE = (
    "A turn's calls count for the key results that were not met when it began, in equal shares; "
    "drafting and judging stand apart."
)


class Row(NamedTuple):
    """`key` says what it is of, by name; `label` is for people."""

    label: str
    key: dict[str, Any]
    used: Used


def spent(data: Path, run: str, by: By) -> list[Row]:
    """The rows of a run, in the order in which they began. Raises `Damaged` for a journal that cannot be read."""
    calls = sorted(of_run(data, run), key=lambda call: call.at)
    match by:
        case "agent":
            return _grouped((call.agent, {"agent": call.agent}, call.used) for call in calls)
        case "model":
            return _grouped((call.model, {"model": call.model}, call.used) for call in calls)
        case "turn":
            return _grouped((_turn(call), {"turn": call.turn, "agent": call.agent}, call.used) for call in calls)
        case "kr":
            return _by_key_result(calls, open_key_results(data, run))


def open_key_results(data: Path, run: str) -> dict[int, tuple[tuple[str, str], ...]]:
    """For each turn the key results (id, title) that were not met when it began; all of them if all were."""
    now: tuple[KeyResult, ...] = ()
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for record in events(data, run)[0]:
        body = record.body.get("body", {})
        match record.body.get("kind"):
            case "started":
                now = _key_results(body["input"].get("resume") or {})
            case "draft":
                now = _key_results(body.get("okr") or {})
            case "baseline" | "reading":
                now = _key_results(body) or now
            case "turn_started":
                wanting = tuple(kr for kr in now if not kr.met) or now
                found[int(body["turn"])] = tuple((kr.id, kr.title) for kr in wanting)
            case _:
                pass
    return found


def _key_results(body: dict[str, Any]) -> tuple[KeyResult, ...]:
    return tuple(KeyResult.model_validate(kr) for kr in body.get("key_results", ()))


def _by_key_result(calls: list[Paid], wanting: dict[int, tuple[tuple[str, str], ...]]) -> list[Row]:
    apart = [call for call in calls if call.stage != "working" or not wanting.get(call.turn)]
    names = {"working": "no key result"}
    rows = _grouped((names.get(c.stage, c.stage), {"kr": None, "for": c.stage}, c.used) for c in apart)
    shares: list[tuple[str, dict[str, Any], Used]] = []
    for turn, found in sorted(wanting.items()):
        used = total(call.used for call in calls if call.stage == "working" and call.turn == turn)
        for (name, title), share in zip(found, used.parts(len(found)) if found else (), strict=True):
            # A part of an unknown price is unknown, although the number of such calls is shared out.
            shares.append((f"{name}: {title}", {"kr": name, "title": title, "unknown": used.unknown > 0}, share))
    return [*rows, *_grouped(shares)]


def _grouped(parts: Iterable[tuple[str, dict[str, Any], Used]]) -> list[Row]:
    """One row for each label, in the order of their first parts."""
    sums: defaultdict[str, Used] = defaultdict(Used)
    keys: dict[str, dict[str, Any]] = {}
    for label, key, used in parts:
        sums[label] += used
        known = keys.setdefault(label, key)
        if key.get("unknown"):
            keys[label] = {**known, "unknown": True}
    return [Row(label, keys[label], used) for label, used in sums.items()]


def _turn(call: Paid) -> str:
    if call.stage == "drafting":
        return "drafting"
    if call.stage == "judging":
        return f"turn {call.turn} · judge" if call.turn else "baseline · judge"
    return f"turn {call.turn} · {call.agent}" if call.turn else call.agent
