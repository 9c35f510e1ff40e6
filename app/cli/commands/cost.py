"""`ctl cost`: what a run used, turn by turn, from its journal."""

from typing import TYPE_CHECKING, Any

import typer

from app.cli.commands.common import dollars, print_table, say
from app.cli.output import JsonFlag, RunArgument, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from app.domain.budget import Spent
    from app.domain.run import RunView

cost_app = typer.Typer(add_completion=False)


@cost_app.command()
def cost(run: RunArgument = None, json: JsonFlag = False) -> None:
    """Calls, tokens, dollars and seconds of each agent's turn. A price that is unknown stays unknown."""
    from app.cli.session import meant
    from app.settings import load
    from app.stream.journal import events

    settings = load()
    view = meant(settings, run)
    records, _ = events(settings.data_dir, view.run)
    turns = _turns([record.body for record in records])
    total = view.result.spent if view.result else view.spent
    lines = [{"agent": agent, "turn": turn, **_told(spent)} for agent, turn, spent in turns]
    if (rest := _rest(total, [spent for *_, spent in turns])) is not None:
        lines.append({"agent": "measures and the rest", "turn": None, **_told(rest)})
    models = _models(settings.data_dir, [record.body for record in records])
    if json:
        print_json(
            {"run": view.run, "model": view.model.id, "ended": view.result is not None, "turns": lines}
            | {"total": _told(total), "models": models}
        )
        return
    _print(view, lines, _told(total))
    if len(models) > 1:
        for name, told in models.items():
            used = f"{told['calls']:,} calls, {told['input']:,} in, {told['output']:,} out"
            say(f"{name}: {used}, {dollars(told['usd'])}")


def _turns(bodies: list[dict[str, Any]]) -> "list[tuple[str, int, Spent]]":
    """What every ended turn used: agent, turn (0: drafting), spent."""
    from app.domain.budget import Spent

    return [
        (str(told.get("agent", "")), int(told.get("turn", 0)), Spent.model_validate(told.get("spent", {})))
        for event in bodies
        if event.get("kind") == "turn_ended"
        for told in (event.get("body", {}),)
    ]


def _models(data: "Path", bodies: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each model of the chain used in the agents' turns, from their streams; compactions count, too."""
    from app.domain.budget import Spent
    from app.domain.session import EventRange, Usage
    from app.stream import Damaged, Stream

    found: dict[str, Spent] = {}
    sessions = {str(event["body"]["session_id"]) for event in bodies if event.get("kind") == "turn_ended"}
    for name in sorted(sessions):
        stream = Stream(data, name)
        try:
            records = stream.read(EventRange(session_id=name, end=stream.end()))
        except (Damaged, OSError):
            continue  # a stream that is gone counts in its turn all the same
        for body in (record.body for record in records if "usage" in record.body):
            usd, usage = body.get("usd"), Usage.model_validate(body["usage"])
            seconds = float(body.get("seconds", 0.0))
            spent = Spent(usage=usage, usd=usd or 0.0, unpriced=int(usd is None), seconds=seconds, calls=1)
            found[body["model"]] = found.get(body["model"], Spent()) + spent
    return {model: _told(spent) for model, spent in found.items()}


def _rest(total: "Spent", parts: "list[Spent]") -> "Spent | None":
    """What the total counts beyond the turns, such as measuring; None for nothing."""
    from app.domain.budget import Spent
    from app.domain.session import Usage

    whole = sum(parts, Spent())
    usage = {name: max(0, getattr(total.usage, name) - getattr(whole.usage, name)) for name in Usage.model_fields}
    rest = Spent(
        usage=Usage(**usage),
        usd=max(0.0, round(total.usd - whole.usd, 9)),
        unpriced=max(0, total.unpriced - whole.unpriced),
        seconds=max(0.0, round(total.seconds - whole.seconds, 3)),
        calls=max(0, total.calls - whole.calls),
    )
    return None if rest == Spent() else rest


def _told(spent: "Spent") -> dict[str, Any]:
    usage = spent.usage
    return {
        "calls": spent.calls,
        "input": usage.input,
        "output": usage.output,
        "cached": usage.cache_read,
        "usd": spent.cost.usd,
        "seconds": round(spent.seconds, 1),
    }


def _print(view: "RunView", lines: list[dict[str, Any]], total: dict[str, Any]) -> None:
    from app.llm import price_line

    say(f"{view.run}  {view.model.id}  {price_line(view.model)}")
    print_table(
        ("AGENT", "TURN", "CALLS", "IN", "OUT", "CACHED", "COST", "SECONDS"),
        [
            (
                *(line["agent"], "—" if line["turn"] is None else str(line["turn"]), f"{line['calls']:,}"),
                *(f"{line['input']:,}", f"{line['output']:,}", f"{line['cached']:,}"),
                *(dollars(line["usd"]), f"{line['seconds']:.1f}"),
            )
            for line in (*lines, {"agent": "total", "turn": None, **total})
        ],
        right=(1, 2, 3, 4, 5, 6, 7),
    )
    if view.result is None:
        say("the run goes on: a turn is counted when it ends")
