"""Each provider runs an agent to its end in the real system: a call, its result, closing words, a commit.

Keys come from Vault, or from the machine's identity: a container's role at Amazon, a metadata server at Google.
"""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from every_provider import AMBIENT, MADE, EveryProvider, every_provider
from harness import System, settings_apart
from playbook import chores, git, kept

from app.domain.run import ModelRef
from app.llm.registry import PROVIDERS, resolve
from app.runs.door import start
from app.runs.order import budget_of, new
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stack.local import down, ensure

STORED = ("anthropic", "github-copilot", "google", "moonshotai", "openrouter", "stepfun", "zai")
"""Their address stands in Vault, beside the key; the others are given one."""


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Generator[EveryProvider]:
    with every_provider() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.fixture
def system(tmp_path: Path, providers: EveryProvider, monkeypatch: pytest.MonkeyPatch) -> Generator[System]:  # noqa: ARG001
    """A stack of its own, on that machine; nothing of the person's home is looked at."""
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = settings_apart(tmp_path / "system")
    ensure(settings, lambda _text: None)
    yield System(settings)
    down(settings, lambda _text: None)


def models(server: EveryProvider, system: System) -> dict[str, ModelRef]:
    """A model of each provider, and Anthropic's once more through Azure."""
    found: dict[str, ModelRef] = {}
    for name, row in PROVIDERS.items():
        below = f"{server.url}/{name}" + ("/v1" if row.kind == "openai" and name not in AMBIENT else "")
        text = f"{name}/{row.default or 'any-model'}"
        found[name] = resolve(text, "" if name in STORED else below, system.settings)
    azure = f"anthropic/{PROVIDERS['anthropic'].default}"
    return {**found, "azure": resolve(azure, f"{server.url}/anthropic", system.settings)}


async def test_each_provider_runs_an_agent_to_its_commit(
    system: System, providers: EveryProvider, tmp_path: Path
) -> None:
    repo = chores(tmp_path / "chores")
    client = await connect(system.settings, plugins=[PLUGIN])

    async def run(name: str, model: ModelRef) -> str:
        budget = budget_of(model, usd=None, tokens=None)
        order = new(system.settings, kind="run", intent=f"be {name}", repo=str(repo), model=model, budget=budget)
        await start(client, order)
        result = await client.get_workflow_handle(order.run).result()
        assert result["outcome"] == "completed", f"{name}: {result}"
        return order.run

    asked = models(providers, system)
    runs = dict(zip(asked, await asyncio.gather(*(run(*each) for each in asked.items())), strict=True))
    assert providers.refused == []
    for name, run_id in runs.items():
        assert kept(repo, run_id, MADE) == f"by {name}\n"
        assert "Codetether-Run" in git(repo, "log", "-1", "--format=%B", f"codetether/{run_id}")
    assert dict(providers.asked) == dict.fromkeys(asked, 2)
