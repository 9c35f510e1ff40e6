"""What some servers say twice, taken once. What cannot be told from a model's own repetition stays: text, for one."""

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import ModelResponsePart, ToolCallPart


def count_last(stream: Any) -> None:
    """Of several reports of usage in one stream the last one counts: each says what the whole answer has used.

    pydantic-ai adds them up, which doubles the cost where a server tells with every event, or twice at the end;
    only in its own method can one report be told from the next.
    """
    add = stream._add_usage

    def last(usage: Any, *, reported: bool, cumulative: bool = False) -> None:
        add(usage, reported=reported, cumulative=cumulative or reported)

    stream._add_usage = last


def calls_once(parts: Collection[ModelResponsePart], offered: Collection[str]) -> list[ModelResponsePart]:
    """The parts with arguments as text; each call once, by its name, with an id of its own.

    A call that came again with its id, name and arguments is the same call; with other arguments it is another.
    """
    seen: dict[str, ToolCallPart] = {}
    result: list[ModelResponsePart] = []
    for part in parts:
        if not isinstance(part, ToolCallPart):
            result.append(part)
            continue
        call = replace(part, tool_name=_one_name(part.tool_name, offered), args=_text_of(part.args))
        known = seen.get(call.tool_call_id)
        if known is not None and (known.tool_name, known.args) == (call.tool_name, call.args):
            continue
        call = replace(call, tool_call_id=_unused(call.tool_call_id, seen))
        seen[call.tool_call_id] = call
        result.append(call)
    return result


def _one_name(name: str, offered: Collection[str]) -> str:
    """`readread`, from a server that names the tool with each delta, is the `read` that is offered."""
    if name in offered:
        return name
    for known in offered:
        if known and len(name) % len(known) == 0 and name == known * (len(name) // len(known)):
            return known
    return name


def _text_of(arguments: Any) -> str:
    """Arguments as text: never empty, and one document where it was said several times."""
    if isinstance(arguments, dict):
        return json.dumps(arguments, ensure_ascii=False)
    if not arguments or not arguments.strip():
        return "{}"
    with suppress(ValueError):
        _, end = json.JSONDecoder().raw_decode(arguments)
        one, rest = arguments[:end], arguments[end:]
        if rest and rest == one * (len(rest) // len(one)):
            return one
    return arguments


def _unused(name: str, seen: Collection[str]) -> str:
    number, result = 2, name
    while result in seen:
        number, result = number + 1, f"{name}-{number}"
    return result
