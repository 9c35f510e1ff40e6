"""The events of `--output-format stream-json`. Their schema is committed as `docs/stream-json.schema.json`."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from app.domain.base import Model


class InitEvent(Model):
    """The first event of a run."""

    type: Literal["system"] = "system"
    subtype: Literal["init"] = "init"
    session_id: str
    """The run."""
    cwd: str
    model: str


class AssistantEvent(Model):
    """An answer of a model; `message` as in Anthropic's Messages API: role, model, content, usage."""

    type: Literal["assistant"] = "assistant"
    session_id: str
    """The agent's session."""
    message: dict[str, Any]


class UserEvent(Model):
    """A tool's result."""

    type: Literal["user"] = "user"
    session_id: str
    message: dict[str, Any]


class ResultEvent(Model):
    """The last event. `total_cost_usd` null: the price is unknown."""

    type: Literal["result"] = "result"
    subtype: str
    is_error: bool
    outcome: str
    session_id: str
    num_turns: int
    result: str
    total_cost_usd: float | None
    branch: str = ""


Event = Annotated[InitEvent | AssistantEvent | UserEvent | ResultEvent, Field(union_mode="smart")]


def schema() -> dict[str, Any]:
    """The JSON schema of one line."""
    return TypeAdapter[Any](Event).json_schema()
