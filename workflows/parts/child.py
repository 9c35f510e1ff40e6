"""Starting an agent as a child, and knowing what it used however it ended."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, ChildWorkflowError, FailureError

from app.domain.activities import USAGE, SessionUse
from app.domain.budget import Budget, Spent
from app.domain.contracts import AGENT, GRANTED, RESERVE, AgentInput, AgentResult, Grant, ReserveRequest
from app.domain.session import Ids
from app.domain.tool import Mode, Rule, at_most, rules_at_most
from workflows.parts.purse import Purse
from workflows.parts.steps import heed_cancel, reason_of, step, was_cancelled


def within(order: AgentInput, mode: Mode, rules: tuple[Rule, ...]) -> AgentInput:
    """The order of a child whose parent has this mode and these rules: it may ask for less, and never gets more."""
    given = at_most(mode, at_most(order.most, order.mode))
    return order.model_copy(update={"mode": given, "rules": rules_at_most(rules, order.rules)})


async def run_agent(
    order: AgentInput,
    summary: str,
    started: Callable[[], Awaitable[None]] | None = None,
    *,
    mode: Mode,
    rules: tuple[Rule, ...],
) -> AgentResult:
    """The agent's result; a failed one has its use from its stream. A cancelled one raises.

    `mode` and `rules` are the parent's: the one door through which agents start holds them to these.
    `started` is called when the agent exists, so that signals reach it.
    """
    child, order = order.session.session_id, within(order, mode, rules)
    try:
        agent = await workflow.start_child_workflow(
            AGENT,
            order,
            id=child,
            result_type=AgentResult,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            static_summary=summary[:200],
            search_attributes=attributes(order.ids, "agent"),
        )
        if started is not None:
            try:
                await started()
            except asyncio.CancelledError:
                agent.cancel()  # and it is waited for
        result: AgentResult = await agent
        heed_cancel()
        return result
    except ChildWorkflowError as error:
        if was_cancelled(error):
            raise
        use = await step(USAGE, order.session, SessionUse, id=f"{order.name}-use", data_id=order.workspace.data_id)
        return AgentResult(status="failed", reason=reason_of(error), session=use.session, spent=use.spent)


async def ask_for_more(spent: Spent, call: Spent) -> None:
    """An agent asks its parent for a larger share; the answer comes as `granted`. `call`: what its last one used."""
    parent = workflow.info().parent
    if parent is None:
        raise ApplicationError("an agent needs a parent that grants its budget", non_retryable=True)
    request = ReserveRequest(agent=workflow.info().workflow_id, spent=spent, call=call)
    await workflow.get_external_workflow_handle(parent.workflow_id).signal(RESERVE, request)


async def grant(purse: Purse, request: ReserveRequest) -> None:
    """Answers a child that asks for more; where others hold all that is left, when one of them gives some back."""
    purse.asks(request.agent, request.spent, request.call)
    cut = purse.overdrawn()
    if cut and workflow.patched("shares-are-recalled"):
        purse.recall(cut)
        await asyncio.gather(*(_tell(child, budget) for child, budget in cut.items()))

    def waits() -> bool:
        return request.agent in purse.lent and purse.must_wait(request.agent, request.spent)

    while waits():  # of several that were woken at once, the first may have taken what there was
        await workflow.wait_condition(lambda: not waits())
    if request.agent in purse.lent:  # else it ended meanwhile
        more = Grant(budget=purse.more(request.agent, request.spent))
        await workflow.get_external_workflow_handle(request.agent).signal(GRANTED, more)


async def _tell(child: str, budget: Budget) -> None:
    with suppress(FailureError):  # it may end meanwhile
        await workflow.get_external_workflow_handle(child).signal(GRANTED, Grant(budget=budget, recalled=True))


def attributes(ids: Ids, kind: str) -> TypedSearchAttributes:
    """The four ids and the kind, as Temporal lists and filters them."""
    values = {
        "OkrId": ids.okr_id,
        "OkrRunId": ids.okr_run_id,
        "RelayId": ids.relay_id,
        "SessionId": ids.session_id,
        "RunKind": kind,
    }
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in values.items() if value]
    )
