"""Every provider does an agent's two turns: a call, its recorded result sent back, closing words."""

import json
from typing import Any

import pytest
from dialects import DIALECTS

from app.llm import answer, tool_result_message, user_message
from app.llm.registry import PROVIDERS

FRAMES = {dialect.name.replace("gemini", "google"): dialect for dialect in DIALECTS}
READ = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_two_turns_with_one_call(vaulted: Any, provider: str) -> None:
    row, dialect = PROVIDERS[provider], FRAMES[PROVIDERS[provider].kind]
    vaulted.admit(provider)
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
