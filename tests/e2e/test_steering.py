"""A person steers a run: words, pauses, decisions, and going on where one stopped."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import Script, System
from playbook import Messages, by_member, chores, git, kept, proposal, shell, steps, texts, working
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from app.demo.scenario import Reply
from app.domain.run import Decision
from app.errors import UserError
from app.runs import door
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stream.journal import events

Model = Callable[[Script], list[str]]
DONE = shell("cp /dev/null todo.txt")
PATIENCE = 60


class Gate:
    """Where the model waits while it answers; `hold` is called by a script."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def hold(self) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE)

    def arrive(self) -> None:
        """The test's side: returns once the model is at the gate."""
        assert self.reached.wait(PATIENCE)


async def client_of(system: System) -> Client:
    return await connect(system.settings, plugins=[PLUGIN])


async def happened(client: Client, workflow: str, *wanted: Callable[[object], bool]) -> None:
    """Returns once the workflow's history holds events that match `wanted`, in this order."""
    left = list(wanted)
    async with asyncio.timeout(PATIENCE):
        async for event in client.get_workflow_handle(workflow).fetch_history_events(wait_new_event=True):
            if left and left[0](event):
                left.pop(0)
            if not left:
                return


def of(kind: str, name: str = "") -> Callable[[object], bool]:
    """Matches events of a type, and signals by their name."""

    def matches(event: object) -> bool:
        number = EventType.Value(f"EVENT_TYPE_{kind}")
        told = event.workflow_execution_signaled_event_attributes.signal_name  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        return event.event_type == number and (not name or told == name)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    return matches


def kinds(system: System, run: str) -> list[str]:
    return [str(record.body["kind"]) for record in events(system.data, run)[0]]


