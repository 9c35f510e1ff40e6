"""`ctl permissions list | check | forget` and `ctl mode`: what agents may do unasked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import print_table, say
from app.cli.output import JsonFlag, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.settings import Settings
    from app.tools.gate.verdict import Finding, Subject

permissions_app = typer.Typer(
    help="List the permission rules; explain a verdict.", add_completion=False, no_args_is_help=True
)
mode_app = typer.Typer(add_completion=False)

Repo = Annotated[str, typer.Option("--repo", help="The repository.")]
ModeFlag = Annotated[str | None, typer.Option("--mode", help="plan | ask | auto-edit | full")]


@permissions_app.command("list")
def list_(repo: Repo = ".", json: JsonFlag = False) -> None:
    """The rules of `config.toml` and of this repository, and the mode that runs begin with."""
    from app.runs.permissions import file_of, standing
    from app.settings import load
    from app.tools.gate.rules import shown

    settings, top = load(), _top(repo)
    rules = standing(settings, top)
    rows = [{"verdict": rule.verdict, "rule": shown(rule), "from": rule.origin} for rule in rules]
    if json:
        print_json({"mode": settings.mode, "repo": top, "rules": rows})
        return
    say(f"mode {settings.mode}  {top}")
    if rows:
        print_table(("VERDICT", "RULE", "FROM"), [(row["verdict"], row["rule"], row["from"]) for row in rows])
    else:
        say('no rule; write some in config.toml: [permissions] allow = ["bash: pytest *"]')
    say(f"config {settings.config_dir / 'config.toml'}")
    say(f"repository {file_of(settings.data_dir, top)}")


@permissions_app.command()
def check(
    command: Annotated[str, typer.Argument(help="A command; with --tool a path, a URL or arguments.")],
    tool: Annotated[str, typer.Option("--tool", help="Of another tool than bash.")] = "bash",
    network: Annotated[bool, typer.Option("--network", help="The call wants the network.")] = False,
    mode: ModeFlag = None,
    repo: Repo = ".",
    json: JsonFlag = False,
) -> None:
    """What the gate would say to a call here, for which part, and which rule decides. Runs nothing."""
    from app.settings import load
    from app.tools.gate.verdict import weigh

    settings, top = load(mode=mode), _top(repo)
    found = weigh(_subject(tool, command, network), _standing(settings, top))
    if json:
        points = [{"what": p.what, "verdict": p.verdict, "why": p.why, "rule": p.rule} for p in found.points]
        print_json({"verdict": found.verdict, "reason": found.reason, "mode": settings.mode, "parts": points})
        return
    _show(found, settings.mode)


@permissions_app.command()
def forget(
    rule: Annotated[str, typer.Argument(help='As `ctl permissions list` shows it: "bash: pytest *".')],
    repo: Repo = ".",
) -> None:
    """Remove a rule that `ctl approve --always --save` kept for this repository."""
    from app.runs.permissions import forget as drop
    from app.settings import load

    drop(load().data_dir, _top(repo), rule)
    say("forgotten; runs that are at work keep it")


@mode_app.command()
def mode(
    words: Annotated[list[str], typer.Argument(metavar="[RUN] MODE", help="plan | ask | auto-edit | full")],
    json: JsonFlag = False,
) -> None:
    """Change what a run may do unasked, from its next call on."""
    from app.cli.commands.control import running, said, talk
    from app.cli.questions import who
    from app.domain.contracts import ModeChange
    from app.domain.tool import MODES, Mode
    from app.runs import door

    wanted: Mode | None = MODES[MODES.index(words[-1])] if words[-1] in MODES else None  # pyright: ignore[reportArgumentType]
    if len(words) > 2 or wanted is None:
        raise UserError(f"`{words[-1]}` is no mode; write `ctl mode [RUN] MODE` with one of {', '.join(MODES)}")
    settings, view = running(words[0] if len(words) == 2 else None)
    talk(settings, lambda client: door.switch(client, view.run, ModeChange(mode=wanted, by=who())))
    said(json, view.run, f"mode {wanted} from the next call on")


def _top(repo: str) -> str:
    from app.runs.order import place

    return str(place(repo)[0])


def _subject(tool: str, text: str, network: bool) -> "Subject":
    from app.tools.gate.verdict import Subject
    from app.tools.registry import REGISTRY

    known = REGISTRY.get(tool)
    if known is None:
        raise UserError(f"there is no tool `{tool}`; the tools are {', '.join(sorted(REGISTRY))}")
    if known.effect == "run":
        whole = f"{text} (network)" if network else text
        return Subject(tool, known.effect, whole, command=text, network=network)
    paths = (text,) if "path" in known.arguments.model_fields or tool == "apply_patch" else ()
    network = network or "url" in known.arguments.model_fields
    return Subject(tool, known.effect, text, paths=paths, text=text, network=network)


def _standing(settings: "Settings", top: str) -> Any:
    from pydantic import TypeAdapter

    from app.domain.tool import Mode, Workspace
    from app.runs.permissions import standing
    from app.tools.gate.sandbox import probe
    from app.tools.gate.verdict import Standing

    return Standing(
        workspace=Workspace(data_id="", run="", name="main", root=top),
        worktree=Path(top),
        mode=TypeAdapter(Mode).validate_python(settings.mode),
        rules=standing(settings, top),
        sandbox=probe(),
    )


def _show(found: "Finding", mode: str) -> None:
    say(f"{found.verdict}" + (f": {found.reason}" if found.reason else "") + f"  (mode {mode})")
    print_table(
        ("VERDICT", "PART", "WHY", "RULE"),
        [(p.verdict, p.what[:80], p.why or "the mode allows it", p.rule or "—") for p in found.points],
    )
