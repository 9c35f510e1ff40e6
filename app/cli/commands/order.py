"""`ctl go`, `ctl run`, `ctl autochat`: start a run and follow it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer import Option
from typer import _click as click
from typer.core import TyperCommand

from app.cli.carrying import Way, carry_out
from app.cli.output import JsonFlag, note
from app.errors import UserError

if TYPE_CHECKING:
    from app.domain.run import ModelRef, RunInput, RunKind
    from app.settings import Settings


@dataclass(frozen=True)
class Options:
    """What every run takes, as its options on the command line."""

    repo: Annotated[str, Option("--repo", help="The repository, or a subfolder of it.")] = "."
    model: Annotated[str | None, Option("--model", "-m", help="PROVIDER/NAME; `demo/scripted` needs no key.")] = None
    base_url: Annotated[str | None, Option("--base-url", help="Of any OpenAI-compatible server.")] = None
    fallback: Annotated[
        list[str] | None,
        Option("--fallback", metavar="MODEL", help="Asked when the model fails for good; may be given again."),
    ] = None
    context: Annotated[int | None, Option("--context", metavar="TOKENS", help="Of the model's context.")] = None
    budget_usd: Annotated[float | None, Option("--budget-usd", help="Dollars at most; default 5.")] = None
    budget_tokens: Annotated[int | None, Option("--budget-tokens", help="Tokens at most; default 2,000,000.")] = None
    include_dirty: Annotated[bool, Option("--include-dirty", help="Start from your uncommitted changes, too.")] = False
    permission_mode: Annotated[str | None, Option("--permission-mode", help="plan | ask | auto-edit | full")] = None
    json: JsonFlag = False
    output_format: Annotated[str, Option("--output-format", help="text | json | stream-json")] = "text"
    detach: Annotated[bool, Option("--detach", help="Start it and leave.")] = False
    out: Annotated[Path | None, Option("--out", help="Write result.json, changes.patch and report.md there.")] = None

    def way(self, *, yes: bool = False, merge: bool = False) -> Way:
        """How the run is shown and left."""
        return Way.of(self.output_format, self.json, detach=self.detach, yes=yes, merge=merge, out=self.out)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose parameter `options` is spread into one option for each field of `Options`."""
    own = [each for each in signature(command).parameters.values() if each.name != "options"]
    hints = get_type_hints(Options, include_extras=True)
    spread = [
        Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(Options)
    ]

    @wraps(command)
    def called(**given: Any) -> None:
        options = Options(**{each.name: given.pop(each.name) for each in spread})
        command(**given, options=options)

    whole = [own[0], *(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own[1:]), *spread]
    called.__signature__ = Signature(whole)  # pyright: ignore[reportAttributeAccessIssue]
    called.__annotations__ = {each.name: each.annotation for each in whole}
    return called


Turns = Annotated[int, Option("--max-turns", help="Turns of the relay at most.")]

go_app = typer.Typer(add_completion=False)
run_app = typer.Typer(add_completion=False)
autochat_app = typer.Typer(add_completion=False)


@go_app.command()
@with_options
def go(
    intent: Annotated[str, typer.Argument(help='What is to be better, such as "make the import 2x faster".')],
    options: Options,
    mode: Annotated[str, Option("--mode", help="auto | relay: who works.")] = "auto",
    max_turns: Turns = 40,
    yes: Annotated[bool, Option("--yes", "-y", help="Approve the OKR (never a tool call).")] = False,
) -> None:
    """An intent becomes an OKR; you approve it; agents work until it is measured to be met."""
    if mode not in ("auto", "relay"):
        raise UserError(f"`--mode {mode}` is not available; use auto or relay")
    way = options.way(yes=yes)
    if yes:
        _refuse_without_sandbox(options.permission_mode)
    raise typer.Exit(carry_out(*_order("go", intent, options, max_turns), way))


@autochat_app.command()
@with_options
def autochat(
    task: Annotated[str, typer.Argument(help="What the team is to do.")],
    options: Options,
    max_turns: Turns = 40,
) -> None:
    """A team works on a task at once: the same relay, without the gate of an OKR."""
    way = options.way()
    raise typer.Exit(carry_out(*_order("autochat", task, options, max_turns), way))