def test_words_are_read_at_the_next_turn_and_never_lost(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    drafting, early, late = Gate(), Gate(), Gate()
    heard: dict[str, list[str]] = {}

    def first(messages: Messages) -> Reply:
        heard[f"first-{steps(messages)}"] = texts(messages, "user")[1:]
        (early, late)[steps(messages)].hold()
        return (shell("echo 1 > part.txt"), Reply("The rest is for the second."))[steps(messages)]

    def second(messages: Messages) -> Reply:
        heard["second"] = texts(messages, "user")[1:]
        return (DONE, Reply("Done."))[steps(messages)]

    plan = by_member(proposal(), first=first, second=second)

    def script(messages: Messages, offered: set[str]) -> Reply:
        if "propose_okr" in offered:
            drafting.hold()
        return plan(messages, offered)

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(system.json, "go", "nothing is left", "--yes", *model(script), cwd=repo)
        for gate, words in ((drafting, "while drafting"), (early, "while working"), (late, "at the end")):
            gate.arrive()
            system.ctl("tell", words, cwd=repo)
            gate.open.set()
        told = going.result()
    assert told["result"]["outcome"] == "completed"
    assert heard["first-0"] == ["while drafting"]
    assert heard["first-1"] == ["while drafting", "while working"]
    assert heard["second"] == ["at the end"]
    assert kinds(system, told["run"]).count("told") == 3
    assert "while working" in system.ctl("sessions", "show", f"{told['run']}-t1-first", cwd=repo)


async def test_a_pause_lets_end_what_runs_and_starts_nothing(system: System, tmp_path: Path, model: Model) -> None:
    repo, gate = chores(tmp_path / "chores"), Gate()
    asked: list[int] = []

    def first(messages: Messages) -> Reply:
        asked.append(steps(messages))
        if steps(messages) == 0:
            gate.hold()
        return (DONE, Reply("Done."))[steps(messages)]

    script = by_member(proposal(), first=first)
    client = await client_of(system)
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(system.json, "go", "nothing is left", "--yes", *model(script), cwd=repo)
        await asyncio.to_thread(gate.arrive)
        run = system.json("okr", "runs", cwd=repo)[0]["run"]
        agent = f"{run}-t1-first"
        system.ctl("pause", cwd=repo)
        await happened(client, agent, of("WORKFLOW_EXECUTION_SIGNALED", "hold"))
        gate.open.set()
        ended, task = of("ACTIVITY_TASK_COMPLETED"), of("WORKFLOW_TASK_COMPLETED")
        await happened(client, agent, ended, ended, task)
        now = await client.get_workflow_handle(agent).describe()
        assert not now.raw_description.pending_activities and asked == [0]
        assert "paused" in system.ctl("okr", "status", cwd=repo)
        system.ctl("continue", cwd=repo)
        assert going.result()["result"]["outcome"] == "completed"
    assert asked == [0, 1]


def test_a_pause_holds_although_a_decision_comes(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    run = system.json("go", "nothing is left", *model(working(DONE)), cwd=repo, code=6)["run"]
    system.ctl("pause", run, cwd=repo)
    system.ctl("approve", run, cwd=repo)
    assert system.json("okr", "status", run, cwd=repo)["status"] == "paused"
    system.ctl("continue", run, cwd=repo)
    system.ctl("watch", run, cwd=repo)
    found = kinds(system, run)
    assert found.index("decision") < found.index("resumed") < found.index("turn_started")


def test_a_run_that_stopped_short_goes_on_from_its_commit(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    todo = "test -f part.txt && cp /dev/null todo.txt || echo 1 > part.txt"
    words = ("go", "nothing is left", "--yes", "--max-turns", "1", *model(working(shell(todo))))
    one = system.json(*words, cwd=repo, code=5)
    assert one["result"]["outcome"] == "max_iterations"
    two = system.json("continue", one["run"], cwd=repo)
    assert two["run"] == one["run"].removesuffix("1") + "2"
    result = two["result"]
    assert result["outcome"] == "completed" and result["base"] == one["result"]["base"]
    assert git(repo, "merge-base", "--is-ancestor", one["result"]["commit"], result["commit"]) == ""
    assert kept(repo, two["run"]) == "" and kept(repo, two["run"], "part.txt") == "1\n"
    assert "draft" not in kinds(system, two["run"]) and two["okr"]["id"] == one["okr"]["id"]
    assert "ended: completed" in system.ctl("tell", two["run"], "hello", cwd=repo, code=1)


async def test_signals_count_for_the_draft_that_was_seen(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    run = system.json("go", "nothing is left", *model(working(DONE)), cwd=repo, code=6)["run"]
    handle = (client := await client_of(system)).get_workflow_handle(run)
    system.ctl("amend", run, "say it shorter", cwd=repo)
    assert [r["id"] for r in system.json("watch", run, cwd=repo, code=6)["requests"]] == ["draft-2"]
    await handle.signal("approve")
    view = await door.ask_view(client, run)
    assert [r.id for r in view.requests] == ["draft-2"] and "draft-1" in view.warnings[-1]
    assert "already decided: amend" in system.ctl("approve", run, "--request", "draft-1", cwd=repo, code=1)
    assert "no request" in system.ctl("deny", run, "--request", "draft-7", cwd=repo, code=1)
    await handle.signal("approve", 2)
    assert "completed" in system.ctl("watch", run, cwd=repo)
    assert "waits for no decision" in system.ctl("approve", run, cwd=repo, code=1)


async def test_a_bare_signal_approves_draft_1(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    run = system.ctl("go", "nothing is left", "--detach", *model(working(DONE)), cwd=repo).split()[-1]
    system.ctl("watch", run, cwd=repo, code=6)
    await (await client_of(system)).get_workflow_handle(run).signal("approve")
    assert "completed" in system.ctl("watch", run, cwd=repo)


async def test_of_two_decisions_the_first_counts(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    run = system.json("go", "nothing is left", *model(working(DONE)), cwd=repo, code=6)["run"]
    client = await client_of(system)
    verdicts = [Decision(request_id="draft-1", verdict=verdict) for verdict in ("deny", "approve")]
    both = await asyncio.gather(*(door.decide(client, run, one) for one in verdicts), return_exceptions=True)
    lost = [answer for answer in both if isinstance(answer, UserError)]
    assert len(lost) == 1
    won = verdicts[0 if both[1] is lost[0] else 1].verdict
    assert f"`draft-1` was already decided: {won}" in str(lost[0])
    outcome = {"deny": "denied", "approve": "completed"}[won]
    assert system.json("watch", run, cwd=repo, code=None)["result"]["outcome"] == outcome
