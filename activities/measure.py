"""Key results are measured, never guessed.

| activity         | retry       | timeout | heartbeat |
|------------------|-------------|---------|-----------|
| `measure.read`   | 10 attempts | 60 min  | 5 s       |
| `measure.judged` | without end | 5 min   | 5 s       |
"""

import asyncio

from pydantic import ValidationError
from temporalio import activity

from activities.deltas import Voice
from activities.host import Host, guarded, reached
from app import workspace
from app.domain.activities import JUDGED, MEASURE, JudgedInput, MeasureInput
from app.domain.okr import Reading
from app.stream import Stream
from app.telemetry.clock import now
from app.tools.give_score import Score


class MeasureActivities:
    """Reads one key result on one commit."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=MEASURE)
    async def measure(self, order: MeasureInput) -> Reading:
        """The reading of a command or a test count. What is left of a killed attempt is ended first."""
        self.host.own(order.workspace.data_id)
        Voice.of(order.run, "", order.run, 0).say("measure", order.key_result.title)
        attempt = activity.info().attempt
        reading = await guarded(
            workspace.measure(self.host.data, order, self.host.settings, allowed=order.allowed, attempt=attempt)
        )
        reached("done")
        return reading

    @activity.defn(name=JUDGED)
    async def judged(self, order: JudgedInput) -> Reading:
        """The reading of a judgement that an agent gave."""
        return await guarded(asyncio.to_thread(self._judged, order))

    def _judged(self, order: JudgedInput) -> Reading:
        records = Stream(self.host.data, order.answer.session_id).read(order.answer)
        call = records[-1].body["calls"][order.index]
        try:
            score = Score.model_validate_json(call["arguments"])
        except ValidationError as error:
            problem = f"the judgement cannot be read: {error.errors()[0]['msg']}"
            return Reading(at=now(), commit=order.commit, problem=problem[:400])
        return Reading(value=score.score, at=now(), commit=order.commit, output=f"a judgement: {score.evidence}"[:2000])
