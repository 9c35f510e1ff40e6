"""`ctl tell`, `ctl pause`, `ctl continue`, `ctl cancel`: steer a run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import JsonFlag, RunArgument, console, note, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.domain.budget import Budget
    from app.domain.run import RunView
    from app.settings import Settings

tell_app = typer.Typer(add_completion=False)
pause_app = typer.Typer(add_completion=False)
continue_app = typer.Typer(add_completion=False)
cancel_app = typer.Typer(add_completion=False)


@tell_app.command()
def tell(
    words: Annotated[list[str], typer.Argument(metavar="[RUN] TEXT", help="What the agent should know.")],
    json: JsonFlag = False,
) -> None:
    """Words for the agent at work, read at its next turn."""
    from app.cli.commands.decide import words_of
    from app.cli.questions import who
    from app.domain.contracts import Tell
    from app.runs import door

    if len(words) > 2:
        raise UserError('put your words in quotes: `ctl tell RUN "keep the public names"`')
    text = words_of(words, 'ctl tell RUN "keep the public names"')
    settings, view = running(words[0] if len(words) == 2 else None)
    talk(settings, lambda client: door.tell(client, view.run, Tell(text=text, by=who())))
    said(json, view.run, "told; the agent reads it at its next turn")


@pause_app.command()
def pause(run: RunArgument = None, json: JsonFlag = False) -> None:
    """Let what runs end, and start nothing new."""
    from app.runs import door

    settings, view = running(run)
    talk(settings, lambda client: door.pause(client, view.run))
    said(json, view.run, f"pausing; go on: ctl continue {view.run}")


@continue_app.command()
def continue_(
    run: RunArgument = None,
    budget_usd: Annotated[float | None, typer.Option("--budget-usd", help="The new limit in dollars.")] = None,
    budget_tokens: Annotated[int | None, typer.Option("--budget-tokens", help="The new limit in tokens.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and leave.")] = False,
    json: JsonFlag = False,
) -> None:
    """Go on with a paused run, or start the next run where one stopped short."""
    from app.cli.session import meant, start
    from app.runs import door, order
    from app.settings import load

    settings = load()
    view = meant(settings, run, changes=True)
    new = order.budget_of(view.model, usd=budget_usd, tokens=budget_tokens, fallback=view.fallback)
    if view.result is None:
        given = budget_usd is not None or budget_tokens is not None
        start(settings)
        talk(settings, lambda client: door.resume(client, view.run, _raised(view, new) if given else None))
        said(json, view.run, "going on")
        return
    raise typer.Exit(_next_run(settings, view, new, detach=detach, json=json))


@cancel_app.command()
def cancel(run: RunArgument = None, json: JsonFlag = False) -> None:
    """End a run; its work so far is committed and kept on its branch."""
    from app.cli.following import follow
    from app.cli.shows import Quiet
    from app.runs import door

    settings, view = running(run)

    async def ending(client: Any) -> "RunView | None":
        await door.cancel(client, view.run)
        async with asyncio.timeout(60):
            return (await follow(settings, client, view.run, Quiet(), ask=lambda _view, _request: None)).view

    note(f"cancelling {view.run}: its work so far is being saved")
    try:
        after = talk(settings, ending)
    except TimeoutError:
        raise UserError(f"`{view.run}` is still ending; watch it: `ctl watch {view.run}`", 1) from None
    branch = after.result.branch if after is not None and after.result is not None else ""
    said(json, view.run, f"cancelled; its work is on {branch}" if branch else "cancelled; nothing had been changed")


def _raised(view: "RunView", new: "Budget") -> "Budget":
    return view.budget.model_copy(update={"usd": new.usd, "tokens": new.tokens})


def _next_run(settings: "Settings", view: "RunView", budget: "Budget", *, detach: bool, json: bool) -> int:
    from app.cli.carrying import detached, follow_to_end, seen
    from app.cli.session import connected, start
    from app.runs import door, order
    from app.stack.demo import ensure_demo
    from app.stream.listing import runs

    taken = {str(row["run"]) for row in runs(settings.data_dir)}
    again = order.again(settings, view, budget=budget, taken=taken)
    if view.model.provider == "demo":
        model = again.model.model_copy(update={"base_url": ensure_demo(settings, note)})
        again = again.model_copy(update={"model": model})
    start(settings)

    async def carry_on() -> int:
        async with connected(settings) as client:
            await door.start(client, again)
            note(f"{again.run} goes on where {view.run} stopped")
            format = "json" if json else "text"
            if detach:
                await seen(settings, again.run)
                return detached(again.run, format)
            return await follow_to_end(settings, client, again.run, format)

    return asyncio.run(carry_on())


def running(run: str | None) -> "tuple[Settings, RunView]":
    from app.cli.session import meant, start
    from app.settings import load

    settings = load()
    view = meant(settings, run, changes=True)
    if view.result is not None:
        how = view.result.outcome
        raise UserError(f"run `{view.run}` has ended: {how}; go on from it: `ctl continue {view.run}`", 1)
    start(settings)
    return settings, view


def talk(settings: "Settings", say: Callable[[Any], Awaitable[Any]]) -> Any:
    from app.cli.session import connected

    async def talking() -> Any:
        async with connected(settings) as client:
            return await say(client)

    return asyncio.run(talking())


def said(json: bool, run: str, text: str) -> None:
    if json:
        print_json({"run": run, "done": text})
    else:
        console().print(f"{run}: {text}")