class _Continuing(TyperCommand):
    """`--continue [SESSION]`: without a session it is the latest of this repository."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--continue") if "--continue" in args else -1
        words = [word for word in args if not word.startswith("-")]
        if at >= 0 and (at + 1 == len(args) or args[at + 1].startswith("-") or len(words) < 2):
            args = [*args[: at + 1], "latest", *args[at + 1 :]]
        return super().parse_args(ctx, args)


@run_app.command(cls=_Continuing)
@with_options
def run(
    prompt: Annotated[str, typer.Argument(help="What the agent is to do, or a question.")],
    options: Options,
    continued: Annotated[
        str | None, Option("--continue", metavar="[SESSION]", help="Go on from an earlier run's conversation.")
    ] = None,
    merge: Annotated[bool, Option("--merge", help="Merge at the end if it is clean.")] = False,
) -> None:
    """One agent does one thing, on a branch of its own."""
    way = options.way(merge=merge)
    settings, order = _order("run", prompt, options)
    if continued is not None:
        order = _continued(settings, order, continued)
    raise typer.Exit(carry_out(settings, order, way))


def _order(kind: "RunKind", intent: str, options: Options, max_turns: int = 40) -> "tuple[Settings, RunInput]":
    """Everything that can be wrong is said before anything is started."""
    from app.cli.output import interactive
    from app.llm import chain, resolve
    from app.runs import guard, order
    from app.settings import load

    guard.intent(intent, kind)
    settings = load(
        model=options.model,
        base_url=options.base_url,
        mode=options.permission_mode,
        context=options.context,
        fallback=tuple(options.fallback) if options.fallback else None,
    )
    ref = resolve(settings.model, settings.base_url, settings).model_copy(update={"window": settings.context})
    others = chain(settings.fallback, ref, settings)
    budget = order.budget_of(ref, usd=options.budget_usd, tokens=options.budget_tokens, fallback=others)
    order.place(options.repo)
    for each in (ref, *others):
        _look_key_up(settings, each)
    made = order.new(
        settings,
        kind=kind,
        intent=intent,
        repo=options.repo,
        model=_served(settings, ref),
        fallback=tuple(_served(settings, each) for each in others),
        budget=budget,
        max_turns=max_turns,
        include_dirty=options.include_dirty,
        interactive=interactive(),
    )
    _say_dirty(made)
    return settings, made


def _look_key_up(settings: "Settings", ref: "ModelRef") -> None:
    """Raises `UserError` (exit 4) when the local worker would find no key: sooner than the run can say it."""
    from app.llm.registry import provider_of
    from app.secrets import provider_key
    from app.stack.local import keys_elsewhere
    from app.stack.vault import ensure_private

    own_server = ref.provider == "openai" and bool(ref.base_url)
    if provider_of(ref).needs_key and not own_server and not keys_elsewhere(settings):
        ensure_private(settings, note)
        provider_key(ref.provider)


def _served(settings: "Settings", ref: "ModelRef") -> "ModelRef":
    if ref.provider != "demo" or ref.base_url:
        return ref
    from app.stack.demo import ensure_demo

    return ref.model_copy(update={"base_url": ensure_demo(settings, note)})


def _say_dirty(order: "RunInput") -> None:
    if order.include_dirty:
        return
    from app.workspace import dirty_files

    if files := dirty_files(Path(order.repo)):
        names = ", ".join(f"`{name}`" for name in files[:3]) + (" …" if len(files) > 3 else "")
        note(f"the run starts from your last commit, without {names}; `--include-dirty` takes them along")


def _continued(settings: "Settings", order: "RunInput", session: str) -> "RunInput":
    from app.runs.find import find
    from app.runs.surroundings import surroundings
    from app.stream import Stream
    from app.stream.listing import runs

    rows = [row for row in runs(settings.data_dir, order.repo) if row.get("kind") == "run" and row.get("result")]
    rows = [row for row in rows if session == "latest" or session in row["result"]["sessions"]]
    if not rows:
        raise UserError(f"there is no session `{session}` of a finished `ctl run` here; `ctl sessions list` shows them")
    view = find(settings.data_dir, rows[0]["run"])
    assert view.result is not None
    name = view.result.sessions[-1] if session == "latest" else session
    update: dict[str, object] = {"session": name, "session_end": Stream(settings.data_dir, name).end()}
    if not view.merged and view.result.commit:  # its work is not in the repository yet: go on from it
        update |= {"resume_commit": view.result.commit, "resume_base": view.result.base}
        update |= surroundings(settings, Path(order.repo), commit=view.result.base, run=view.run)
    return order.model_copy(update=update)


def _refuse_without_sandbox(permission_mode: str | None) -> None:
    """`--yes` allows no command: where no sandbox holds them, each would wait for somebody who is not there."""
    from app.settings import load
    from app.tools.gate.sandbox import probe

    settings = load(mode=permission_mode)
    if settings.mode == "full" or settings.address:
        return  # the person allowed all, or the commands run on the machine of another worker
    found = probe()
    if not found.enough:
        why = f"{found.backend} alone does not hold {', '.join(found.lacks)}" if found.works else found.reason
        raise UserError(
            f"`--yes` allows no command, and no sandbox holds commands here ({why}); "
            "leave `--yes` out and answer, or add `--permission-mode full`"
        )
