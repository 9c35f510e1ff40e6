"""What a person at this terminal is asked, and what they answer."""

import getpass
import os

from app.cli.output import interactive
from app.domain.run import Decision, Request, RunView


def who() -> str:
    """The person at this terminal, as decisions name them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def approving(_view: RunView, request: Request) -> Decision | None:
    """What `--yes` answers: it approves drafts, never a tool call."""
    if request.kind != "draft":
        return None
    return Decision(request_id=request.id, verdict="approve", by=who(), text="--yes")


def ask_person(view: RunView, request: Request, *, yes: bool = False) -> Decision | None:
    """Puts a request to the person at this terminal; None where there is none. `yes` approves drafts."""
    from app.cli.draft import show_draft

    if request.kind == "draft":
        show_draft(view)
        if yes:
            return approving(view, request)
    if not interactive():
        return None
    match request.kind:
        case "draft":
            return _ask_draft(request)
        case "question":
            return _ask_question(request)
        case "plan":
            return _ask_plan(request)
        case "tool":
            return _ask_tool(request)


def _ask_question(request: Request) -> Decision:
    from rich.prompt import Prompt

    from app.cli.draft import escaped
    from app.cli.output import console

    console().print(f"[yellow]it asks[/yellow]  {escaped(request.title)}")
    words = Prompt.ask("Your answer (nothing: it goes on without one)", default="", show_default=False).strip()
    verdict = "approve" if words else "deny"
    return Decision(request_id=request.id, verdict=verdict, text=words, by=who())


def _ask_draft(request: Request) -> Decision:
    from rich.prompt import Prompt

    answer = Prompt.ask("Approve?  \\[y]es, \\[n]o, \\[e]dit", choices=["y", "n", "e"], show_choices=False)
    if answer == "y":
        return Decision(request_id=request.id, verdict="approve", by=who())
    if answer == "n":
        reason = Prompt.ask("Why not?", default="", show_default=False)
        return Decision(request_id=request.id, verdict="deny", text=reason, by=who())
    words = ""
    while not words.strip():
        words = Prompt.ask("What must change?")
    return Decision(request_id=request.id, verdict="amend", text=words, by=who())


def _ask_plan(request: Request) -> Decision:
    from rich.prompt import Prompt

    from app.cli.draft import escaped
    from app.cli.output import console

    console().print(f"[bold]the plan[/bold]\n{escaped(request.text)}")
    if Prompt.ask("Carry it out?  \\[y]es, \\[n]o", choices=["y", "n"], show_choices=False) == "y":
        return Decision(request_id=request.id, verdict="approve", by=who())
    words = Prompt.ask("What must change?", default="", show_default=False)
    return Decision(request_id=request.id, verdict="deny", text=words, by=who())


def _ask_tool(request: Request) -> Decision:
    from rich.prompt import Prompt

    from app.cli.draft import escaped
    from app.cli.output import console

    console().print(f"[yellow]may it?[/yellow]  {escaped(request.title)}\n  [dim]{escaped(request.reason)}[/dim]")
    if request.rule:
        console().print(f"  [dim]always would write the rule {escaped(request.rule)}[/dim]")
    answer = Prompt.ask(
        "\\[y]es once, \\[a]lways in this run, \\[n]o, n\\[e]ver", choices=["y", "a", "n", "e"], show_choices=False
    )
    scope = {"a": "always", "e": "never"}.get(answer, "once")
    verdict = "approve" if answer in "ya" else "deny"
    return Decision.model_validate({"request_id": request.id, "verdict": verdict, "scope": scope, "by": who()})
