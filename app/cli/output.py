"""How commands print: one console for people, plain JSON for programs, notes on stderr."""

import json
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run or a unique beginning of it; default: the latest here.")
]


@cache
def console() -> "Console":
    """The console on stdout; colours only on a terminal, and never with NO_COLOR."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def note(text: str) -> None:
    """One line for the person, on stderr, so that it never mixes with data."""
    dim = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    sys.stderr.write(f"\033[2m{text}\033[0m\n" if dim else f"{text}\n")
    sys.stderr.flush()


def print_json(document: Any) -> None:
    """One JSON document, indented on a terminal."""
    sys.stdout.write(json.dumps(document, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False) + "\n")


def plain(text: str) -> str:
    """`text` without control sequences: what a model or a command wrote must not steer the terminal."""
    return "".join(sign if sign in "\n\t" or sign.isprintable() else "·" for sign in text)


def coloured(text: str) -> str:
    """`text` without control sequences but those of colours: for what git has coloured."""
    import re

    parts = re.split("(\x1b\\[[0-9;]*m)", text)
    return "".join(part if number % 2 else plain(part) for number, part in enumerate(parts))


def one_line(text: str, most: int = 100) -> str:
    """The beginning of `text` on one line."""
    words = " ".join(plain(text).split())
    return words if len(words) <= most else words[: most - 1] + "…"


def interactive() -> bool:
    """Whether a person can answer here."""
    return sys.stdin.isatty() and sys.stdout.isatty()
