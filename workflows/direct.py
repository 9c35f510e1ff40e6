"""DirectWorkflow: a direct order, without the gate. `ctl autochat` is a relay, `ctl run` one agent."""

from temporalio import workflow

from app.domain.contracts import DIRECT
from app.domain.run import RunInput, RunResult
from workflows.parts.team import DEFAULT_TEAM, SOLO
from workflows.work import WorkingWorkflow


@workflow.defn(name=DIRECT)
class DirectWorkflow(WorkingWorkflow):
    """Lifecycle: relay → outcome. The same relay as `ctl go` runs, with no OKR around it."""

    @workflow.init
    def __init__(self, order: RunInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RunInput) -> RunResult:
        return await self.carry_out()

    async def work(self) -> RunResult:
        """Hands the order straight to a team."""
        return await self.hand_over((SOLO,) if self.order.kind == "run" else DEFAULT_TEAM)
