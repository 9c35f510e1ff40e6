"""The tasks that agents are given, written from decisions alone."""

from collections.abc import Sequence

from app.domain.figures import figure, target
from app.domain.okr import Command, Judge, KeyResult, Member, Okr, TestCount

TOLD_LIMIT = 12_000
"""Bytes of a person's words in one turn: a payload must stay small."""
TOLD_COUNT = 40
LEFT_LIMIT = 30_000
"""Bytes of words that an ended agent hands on unread."""


def drafting(intent: str, earlier: Okr | None, notes: tuple[str, ...]) -> str:
    """What the drafting agent is asked for."""
    parts = [f"Intent of the person:\n{intent}"]
    if earlier is not None:
        parts.append(f"Your earlier draft:\n{earlier.model_dump_json(include={'objective', 'key_results', 'team'})}")
    if notes:
        parts.append("What must change:\n" + "\n".join(f"- {note}" for note in notes))
    parts.append("Look at the repository, then call `propose_okr`.")
    return "\n\n".join(parts)


def turn(member: Member, *, objective: str, task: str, key_results: tuple[KeyResult, ...], baton: str) -> str:
    """What one agent of a relay is asked for; `baton` is what the agent before it handed over."""
    parts = [f"You are: {member.name}\nYour role: {member.role}", f"Task of the person:\n{task}"]
    if objective:
        parts.append(f"Objective: {objective}")
    if key_results:
        parts.append("Key results, as measured now:\n" + "\n".join(_state(kr) for kr in key_results))
    if baton:
        parts.append(f"Handed over by the agent before you:\n{baton}")
    return "\n\n".join(parts)


def _state(kr: KeyResult) -> str:
    now = kr.last or kr.baseline
    value = "not measured" if now is None or now.value is None else figure(now.value)
    sign = ">=" if kr.direction == "up" else "<="
    done = " (met)" if kr.met else ""
    return f"- {kr.title}: {value} now, target {target(sign, kr.target, kr.unit)}{done}\n  measured by: {_how(kr)}"


def _how(kr: KeyResult) -> str:
    match kr.measure:
        case Command(argv=argv) | TestCount(argv=argv):
            return " ".join(argv)
        case Judge(question=question):
            return f"a judgement: {question}"


def readable(told: Sequence[str], limit: int = TOLD_LIMIT) -> tuple[str, ...]:
    """The words that fit into one turn, at least one; the others wait for the next."""
    count, size = 0, 0
    for words in told[:TOLD_COUNT]:
        size += len(words.encode())
        if count and size > limit:
            break
        count += 1
    return tuple(told[:count])


def subject(text: str, most: int = 60) -> str:
    """The first sentence of an agent's closing words as the subject of its commit, cut between words."""
    line = (text.strip().splitlines() or [""])[0]
    sentence = line.split(". ")[0].rstrip(".")
    if len(sentence) <= most:
        return sentence
    return sentence[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
