"""`ctl models`: what is unknown says so, and what a person should know stands below."""

import json

import pytest

from app.cli.lazy import run as run_ctl


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
    assert "`openai/NAME --base-url URL`" in said(capsys, "--provider", "openai")[1]
