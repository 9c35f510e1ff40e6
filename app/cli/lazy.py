"""The table of commands, and a group that imports a command's module only when it is needed."""

import errno
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import typer
from typer import _click as click  # typer's own copy, the only one that its errors belong to
from typer.core import TyperCommand, TyperGroup

from app.errors import UserError

COMMANDS: dict[str, tuple[str, str]] = {
    "go": ("order", "An intent becomes an OKR; agents work until it is measured to be met."),
    "run": ("order", "One agent does one thing, on a branch of its own."),
    "autochat": ("order", "A team works on a task at once, without the gate of an OKR."),
    "approve": ("decide", "Approve what a run waits for."),
    "deny": ("decide", "Deny it, with a reason."),
    "amend": ("decide", "Have the OKR drafted again, with your words."),
    "answer": ("decide", "Answer what an agent asks."),
    "watch": ("attach", "Watch a run, from its beginning; decide where it waits."),
    "tell": ("control", "Words for the agent at work, read at its next turn."),
    "mode": ("permissions", "Change what a run may do unasked."),
    "permissions": ("permissions", "List the permission rules; explain a verdict."),
    "pause": ("control", "Start nothing new in a run."),
    "continue": ("control", "Go on with a paused run, or with one that stopped short."),
    "cancel": ("control", "End a run; its work so far is kept."),
    "diff": ("branch", "What a run changed."),
    "merge": ("branch", "Merge a run's branch into yours, with your own identity and hooks."),
    "patch": ("branch", "A run's changes as a patch."),
    "discard": ("branch", "Remove a run's branch and files."),
    "okr": ("okr", "List and show OKRs and their runs."),
    "sessions": ("sessions", "List and show the conversations of agents."),
    "memory": ("memory", "What agents remember about a repository."),
    "cost": ("cost", "What a run used."),
    "models": ("models", "The models that are offered, what they cost and can do."),
    "trust": ("trust", "Trust files of a repository that can start programs: hooks, MCP servers, skills."),
    "login": ("login", "Store a provider's key in Vault."),
    "logout": ("login", "Remove a provider's key from Vault."),
    "vault": ("vault", "Where keys are kept, and whether they can be read."),
    "plugin": ("plugin", "Make, check, install and remove plugins; whom you trust."),
    "up": ("stack", "Start the local stack: Temporal and a worker."),
    "down": ("stack", "Stop what `ctl up` started."),
    "status": ("stack", "What runs, where, since when."),
    "doctor": ("doctor", "Check this machine, the stack and the data folder."),
    "gc": ("gc", "Remove what finished, merged or discarded runs left."),
    "worker": ("stack", "Run a worker in this terminal, against any configured Temporal."),
    "demo": ("demo", "The whole flow on an example repository, with a scripted model and a crash."),
}


class Lazy(TyperGroup):
    """Looks commands up in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        if ctx.params.get("listing"):
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])
        module = import_module(f"app.cli.commands.{COMMANDS[cmd_name][0]}")
        command: Any = typer.main.get_command(getattr(module, f"{cmd_name}_app"))
        command.name = cmd_name
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands comes from the table: help imports none of them."""
        ctx.params["listing"] = True
        super().format_help(ctx, formatter)


app = typer.Typer(
    cls=Lazy,
    name="ctl",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Coding agents whose every decision survives a crash. Begin with: ctl demo",
)


@app.callback()
def _root(version: bool = typer.Option(False, "--version", "-V", help="Show the version.")) -> None:
    if version:
        from app import __version__

        typer.echo(f"ctl {__version__}")
        raise typer.Exit()


def run(argv: list[str]) -> int:
    """Runs `argv` and returns the exit code of design §6."""
    try:
        code: Any = typer.main.get_command(app).main(args=argv, prog_name="ctl", standalone_mode=False)
    except UserError as error:
        _say(str(error))
        return error.code
    except click.ClickException as error:
        error.show()
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if os.environ.get("CODETETHER_DEBUG"):
            traceback.print_exc()
        if told := _of_the_disk(error):
            _say(told)
            return 1
        _say(f"{type(error).__name__}: {error} (a defect of ours; `CODETETHER_DEBUG=1` shows where)")
        return 1
    return code if isinstance(code, int) else 0


def _of_the_disk(error: Exception) -> str:
    """What a full or read-only disk, or a data folder that cannot be made, says to a person; else empty."""
    if not isinstance(error, OSError):
        return ""
    from app.stream.errors import Unwritable

    if isinstance(error, Unwritable):
        return str(error.strerror)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG):
        return ""
    where = f"`{error.filename}`" if error.filename else "the disk"
    return f"cannot write {where}: {error.strerror}; free some space (`ctl gc`) or make it writable, then try again"


def _say(text: str) -> None:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    sys.stderr.write(f"\033[31merror:\033[0m {text}\n" if colour else f"error: {text}\n")
