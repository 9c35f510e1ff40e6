"""Records histories for the replay tests: `python -m tests.replay.record` after a deliberate change.

Runs the example (`go` with an amendment, `run`, a relay that continues as new, an agent with jobs) on a real server and
writes each workflow's history as JSON to `tests/replay/histories/`. A change that an old history cannot
replay needs `workflow.patched("name")`, and a new recording beside the old one.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from faults import write_plan
from harness import playing
from mortals import Mortals, mortals
from playbook import Messages, shell, steps, texts
from temporalio.client import Client

from app.demo.example import create
from app.demo.scenario import Call, Reply, reply
from app.domain.contracts import Tell
from app.domain.run import Decision, ModelRef, RunInput
from app.runs import door, order
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stream.journal import load_view

HISTORIES = Path(__file__).parent / "histories"


async def _until_asked(system: Mortals, run: str, request: str) -> None:
    while True:
        view = load_view(system.data, run)
        if view is not None and any(open_.id == request for open_ in view.requests):
            return
        await asyncio.sleep(0.1)


async def _ended(system: Mortals, run: str) -> None:
    while (view := load_view(system.data, run)) is None or view.result is None:
        await asyncio.sleep(0.1)


async def _save(client: Client, name: str, workflow_id: str, run_id: str | None = None) -> None:
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    (HISTORIES / f"{name}.json").write_text(history.to_json())


async def _record(system: Mortals, client: Client, base_url: str, folder: Path) -> None:
    model = ModelRef(provider="demo", name="scripted", base_url=base_url)
    budget = order.budget_of(model, usd=None, tokens=None)

    def new(kind: str, name: str, **more: object) -> RunInput:
        repo = create(folder / name)
        made = order.new(system.settings, kind=kind, intent="make it fast", repo=str(repo), model=model, budget=budget)  # pyright: ignore
        return made.model_copy(update=more)

    go = new("go", "go")
    await door.start(client, go)
    await _until_asked(system, go.run, "draft-1")
    await door.decide(client, go.run, Decision(request_id="draft-1", verdict="amend", text="at most 20"))
    await _until_asked(system, go.run, "draft-2")
    await client.get_workflow_handle(go.run).signal("approve", 2)
    await door.tell(client, go.run, Tell(text="keep the names"))
    await _ended(system, go.run)
    await _save(client, "go", go.run)
    await _save(client, "relay", f"{go.run}-relay")
    await _save(client, "agent", f"{go.run}-t1-builder")
    await _save(client, "draft-agent", f"{go.run}-draft-1")

    run = new("run", "run")
    await door.start(client, run)
    await _ended(system, run.run)
    await _save(client, "direct", run.run)

    cancelled = new("go", "cancelled")
    await door.start(client, cancelled)
    await _until_asked(system, cancelled.run, "draft-1")
    await door.cancel(client, cancelled.run)
    await _ended(system, cancelled.run)
    await _save(client, "go-cancelled", cancelled.run)

    long = new("autochat", "long", history_limit=25)
    await door.start(client, long)
    await _ended(system, long.run)
    async for execution in client.list_workflows(f"WorkflowType = 'RelayWorkflow' AND OkrRunId = '{long.run}'"):
        if execution.status is not None and execution.status.name == "CONTINUED_AS_NEW":
            await _save(client, "relay-continued", execution.id, execution.run_id)
            break
    async for execution in client.list_workflows(f"WorkflowType = 'AgentWorkflow' AND OkrRunId = '{long.run}'"):
        if execution.status is not None and execution.status.name == "CONTINUED_AS_NEW":
            await _save(client, "agent-continued", execution.id, execution.run_id)
            break


async def _record_jobs(system: Mortals, client: Client, folder: Path) -> None:
    """An agent with jobs: one is stopped, one ends by itself, one is ended for a new history, one with the agent."""

    def script(messages: Messages, _offered: set[str]) -> Reply:
        if any("begin anew" in words for words in texts(messages, "user")):
            more = any("job-4 is started" in words for words in texts(messages, "tool"))
            return Reply("I am done.") if more else shell("sleep 60", background=True)
        begun = [shell(command, background=True).calls[0] for command in ("sleep 60", "echo 1", "sleep 60")]
        return (
            Reply(calls=tuple(begun)),
            Reply(calls=(Call("job", {"action": "stop", "id": "job-1"}),)),
            Reply(calls=(Call("job", {"action": "wait", "id": "job-2"}),)),
            *(shell(f"echo {number}") for number in range(20)),
        )[steps(messages)]

    with playing(script) as server:
        model = ModelRef(provider="openai", name="test", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1")
        budget = order.budget_of(model, usd=None, tokens=None)
        made = order.new(
            system.settings, kind="run", intent="go", repo=str(create(folder / "jobs")), model=model, budget=budget
        )
        await door.start(client, made.model_copy(update={"history_limit": 24}))
        await _ended(system, made.run)
    name = f"{made.run}-t1-agent"
    async for execution in client.list_workflows(f"WorkflowId = '{name}'"):
        again = execution.status is not None and execution.status.name == "CONTINUED_AS_NEW"
        await _save(client, "agent-jobs-continued" if again else "agent-jobs", name, execution.run_id)


def main() -> None:
    """Records everything anew."""
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, mortals(Path(name)) as system, playing(reply) as server:
        base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with system.working(write_plan(Path(name) / "plan", [])):

            async def run() -> None:
                client = await connect(system.settings, plugins=[PLUGIN])
                await asyncio.wait_for(_record(system, client, base_url, Path(name)), 240)
                await asyncio.wait_for(_record_jobs(system, client, Path(name)), 60)

            asyncio.run(run())


if __name__ == "__main__":
    main()
