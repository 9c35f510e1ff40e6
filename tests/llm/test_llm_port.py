"""The messages written by hand are valid, adjacent requests join, and importing the layer stays cheap."""

import subprocess
import sys
from typing import Any
from weakref import ref

import pytest
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ToolReturnPart, UserPromptPart

from app.domain.run import ModelRef
from app.llm import ChatRequest, ModelError, tool_result_message, user_message

HEAVY = ("pydantic_ai", "openai", "anthropic", "httpx", "httpx2", "hvac", "requests", "genai_prices")


def test_importing_the_layer_loads_no_sdk() -> None:
    code = f"import sys, app.llm, app.secrets; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_TOGETHER = """
import asyncio
from app.domain.run import ModelRef
from app.llm import ChatRequest, ModelError, answer, preload, user_message

async def ask(seconds):
    await asyncio.sleep(seconds)
    model = ModelRef(provider="openai", name="none", base_url="http://127.0.0.1:1/v1")
    try:
        await answer(ChatRequest(model=model, system="", messages=[user_message("hi")], tools=[]))
    except ModelError as error:
        return error.kind

async def main():
    await asyncio.gather(preload(), *(ask(number / 20) for number in range(12)))
    print({await ask(0)})

asyncio.run(main())
"""


def test_a_call_waits_for_what_is_being_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", _TOGETHER], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{'connection'}", done.stderr[-2000:]


def test_hand_written_messages_are_pydantic_ai_messages() -> None:
    written = [user_message("hi"), tool_result_message("c1", "read", "no", False)]
    asked, told = ModelMessagesTypeAdapter.validate_python(written)
    assert isinstance(asked, ModelRequest) and isinstance(told, ModelRequest)
    assert isinstance(asked.parts[0], UserPromptPart) and asked.parts[0].content == "hi"
    part = told.parts[0]
    assert isinstance(part, ToolReturnPart)
    assert (part.tool_call_id, part.tool_name, part.content, part.outcome) == ("c1", "read", "no", "failed")


def _asked(provider: str, *messages: dict[str, Any]) -> ChatRequest:
    return ChatRequest(model=ModelRef(provider=provider, name="m"), system="", messages=list(messages), tools=[])


def test_adjacent_requests_become_one_and_the_given_ones_stay() -> None:
    from app.llm.messages import history_of

    response = {"kind": "response", "parts": []}
    given = [user_message("a"), response, tool_result_message("1", "t", "x", True), user_message("b")]
    joined = history_of(_asked("openai", *given))
    assert [message.kind for message in joined] == ["request", "response", "request"]
    assert [part.part_kind for part in joined[2].parts] == ["tool-return", "user-prompt"]
    assert len(given[2]["parts"]) == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_message_is_made_once_and_none_with_images_is_held(provider: str) -> None:
    from app.llm.messages import history_of

    plain, answer = tool_result_message("c1", "read", "text", True), {"kind": "response", "parts": []}
    shown = tool_result_message("c2", "image", "a picture", True, [("image/png", b"\x89PNG")])
    request = _asked(provider, plain, answer, shown)
    first, again = history_of(request), history_of(request)
    assert first[:2] == again[:2] and first[0] is again[0] and first[1] is again[1] and first[2] is not again[2]
    held = ref(first[2].parts[0])
    del first, again
    assert held() is None


@pytest.mark.parametrize(("kind", "retryable"), [("rate_limit", True), ("quota", False), ("protocol", True)])
def test_the_kind_says_whether_to_retry(kind: str, retryable: bool) -> None:
    error = ModelError(kind, "words")  # pyright: ignore[reportArgumentType]
    assert (error.retryable, error.retry_after, str(error)) == (retryable, None, "words")
