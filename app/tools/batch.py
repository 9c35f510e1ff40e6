"""`batch`: several read-only calls in one. Each passes the gate as if it were made alone."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from pydantic import Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, clip

MOST = 10


class Call(Arguments):
    """One call."""

    tool: str = Field(min_length=1, max_length=64)
    arguments: dict[str, Any] = Field(default_factory=dict, description="What the tool takes")


class Batch(Arguments):
    """Arguments of `batch`."""

    calls: tuple[Call, ...] = Field(min_length=1, max_length=MOST, description="Calls of tools that only read")


def inner(args: Batch) -> tuple[tuple[str, str], ...]:
    """The calls as a model makes them: name and arguments."""
    return tuple((call.tool, json.dumps(call.arguments)) for call in args.calls)


async def _batch(args: Batch, ctx: ToolContext) -> Output:
    from app.tools.execute import CAP, execute

    # What a person allowed is one call, never a bundle: inside, nothing counts as allowed.
    places = [replace(ctx, step_id=f"{ctx.step_id}.{number}", allowed=False) for number in range(len(args.calls))]
    room = CAP // len(args.calls) - 200
    found = await asyncio.gather(
        *(execute(*call, place, cap=room) for call, place in zip(inner(args), places, strict=True))
    )
    parts = [
        f"[{number}] {call.tool}: {output.status}\n{output.text}"
        for number, (call, output) in enumerate(zip(args.calls, found, strict=True), 1)
    ]
    seen = {path: digest for output in found for path, digest in output.seen.items()}
    good = sum(output.status == "ok" for output in found)
    images = tuple(image for output in found for image in output.images)
    return Output("ok", "\n\n".join(parts), f"{good} of {len(found)} ok", seen, images)


BATCH = Tool(
    name="batch",
    description=f"Makes up to {MOST} calls of tools that only read (`read`, `grep`, `glob`, `list`, ...) at once.",
    arguments=Batch,
    effect="read",
    run=_batch,
    preview=lambda args: clip(", ".join(call.tool for call in args.calls)),
    agents=EVERYBODY,
    inner=inner,
)
