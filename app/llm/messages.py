"""Between the JSON of recorded messages and pydantic-ai's own. Imported only when a call is made."""

from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from app.domain.run import ModelRef
from app.domain.session import Usage
from app.llm.mended import calls_once
from app.llm.port import Answer, CallOut, ChatRequest, ModelError
from app.llm.prices import cost_of
from app.llm.registry import provider_of
from app.remember import by_identity

KEPT = ("kind", "parts", "model_name", "provider_name", "provider_details", "provider_response_id", "finish_reason")
"""What of a response is recorded: all that sending it back needs, nothing that differs without a reason."""


def history_of(request: ChatRequest) -> list[ModelMessage]:
    """The conversation to send: providers want requests that follow one another in one message.

    Raises `ModelError` (`bad_request`).
    """
    if not request.messages or request.messages[-1].get("kind") != "request":
        raise ModelError("bad_request", f"the conversation for model `{request.model.id}` does not end with a request")
    request_of = _plain_request if provider_of(request.model).kind == "openai" else _marked_request
    history: list[ModelMessage] = []
    try:
        for kind, group in groupby(request.messages, itemgetter("kind")):
            if kind == "request":
                history.append(request_of(*group))
            else:
                history.extend(map(_response, group))
    except (ValueError, KeyError, TypeError) as error:
        detail = str(error).splitlines()[0]
        raise ModelError("bad_request", f"a recorded message is not readable: {detail}") from None
    return history


def _request(*messages: dict[str, Any], marked: bool) -> ModelRequest:
    return ModelRequest(parts=[_part(part, marked=marked) for message in messages for part in message["parts"]])


def _shown(*messages: dict[str, Any]) -> bool:
    """Whether there are images, which are read again for each question."""
    return any("images" in part for message in messages for part in message["parts"])


_plain_request = by_identity(1024, unless=_shown)(partial(_request, marked=False))
_marked_request = by_identity(1024, unless=_shown)(partial(_request, marked=True))


def _part(part: dict[str, Any], *, marked: bool) -> UserPromptPart | ToolReturnPart:
    """A part as `user_message` and `tool_result_message` make it.

    `marked`: whether a failed result says so. OpenAI's wire has no mark for it, and wrapping its text
    in JSON, as pydantic-ai would, only makes it harder to read.
    """
    if part["part_kind"] == "user-prompt":
        return UserPromptPart(content=part["content"])
    if part["part_kind"] != "tool-return":
        raise ValueError(f"`{part['part_kind']}` is no part of a request")
    outcome = part["outcome"] if marked else "success"
    content = part["content"]
    if images := part.get("images"):
        content = [content, *(BinaryContent(data, media_type=kind) for kind, data in images)]
    return ToolReturnPart(part["tool_name"], content, part["tool_call_id"], outcome=outcome)


@by_identity(4096)
def _response(message: dict[str, Any]) -> ModelMessage:
    (response,) = ModelMessagesTypeAdapter.validate_python([message])
    return response


def delta_of(event: ModelResponseStreamEvent | Any) -> tuple[str, str] | None:
    """The kind and text of an event that carries some, else None."""
    match event:
        case PartStartEvent(part=TextPart(content=text)) if text:
            return "text", text
        case PartStartEvent(part=ThinkingPart(content=text)) if text:
            return "thinking", text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
            return "text", text
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)) if text:
            return "thinking", text
        case _:
            return None


def refuse(model: ModelRef, response: ModelResponse) -> None:
    """Raises `ModelError` for a response that is no answer, although it came without an error."""
    if response.finish_reason is None or response.state != "complete":
        raise ModelError("protocol", f"the answer of model `{model.id}` ended without a finish reason")
    if response.finish_reason == "error":
        raise ModelError("server", f"model `{model.id}` broke off its answer with an error")
    if response.finish_reason == "content_filter" and not response.tool_calls:
        raise ModelError("refused", f"model `{model.id}` refused to answer; reword the task or choose another model")


def answer_of(request: ChatRequest, response: ModelResponse) -> Answer:
    """The answer with unique call ids and arguments that are never empty."""
    offered = {tool.get("function", tool)["name"] for tool in request.tools}
    response = replace(response, parts=calls_once(response.parts, offered))
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    used = response.usage
    return Answer(
        message=_dumped(response),
        text="".join(part.content for part in response.parts if isinstance(part, TextPart)),
        calls=tuple(CallOut(id=call.tool_call_id, name=call.tool_name, arguments=str(call.args)) for call in calls),
        usage=usage_of(used),
        cost=cost_of(request.model, used),
        finish=response.finish_reason or "",
    )


def usage_of(used: RequestUsage) -> Usage:
    """The tokens that the server told of."""
    return Usage(
        input=used.input_tokens,
        output=used.output_tokens,
        cache_read=used.cache_read_tokens,
        cache_write=used.cache_write_tokens,
        reasoning=used.output_reasoning_tokens,
    )


def _dumped(response: ModelResponse) -> dict[str, Any]:
    whole = ModelMessagesTypeAdapter.dump_python([response], mode="json", include={"__all__": set(KEPT)})[0]
    whole["parts"] = [_without_none(part) for part in whole["parts"]]
    if whole.get("provider_details"):
        whole["provider_details"].pop("timestamp", None)
    return _without_none({name: whole.get(name) for name in KEPT})


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {}}
