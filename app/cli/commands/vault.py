"""`ctl vault status|check|list`: where keys are kept and whether they can be read. Never a value of one."""

import asyncio
from typing import Annotated, Any

import typer

from app.cli.commands.common import moment, print_table, say
from app.cli.output import JsonFlag, note, print_json
from app.errors import UserError

vault_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Where keys are kept; names, never values.")


@vault_app.command()
def status(json: JsonFlag = False) -> None:
    """Which Vault is asked, as whom, and for how long. Exit code 4 when it cannot be used."""
    from app.secrets.session import about

    told = about()
    if json:
        print_json(told)
        return
    for name, value in told.items():
        say(f"{name:<10} {', '.join(value) if isinstance(value, list) else value}")


@vault_app.command("list")
def list_(json: JsonFlag = False) -> None:
    """Every provider that has a key, with the names of its fields."""
    from app.secrets import entries

    _opened()
    found = entries()
    if json:
        print_json([entry.model_dump() for entry in found])
    elif not found:
        say("no provider has a key yet: `ctl login PROVIDER`")
    else:
        rows = [(e.provider, ", ".join(e.fields), str(e.version), moment(e.updated_at)) for e in found]
        print_table(("PROVIDER", "FIELDS", "VERSION", "STORED (UTC)"), rows)


@vault_app.command()
def check(
    provider: Annotated[str | None, typer.Argument(metavar="[PROVIDER]", help="One provider; default: all.")] = None,
    json: JsonFlag = False,
) -> None:
    """Read each key and try it once at its provider. Exit code 1 when one does not work."""
    from app.secrets import entries

    _opened()
    names = [provider] if provider else [entry.provider for entry in entries()]
    lines: list[dict[str, Any]] = []
    for name in names:
        problem = _problem(name)
        lines.append({"provider": name, "ok": not problem, "problem": problem})
        if not json:
            say(f"{'FAIL' if problem else 'ok':<5} {name}{': ' * bool(problem)}{problem}")
    if json:
        print_json({"ok": all(line["ok"] for line in lines), "keys": lines})
    elif not names:
        say("no provider has a key yet: `ctl login PROVIDER`")
    if not all(line["ok"] for line in lines):
        raise typer.Exit(1)


def _opened() -> None:
    """The private Vault runs, where it is the one that is asked."""
    from app.settings import load
    from app.stack.vault import ensure_private

    ensure_private(load(), note)


def _problem(provider: str) -> str:
    """Why the key cannot be used; empty when the provider takes it."""
    from app.llm import ModelError, check, resolve
    from app.settings import load

    try:
        model = resolve(f"{provider}/check", "", load()).model_copy(update={"base_url": ""})
        asyncio.run(check(model))
    except (ModelError, UserError) as error:
        return str(error)
    return ""
