"""Where runs end that do not reach their key results at once, and what a bad model or measure does to them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from harness import Script, System, playing
from playbook import Messages, by_member, chores, git, kept, key_result, proposal, read, shell, steps, texts, working
from temporalio.client import Client

from app.demo.scenario import Call, Reply
from app.llm import resolve
from app.runs import door, order
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stream.journal import events

Model = Callable[[Script], list[str]]
DONE = shell("cp /dev/null todo.txt")


def bodies(system: System, run: str, kind: str) -> list[dict[str, Any]]:
    """What the journal says of the events of one kind."""
    return [record.body["body"] for record in events(system.data, run)[0] if record.body["kind"] == kind]


def test_a_budget_ends_a_run_that_can_go_on(system: System, tmp_path: Path, model: Model) -> None:
    repo, rich = chores(tmp_path / "chores"), threading.Event()

    def first(messages: Messages) -> Reply:
        number = steps(messages)
        if rich.is_set():
            return (DONE, Reply("Done."))[number]
        return shell(f"echo {number} > part.txt")

    words = ("go", "nothing is left", "--yes", "--budget-tokens", "4000", *model(by_member(proposal(), first=first)))
    one = system.json(*words, cwd=repo, code=5)
    assert one["result"]["outcome"] == "budget" and kept(repo, one["run"], "part.txt")
    assert 4000 <= one["cost"]["tokens"] < 8000
    assert [body["text"] for body in bodies(system, one["run"], "warned")] == ["80 % of the budget is used"]
    total = system.json("cost", one["run"], "--by", "agent", cwd=repo)["total"]
    assert (total["input"] + total["output"], total["calls"]) == (one["cost"]["tokens"], one["cost"]["calls"])
    rich.set()
    left = system.json("continue", one["run"], "--budget-tokens", "100000", "--detach", cwd=repo)
    two = system.json("watch", left["run"], cwd=repo)
    assert two["result"]["outcome"] == "completed" and kept(repo, two["run"], "part.txt")


def test_a_round_that_changes_nothing_ends_the_run(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    asked: list[int] = []

    def first(messages: Messages) -> Reply:
        asked.append(steps(messages))
        return read("todo.txt")

    script = by_member(proposal(), first=first, second=lambda _: Reply("I see nothing to do."))
    run = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo, code=6)["run"]
    system.ctl("deny", run, cwd=repo)  # it repeats itself: a person is asked whether it may go on
    told = system.json("watch", run, cwd=repo, code=5)
    assert told["result"]["outcome"] == "stalled" and told["result"]["branch"] == ""
    assert asked == [0, 1, 2]
    ended = [(body["agent"], body["status"]) for body in bodies(system, told["run"], "turn_ended")]
    assert ended == [("draft", "done"), ("first", "stalled"), ("second", "done")]


def test_what_cannot_be_measured_must_be_dropped(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    bad = (
        key_result(("no-such-program",)),
        key_result(("sleep", "60"), timeout=0.5),
        key_result(("echo", "none")),
        key_result(),
    )
    asked: list[str] = []
    good = proposal()

    def script(messages: Messages, offered: set[str]) -> Reply:
        task = texts(messages, "user")[0]
        if "propose_okr" in offered:
            asked.append(task)
            return good if "drop them" in task else proposal(*bad)
        return (DONE, Reply("Done."))[steps(messages)]

    told = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo, code=6)
    run = told["run"]
    assert len(asked) == 2 and told["requests"] and told["result"] is None
    for words in ("`KR-1`", "cannot be run", "`KR-2`", "did not end within 0.5 s", "`KR-3`", "printed no number"):
        assert words in asked[1]
    assert "key result `KR-1` cannot be measured" in system.ctl("approve", run, cwd=repo, code=1)
    system.ctl("amend", run, "drop them", cwd=repo)
    assert [r["id"] for r in system.json("watch", run, cwd=repo, code=6)["requests"]] == ["draft-2"]
    system.ctl("approve", run, cwd=repo)
    assert len(system.json("watch", run, cwd=repo)["result"]["key_results"]) == 1


def test_a_judge_reads_and_gives_a_score(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    judged = {"title": "It looks done", "direction": "up", "target": 0.8,
              "measure": {"kind": "judge", "question": "Is nothing left to do?"}}  # fmt: skip
    plan = working(DONE, draft=proposal(judged, key_result()))

    def script(messages: Messages, offered: set[str]) -> Reply:
        if "give_score" not in offered:
            return plan(messages, offered)
        if not steps(messages):
            return read("todo.txt")
        score = 0.1 if "three" in texts(messages, "tool")[0] else 0.9
        return Reply(calls=(Call("give_score", {"score": score, "evidence": "todo.txt"}),))

    result = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo)["result"]
    assert result["outcome"] == "completed"
    assert [(kr["baseline"]["value"], kr["last"]["value"]) for kr in result["key_results"]] == [(0.1, 0.9), (3, 0)]


def test_what_is_met_already_needs_no_work(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    script = working(DONE, draft=proposal(key_result(target=3)))
    result = system.json("go", "no more than three", "--yes", *model(script), cwd=repo)["result"]
    assert (result["outcome"], result["turns"], result["branch"]) == ("completed", 0, "")


def test_a_model_that_talks_nonsense_half_of_the_time_gets_there(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    nonsense = (
        Reply("Let me think.", (Call("bash", {"cmd": "ls"}),)),
        Reply(calls=(Call("summon", {"what": "help"}), Call("read", {"path": 7}))),
        Reply(calls=(Call("bash", "{not an object"),)),  # pyright: ignore[reportArgumentType]
        Reply("I would rather talk."),
    )
    sense = (read("todo.txt"), shell("head -n 1 todo.txt > .new; mv .new todo.txt"), DONE, Reply("Done."))
    heard: list[str] = []

    def script(messages: Messages, offered: set[str]) -> Reply:
        heard.extend(texts(messages, "tool"))
        number = steps(messages)
        if "propose_okr" in offered:
            return nonsense[number // 2 % 2] if number % 2 == 0 and number < 4 else _drafted(number, nonsense)
        return nonsense[number // 2 % 4] if number % 2 == 0 else sense[number // 2 % 4]

    result = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo)["result"]
    assert result["outcome"] == "completed"
    for words in ("unknown tool `summon`", "`command` of `bash`", "not a JSON object"):
        assert any(words in text for text in heard)


def _drafted(number: int, nonsense: tuple[Reply, ...]) -> Reply:
    return {1: nonsense[3], 3: read("todo.txt")}.get(number, proposal())


@pytest.mark.parametrize("limit", [15, 0])
async def test_nothing_is_lost_when_workflows_begin_anew(system: System, tmp_path: Path, limit: int) -> None:
    repo = chores(tmp_path / "chores")
    held, go_on = threading.Event(), threading.Event()
    told: list[list[str]] = []

    def first(messages: Messages) -> Reply:
        number = steps(messages)
        told.append(texts(messages, "user")[1:])
        if number == 1:
            held.set()
            assert go_on.wait(60)
        return shell(f"echo {number} >> part.txt") if number < 3 else Reply("The rest is for the second.")

    def second(messages: Messages) -> Reply:
        return (DONE, Reply("Done."))[steps(messages)]

    client = await connect(system.settings, plugins=[PLUGIN])
    with playing(by_member(proposal(), first=first, second=second)) as server:
        run = await _started(system, client, repo, server.server_address[1], limit)
        with ThreadPoolExecutor(1) as pool:
            await asyncio.to_thread(system.ctl, "watch", run, cwd=repo, code=6)
            await asyncio.to_thread(system.ctl, "approve", run, cwd=repo)
            ending = pool.submit(system.json, "watch", run, cwd=repo)
            assert await asyncio.to_thread(held.wait, 60)
            await asyncio.to_thread(system.ctl, "tell", run, "mind the gap", cwd=repo)
            go_on.set()
            result = (await asyncio.wrap_future(ending))["result"]
        assert result["outcome"] == "completed" and result["spent"]["calls"] == sum(server.asked.values()) == 7
    assert told[1] == [] and told[2] == told[3] == ["mind the gap"]
    assert kept(repo, run) == "" and kept(repo, run, "part.txt").split() == list("012")
    again = [await _continued(client, f"{run}-{name}") for name in ("t1-first", "relay")]
    assert again == [bool(limit)] * 2
    assert git(repo, "status", "--porcelain") == ""


async def _started(system: System, client: Client, repo: Path, port: int, limit: int) -> str:
    model = resolve("openai/test", f"http://127.0.0.1:{port}/v1", system.settings)
    budget = order.budget_of(model, usd=None, tokens=100_000)
    made = order.new(system.settings, kind="go", intent="nothing is left", repo=str(repo), model=model, budget=budget)
    await door.start(client, made.model_copy(update={"history_limit": limit}))
    async with asyncio.timeout(30):
        while not events(system.data, made.run)[0]:
            await asyncio.sleep(0.05)
    return made.run


async def _continued(client: Client, workflow: str) -> bool:
    """Whether the last execution of a workflow is not its first."""
    now = await client.get_workflow_handle(workflow).describe()
    return now.run_id != now.raw_description.workflow_execution_info.first_run_id
