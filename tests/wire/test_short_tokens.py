"""Short-lived tokens: GitHub's exchange for Copilot, Google's endpoint for Vertex; bought once, before they end."""

import asyncio
import time
from typing import Any

import pytest
from keys import service_account

from app.llm import ModelError, answer, check, tool_result_message, user_message
from app.llm.providers import tokens

GITHUB = "gho_very-secret-token"


def asked(wire: Any, provider: str) -> Any:
    request = wire.ask(provider=provider)
    return request.model_copy(update={"model": request.model.model_copy(update={"base_url": wire.url})})


def gives(wire: Any, key: str) -> None:
    wire.fail(200, {"data": {"data": {"api_key": key}, "metadata": {}}})


def exchanges(wire: Any, token: str, seconds: float) -> None:
    wire.fail(200, {"token": token, "expires_at": int(time.time() + seconds), "endpoints": {"api": f"{wire.url}/chat"}})


async def test_copilot_exchanges_once_and_refreshes_before_the_end(vaulted: Any) -> None:
    gives(vaulted, GITHUB)
    exchanges(vaulted, "short-one", 60)  # so near its end that the next call buys another
    vaulted.chat({"content": "one"})
    exchanges(vaulted, "short-two", 1500)
    vaulted.chat({"content": "two"})
    vaulted.chat({"content": "three"})
    said = [(await answer(asked(vaulted, "github-copilot"))).text for _ in range(3)]
    assert said == ["one", "two", "three"]
    _, bought, *rest = vaulted.seen
    assert (bought.path, bought.headers["authorization"]) == ("/copilot_internal/v2/token", f"token {GITHUB}")
    assert [(seen.path, seen.headers["authorization"].split()[-1]) for seen in rest] == [
        ("/chat/chat/completions", "short-one"),
        ("/copilot_internal/v2/token", GITHUB),
        ("/chat/chat/completions", "short-two"),
        ("/chat/chat/completions", "short-two"),
    ]


async def test_copilot_is_asked_as_it_wants_to_be(vaulted: Any) -> None:
    gives(vaulted, GITHUB)
    exchanges(vaulted, "short", 1500)
    vaulted.chat({"content": "hi"})
    await answer(asked(vaulted, "github-copilot"))
    for seen in vaulted.seen[1:]:
        assert seen.headers["editor-version"].startswith("codetether/")
        assert seen.headers["copilot-integration-id"] == "vscode-chat"
    assert vaulted.seen[2].body["max_completion_tokens"] == 8192 and "max_tokens" not in vaulted.seen[2].body


@pytest.mark.parametrize(("status", "kind"), [(404, ""), (403, "auth")])
async def test_an_account_of_googles_is_tried_although_there_is_no_list(vaulted: Any, status: int, kind: str) -> None:
    gives(vaulted, service_account(vaulted.url))
    vaulted.fail(200, {"access_token": "ya29.short", "expires_in": 3600, "token_type": "Bearer"})
    vaulted.fail(status, {"error": {"message": "no such model", "code": status}})
    model = asked(vaulted, "vertex-glm").model
    if kind:
        with pytest.raises(ModelError) as caught:
            await check(model)
        assert caught.value.kind == kind
    else:
        await check(model)
    assert vaulted.seen[2].path.endswith("/endpoints/openapi/chat/completions")


async def test_copilot_is_told_of_images(vaulted: Any) -> None:
    gives(vaulted, GITHUB)
    exchanges(vaulted, "short", 1500)
    call = {"part_kind": "tool-call", "tool_name": "image", "args": "{}", "tool_call_id": "c"}
    result = tool_result_message("c", "image", "a picture", True, [("image/png", b"bytes")])
    for messages in ([user_message("hi")], [user_message("hi"), {"kind": "response", "parts": [call]}, result]):
        vaulted.chat({"content": "seen"})
        await answer(asked(vaulted, "github-copilot").model_copy(update={"messages": messages}))
    *_, without, with_one = vaulted.seen
    assert "copilot-vision-request" not in without.headers
    assert with_one.headers["copilot-vision-request"] == "true" and "image_url" in str(with_one.body)


async def test_many_calls_at_once_buy_one_token() -> None:
    bought: list[int] = []

    def buy() -> tokens.Token:
        bought.append(1)
        return tokens.Token("t", time.time() + 1500)

    await asyncio.gather(*(asyncio.to_thread(tokens.token_for, "github-copilot", "u", "k", buy) for _ in range(8)))
    assert len(bought) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": f"Bad credentials {GITHUB}"}, "auth"),
        (403, {"message": "no subscription"}, "auth"),
        (404, {"message": "Not Found"}, "auth"),
        (500, b"<html>", "server"),
        (302, {}, "bad_request"),
        (200, b"<html>", "protocol"),
        (200, {"token": "x", "expires_at": 9e9, "endpoints": {"api": "http://elsewhere.invalid"}}, "protocol"),
    ],
)
async def test_a_failed_exchange_has_its_kind(vaulted: Any, status: int, body: Any, kind: str) -> None:
    gives(vaulted, GITHUB)
    vaulted.fail(status, body)
    with pytest.raises(ModelError) as caught:
        await answer(asked(vaulted, "github-copilot"))
    assert caught.value.kind == kind and GITHUB not in str(caught.value) and len(vaulted.seen) == 2


async def test_a_token_that_was_refused_is_not_used_again(vaulted: Any) -> None:
    gives(vaulted, GITHUB)
    exchanges(vaulted, "short-one", 1500)
    vaulted.fail(401, {"error": {"message": "token expired"}})
    with pytest.raises(ModelError):
        await answer(asked(vaulted, "github-copilot"))
    exchanges(vaulted, "short-two", 1500)
    vaulted.chat({"content": "again"})
    assert (await answer(asked(vaulted, "github-copilot"))).text == "again"


async def test_vertex_signs_for_a_token_and_keeps_it(vaulted: Any) -> None:
    gives(vaulted, service_account(vaulted.url))
    vaulted.fail(200, {"access_token": "ya29.short", "expires_in": 3600, "token_type": "Bearer"})
    for text in ("one", "two"):
        vaulted.chat({"content": text})
    assert [(await answer(asked(vaulted, "vertex-glm"))).text for _ in range(2)] == ["one", "two"]
    _, token, first, second = vaulted.seen
    assert token.path == "/token" and token.body.startswith("assertion=")
    for seen in (first, second):
        assert seen.path == "/v1/projects/acme/locations/global/endpoints/openapi/chat/completions"
        assert seen.headers["authorization"] == "Bearer ya29.short"


@pytest.mark.parametrize(("status", "error", "kind"), [(400, "invalid_grant", "auth"), (403, "no", "auth")])
async def test_a_refused_account_is_a_refused_key(vaulted: Any, status: int, error: str, kind: str) -> None:
    gives(vaulted, service_account(vaulted.url))
    vaulted.fail(status, {"error": error, "error_description": "Invalid JWT Signature."})
    with pytest.raises(ModelError) as caught:
        await answer(asked(vaulted, "vertex-glm"))
    assert caught.value.kind == kind and "PRIVATE KEY" not in str(caught.value)


async def test_a_key_that_is_no_account_names_the_next_step(vaulted: Any) -> None:
    gives(vaulted, "sk-not-json")
    with pytest.raises(ModelError, match="`ctl login vertex-glm --stdin < FILE`"):
        await answer(asked(vaulted, "vertex-glm"))
