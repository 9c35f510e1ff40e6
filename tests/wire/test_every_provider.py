"""Every provider does an agent's two turns: a call, its recorded result sent back, closing words."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dialects import DIALECTS
from keys import service_account

from app.llm import answer, tool_result_message, user_message
from app.llm.providers import tokens
from app.llm.registry import PROVIDERS

FRAMES = {dialect.name.replace("gemini", "google"): dialect for dialect in DIALECTS}
READ = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(autouse=True)
def _no_tokens() -> Iterator[None]:
    yield
    for name in PROVIDERS:
        tokens.drop(name)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_two_turns_with_one_call(vaulted: Any, provider: str) -> None:
    row, dialect = PROVIDERS[provider], FRAMES[PROVIDERS[provider].kind]
    if row.needs_key:
        key = service_account(vaulted.url) if provider == "vertex-glm" else "a-stored-key"
        vaulted.fail(200, {"data": {"data": {"api_key": key, "base_url": vaulted.url}}})
    if provider == "github-copilot":
        vaulted.fail(200, {"token": "t", "expires_at": time.time() + 1500, "endpoints": {"api": vaulted.url}})
    if provider == "vertex-glm":
        vaulted.fail(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
    model = vaulted.model(provider, row.default or "any").model_copy(update={"base_url": vaulted.url})

    async def turn(*messages: dict[str, Any], call: bool) -> Any:
        vaulted.raw(b"".join(dialect.frames("Done.", call, True)), content_type=dialect.content_type)
        asked = vaulted.ask(*messages, provider=provider, tools=[READ])
        return await answer(asked.model_copy(update={"model": model}))

    first = await turn(call=True)
    (call,) = first.calls
    recorded = json.loads(json.dumps(first.message))
    result = tool_result_message(call.id, "read", "THE-RESULT", True)
    second = await turn(user_message("hi"), recorded, result, call=False)
    assert (call.name, json.loads(call.arguments), second.text) == ("read", {"path": "a"}, "Done.")
    assert "THE-RESULT" in json.dumps(vaulted.seen[-1].body)
