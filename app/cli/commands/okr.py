"""`ctl okr list | status | runs | show`: OKRs and their runs, from files alone, without any server."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import data_folder, dollars, moment, of_here, one_of, print_table, say
from app.cli.output import JsonFlag, console, one_line, print_json
from app.errors import UserError
from app.stream.listing import Row, okrs, runs

if TYPE_CHECKING:
    from app.domain.run import Decision, RunView

okr_app = typer.Typer(help="List and show OKRs and their runs.", add_completion=False, no_args_is_help=True)

_NONE_YET = 'no OKR yet; start one: ctl go "make the import 2x faster"'


@okr_app.command("list")
def list_(json: JsonFlag = False) -> None:
    """All OKRs, the latest first, with how far they came."""
    found = [_okr_line(row) for row in okrs(data_folder())]
    if json:
        print_json(found)
        return
    if not found:
        say(_NONE_YET)
        return
    print_table(
        ("OKR", "PROGRESS", "STATUS", "RUNS", "UPDATED", "OBJECTIVE"),
        [
            (
                *(line["okr"], f"{line['progress']:.0%}", line["status"], str(len(line["runs"]))),
                *(moment(line["updated_at"]), one_line(line["objective"])),
            )
            for line in found
        ],
        right=(1, 3),
    )


@okr_app.command("runs")
def runs_(
    okr: Annotated[str | None, typer.Argument(metavar="[OKR]", help="An OKR or a beginning of it.")] = None,
    json: JsonFlag = False,
) -> None:
    """The runs of an OKR; without one all runs, of every kind, the latest first."""
    data = data_folder()
    found = [_run_line(row) for row in runs(data)]
    if okr is not None:
        name = one_of((line["okr"] for line in found if line["okr"]), okr, "OKR", "ctl okr list")
        found = [line for line in found if line["okr"] == name]
    if json:
        print_json(found)
        return
    if not found:
        say("no run yet; start one: ctl demo")
        return
    print_table(
        ("RUN", "KIND", "STATUS", "PROGRESS", "TURNS", "COST", "STARTED", "BRANCH"),
        [
            (
                *(line["run"], line["kind"], line["status"]),
                "—" if line["progress"] is None else f"{line['progress']:.0%}",
                *(str(line["turns"]), dollars(line["usd"]) if line["calls"] else "—"),
                *(moment(line["started_at"]), _branch(line)),
            )
            for line in found
        ],
        right=(3, 4, 5),
    )


@okr_app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[OKR|RUN]", help="Default: the latest OKR here.")] = None,
    json: JsonFlag = False,
) -> None:
    """The key results of an OKR's latest run, or of one run: baseline, now, target, progress."""
    from app.cli.draft import escaped, key_results
    from app.cli.screen import show_outcome

    view = _view(name)
    assert view.okr is not None
    if json:
        print_json(_document(view))
        return
    out = console()
    out.print(f"[bold]{view.run}[/bold]  {view.status}" + (f": {escaped(view.detail)}" if view.detail else ""))
    out.print(f"[dim]mode {view.mode_now}[/dim]")
    out.print(f"{escaped(view.okr.objective)}  [dim]{view.okr.progress:.0%}[/dim]")
    if view.result is None or not view.result.key_results:
        out.print(key_results(view.okr.key_results))
    if view.result is not None:
        show_outcome(view)
        return
    for line in _next(view):
        out.print(f"  {line}")


@okr_app.command()
def show(
    okr: Annotated[str | None, typer.Argument(metavar="[OKR]", help="Default: the latest OKR here.")] = None,
    json: JsonFlag = False,
) -> None:
    """An OKR in full: how each key result is measured, its team, what was decided and why."""
    from app.stream.journal import load_view

    data = data_folder()
    rows = {str(row.get("id", "")): row for row in okrs(data)}
    row = rows[one_of(rows, okr, "OKR", "ctl okr list")] if okr else _latest_here(list(rows.values()))
    decided = _decisions(sorted(row.get("runs", {})))
    if json:
        print_json({**row, "decisions": decided})
        return
    _show(row)
    if (latest := load_view(data, str(row.get("latest", "")))) is not None:
        say(f"mode       {latest.mode_now}")
    for line in decided:
        by = f" by {line['by']}" if line["by"] else ""
        words = f": {one_line(line['text'], 400)}" if line["text"] else ""
        say(f"{line['run']}  {line['verdict']} {line['request_id']}{by}{words}")


def _show(row: Row) -> None:
    from app.domain.figures import target

    told: dict[str, Any] = row.get("okr", {})
    say(f"{row.get('id')}  draft {told.get('draft', 1)}  {row.get('repo', '')}")
    say(f"intent     {one_line(str(told.get('intent', '')), 400)}")
    say(f"objective  {one_line(str(told.get('objective', '')), 500)}")
    for kr in told.get("key_results", ()):
        measure: dict[str, Any] = kr["measure"]
        sign = "≥" if kr["direction"] == "up" else "≤"
        say()
        say(f"{kr['id']}  {one_line(kr['title'], 300)}")
        say(f"    target    {target(sign, kr['target'], kr['unit'])}")
        say(f"    baseline  {_number(kr.get('baseline'))}, now {_number(kr.get('last') or kr.get('baseline'))}")
        say(f"    measured  {_how(measure)}")
        if measure.get("protects"):
            say(f"    protects  {', '.join(measure['protects'])}")
    say()
    for member in told.get("team", ()):
        say(f"team       {member['name']}: {one_line(member['role'], 200)}")
    for run, line in sorted(row.get("runs", {}).items(), key=lambda item: str(item[1].get("started_at"))):
        started = moment(line.get("started_at", ""))
        say(f"run        {run}  {line.get('status')}  {line.get('progress', 0):.0%}  {started}")


