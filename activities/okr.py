"""From a drafting agent's structured answer to an OKR.

| activity    | retry       | timeout | heartbeat |
|-------------|-------------|---------|-----------|
| `okr.draft` | without end | 5 min   | 5 s       |
"""

import asyncio

from pydantic import ValidationError
from temporalio import activity

from activities.host import Host, guarded, reached
from app.domain.activities import DRAFT, DraftInput, DraftOutput
from app.stream import Stream
from app.tools.propose_okr import Proposal, okr_of


class OkrActivities:
    """Reads what the model proposed; says in one sentence what is wrong with it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=DRAFT)
    async def draft(self, order: DraftInput) -> DraftOutput:
        """The OKR with ids, or the problem for the model to correct."""
        drafted = await guarded(asyncio.to_thread(self._draft, order))
        reached("done")
        return drafted

    def _draft(self, order: DraftInput) -> DraftOutput:
        records = Stream(self.host.data, order.answer.session_id).read(order.answer)
        call = records[-1].body["calls"][order.index]
        try:
            proposal = Proposal.model_validate_json(call["arguments"])
            return DraftOutput(okr=okr_of(proposal, id=order.okr_id, intent=order.intent, draft=order.draft))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return DraftOutput(problem=f"`propose_okr` is not usable: `{where}` {first['msg']}"[:1000])
