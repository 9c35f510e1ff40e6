"""Calls that were paid and gave no answer: recorded once for each attempt, and counted like all others."""

import asyncio
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from temporalio import activity

from app.domain.budget import Spent
from app.domain.run import ModelRef
from app.domain.session import Usage
from app.llm import Abandoned, ModelError
from app.stream import lost


class Step(NamedTuple):
    """Whose calls they are."""

    data: Path
    session_id: str
    step_id: str


async def note(step: Step, model: ModelRef, error: ModelError | Abandoned) -> None:
    """Records what the failed call of this attempt used, if it used anything. A disk that takes nothing is let be."""
    if error.paid is None:
        return
    used = {"model": model.id, "usage": error.paid.usage.model_dump(), "usd": error.paid.usd}
    body = {**used, "whole": error.paid.whole, "seconds": round(error.seconds, 3), "kind": error.kind}
    with suppress(OSError):
        await asyncio.to_thread(lost.note, *step, activity.info().attempt, body)


def spent(data: Path, session_id: str, step_id: str = "") -> Spent:
    """What failed calls of this step (without one: of the session) used."""
    found = (
        Spent(
            usage=Usage.model_validate(body["usage"]),
            usd=body["usd"] or 0.0,
            unpriced=0 if body["whole"] and body["usd"] is not None else 1,
            seconds=body["seconds"],
            calls=1,
        )
        for body in lost.files(data, session_id, step_id)
    )
    return reduce(lambda whole, part: whole + part, found, Spent())
