"""Carrying a run out from a terminal: start it, follow it in the wanted format, show and keep its end."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.output import note
from app.errors import UserError

if TYPE_CHECKING:
    from app.domain.run import Request, RunInput, RunView
    from app.settings import Settings


_SEEN = 10.0
"""Seconds for a worker to write the first line of a run."""


@dataclass(frozen=True)
class Way:
    """How a run is followed and what is done at its end. `format`: text, json or stream-json."""

    format: str
    detach: bool = False
    yes: bool = False
    out: Path | None = None
    merge: bool = False

    @staticmethod
    def of(format: str, json: bool, **rest: bool | Path | None) -> "Way":
        late = [f"`--{name}`" for name in ("out", "merge") if rest.get(name)]
        if late and rest.get("detach"):
            raise UserError(
                f"{' and '.join(late)} needs the end of the run, which `--detach` does not wait for; leave one out, "
                "or use `ctl patch` or `ctl merge` when it has ended"
            )
        if format not in ("text", "json", "stream-json"):
            raise UserError(f"`--output-format {format}` is unknown; use text, json or stream-json")
        return Way("json" if json else format, **rest)  # pyright: ignore[reportArgumentType]


def carry_out(settings: "Settings", order: "RunInput", way: Way) -> int:
    from app.cli.following import held, in_ci
    from app.cli.report import prepare
    from app.cli.session import start

    if way.out is not None:
        prepare(way.out)
    own = in_ci() and not way.detach  # the stack ends with the command
    early: list[int] = []
    with held(early) if own else nullcontext():
        try:
            start(settings)
            if early:
                raise UserError(f"`{order.run}` was cancelled before it began; start it again", 1)
            for text in order.notes if way.detach or way.format != "text" else ():  # else the screen shows them
                note(text)
            return asyncio.run(_run(settings, order, way, early))
        finally:
            if own:
                _end_stack(settings)


def _end_stack(settings: "Settings") -> None:
    from app.cli.following import held
    from app.stack.local import down

    with held([]):  # a second signal leaves nothing half stopped
        down(settings, note)


async def _run(settings: "Settings", order: "RunInput", way: Way, early: Sequence[int]) -> int:
    from app.cli.questions import who
    from app.cli.session import connected
    from app.runs import door

    if way.detach and way.yes:
        order = order.model_copy(update={"approved_by": who()})
    async with connected(settings) as client:
        await door.start(client, order)
        if way.detach:
            await seen(settings, order.run)
            return detached(order.run, way.format)
        return await follow_to_end(
            settings, client, order.run, way.format, yes=way.yes, out=way.out, merge=way.merge, early=early
        )


async def seen(settings: "Settings", run: str) -> None:
    """Waits until other commands can see a run that was just started; not for ever, if no worker is there."""
    from app.stream.journal import load_view

    with suppress(TimeoutError):
        async with asyncio.timeout(_SEEN):
            while await asyncio.to_thread(load_view, settings.data_dir, run) is None:
                await asyncio.sleep(0.05)  # nothing tells when a worker writes a file


def detached(run: str, format: str) -> int:
    """Names a run that goes on without this command; the exit code."""
    from app.cli.output import print_json

    if format == "text":
        note(f"{run} was started; watch it: ctl watch {run}")
    print_json({"run": run}) if format != "text" else print(run)
    return 0


async def follow_to_end(
    settings: "Settings",
    client: object,
    run: str,
    format: str,
    *,
    yes: bool = False,
    out: Path | None = None,
    merge: bool = False,
    early: Sequence[int] = (),
) -> int:
    """Follows a run in the given format; prints its end; returns the exit code. `early`: see `follow`."""
    from temporalio.client import Client

    from app.cli.following import DETACHED, WAITING, follow
    from app.cli.questions import approving, ask_person
    from app.cli.screen import Screen
    from app.cli.shows import JsonLines, Quiet

    assert isinstance(client, Client)
    if format == "text":
        with Screen() as screen:
            ended = await follow(settings, client, run, screen, ask=partial(ask_person, yes=yes), early=early)
    else:
        show = Quiet() if format == "json" else JsonLines(settings.data_dir)
        ended = await follow(settings, client, run, show, ask=approving if yes else _nobody, early=early)
    if ended.code == DETACHED:
        note(f"\ndetached; {run} goes on. Attach again: ctl watch {run} · end it: ctl cancel {run}")
    elif ended.code == WAITING:
        note(waiting(ended.view, run))
    if ended.view is not None:
        _end(settings, ended.view, format, out)
        if merge and ended.code == 0:
            return _merge(settings, ended.view, format)
    return ended.code


def _nobody(_view: "RunView", _request: "Request") -> None:
    """Programs answer no questions."""


def waiting(view: "RunView | None", run: str) -> str:
    """What a run waits for and how to answer."""
    requests = view.requests if view is not None else ()
    asked: Sequence[str] = [
        f"{request.id}: {request.title}" + f" ({request.reason})" * bool(request.reason) for request in requests
    ]
    if requests and all(request.kind == "question" for request in requests):
        return f"{run} waits for an answer ({'; '.join(asked)}): ctl answer {run} TEXT | ctl deny {run}"
    drafts = any(request.kind == "draft" for request in requests)
    ways = f"ctl approve {run} | ctl deny {run}" + f" | ctl amend {run} TEXT" * drafts
    return f"{run} waits for a decision ({'; '.join(asked)}): {ways}"


def _end(settings: "Settings", view: "RunView", format: str, out: Path | None) -> None:
    from app.cli.output import print_json
    from app.cli.report import document, write
    from app.cli.screen import show_outcome
    from app.stack.connect import ui_link

    if format == "json":
        print_json(document(view))
    if view.result is None:
        return
    if format == "text":
        show_outcome(view, ui_link(settings.data_dir, settings.namespace, view.run))
    if out is not None:
        from app.workspace import patch

        result = view.result
        changes = b""
        if result.branch:
            changes = patch(settings.data_dir, view.run, result.base, result.commit, repo=Path(view.repo))
        write(out, view, changes)


def _merge(settings: "Settings", view: "RunView", format: str) -> int:
    from app.cli.commands.branch import merge_run

    if view.result is None or not view.result.branch:
        return 0
    merge_run(settings, view, squash=False, quiet=format != "text")
    return 0
