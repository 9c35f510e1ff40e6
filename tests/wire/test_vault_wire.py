"""Keys over Vault's KV version 2 wire: read, cached, stored, and each failure in one sentence."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.errors import UserError
from app.llm import ModelError, answer
from app.secrets import NoSecret, Refused, Secret, Unreachable, forget, provider_key, store

KEY = "sk-live-0123456789"


def found(**values: Any) -> dict[str, Any]:
    return {"data": {"data": {"api_key": KEY, **values}, "metadata": {"version": 1}}}


async def asked(name: str = "zai") -> Secret:
    return await asyncio.to_thread(provider_key, name)


async def test_a_key_is_read_once_a_minute(vaulted: Any) -> None:
    vaulted.fail(200, found(base_url="https://example.org/v1", headers='{"x-org": "acme"}'))
    secret = await asked()
    assert secret.api_key.get_secret_value() == KEY and secret.base_url == "https://example.org/v1"
    assert secret.plain_headers() == {"x-org": "acme"}
    assert await asked() == secret
    [seen] = vaulted.seen
    assert (seen.method, seen.path) == ("GET", "/v1/secret/data/codetether/providers/zai")
    assert seen.headers["x-vault-token"] == "hvs.scripted-token"


async def test_a_key_shows_itself_to_nobody(vaulted: Any) -> None:
    vaulted.fail(200, found(headers={"x-org-token": "header-secret"}))
    secret = await asked()
    for text in (repr(secret), str(secret), secret.model_dump_json(), str(secret.model_dump())):
        assert KEY not in text and "header-secret" not in text


async def test_the_token_may_stand_in_the_home_folder(
    vaulted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    (tmp_path / ".vault-token").write_text("from-file\n")
    vaulted.fail(200, found())
    await asked()
    assert vaulted.seen[0].headers["x-vault-token"] == "from-file"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (503, {"errors": ["Vault is sealed"]}, Unreachable, "sealed"),
        (403, {"errors": ["permission denied"]}, Refused, "refuses the token"),
        (404, {"errors": []}, NoSecret, "`ctl login zai`"),
        (500, {"errors": ["internal"]}, Unreachable, "answered with an error"),
        (200, {"hello": 1}, Unreachable, "not Vault"),
        (200, {"data": {"data": {"api_key": ""}}}, NoSecret, "no `api_key`"),
        (200, b"<html>", Unreachable, "Vault"),
    ],
)
async def test_each_failure_is_one_sentence(vaulted: Any, status: int, body: Any, kind: type, words: str) -> None:
    vaulted.fail(status, body)
    with pytest.raises(UserError) as caught:
        await asked()
    assert type(caught.value) is kind and words in str(caught.value) and caught.value.code == 4
    assert "hvs." not in str(caught.value) and "\n" not in str(caught.value)


async def test_without_an_address_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSecret, match=r"set `VAULT_ADDR` and `VAULT_TOKEN`, then `ctl login zai`"):
        await asked()
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    with pytest.raises(NoSecret, match="VAULT_TOKEN"):
        await asked()
    monkeypatch.setenv("VAULT_TOKEN", "t")
    with pytest.raises(Unreachable, match="cannot be reached"):
        await asked()


async def test_storing_keeps_what_else_stands_there(vaulted: Any) -> None:
    vaulted.fail(200, found(headers="{}"))
    vaulted.fail(200, {"data": {"version": 2}})
    await asyncio.to_thread(store, "zai", "new-key", "https://example.org")
    wrote = vaulted.seen[1]
    assert wrote.path == "/v1/secret/data/codetether/providers/zai"
    assert wrote.body["data"] == {"api_key": "new-key", "base_url": "https://example.org", "headers": "{}"}


async def test_storing_the_first_time(vaulted: Any) -> None:
    vaulted.fail(404, {"errors": []})
    vaulted.fail(200, {"data": {"version": 1}})
    await asyncio.to_thread(store, "zai", "new-key")
    assert vaulted.seen[1].body["data"] == {"api_key": "new-key", "base_url": ""}


async def test_a_call_uses_the_stored_key_and_headers(vaulted: Any) -> None:
    vaulted.fail(200, found(headers='{"x-org": "acme-org"}'))
    vaulted.chat({"content": "hi"})
    given = await answer(vaulted.ask(provider="zai"))
    assert given.text == "hi"
    sent = vaulted.seen[1].headers
    assert (sent["authorization"], sent["x-org"]) == (f"Bearer {KEY}", "acme-org")


@pytest.mark.parametrize(("home", "sent"), [("", "none"), ("https://api.openai.com/v1", "none"), ("here", KEY)])
async def test_a_stored_key_goes_only_where_it_belongs(vaulted: Any, home: str, sent: str) -> None:
    asked = vaulted.ask(provider="openai")
    vaulted.fail(200, found(base_url=asked.model.base_url if home == "here" else home))
    vaulted.chat({"content": "hi"})
    await answer(asked)
    assert vaulted.seen[1].headers["authorization"] == f"Bearer {sent}"


async def test_a_sealed_vault_can_be_asked_again_later(vaulted: Any) -> None:
    vaulted.fail(503, {"errors": ["Vault is sealed"]})
    with pytest.raises(ModelError) as caught:
        await answer(vaulted.ask(provider="zai"))
    assert (caught.value.kind, caught.value.retryable) == ("vault", True)
    vaulted.fail(200, found())
    vaulted.fail(401, {"error": {"message": f"bad key {KEY}"}})
    with pytest.raises(ModelError) as refused:
        await answer(vaulted.ask(provider="zai"))
    assert refused.value.kind == "auth" and KEY not in str(refused.value)
    forget("zai")


@pytest.mark.parametrize(
    ("provider", "forced"),
    [("moonshotai", False), ("zai", True), ("openrouter", True), ("stepfun", True), ("openai", True)],
)
async def test_every_provider_speaks_this_wire(vaulted: Any, provider: str, forced: bool) -> None:
    vaulted.fail(200, found())
    vaulted.chat({"content": "hi"})
    tool = {"type": "function", "function": {"name": "end", "parameters": {"type": "object", "properties": {}}}}
    request = vaulted.ask(provider=provider, tools=[tool], must_call=True)
    named = request.model_copy(
        update={"model": vaulted.model(provider, "z-ai/glm-5" if provider == "openrouter" else "some-model")}
    )
    given = await answer(named)
    sent = vaulted.seen[1].body
    assert (given.text, sent["max_tokens"], sent["tools"][0]["function"]["name"]) == ("hi", 8192, "end")
    assert (sent.get("tool_choice") == "required") is forced


async def test_a_pod_logs_in_once_with_its_own_token(
    vaulted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pod").write_text("pod-token\n")
    monkeypatch.setenv("VAULT_AUTH", "kubernetes")
    monkeypatch.setenv("VAULT_ROLE", "agents")
    monkeypatch.setenv("VAULT_JWT_FILE", str(tmp_path / "pod"))
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    vaulted.fail(200, {"auth": {"client_token": "hvs.of-pod", "lease_duration": 3600}})
    vaulted.fail(200, found())
    vaulted.fail(200, found())
    assert (await asked()).api_key.get_secret_value() == KEY
    await asked("stepfun")
    login, *reads = vaulted.seen
    assert (login.path, login.body) == ("/v1/auth/kubernetes/login", {"jwt": "pod-token", "role": "agents"})
    assert [seen.headers["x-vault-token"] for seen in reads] == ["hvs.of-pod"] * 2
    assert {seen.headers["x-vault-namespace"] for seen in vaulted.seen} == {"team"}


@pytest.mark.parametrize("method", ["approle", "jwt", "kubernetes", "none"])
async def test_a_login_says_what_it_lacks(vaulted: Any, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setenv("VAULT_AUTH", method)
    with pytest.raises(UserError, match=rf"`VAULT_AUTH={method}`"):
        await asked()
    assert vaulted.seen == []