def _okr_line(row: Row) -> Row:
    latest: Row = row.get("runs", {}).get(row.get("latest", ""), {})
    return {
        "okr": row.get("id", ""),
        "objective": row.get("okr", {}).get("objective", ""),
        "repo": row.get("repo", ""),
        "status": latest.get("status", ""),
        "progress": latest.get("progress", 0.0),
        "latest": row.get("latest", ""),
        "runs": sorted(row.get("runs", {})),
        "updated_at": latest.get("updated_at", ""),
    }


def _run_line(row: Row) -> Row:
    result: Row = row.get("result") or {}
    spent: Row = result.get("spent") or row.get("spent") or {}
    return {
        "run": row.get("run", ""),
        "okr": row.get("ids", {}).get("okr_id", ""),
        "kind": row.get("kind", ""),
        "status": result.get("outcome") or row.get("status", ""),
        "reason": result.get("reason", ""),
        "progress": _progress(row),
        "turns": result.get("turns", row.get("turn", 0)),
        "calls": spent.get("calls", 0),
        "usd": None if spent.get("unpriced") else spent.get("usd", 0.0),
        "started_at": row.get("started_at", ""),
        "updated_at": row.get("updated_at", ""),
        "branch": result.get("branch", ""),
        "merged": row.get("merged", ""),
        "repo": row.get("repo", ""),
    }


def _progress(row: Row) -> float | None:
    """`Okr.progress` of a run's row, without the models that a long list must not wait for."""
    okr: Row | None = row.get("okr")
    if not okr or not okr.get("key_results"):
        return None
    shares = [_share(kr) for kr in okr["key_results"]]
    return round(sum(shares) / len(shares), 4)


def _share(kr: Row) -> float:
    value, start = ((kr.get(name) or {}).get("value") for name in ("last", "baseline"))
    target = kr["target"]
    if value is None:
        return 0.0
    if value >= target if kr["direction"] == "up" else value <= target:
        return 1.0
    if start is None or target == start:
        return 0.0
    return min(1.0, max(0.0, (value - start) / (target - start)))


def _branch(line: Row) -> str:
    merged = str(line["merged"])
    if merged == "discarded":
        return "discarded"
    return f"{line['branch']} (merged)" if merged else str(line["branch"]) or "—"


def _view(name: str | None) -> "RunView":
    """The run that is meant, by its own name, by its OKR's, or as the latest with an OKR of this repository."""
    from app.stream.journal import load_view

    data = data_folder()
    if name is None:
        run = str(_latest_here([row for row in runs(data) if row.get("okr")])["run"])
    else:
        latest = {str(row.get("id")): str(row.get("latest")) for row in okrs(data)}
        found = one_of({*latest, *(str(row["run"]) for row in runs(data))}, name, "OKR or run", "ctl okr runs")
        run = latest.get(found, found)
    view = load_view(data, run)
    if view is None:
        raise UserError(f"run `{run}` cannot be read; make it again from its journal: `ctl doctor --repair`", 1)
    if view.okr is None:
        raise UserError(f"run `{run}` has no OKR ({view.kind}, {view.status}); `ctl watch {run}` shows it")
    return view


def _latest_here(found: list[Row]) -> Row:
    """The first row of the current repository; anywhere else, of all."""
    own = of_here(found)
    if not own:
        raise UserError(_NONE_YET.replace(": ", ": `", 1) + "`")
    return own[0]


def _document(view: "RunView") -> Row:
    from app.cli.report import document

    assert view.okr is not None
    told = document(view)
    for kr, shown in zip(view.okr.key_results, told["okr"]["key_results"], strict=True):
        shown |= {"progress": round(kr.progress, 4), "met": kr.met}
    return told | {"progress": round(view.okr.progress, 4), "next": _next(view)}


def _next(view: "RunView") -> list[str]:
    from app.cli.screen import next_commands

    if view.requests:
        return [f"ctl approve {view.run}", f'ctl deny {view.run} --reason "why"']
    return [f"ctl continue {view.run}"] if view.status == "paused" else next_commands(view)


def _decisions(names: list[str]) -> list[dict[str, str]]:
    from app.stream.journal import load_view

    found: list[tuple[str, Decision]] = []
    for name in names:
        view = load_view(data_folder(), name)
        found += [(name, decision) for decision in view.decisions] if view else []
    return [{"run": name, **decision.model_dump()} for name, decision in found]


def _how(measure: Row) -> str:
    if measure["kind"] == "judge":
        return f"a model's judgement: {one_line(measure['question'], 400)}"
    how = f"{measure['counts']} tests" if measure["kind"] == "test_count" else measure["read"].replace("_", " ")
    repeat = measure.get("repeat", 1)
    return f"{shlex.join(measure['argv'])}  ({how}{f', median of {repeat}' if repeat > 1 else ''})"


def _number(reading: Row | None) -> str:
    from app.domain.figures import figure

    if not reading or reading.get("value") is None:
        return "—"
    return figure(reading["value"]) + (f" ± {reading['spread']:.2g}" if reading.get("spread") else "")
