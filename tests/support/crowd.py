"""Many agents at once that share one purse: a workflow for tests only, made of the real purse and real agents."""

import asyncio

from temporalio import workflow

from app.domain.base import Model
from app.domain.budget import Budget, Spent
from app.domain.contracts import RESERVE, AgentInput, ReserveRequest
from app.domain.session import EventRange
from workflows.parts.child import grant, run_agent
from workflows.parts.purse import Purse


class CrowdInput(Model):
    """`count` agents like `agent`, each with a session of its own, and the limits of all together."""

    agent: AgentInput
    count: int
    budget: Budget
    spent: Spent = Spent()
    began: int = 0


class CrowdResult(Model):
    """What was used in all, how each agent ended, and how the whole did."""

    spent: Spent
    ended: tuple[str, ...]
    outcome: str


@workflow.defn
class Crowd:
    """Starts all of its agents at once and waits for them."""

    @workflow.init
    def __init__(self, order: CrowdInput) -> None:
        self.order = order
        self.purse = Purse(order.budget, order.spent)

    @workflow.signal(name=RESERVE)
    async def on_reserve(self, request: ReserveRequest) -> None:
        """An agent asks for a larger share."""
        await grant(self.purse, request)

    @workflow.run
    async def run(self, order: CrowdInput) -> CrowdResult:
        ended = await asyncio.gather(*(self._one(order.began + number) for number in range(order.count)))
        await workflow.wait_condition(workflow.all_handlers_finished)
        outcome = "budget" if self.purse.empty else "completed"
        return CrowdResult(spent=self.purse.spent, ended=tuple(ended), outcome=outcome)

    async def _one(self, number: int) -> str:
        child = f"{workflow.info().workflow_id}-t{number}-walker"
        agent = self.order.agent.model_copy(
            update={
                "top": workflow.info().workflow_id,
                "name": f"t{number}-walker",
                "ids": self.order.agent.ids.model_copy(update={"session_id": child}),
                "session": EventRange(session_id=child),
                "budget": self.purse.lend(child),
            }
        )
        result = await run_agent(agent, f"walker {number}", mode=agent.mode, rules=agent.rules)
        self.purse.settle(child, result.spent)
        return result.status
