"""How a conversation is made shorter: what is kept word for word, what is cut, what a summary is made of."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import ValidationError

from app.domain.session import Record
from app.stream.images import weight_of
from app.stream.view import clipped
from app.tools.registry import REGISTRY

TARGET = 0.5
"""Share of the context below which pruning alone is enough."""
TAIL = 0.25
"""Share of the context that the last steps may keep beside a summary."""
CLIP, HARD_CLIP = 300, 120
"""Characters that are left of an old result."""
FRAME = 120
"""Characters of the JSON around a message, beside what it says."""
LINE = 1500
WORDS = 4000
PATHS = 40


class Cut(NamedTuple):
    """Which of the shown records stay: the last `keep`; results older than the last `whole` are cut to `clip`."""

    keep: int
    whole: int
    clip: int


def tokens(records: Sequence[Record]) -> int:
    """About how many tokens records are: a quarter of their characters."""
    return sum(_size(record) for record in records) // 4


def _size(record: Record) -> int:
    body = record.body
    calls = sum(len(call["name"]) + len(call["arguments"]) for call in body.get("calls", ()))
    return FRAME + len(body.get("text", "")) + calls + weight_of(body)


def after(view: Sequence[Record], cut: Cut) -> list[Record]:
    """What stays of `view`."""
    kept = list(view[-cut.keep :]) if cut.keep else []
    whole = len(kept) - cut.whole
    return [clipped(record, cut.clip) if place < whole else record for place, record in enumerate(kept)]


def steps_of(view: Sequence[Record]) -> list[int]:
    """Where each step begins: an answer, which its results follow. Calls and results are never split."""
    return [place for place, record in enumerate(view) if record.kind == "assistant"]


def pruned(view: Sequence[Record], limit: int) -> Cut | None:
    """Cuts old results only, if that brings the conversation below `limit` tokens."""
    starts = steps_of(view)
    for steps in (4, 2, 1):
        whole = len(view) - starts[-steps] if len(starts) >= steps else len(view)
        cut = Cut(len(view), whole, CLIP)
        if tokens(after(view, cut)) <= limit:
            return cut
    return None


def tail(view: Sequence[Record], limit: int) -> Cut:
    """The last steps that fit into `limit` tokens, at least one, its results cut where they must be."""
    starts = steps_of(view)
    for start in starts:
        if tokens(view[start:]) <= limit:
            return Cut(len(view) - start, len(view) - start, CLIP)
    last = len(view) - starts[-1] if starts else 0
    results = max(1, sum(record.kind == "tool_result" for record in view[len(view) - last :]))
    return Cut(last, 0, max(HARD_CLIP, limit * 4 // results - 80))


def kept_words(history: Sequence[Record]) -> str:
    """The task, a person's words, the list of steps and the files in play, as they are recorded."""
    task = next((r.body["text"] for r in reversed(history) if r.kind == "user" and r.body["origin"] == "task"), "")
    parts = [task, "The beginning of this conversation was left out because it grew too long."]
    if said := _said(history):
        parts.append("What the person said meanwhile:\n" + "\n".join(f"- {words}" for words in said))
    if todo := _todo(history):
        parts.append(f"Your list of steps:\n{todo}")
    edited, read = _paths(history)
    if edited:
        parts.append("Files you changed: " + ", ".join(edited))
    if read:
        parts.append("Files you read: " + ", ".join(read))
    return "\n\n".join(part for part in parts if part)


def _said(history: Sequence[Record]) -> list[str]:
    left = WORDS
    found: list[str] = []
    for record in reversed(history):
        if record.kind == "user" and record.body["origin"] == "person":
            left -= len(record.body["text"])
            if left < 0:
                break
            found.insert(0, record.body["text"])
    return found


def _todo(history: Sequence[Record]) -> str:
    for record in reversed(history):
        body = record.body
        if record.kind == "tool_result" and body["name"] in ("todo_write", "todo_read") and body["status"] == "ok":
            return body["text"][:WORDS]
    return ""


def _paths(history: Sequence[Record]) -> tuple[list[str], list[str]]:
    edited: dict[str, None] = {}
    read: dict[str, None] = {}
    for record in reversed(history):
        for call in record.body.get("calls", ()) if record.kind == "assistant" else ():
            tool = REGISTRY.get(call["name"])
            if tool is None or tool.effect not in ("read", "write"):
                continue
            with suppress(ValidationError, ValueError):
                for path in tool.paths(tool.arguments.model_validate_json(call["arguments"])):
                    (edited if tool.effect == "write" else read)[path[:200]] = None
    return list(edited)[:PATHS], [path for path in read if path not in edited][:PATHS]


def transcript(left_out: Sequence[Record], most: int) -> str:
    """What is left out, as text for the one that sums it up: at most `most` characters, its middle missing first."""
    text = "\n".join(_told(record) for record in left_out)
    if len(text) <= most:
        return text
    return f"{text[: most // 3]}\n… (left out) …\n{text[-(most - most // 3) :]}"


def _told(record: Record) -> str:
    body: dict[str, Any] = record.body
    match record.kind:
        case "assistant":
            calls = [f"agent calls {call['name']} {call['arguments'][:LINE]}" for call in body["calls"]]
            return "\n".join([f"agent: {body['text']}", *calls] if body["text"] else calls)
        case "tool_result":
            return f"result of {body['name']} ({body['status']}): {body['text'][:LINE]}"
        case "compacted":
            return f"notes from before: {body['text']}"
        case "user":
            return f"{body['origin']}: {body['text'][:LINE]}"
        case _:
            return f"{record.kind}: {json.dumps(body)[:LINE]}"
