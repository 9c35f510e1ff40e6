"""All tools, by name. Names hold no dot: providers refuse it."""

from collections.abc import Iterable
from functools import cache
from typing import Any, cast

from app.tools.apply_patch import APPLY_PATCH
from app.tools.base import Output, Tool, ToolContext
from app.tools.bash import BASH
from app.tools.edit import EDIT
from app.tools.give_score import Score
from app.tools.glob import GLOB
from app.tools.grep import GREP
from app.tools.list import LIST
from app.tools.multiedit import MULTIEDIT
from app.tools.plan import PLAN_ENTER, PLAN_EXIT
from app.tools.propose_okr import Proposal
from app.tools.read import READ
from app.tools.todo import TODO_READ, TODO_WRITE
from app.tools.write import WRITE

__all__ = ["REGISTRY", "Output", "Tool", "ToolContext", "specs"]

_PROPOSE_OKR = Tool(
    name="propose_okr",
    description="Ends your work with the proposed objective, its measurable key results and the team.",
    arguments=Proposal,
    effect="answer",
    run=None,
    runs_as="answer",
)
_GIVE_SCORE = Tool(
    name="give_score",
    description="Ends your work with a score and the evidence for it.",
    arguments=Score,
    effect="answer",
    run=None,
    runs_as="answer",
)
_TOOLS = (
    READ,
    WRITE,
    EDIT,
    MULTIEDIT,
    APPLY_PATCH,
    GLOB,
    LIST,
    GREP,
    BASH,
    TODO_READ,
    TODO_WRITE,
    PLAN_ENTER,
    PLAN_EXIT,
    _PROPOSE_OKR,
    _GIVE_SCORE,
)

REGISTRY: dict[str, Tool] = {tool.name: tool for tool in _TOOLS}


def specs(names: Iterable[str]) -> list[dict[str, Any]]:
    """The tools as OpenAI functions, in the given order. Raises `KeyError` for a name that is none."""
    return [_spec(name) for name in names]


@cache
def _spec(name: str) -> dict[str, Any]:
    tool = REGISTRY[name]
    parameters = _tidy(tool.arguments.model_json_schema())
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _tidy(schema: Any) -> Any:
    """The schema without the titles and docstrings of our classes, which only cost tokens."""
    if isinstance(schema, list):
        return [_tidy(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    dropped = {"title", "description"} if "properties" in fields else {"title"}
    return {
        key: {name: _tidy(each) for name, each in value.items()} if key in ("properties", "$defs") else _tidy(value)
        for key, value in fields.items()
        if key not in dropped
    }
