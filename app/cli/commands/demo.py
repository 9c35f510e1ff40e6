"""`ctl demo`: the whole flow on the example repository, with a scripted model and a crash in the middle."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.cli.output import console, interactive, note
from app.cli.screen import Screen, show_outcome
from app.runs.watch import Update

if TYPE_CHECKING:
    from app.domain.run import RunInput, RunView
    from app.settings import Settings

INTENT = "make the import 2x faster"
demo_app = typer.Typer(add_completion=False)


@demo_app.command()
def demo() -> None:
    """An intent, an OKR, a relay of two, a killed worker, a measured outcome. Takes half a minute."""
    from app.cli.session import start
    from app.demo.example import create, next_folder
    from app.domain.run import ModelRef
    from app.runs import order
    from app.settings import load
    from app.stack.demo import ensure_demo
    from app.stack.identity import data_id

    settings = load()
    data_id(settings.data_dir)
    console().print(
        "[bold]CodeTether demo[/bold]: everything is real (Temporal, edits, sandbox, tests, git, measures),\n"
        "only the model's words are written in advance: demo (scripted, no intelligence).\n"
    )
    base_url = ensure_demo(settings, note, pace=0.03)
    start(settings)
    repo = create(next_folder(settings.data_dir))
    console().print(f'example repository: {repo}\n[bold]$ ctl go "{INTENT}"[/bold]\n')
    base_url = base_url.replace("/v1", f"/{repo.name}/v1")  # its requests are counted apart
    model = ModelRef(provider="demo", name="scripted", base_url=base_url)
    made = order.new(
        settings,
        kind="go",
        intent=INTENT,
        repo=str(repo),
        model=model,
        budget=order.budget_of(model, usd=None, tokens=None),
    )
    raise typer.Exit(asyncio.run(_run(settings, made, base_url)))


async def _run(settings: "Settings", order: "RunInput", base_url: str) -> int:
    from app.cli.following import DETACHED, follow
    from app.cli.questions import ask_person
    from app.cli.session import connected
    from app.runs import door

    asked_before = _asked(base_url)
    async with connected(settings) as client:
        await door.start(client, order)
        screen = Crash(settings)
        with screen:
            ended = await follow(settings, client, order.run, screen, ask=partial(ask_person, yes=not interactive()))
            if ended.code == DETACHED or ended.view is None or ended.view.result is None:
                note(f"{order.run} goes on; attach again: ctl watch {order.run}")
                return ended.code
            asked = _asked(base_url) - asked_before
            screen.tell_recovery(asked - ended.view.result.spent.calls)
    _show_end(settings, ended.view)
    return ended.code


class Crash(Screen):
    """The usual screen, which kills the worker with SIGKILL while the first command of an agent runs."""

    def __init__(self, settings: "Settings") -> None:
        super().__init__()
        self.settings = settings
        self.killed_at = 0.0
        self.resumed_in = 0.0

    def on(self, update: Update) -> None:
        """Shows it; kills once, and notes when the run goes on. Whoever follows starts a worker again."""
        super().on(update)
        if self.killed_at and not self.resumed_in:
            self.resumed_in = time.monotonic() - self.killed_at
            self.out.print(f"[bold green]resumed[/bold green] after {self.resumed_in:.1f} s, where it was")
        delta = update.delta
        if not self.killed_at and delta is not None and (delta.kind, delta.tool) == ("tool_started", "bash"):
            self._kill()

    def tell_recovery(self, repeated: int) -> None:
        """The line that says what the crash cost."""
        how = f"resumed in {self.resumed_in:.1f} s · {repeated} recorded answers repeated"
        self.out.print(f"\n[bold]worker killed · {how}[/bold]")

    def _kill(self) -> None:
        from app.stack.state import living

        worker = living(self.settings.data_dir, "worker")
        if worker is None:
            return
        os.kill(worker.pid, signal.SIGKILL)
        self.killed_at = time.monotonic()
        self.out.print(f"[bold red]kill -9 {worker.pid}[/bold red]: the worker is dead, in the middle of that command")


def _show_end(settings: "Settings", view: "RunView") -> None:
    from app.stack.connect import ui_link

    result = view.result
    assert result is not None
    show_outcome(view)
    out = console()
    repo = Path(view.repo)
    out.print(_git(repo, "log", "--oneline", "--no-decorate", f"{result.base}..{result.branch}"))
    out.print(_git(repo, "diff", "--stat", f"{result.base}...{result.branch}"))
    out.print("cost: $0, scripted\n")
    ctl = _ctl()
    out.print(f"see the diff             {ctl} diff {view.run}")
    out.print(f"open the Temporal UI     {ui_link(settings.data_dir, settings.namespace, view.run) or 'not local'}")
    mine = ctl if ctl == "ctl" else Path(ctl).absolute()
    own = f'cd YOUR_REPOSITORY && {mine} go "YOUR INTENT" --model openai/NAME --base-url URL'
    out.print(f"run it on your own       {own}")
    out.print(f"stop everything          {ctl} down")


def _ctl() -> str:
    """How this person calls us: by name, or by path before `make install`."""
    own = Path(sys.executable).with_name("ctl")
    if shutil.which("ctl") or not own.exists():
        return "ctl"
    return os.path.relpath(own) if own.is_relative_to(Path.cwd()) else str(own)


def _git(repo: Path, *words: str) -> str:
    done = subprocess.run(["git", "--no-pager", *words], cwd=repo, capture_output=True, text=True, check=False)
    return done.stdout.rstrip()


def _asked(base_url: str) -> int:
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/asked", timeout=10) as answer:
        return int(json.load(answer)["asked"])
