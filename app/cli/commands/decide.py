"""`ctl approve`, `ctl deny`, `ctl amend`, `ctl answer`: answer what a run waits for, from anywhere."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.output import JsonFlag, RunArgument, console, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.domain.run import Decision, RunView
    from app.domain.tool import Rule

RequestFlag = Annotated[str | None, typer.Option("--request", help="Which one, where several wait.")]

LIMIT = 4000
"""Characters of a person's words."""

approve_app = typer.Typer(add_completion=False)
deny_app = typer.Typer(add_completion=False)
amend_app = typer.Typer(add_completion=False)
answer_app = typer.Typer(add_completion=False)


@approve_app.command()
def approve(
    run: RunArgument = None,
    request: RequestFlag = None,
    always: Annotated[bool, typer.Option("--always", help="For a tool: also later, in this run.")] = False,
    rule: Annotated[str, typer.Option("--rule", help='For --always: a wider rule, such as "bash: pytest *".')] = "",
    save: Annotated[bool, typer.Option("--save", help="With --always: also in later runs of this repository.")] = False,
    json: JsonFlag = False,
) -> None:
    """Approve the OKR, or the tool call, that a run waits for."""
    if (rule or save) and not always:
        raise UserError("`--rule` and `--save` are about a standing answer; add `--always`")
    _decide(run, request, "approve", "", "always" if always else "once", json, rule=rule, save=save)


@deny_app.command()
def deny(
    run: RunArgument = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why: it is recorded.")] = "",
    request: RequestFlag = None,
    never: Annotated[bool, typer.Option("--never", help="For a tool: also later, in this run.")] = False,
    json: JsonFlag = False,
) -> None:
    """Deny it, with a reason."""
    if run is not None and " " in run:
        raise UserError('no run has a name with spaces; a reason is given so: `ctl deny --reason "too wide"`')
    if len(reason) > LIMIT:
        raise UserError(f"`--reason` takes {LIMIT:,} characters at most; longer things belong in a file")
    _decide(run, request, "deny", reason, "never" if never else "once", json)


@amend_app.command()
def amend(
    words: Annotated[list[str], typer.Argument(metavar="[RUN] TEXT", help="What must change in the draft.")],
    json: JsonFlag = False,
) -> None:
    """Have the OKR drafted again, with your words."""
    if len(words) > 2:
        raise UserError('put your words in quotes: `ctl amend RUN "at most 20 comparisons"`')
    text = words_of(words, 'ctl amend RUN "at most 20 comparisons"')
    _decide(words[0] if len(words) == 2 else None, None, "amend", text, "once", json)


@answer_app.command()
def answer(
    words: Annotated[list[str], typer.Argument(metavar="[RUN] TEXT", help="Your answer, or the number of an option.")],
    request: RequestFlag = None,
    json: JsonFlag = False,
) -> None:
    """Answer what an agent asks."""
    if len(words) > 2:
        raise UserError('put your words in quotes: `ctl answer RUN "use port 8080"`')
    text = words_of(words, 'ctl answer RUN "use port 8080"')
    _decide(words[0] if len(words) == 2 else None, request, "approve", text, "once", json)


def words_of(words: list[str], example: str) -> str:
    """The TEXT of `[RUN] TEXT`. Raises `UserError` where there is none: a run's name alone says nothing."""
    from app.settings import load
    from app.stream.listing import runs

    text = words[-1].strip()
    alone = len(words) == 1 and any(row["run"] == text for row in runs(load().data_dir))
    if not text or alone or len(text) > LIMIT:
        raise UserError(f"say something in 1 to {LIMIT:,} characters: `{example}`; longer things belong in a file")
    return text


def _decide(
    run: str | None,
    request: str | None,
    verdict: Literal["approve", "deny", "amend"],
    text: str,
    scope: Literal["once", "always", "never"],
    json: bool,
    *,
    rule: str = "",
    save: bool = False,
) -> None:
    from app.cli.questions import who
    from app.cli.session import meant, start
    from app.domain.run import Decision
    from app.settings import load

    settings = load()
    view = meant(settings, run, changes=True)
    name = _request(view, request)
    if verdict == "approve" and text and not any(r.id == name and r.kind == "question" for r in view.requests):
        raise UserError(f"`{name}` is no question; use `ctl approve` or `ctl deny`")
    standing = _standing(view, name, rule, save=save) if scope == "always" else None
    decision = Decision(request_id=name, verdict=verdict, text=text, by=who(), scope=scope, rule=rule)
    start(settings)
    after = asyncio.run(_send(view.run, decision))
    if save and standing is not None:
        from app.runs.permissions import keep

        keep(settings.data_dir, view.repo, standing)
    if json:
        print_json({"run": view.run, "decision": decision.model_dump(mode="json"), "status": after.status})
    else:
        approved = "answered" if text and verdict == "approve" else "approved"
        past = {"approve": approved, "deny": "denied", "amend": "to be drafted again"}[verdict]
        console().print(f"{view.run}: {decision.request_id} {past}; watch it: ctl watch {view.run}")


def _standing(view: "RunView", name: str, words: str, *, save: bool) -> "Rule | None":
    """The rule that `--always` writes; None for no open request, of which the run itself says what became of it.

    Raises `UserError` where the request has none, or the words are no rule.
    """
    from app.tools.gate.rules import parse

    own = next((request.rule for request in view.requests if request.id == name), None)
    if own is None:
        return None
    if not own:
        raise UserError(f"`{name}` is answered once: no rule can stand for it; leave `--always` out")
    try:
        return parse(words or own, "allow") if words or save else _own(own)
    except ValueError as error:
        raise UserError(str(error)) from None


def _own(text: str) -> "Rule":
    from app.domain.tool import Rule

    tool, _, pattern = text.partition(": ")
    return Rule(tool=tool, pattern=pattern, verdict="allow")


async def _send(run: str, decision: "Decision") -> "RunView":
    from app.cli.session import connected
    from app.runs import door
    from app.settings import load

    async with connected(load()) as client:
        return await door.decide(client, run, decision)


def _request(view: "RunView", named: str | None) -> str:
    if named:
        return named
    if not view.requests:
        ended = f"it ended: {view.result.outcome}" if view.result else f"it is {view.status}"
        raise UserError(f"run `{view.run}` waits for no decision; {ended}", 1)
    if len(view.requests) > 1:
        names = ", ".join(f"`{request.id}`" for request in view.requests)
        raise UserError(f"run `{view.run}` waits for several decisions; name one with `--request`: {names}")
    return next(request.id for request in view.requests)
