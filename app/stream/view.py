"""What a model is shown of a conversation: all of it, or what the last `compacted` record leaves.

Body of a `compacted` record: {how: pruned | summary | cut, text: what stands for what was left out (empty
for pruned), keep: how many records before it stay, whole: how many of those keep their results whole,
clip: characters that are left of the other results, left_out, before, after (tokens), model, usage, usd, seconds}.
"""

from collections.abc import Iterable

from app.domain.session import Record
from app.stream.images import LEFT_OUT


def seen(history: Iterable[Record]) -> list[Record]:
    """The records that the model is shown, in order; a `compacted` one stands for what it replaced."""
    view: list[Record] = []
    for record in history:
        if record.kind == "system":
            continue
        if record.kind != "compacted":
            view.append(record)
            continue
        body = record.body
        kept = view[-body["keep"] :] if body["keep"] else []
        whole = len(kept) - body["whole"]
        kept = [clipped(each, body["clip"]) if place < whole else each for place, each in enumerate(kept)]
        view = [record, *kept] if body["text"] else kept
    return view


def clipped(record: Record, most: int) -> Record:
    """The record; a tool's result longer than `most` characters, or with images, is cut and says so."""
    text = record.body.get("text", "")
    if record.kind != "tool_result":
        return record
    if "images" in record.body:
        bare = {name: value for name, value in record.body.items() if name != "images"}
        record = record.model_copy(update={"body": {**bare, "text": text + LEFT_OUT}})
    if len(text) <= most:
        return record
    short = f"{text[:most]}… ({len(text) - most:,} characters of this old result are left out)"
    return record.model_copy(update={"body": {**record.body, "text": short}})
