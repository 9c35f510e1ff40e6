"""A conversation that outgrows its model's context goes on; so does a run whose model fails for good."""

import asyncio
import json
from pathlib import Path

import pytest
from harness import System
from playbook import chores, commit_all
from window import NOTES, small, walking

from app import workspace
from app.domain.activities import PrepareInput
from app.domain.budget import Budget
from app.domain.contracts import AGENT, QUEUE, AgentInput, AgentResult
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids
from app.domain.tool import Rule
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stack.identity import data_id
from app.stream import Stream
from app.stream.journal import load_view
from app.stream.view import seen


def library(repo: Path, pieces: int, characters: int = 6000) -> Path:
    """A repository with long files that say their number."""
    chores(repo)
    (repo / "pieces").mkdir()
    for piece in range(pieces):
        rows = [f"piece {piece}: {'many words ' * 9}"] * (characters // 110)
        (repo / "pieces" / f"{piece}.txt").write_text("\n".join(rows))
    commit_all(repo)
    return repo


async def walked(system: System, repo: Path, url: str, steps: int) -> AgentResult:
    """One agent, without a run around it, that takes `steps` steps; it continues as new on its way."""
    own = data_id(system.data)
    order = PrepareInput(run="walk", data_id=own, name="main", repo=str(repo))
    space = await asyncio.to_thread(workspace.prepare, system.data, order, system.settings)
    agent = AgentInput(
        run="walk",
        top="walk",
        name="walker",
        ids=Ids(session_id="walk-agent"),
        persona="solo",
        task="Look at every piece. The word of the day is heliotrope.",
        session=EventRange(session_id="walk-agent"),
        tools=("read", "todo_write"),
        model=ModelRef(provider="openai", name="small", base_url=url),
        workspace=space,
        rules=(Rule(tool="read", pattern="pieces", verdict="allow"),),
        budget=Budget(usd=None, tokens=None, seconds=None, steps=None),
        max_steps=steps + 10,
        history_limit=2000,
    )
    client = await connect(system.settings, plugins=[PLUGIN])
    return await client.execute_workflow(AGENT, agent, id="walk-agent", task_queue=QUEUE, result_type=AgentResult)


@pytest.mark.long
def test_five_hundred_steps_in_sixteen_thousand_tokens(system: System, tmp_path: Path) -> None:
    repo = library(tmp_path / "library", 500)
    with small(walking(500), {"small": 16_384}) as server:
        result = asyncio.run(walked(system, repo, server.url, 500))
        assert (result.status, result.text) == ("done", "I looked at 500 pieces."), result.reason
        assert server.most <= 16_384 and server.summed_up > 0
        # Its size was unknown at first: one refusal told it; estimates kept the others away.
        assert server.refused["small"] <= 5
        paid = server.asked["small"] - server.refused["small"]
        said = str(server.last)
    assert "heliotrope" in said and NOTES.splitlines()[0] in said and "pieces/" in said
    stream = Stream(system.data, "walk-agent")
    records = stream.history(stream.end())
    compactions = [record for record in records if record.kind == "compacted"]
    assert {record.body["how"] for record in compactions} >= {"summary"}
    # The original stays: every answer and every result is in the stream, whole, and counted once.
    results = [record for record in records if record.kind == "tool_result"]
    assert len(results) == 500 and all(len(record.body["text"]) > 5000 for record in results)
    assert sum("usage" in record.body for record in records) == paid == result.spent.calls
    assert result.rules == (Rule(tool="read", pattern="pieces", verdict="allow"),)
    # What is shown begins with the task, and no call in it is without its result.
    view = seen(records)
    calls = [call["id"] for record in view if record.kind == "assistant" for call in record.body["calls"]]
    assert calls == [record.body["call_id"] for record in view if record.kind == "tool_result"]
    assert len(view) < 60


def test_both_conversations_are_shown(system: System, tmp_path: Path) -> None:
    repo = library(tmp_path / "library", 8)
    with small(walking(8), {"small": 1_000_000}) as server:
        told = system.json(
            "run", "work", "--model", "openai/small", "--base-url", server.url, "--context", "9000", cwd=repo
        )
    assert told["result"]["outcome"] == "completed", told["result"]
    session = told["result"]["sessions"][0]
    brief, full = (system.ctl("sessions", "show", session, *more, cwd=repo) for more in ((), ("--full",)))
    assert "── compacted" in brief and "work" in brief
    assert "pieces/0.txt" in full and full.count("← read: ok") == 8 > brief.count(
        "many words many words many words " * 30
    )
    lines = [json.loads(line) for line in system.ctl("sessions", "show", session, "--json", cwd=repo).splitlines()]
    assert {"compacted", "assistant"} <= {line["kind"] for line in lines}
    assert len(lines) > sum(line["in_view"] for line in lines) > 1


def test_the_next_model_goes_on(system: System, tmp_path: Path) -> None:
    repo = library(tmp_path / "library", 2)
    with small(walking(2), {"good": 128_000}, frozenset({"broke"})) as server:
        flags = ["--model", "openai/broke", "--base-url", server.url, "--fallback", "openai/good"]
        told = system.json("run", "work", *flags, cwd=repo)
        assert told["result"]["outcome"] == "completed", told["result"]
        assert server.asked == {"broke": 1, "good": 3}
    view = load_view(system.data, told["run"])
    assert view is not None
    assert any("`openai/good` goes on" in text and "quota" in text for text in view.warnings)
    [row] = system.json("cost", told["run"], "--by", "model", cwd=repo)["rows"]
    assert (row["model"], row["calls"]) == ("openai/good", 3)
    assert "then openai/good" in system.ctl("watch", told["run"], cwd=repo)
    said = system.ctl("run", "x", *flags, "--budget-usd", "1", cwd=repo, code=2)
    assert "price of `openai/broke` is unknown" in said
    flags = ["--model", "anthropic/claude-sonnet-4-5", "--fallback", f"openai/good@{server.url}", "--budget-usd", "1"]
    assert "price of `openai/good` is unknown" in system.ctl("run", "x", *flags, cwd=repo, code=2)


def test_the_whole_chain_fails_with_the_last_reason(system: System, tmp_path: Path) -> None:
    repo = library(tmp_path / "library", 1)
    with small(walking(1), {}, frozenset({"broke", "poor"})) as server:
        flags = ["--model", "openai/broke", "--base-url", server.url, "--fallback", "openai/poor"]
        told = system.json("run", "work", *flags, cwd=repo, code=1)
    assert "`openai/poor` is used up" in told["result"]["reason"]
