"""`ctl doctor`: this machine, the data folder and the stack, one line each."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands.common import say
from app.cli.output import JsonFlag, plain, print_json

if TYPE_CHECKING:
    from app.cli.commands.checks import Check

doctor_app = typer.Typer(add_completion=False)

_COLOURS = {"ok": "32", "warn": "33", "FAIL": "31"}


@doctor_app.command()
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Make all projections again from the journals.")] = False,
    json: JsonFlag = False,
) -> None:
    """Check this machine, the stack and the data folder. Exit code 1 if anything fails."""
    from app.cli.commands.checks import checks
    from app.settings import load

    settings = load()
    done, damaged = _repaired(settings.data_dir) if repair else ([], [])
    found: list[Check] = []
    if repair and not json:
        _tell_repair(done, damaged)
    for check in checks(settings):
        found.append(check)
        if not json:
            _print(check)
    failed = bool(damaged) or any(check.level == "FAIL" for check in found)
    if json:
        told = [check._asdict() for check in found]
        print_json({"ok": not failed, "checks": told, "repaired": done, "damaged": damaged})
    if failed:
        raise typer.Exit(1)


def _repaired(data: Path) -> tuple[list[str], list[str]]:
    """Runs made again, and sentences about journals that cannot be read."""
    from app.cli.commands.checks import journals
    from app.stream.journal import repair

    known = journals(data)
    done, damaged = repair(data)
    # Sessions of `ctl run` have names that begin like a journal's: they are nothing to make again.
    return done, [line for line in damaged if line.split("`")[1] in known]


def _tell_repair(done: list[str], damaged: list[str]) -> None:
    say(f"made again from the journals: {', '.join(done)}" if done else "there was nothing to make again")
    for line in damaged:
        say(f"damaged: {line}")


def _print(check: "Check") -> None:
    level = check.level.ljust(4)
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        level = f"\033[{_COLOURS[check.level]}m{level}\033[0m"
    sys.stdout.write(f"{level}  {check.name:<16} {plain(check.text)}\n")
    sys.stdout.flush()
