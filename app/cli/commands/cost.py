"""`ctl cost`: what a run used, or all of them day by day; from files alone, also with the stack down."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import data_folder, here, print_table, say
from app.cli.output import JsonFlag, RunArgument, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.stream.used import Used

cost_app = typer.Typer(add_completion=False)

_HEADER = ("CALLS", "IN", "OUT", "CACHE READ", "CACHE WRITE", "REASONING", "COST")


class By(StrEnum):
    """What one row is of."""

    AGENT = "agent"
    TURN = "turn"
    KR = "kr"
    MODEL = "model"


@cost_app.command()
def cost(
    run: RunArgument = None,
    by: Annotated[By | None, typer.Option("--by", help="What a row is of; default: turn.")] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, metavar="N", help="All runs here, by day: the last N days, today included."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Of every repository; with --days by day, else in all.")] = False,
    json: JsonFlag = False,
) -> None:
    """Calls, tokens and dollars, from the conversations themselves: what was paid, also for drafts, judges,
    compactions, fallback models and answers that broke off. A price that is unknown stays unknown.

    By key result: a turn's calls count for the key results that were not met when it began, in equal
    shares; drafting and judging stand apart. Days are those of this machine's time zone.
    """  # fmt: skip
    if days is None and not all_:
        _of_run(run, by or By.TURN, json)
    elif run is not None or by is not None:
        raise UserError("`--days` and `--all` are of all runs; leave out RUN and `--by`")
    else:
        _of_all(days, all_, json)


def _of_run(run: str | None, by: By, json: bool) -> None:
    from app.cli.session import meant
    from app.runs.spending import KR_RULE, spent
    from app.settings import load
    from app.stream.used import total

    settings = load()
    view = meant(settings, run)
    rows = spent(settings.data_dir, view.run, by.value)
    whole = total(row.used for row in rows)
    if json:
        told = [{**_told(row.used), **row.key} for row in rows]
        for line in told:
            if line.pop("unknown", False):
                line["usd"] = None
        print_json(
            {"run": view.run, "model": view.model.id, "ended": view.result is not None, "by": by.value}
            | ({"rule": KR_RULE} if by is By.KR else {})
            | {"rows": told, "total": _told(whole)}
        )
        return
    from app.llm import price_line

    say(f"{view.run}  {view.model.id}  {price_line(view.model)}")
    hidden = {row.label for row in rows if row.key.get("unknown")}
    _print((by.value.upper(),), [((row.label,), row.used) for row in rows], whole, hidden)
    if by is By.KR:
        say(KR_RULE)
    if view.result is None:
        say("the run goes on: a call is counted when its answer is recorded")


def _of_all(days: int | None, all_: bool, json: bool) -> None:
    from collections import defaultdict
    from datetime import datetime, timedelta

    from app.stream.totals import sums
    from app.stream.used import Used, total

    repo, today = here(), datetime.now().astimezone()
    since = today.date() - timedelta(days=days - 1) if days else None
    found: defaultdict[tuple[str, ...], Used] = defaultdict(Used)
    for part in sums(data_folder()):
        if not all_ and repo and part.repo != repo:
            continue
        day = datetime.fromisoformat(part.at).astimezone().date()
        if since is None:
            found[(part.repo,)] += part.used
        elif since <= day <= today.date():
            found[(day.isoformat(), part.repo)] += part.used
    rows = sorted(found.items())
    names = ("day", "repository") if days else ("repository",)
    zone = f"{today.tzname()} (UTC{today:%z})"
    if json:
        told = [{**dict(zip(names, key, strict=True)), **_told(used)} for key, used in rows]
        print_json({"zone": zone, "since": since.isoformat() if since else None, "rows": told}
                   | {"total": _told(total(found.values()))})  # fmt: skip
        return
    _print(tuple(name.upper() for name in names), rows, total(found.values()))
    if days:
        say(f"days of {zone}" + ("" if all_ or not repo else "; of every repository: --all"))


def _told(used: "Used") -> dict[str, Any]:
    """As JSON: `usd` null where any part of the price is unknown, `known_usd` what is known of it."""
    from app.stream.used import DOLLAR

    names = ("calls", "input", "output", "cache_read", "cache_write", "reasoning")
    return {name: getattr(used, name) for name in names} | {
        "usd": used.dollars,
        "known_usd": used.usd / DOLLAR,
        "seconds": used.ms / 1000,
    }


def _print(
    names: tuple[str, ...],
    rows: "Sequence[tuple[tuple[str, ...], Used]]",
    whole: "Used",
    hidden: "set[str] | None" = None,
) -> None:
    amounts = _rounded([used.usd for _, used in rows], whole.usd)
    told = ("total", *("" for _ in names[1:]))
    lines = [
        (
            *key,
            *(f"{figure:,}" for figure in (used.calls, used.input, used.output)),
            *(f"{figure:,}" for figure in (used.cache_read, used.cache_write, used.reasoning)),
            _cost(amount, used.unknown > 0 or key[0] in (hidden or ())),
        )
        for (key, used), amount in zip([*rows, (told, whole)], amounts, strict=True)
    ]
    right = range(len(names), len(names) + len(_HEADER))
    print_table((*names, *_HEADER), lines, right=tuple(right))


def _rounded(amounts: "Sequence[int]", whole: int) -> list[str]:
    """The amounts and their sum in dollars, cut so that what is shown adds up to the sum that is shown."""
    from app.stream.used import DOLLAR

    digits = 4 if whole >= DOLLAR // 100 else 6
    unit = DOLLAR // 10**digits
    shown = [amount // unit for amount in amounts]
    missing = (whole + unit // 2) // unit - sum(shown)
    for at in sorted(range(len(amounts)), key=lambda at: amounts[at] % unit, reverse=True)[: max(0, missing)]:
        shown[at] += 1
    return [f"${amount / 10**digits:.{digits}f}" for amount in (*shown, sum(shown))]


def _cost(amount: str, unknown: bool) -> str:
    """An unknown price is never shown as free; a part of one that is known is."""
    if not unknown:
        return amount
    return f"{amount} + unknown" if float(amount[1:]) else "unknown"
