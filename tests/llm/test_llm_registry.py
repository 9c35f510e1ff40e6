"""Naming a model: what resolves, what is refused, and with which words."""

import sys
from pathlib import Path

import pytest

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm import resolve
from app.llm.catalog import models
from app.llm.providers import provider_module
from app.llm.registry import PROVIDERS, base_url_of
from app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, config_dir=tmp_path, model="zai/glm-4.7")


def test_a_name_may_hold_slashes_itself(settings: Settings) -> None:
    assert resolve("openrouter/z-ai/glm-5", "", settings) == ModelRef(provider="openrouter", name="z-ai/glm-5")


def test_empty_texts_fall_back_to_the_settings(settings: Settings) -> None:
    own = settings.model_copy(update={"base_url": "http://127.0.0.1:8000/v1/"})
    assert resolve("", "", own) == ModelRef(provider="zai", name="glm-4.7", base_url="http://127.0.0.1:8000/v1")


def test_the_scripted_demo_resolves(settings: Settings) -> None:
    assert resolve("demo/scripted", "http://127.0.0.1:1", settings).id == "demo/scripted"


@pytest.mark.parametrize("text", ["gpt-5", "nobody/x", "/x", "openai/", "openai"])
def test_what_is_no_model_lists_the_providers(settings: Settings, text: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve(text, "", settings)
    assert caught.value.code == 2 and all(f"`{name}`" in str(caught.value) for name in PROVIDERS)


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://", "http://me:secret@host/v1"])
def test_unusable_base_urls_are_refused_without_showing_a_password(settings: Settings, url: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve("openai/x", url, settings)
    assert caught.value.code == 2 and "secret" not in str(caught.value)


def test_every_hosted_provider_says_where_it_is() -> None:
    for name in PROVIDERS:
        model = ModelRef(provider=name, name="x")
        if name in ("demo", "local"):
            with pytest.raises(UserError):
                base_url_of(model)
        else:
            assert base_url_of(model).startswith("https://" if PROVIDERS[name].needs_key else "http://127.")


def test_what_is_offered_first_resolves(settings: Settings) -> None:
    for row in PROVIDERS.values():
        if row.default:
            assert resolve(f"{row.name}/{row.default}", "", settings).name == row.default


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "app.llm.providers.bedrock", raising=False)
    with pytest.raises(UserError, match=r"pip install 'codetether\[bedrock\]'"):
        provider_module(ModelRef(provider="bedrock", name="x"))


def test_the_listing_tells_prices_and_what_each_can_do() -> None:
    rows = {row.provider: row for row in models()}
    bedrock = rows["bedrock"]
    assert (bedrock.input_usd, bedrock.output_usd, bedrock.context) == (5.0, 25.0, 200_000)
    assert bedrock.caching and bedrock.tools and rows["github-copilot"].input_usd is None
    assert set(rows) == {row.name for row in PROVIDERS.values() if row.default}
    free = [row.provider for row in rows.values() if row.input_usd == 0 or row.output_usd == 0 or row.context == 0]
    assert free == ["openrouter"], "what is unknown is no zero"
    assert rows["github-copilot"].context is None and "15 June 2026" in rows["anthropic"].note
    assert rows["openrouter"].input_usd == 0.0 and {row.provider for row in models("zai")} == {"zai"}
