"""`ctl sessions list | show`: the conversations of agents, from their streams alone."""

import json as codec
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import data_folder, moment, of_here, one_of, print_table, run_of, say
from app.cli.output import JsonFlag, one_line, plain, print_json
from app.stream.files import STREAMS, safe_name
from app.stream.listing import Row, runs

if TYPE_CHECKING:
    from app.domain.session import Record

sessions_app = typer.Typer(
    help="List and show the conversations of agents.", add_completion=False, no_args_is_help=True
)

_LIMIT = 50
_CUT = 400
"""Characters of arguments and results that are shown without `--full`."""


@sessions_app.command("list")
def list_(
    run: Annotated[str | None, typer.Option("--run", help="Only of this run (or a beginning of its name).")] = None,
    all_: Annotated[bool, typer.Option("--all", help=f"Not only the latest {_LIMIT}.")] = False,
    json: JsonFlag = False,
) -> None:
    """Sessions, the latest first: whose they are, how many answers, how many tokens."""
    data = data_folder()
    rows = runs(data)
    names = [str(row["run"]) for row in rows]
    found = _sessions(data, rows)
    if run is not None:
        wanted = one_of(names, run, "run", "ctl okr runs")
        found = {name: changed for name, changed in found.items() if run_of(name, names) == wanted}
    latest = sorted(found, key=lambda name: (found[name], name), reverse=True)
    lines = [_line(data, name, names) for name in (latest if all_ else latest[:_LIMIT])]
    if json:
        print_json(lines)
        return
    if not lines:
        say("no session yet; start one: ctl demo")
        return
    print_table(
        ("SESSION", "RUN", "STEPS", "TOKENS", "LAST ACTIVITY", "LAST WORDS"),
        [
            (
                *(line["session"], line["run"] or "—", str(line["steps"]), f"{line['tokens']:,}"),
                *(moment(line["last"]), line["problem"] or one_line(line["text"], 60)),
            )
            for line in lines
        ],
        right=(2, 3),
    )
    if len(lines) < len(latest):
        say(f"{len(latest) - len(lines)} older ones: ctl sessions list --all")


@sessions_app.command()
def show(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Or a unique beginning. Default: the latest here.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The original, also of what was compacted; cut nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print its records, one JSON object a line.")] = False,
) -> None:
    """A conversation from its beginning, with what it was forked from."""
    from app.errors import UserError
    from app.stream import Damaged, Stream

    data = data_folder()
    if session:
        name = one_of(_sessions(data, runs(data)), session, "session", "ctl sessions list --all")
    else:
        name = _latest(data)
    stream = Stream(data, name)
    try:
        records = stream.history(stream.end())
    except Damaged as error:
        raise UserError(f"session `{name}` cannot be read: {error}", 1) from error
    from app.stream.view import seen

    shown = {(record.step_id, record.offset) for record in seen(records)}
    for record in records if json or full else _view(records):
        if json:
            in_view = (record.step_id, record.offset) in shown or record.kind == "system"
            sys.stdout.write(codec.dumps(record.model_dump() | {"in_view": in_view}, ensure_ascii=False) + "\n")
        else:
            _print(record, None if full else _CUT)


def _view(records: "list[Record]") -> "list[Record]":
    """What the model is shown now, with the record that says who it is and the marks of every compaction."""
    from app.stream.view import seen

    view = seen(records)
    shown = {id(record) for record in view}
    marks = [r for r in records if r.kind in ("system", "compacted") and id(r) not in shown]
    return [*marks, *view]


def _latest(data: Path) -> str:
    """The session of the current repository that changed last; anywhere else, of all."""
    from app.errors import UserError

    rows = runs(data)
    names, found = [str(row["run"]) for row in of_here(rows)], _sessions(data, rows)
    own = [name for name in found if run_of(name, names)]
    if not own:
        raise UserError('no agent has worked here yet; start one: `ctl run "make the import 2x faster"`')
    return max(own, key=lambda name: (found[name], name))


