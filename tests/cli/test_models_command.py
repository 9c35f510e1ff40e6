"""`ctl models`: what is unknown says so, and what a person should know stands below."""

import json

import pytest

from app.cli.lazy import run as run_ctl
from app.llm.registry import PROVIDERS, Provider


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert run_ctl(["models", *words]) == 0
    out = capsys.readouterr()
    return out.out, out.err


def test_models_are_listed_and_what_is_unknown_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys)
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert rows["github-copilot/claude-opus-4"].split()[1:4] == ["unknown", "unknown", "unknown"]
    assert rows["bedrock/global.anthropic.claude-opus-4-6-v1"].split()[1:4] == ["200K", "5.00", "25.00"]
    assert "github-copilot/claude-opus-4: " in err
    (offer,) = json.loads(said(capsys, "--provider", "zai", "--json")[0])
    assert (offer["context"], offer["note"]) == (200_000, "")


def test_a_provider_without_a_first_model_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`openai/NAME`" in said(capsys, "--provider", "openai")[1]


def test_a_new_row_needs_nothing_more_to_be_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROVIDERS, "new", Provider("new", "openai", "https://new.invalid/v1", default="one"))
    assert said(capsys, "--provider", "new")[0].splitlines()[1].split() == ["new/one", *["unknown"] * 4]
