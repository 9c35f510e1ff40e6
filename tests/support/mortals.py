"""A system whose worker dies on a plan and is started again, as often as it takes."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from harness import System, settings_apart

from app.domain.run import Decision, ModelRef, RunInput, RunView
from app.pids import start_time
from app.runs import door, order
from app.runs.plugin import PLUGIN
from app.stack import server
from app.stack.connect import connect
from app.stack.state import living, stop
from app.stream.journal import load_view

HERE = Path(__file__).parent


class Mortals(System):
    """A Temporal server without a worker; `working(plan)` runs one that dies on the plan."""

    @contextmanager
    def working(self, plan: Path) -> Generator[None]:
        """A worker for the length of the block, started again whenever it is killed."""
        stopping = threading.Event()
        process = self._start(plan)

        def supervise() -> None:
            nonlocal process
            while not stopping.is_set():
                process.wait()
                if not stopping.is_set():
                    process = self._start(plan)

        thread = threading.Thread(target=supervise)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            process.terminate()
            thread.join()

    def _start(self, plan: Path) -> "subprocess.Popen[bytes]":
        with (self.data / "logs" / "mortal.log").open("ab") as log:
            argv = [sys.executable, str(HERE / "mortal_worker.py"), str(plan)]
            return subprocess.Popen(argv, env=self.environment(), stdout=log, stderr=log)

    def start_run(self, repo: Path, base_url: str) -> str:
        """Starts `ctl go`'s workflow on the example; its draft is approved as soon as it waits."""
        model = ModelRef(provider="demo", name="scripted", base_url=base_url)
        budget = order.budget_of(model, usd=None, tokens=None)
        made = order.new(self.settings, kind="go", intent="make it fast", repo=str(repo), model=model, budget=budget)
        asyncio.run(self._talk(made, None))
        return made.run

    def carry_out(self, run: str, seconds: float) -> RunView:
        """Approves when it is asked and returns the view with the outcome; fails after `seconds`."""
        return asyncio.run(asyncio.wait_for(self._carry_out(run), seconds))

    async def _carry_out(self, run: str) -> RunView:
        decided = False
        while True:
            view = load_view(self.data, run)
            if view is not None and view.result is not None:
                return view
            if view is not None and view.requests and not decided:
                await self._talk(None, Decision(request_id=view.requests[0].id, verdict="approve"), run)
                decided = True
            await asyncio.sleep(0.1)

    async def _talk(self, made: RunInput | None, decision: Decision | None, run: str = "") -> None:
        client = await connect(self.settings, plugins=[PLUGIN])
        if made is not None:
            await door.start(client, made)
        if decision is not None:
            await door.decide(client, run, decision)

    def left_processes(self) -> list[str]:
        """Commands that agents or measures started and that still run."""
        import json

        notes = [json.loads(file.read_bytes()) for file in (self.data / "processes").glob("*.json")]
        return [str(note["pid"]) for note in notes if start_time(note["pid"]) == note["started"]]


@contextmanager
def mortals(folder: Path) -> Generator[Mortals]:
    """A system with a Temporal server of its own."""
    settings = settings_apart(folder)
    (settings.data_dir / "logs").mkdir()
    server.start(settings)
    try:
        yield Mortals(settings)
    finally:
        service = living(settings.data_dir, "temporal")
        if service is not None:
            stop(service, 10)


def kill_server(system: System) -> None:
    """SIGKILL for the Temporal server."""
    service = living(system.data, "temporal")
    assert service is not None
    os.kill(service.pid, 9)
    stop(service, 5)
