"""Asking a model where Vault may be sealed, away, or refuse us: that is waited for, and the screen says why."""

import asyncio
import time
from typing import NamedTuple

from temporalio import activity

from activities import lost
from activities.deltas import Voice
from activities.host import BEAT
from app.llm import Abandoned, Answer, ChatRequest, ModelError, answer
from app.llm.port import OnDelta

VAULT_WAIT = 1500.0
"""Seconds that one attempt waits for Vault; below the attempt's own timeout."""


class Asked(NamedTuple):
    """A model's answer, and the seconds it took, without any waiting for Vault."""

    answer: Answer
    seconds: float


async def ask(request: ChatRequest, voice: Voice, step: lost.Step, on_delta: OnDelta | None = None) -> Asked:
    """The model's answer; what a call used that gave none is noted for `step`.

    Raises `ModelError`; of Vault only when this attempt waited long, or its worker stops.
    """
    until = time.monotonic() + VAULT_WAIT
    while True:
        started = time.monotonic()
        try:
            given = await (answer(request, on_delta=on_delta) if on_delta else answer(request))
        except (ModelError, Abandoned) as error:
            error.seconds = time.monotonic() - started
            await lost.note(step, request.model, error)
            if error.kind != "vault" or started > until or activity.is_worker_shutdown():
                raise
            voice.say("trouble", f"{error}; the run then goes on by itself")
        else:
            return Asked(given, time.monotonic() - started)
        await asyncio.sleep(BEAT)
