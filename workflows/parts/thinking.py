"""Asking the models of one agent: the turn, its compaction when the context fills, the next model of the chain.

Each is a step of its own: `t3-model`, `t3-compact` and then `t3-model-c1`, `t3-model-f1` for the first fallback.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from app.domain.activities import COMPACT, TURN, Brief, Compacted, CompactInput, Turn, TurnInput
from app.domain.budget import Spent
from app.domain.contracts import REPORT, AgentInput
from app.domain.event import RunEvent
from app.domain.session import EventRange
from app.domain.tool import ToolResult
from workflows.parts import hooks
from workflows.parts.steps import step, step_id

FULL = 0.8
"""Share of the model's context from which a conversation is compacted before the next turn."""
COMPACTIONS = 2
"""Of one turn, after refusals: the second cuts hard."""


class Talk(Protocol):
    """What a compaction changes of an agent."""

    session: EventRange
    results: tuple[ToolResult, ...]
    missing: list[str]
    spent: Spent
    seen: list[str]


@dataclass
class Thinking:
    """Which model of the chain answers, and how full its context is. Carried through continue-as-new."""

    order: AgentInput
    at: int
    window: int
    context: int
    fruitless: bool = False
    """A compaction ahead of a turn did not help: only a refusal starts another."""

    @staticmethod
    def of(order: AgentInput) -> "Thinking":
        """The state that an agent begins with, or carries."""
        return Thinking(order, order.at, order.window, order.context)

    async def turn(
        self,
        talk: Talk,
        number: int,
        ask: Callable[[EventRange, tuple[ToolResult, ...]], TurnInput],
        summary: str,
    ) -> Turn:
        """The recorded answer. What compactions change (stream end, results, use) is noted in `talk` at once.

        Raises the failure of the last model of the chain.
        """
        made, since = 0, 0
        if self.window and self.context >= FULL * self.window and talk.session.end and not self.fruitless:
            await self._compact(talk, number, 0, hard=False)
            made, self.fruitless = 1, self.context >= FULL * self.window
        while True:
            try:
                turn = await self._ask(ask(talk.session, talk.results), number, since, made > 0, summary)
                self.window, self.context = turn.window, turn.context
                return turn
            except ActivityError as error:
                kind, told = _failure(error)
                talk.spent += _lost(error)
                if kind == "Model.context" and told and talk.session.end and since < COMPACTIONS:
                    self.window, self.context = told[0], max(told[1], self.context)
                    await self._compact(talk, number, made, hard=since > 0)
                    made, since = made + 1, since + 1
                elif kind.startswith("Model.") and self.at < len(self.order.fallback):
                    await self._switch(error)
                    since = 0
                else:
                    raise

    async def _ask(self, order: TurnInput, number: int, since: int, made: bool, summary: str) -> Turn:
        name = f"t{number}-model" + (f"-f{self.at}" if self.at else "") + (f"-c{since}" if since else "")
        chained = {"model": self.order.fallback[self.at - 1]} if self.at else {}
        more = {"window": self.window, "unchecked": made, "relieved": self.at < len(self.order.fallback)}
        asked = order.model_copy(update={"step_id": step_id(name), **more, **chained})
        data_id = order.data_id
        return await step(TURN, asked, Turn, id=name, data_id=data_id, summary=summary)

    async def _compact(self, talk: Talk, number: int, made: int, *, hard: bool) -> None:
        agent, name = self.order, f"t{number}-compact" + (f"-{made + 1}" if made else "")
        await hooks.compacting(agent, talk.session, name)
        order = CompactInput(
            step_id=step_id(name),
            data_id=agent.workspace.data_id,
            run=agent.run,
            agent=agent.name,
            ids=agent.ids,
            session=talk.session,
            turn=number,
            model=agent.fallback[self.at - 1] if self.at else agent.model,
            window=self.window,
            context=self.context,
            results=talk.results,
            hard=hard,
        )
        data_id = agent.workspace.data_id
        done = await step(COMPACT, order, Compacted, id=name, data_id=data_id, summary=f"{agent.name} compaction")
        self.context = done.context
        talk.session = talk.session.model_copy(update={"end": done.batch.end})
        talk.results, talk.missing = (), []
        talk.spent += done.spent
        talk.seen.clear()  # what is out of sight may be looked at again

    async def _switch(self, error: ActivityError) -> None:
        """The next model of the chain answers from now on; the run's journal says so, and why."""
        before = self.order.fallback[self.at - 1] if self.at else self.order.model
        self.at, self.window, self.fruitless = self.at + 1, 0, False
        after = self.order.fallback[self.at - 1]
        why = error.cause.message if isinstance(error.cause, ApplicationError) else str(error)
        text = f"`{after.id}` goes on for {self.order.name} instead of `{before.id}`: {why}"[:900]
        body = {"text": text, "agent": self.order.name, "model": after.id, "instead_of": before.id}
        handle = workflow.get_external_workflow_handle(self.order.top)
        await asyncio.shield(handle.signal(REPORT, RunEvent(kind="warned", body=body)))

    def carried(self) -> dict[str, int]:
        """What the next run of this agent must know."""
        return {"at": self.at, "window": self.window, "context": self.context}


def brief_of(order: AgentInput) -> Brief:
    """What an agent is, for the first record of its conversation."""
    return Brief(
        run=order.run,
        agent=order.name,
        persona=order.persona,
        tools=order.tools,
        model=order.model,
        workspace=order.workspace,
        mode=order.mode,
        ids=order.ids,
        plugins=order.plugins,
    )


def _failure(error: ActivityError) -> tuple[str, tuple[int, int] | None]:
    """The type of a failed model call; for a full context also the window and the tokens, where they are told.

    Failures in histories from before there was compaction tell neither: they end the agent, as they did.
    """
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return "", None
    numbers = [int(value) for value in cause.details if isinstance(value, int | float)]
    return cause.type or "", (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _lost(error: ActivityError) -> Spent:
    """What the failed attempts of a step used; nothing where the failure does not tell."""
    details = error.cause.details if isinstance(error.cause, ApplicationError) else ()
    return next((Spent.model_validate(value) for value in details if isinstance(value, dict)), Spent())
