"""`plan_enter`, `plan_exit`: a model that plans before it changes anything. The workflow answers both."""

from pydantic import Field

from app.tools.base import Arguments, Tool, clip


class PlanEnter(Arguments):
    """Arguments of `plan_enter`."""


class PlanExit(Arguments):
    """Arguments of `plan_exit`."""

    plan: str = Field(min_length=1, max_length=4000, description="What you will do, for the person who approves it")


PLAN_ENTER = Tool(
    name="plan_enter",
    description="Goes into plan mode: you change nothing until a person approves your plan. For large or risky work.",
    arguments=PlanEnter,
    effect="wait",
    run=None,
    runs_as="wait",
)
PLAN_EXIT = Tool(
    name="plan_exit",
    description="Leaves plan mode: a person reads your plan and approves it or says why not.",
    arguments=PlanExit,
    effect="wait",
    run=None,
    runs_as="wait",
    preview=lambda args: clip(args.plan),
)
