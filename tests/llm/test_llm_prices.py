"""Prices: known ones add up, unknown ones stay unknown, nothing is free but the demo."""

from pathlib import Path

import pytest
from pydantic_ai.usage import RequestUsage

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm import price_line, priced
from app.llm.prices import cost_of
from app.settings import load

LOCAL = "http://127.0.0.1:8000/v1"
USED = RequestUsage(input_tokens=1_000_000, cache_read_tokens=500_000, output_tokens=1_000_000)


def model(text: str, base_url: str = "") -> ModelRef:
    provider, _, name = text.partition("/")
    return ModelRef(provider=provider, name=name, base_url=base_url)


@pytest.mark.parametrize("text", ["moonshotai/kimi-k2.5", "zai/glm-4.7", "anthropic/claude-sonnet-4-5", "openai/gpt-5"])
def test_listed_models_have_a_price(text: str) -> None:
    assert priced(model(text)) and price_line(model(text)).startswith("$")
    cost = cost_of(model(text), USED).usd
    assert cost is not None and cost > 0


def test_the_line_is_dollars_per_million() -> None:
    assert price_line(model("stepfun/step-3.5-flash")) == "$0.10 in / $0.30 out per 1 M tokens"


def test_our_own_rows_add_up() -> None:
    assert cost_of(model("stepfun/step-3.5-flash"), USED).usd == pytest.approx(0.05 + 0.01 + 0.30)


def test_unknown_is_not_free() -> None:
    for unknown in (model("stepfun/step-99"), model("openai/gpt-5", "https://example.org/v1")):
        assert not priced(unknown) and price_line(unknown) == "price unknown"
        assert cost_of(unknown, USED).usd is None


def test_a_local_server_is_named() -> None:
    assert price_line(model("openai/qwen", LOCAL)) == "price unknown (local server)"


def test_no_usage_has_an_unknown_cost_unless_free() -> None:
    assert cost_of(model("openai/gpt-5"), RequestUsage()).usd is None
    assert cost_of(model("demo/scripted", LOCAL), RequestUsage()).usd == 0.0


def test_a_persons_own_price_goes_before_every_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    local = ModelRef(provider="openai", name="qwen3", base_url="http://127.0.0.1:8000/v1")
    assert not priced(local)
    (tmp_path / "config.toml").write_text(
        '[prices."openai/qwen3"]\ninput = 2.0\noutput = 10.0\ncache_read = 0.5\ncache_write = 4.0\n'
    )
    assert price_line(local) == "$2.00 in / $10.00 out per 1 M tokens"
    usage = RequestUsage(input_tokens=1_000, output_tokens=100, cache_read_tokens=600, cache_write_tokens=200)
    assert cost_of(local, usage).usd == pytest.approx((200 * 2 + 600 * 0.5 + 200 * 4 + 100 * 10) / 1e6)
    (tmp_path / "config.toml").write_text('[prices]\n"openai/qwen3" = { input = 1, output = 1 }\n# changed\n')
    assert cost_of(local, usage).usd == pytest.approx(1_100 / 1e6)
    (tmp_path / "config.toml").write_text('[prices]\n"openai/qwen3" = { input = -1, output = 1 }\n')
    with pytest.raises(UserError, match=r"prices.*input"):
        load()
    assert cost_of(local, usage).usd is None