def _sessions(data: Path, rows: list[Row]) -> dict[str, float]:
    """Every session with the time of its last change. Journals are streams, too, but no conversations.

    `rows`: the views of all runs.
    """
    journals = {safe_name(f"run-{row['run']}") for row in rows}
    found: dict[str, float] = {}
    folder = data / STREAMS
    for entry in folder.iterdir() if folder.is_dir() else ():
        segments = sorted(entry.glob("*.jsonl"))
        if segments and entry.name not in journals and not _is_journal(segments[0]):
            found[entry.name] = segments[-1].stat().st_mtime
    return found


def _is_journal(segment: Path) -> bool:
    """A journal whose projection is lost is told by its first record."""
    if not segment.parent.name.startswith("run-"):
        return False
    try:
        with segment.open("rb") as file:
            return codec.loads(file.readline()).get("kind") == "event"
    except (ValueError, AttributeError):
        return False


def _line(data: Path, name: str, names: list[str]) -> dict[str, Any]:
    """One session in numbers; of its own records only, not of what it was forked from."""
    from app.domain.session import EventRange
    from app.stream import Damaged, Stream

    stream = Stream(data, name)
    line: dict[str, Any] = {"session": name, "run": run_of(name, names), "steps": 0, "tokens": 0}
    line |= {"last": "", "text": "", "problem": ""}
    try:
        records = stream.read(EventRange(session_id=name, start=0, end=stream.end()))
    except (Damaged, OSError, ValueError) as error:
        return line | {"problem": str(error)}
    answers = [record for record in records if record.kind == "assistant"]
    usages = [record.body.get("usage", {}) for record in records]
    return line | {
        "run": line["run"] or (records[0].ids.okr_run_id if records else ""),
        "steps": len(answers),
        "tokens": sum(usage.get("input", 0) + usage.get("output", 0) for usage in usages),
        "last": records[-1].at if records else "",
        "text": next((text for answer in reversed(answers) if (text := answer.body.get("text"))), ""),
    }


def _print(record: "Record", cut: int | None) -> None:
    body = record.body
    match record.kind:
        case "system":
            _block("system", body.get("text", ""), cut)
            _print_context(body.get("context") or {}, cut)
        case "user":
            who = {"person": "you", "hook": "hook", "repository": "repository"}.get(body.get("origin", ""), "task")
            _block(who, body.get("text", ""), cut if who in ("hook", "repository") else None)
        case "assistant":
            usage = body.get("usage", {})
            tokens = usage.get("input", 0) + usage.get("output", 0)
            _block(f"agent  {record.at[11:19]}  {body.get('model', '')}  {tokens:,} tokens", body.get("text", ""), None)
            for call in body.get("calls", ()):
                say(f"  → {call['name']} {_short(call['arguments'], cut)}")
        case "tool_result":
            _block(f"  ← {body.get('name')}: {body.get('status')}", body.get("text", ""), cut, "    ")
        case "compacted":
            left = f"{body['left_out']} records left out, " if body["left_out"] else "old results cut, "
            what = f"{left}{body['before']:,} → {body['after']:,} tokens"
            _block(f"── compacted ({body['how']}): {what}; the original: --full ──", body["text"], None)
        case "closed":
            say(f"closed: {one_line(str(body.get('reason', '')), _CUT)}")
        case _:
            say(f"{record.kind}: {_short(codec.dumps(body, ensure_ascii=False), cut)}")


def _print_context(found: dict[str, Any], cut: int | None) -> None:
    """What of the repository the agent began with, and what of it was left out."""
    from app.context.record import summary
    from app.domain.context import Context

    context = Context.model_validate(found)
    for line in (summary(context), *context.notes):
        if line:
            say(f"  {line}")
    if cut is None and context.text:
        _block("  told:", context.text, None, "    ")


def _block(head: str, text: str, cut: int | None, indent: str = "  ") -> None:
    say(head)
    for line in _short(text.strip(), cut).splitlines():
        say(indent + line)


def _short(text: str, cut: int | None) -> str:
    shown = plain(text)
    if cut is None or len(shown) <= cut:
        return shown
    return f"{shown[:cut]}… ({len(shown) - cut:,} more characters: --full)"
