"""An image of a tool's result reaches each provider in its own shape, with the text beside it."""

import base64
import io
import json
from typing import Any

import pytest
from dialects import DIALECTS
from PIL import Image

from app.llm import answer, tool_result_message, user_message

KEY = "sk-live-0123456789"
READ = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}
MODELS = {"openai": "glm-4.6v", "anthropic": "claude-opus-4-6", "gemini": "gemini-2.5-pro", "bedrock": ""}


def _png() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(held, "PNG")
    return held.getvalue()


def _everything(value: Any) -> list[dict[str, Any]]:
    """All objects of a JSON document."""
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in _everything(each))]
    return [found for each in value for found in _everything(each)] if isinstance(value, list) else []


def _image_part(dialect: str, kind: str, data: str) -> dict[str, Any]:
    """The object that this provider's documentation names."""
    match dialect:
        case "openai":
            return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        case "anthropic":
            return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}
        case "gemini":
            return {"inlineData": {"data": data, "mime_type": kind}}
        case _:
            return {"image": {"format": kind.removeprefix("image/"), "source": {"bytes": data}}}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_an_image_is_sent_as_one(vaulted: Any, dialect: Any) -> None:
    from app.llm.registry import PROVIDERS

    vaulted.fail(200, {"data": {"data": {"api_key": KEY}, "metadata": {}}})
    name = MODELS[dialect.name] or PROVIDERS[dialect.provider].default
    model = vaulted.model(dialect.provider, name)
    if dialect.name != "openai":
        model = model.model_copy(update={"base_url": vaulted.url})
    asked = vaulted.ask(provider=dialect.provider, tools=[READ]).model_copy(update={"model": model})
    vaulted.raw(b"".join(dialect.frames("", True, True)), content_type=dialect.content_type)
    first = await answer(asked)
    png = _png()
    result = tool_result_message(first.calls[0].id, "read", "THE-TEXT", True, [("image/png", png)])
    vaulted.raw(b"".join(dialect.frames("Seen.", False, True)), content_type=dialect.content_type)
    messages = [user_message("hi"), json.loads(json.dumps(first.message)), result]
    assert (await answer(asked.model_copy(update={"messages": messages}))).text == "Seen."
    body = vaulted.seen[-1].body
    wanted = _image_part(dialect.name, "image/png", base64.b64encode(png).decode())
    parts = [found for found in _everything(body) if set(wanted) <= set(found) and found | wanted == found]
    assert len(parts) == 1, json.dumps(body)
    assert json.dumps(body).count("THE-TEXT") == 1
