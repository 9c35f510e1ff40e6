"""Reading one key result: a command or a count by an activity, a judgement by a reading agent."""

from app.domain.activities import JUDGED, MEASURE, JudgedInput, MeasureInput
from app.domain.contracts import AgentInput
from app.domain.okr import Judge, KeyResult, Reading
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids
from app.domain.tool import Mode, Rule, Workspace
from workflows.parts.child import run_agent
from workflows.parts.purse import Purse
from workflows.parts.steps import step, step_id

JUDGE_STEPS = 8
JUDGE_TOOLS = ("@judging", "give_score")


async def read_key_result(
    kr: KeyResult,
    *,
    name: str,
    run: str,
    top: str,
    ids: Ids,
    workspace: Workspace,
    commit: str,
    model: ModelRef,
    purse: Purse,
    mode: Mode,
    rules: tuple[Rule, ...] = (),
    hooks: tuple[str, ...] = (),
    allowed: bool,
    fallback: tuple[ModelRef, ...] = (),
) -> Reading:
    """The reading of `kr` on `commit`; `name` is the id of the step."""
    if isinstance(kr.measure, Judge):
        session = f"{run}-{name}"
        agent = AgentInput(
            run=run,
            top=top,
            name=name,
            ids=ids.model_copy(update={"session_id": session}),
            persona="judge",
            task=f"Question: {kr.measure.question}\n\nThe key result: {kr.title}",
            session=EventRange(session_id=session),
            tools=JUDGE_TOOLS,
            model=model,
            fallback=fallback,
            workspace=workspace,
            most="ask",
            rules=rules,
            budget=purse.lend(session),
            max_steps=JUDGE_STEPS,
            hooks=hooks,
        )
        result = await run_agent(agent, f"judge: {kr.title}", mode=mode, rules=rules)
        purse.settle(session, result.spent)
        if result.answer is None:
            return Reading(commit=commit, problem=f"no judgement: {result.reason or 'it gave no score'}"[:400])
        order = JudgedInput(answer=result.answer, index=result.answer_index, commit=commit)
        return await step(JUDGED, order, Reading, id=f"{name}-read", data_id=workspace.data_id)
    measure = MeasureInput(
        step_id=step_id(name),
        ids=ids,
        run=run,
        key_result=kr,
        workspace=workspace,
        commit=commit,
        approved=workspace.base,
        allowed=allowed,
    )
    return await step(MEASURE, measure, Reading, id=name, data_id=workspace.data_id, summary=kr.title)
