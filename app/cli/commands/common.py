"""What the commands that only read files share. Imports nothing heavy: `ctl okr list` must be fast."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.cli.output import plain
from app.errors import UserError
from app.stream.listing import Row


def data_folder() -> Path:
    """The data folder of `app.settings.load`, found without loading pydantic."""
    if b"data_dir" in _config():
        from app.settings import load

        return load().data_dir
    return _folder("CODETETHER_DATA_DIR", "XDG_DATA_HOME", "~/.local/share")


def here() -> str:
    """The top of the repository that the current folder lies in; empty outside of one."""
    folder = Path(os.getcwd())  # noqa: PTH109 - the folder as it is, with its links
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return str(candidate.resolve())
    return ""


def of_here(rows: Iterable[Row]) -> list[Row]:
    """The rows of the current repository, in their order; anywhere else, all."""
    repo = here()
    return [row for row in rows if not repo or row.get("repo") == repo]


def one_of(names: Iterable[str], text: str, what: str, listing: str) -> str:
    """The name that is `text`, or the only one that begins with it.

    Raises `UserError` when none or several do; `listing` is the command that shows them all.
    """
    known = set(names)
    if text in known:
        return text
    found = sorted(name for name in known if name.startswith(text))
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"`{text}` could be any of {', '.join(f'`{name}`' for name in found[:5])}; write more of it")
    raise UserError(f"there is no {what} `{text}`; `{listing}` lists them")


def run_of(name: str, runs: Iterable[str]) -> str:
    """The run that a session or a step belongs to by its name: the longest that it begins with; else empty."""
    return max((run for run in runs if name == run or name.startswith((f"{run}-", f"{run}:"))), key=len, default="")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Aligned columns on stdout; on a terminal the last column is cut at its edge. `right`: numbers' columns."""
    told = [[" ".join(plain(cell).split()) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in told) for column in range(len(header))]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    dim = bool(edge) and "NO_COLOR" not in os.environ
    for number, row in enumerate(told):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        line = line[: edge - 1] + "…" if edge and len(line) > edge else line
        sys.stdout.write(f"\033[2m{line}\033[0m\n" if dim and not number else f"{line}\n")


def say(text: str = "") -> None:
    """One line (or several) on stdout, without control sequences."""
    sys.stdout.write(plain(text) + "\n")


def moment(at: str) -> str:
    """An RFC 3339 time, to the minute, in UTC as it is recorded."""
    return at[:16].replace("T", " ") if at else "—"


def dollars(usd: float | None) -> str:
    """A price; an unknown one is never shown as free."""
    return "unknown" if usd is None else f"${usd:.4f}"


def in_bytes(number: int) -> str:
    """A size in words, in binary units."""
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _config() -> bytes:
    try:
        return (_folder("CODETETHER_CONFIG_DIR", "XDG_CONFIG_HOME", "~/.config") / "config.toml").read_bytes()
    except OSError:
        return b""


def _folder(variable: str, base_variable: str, default: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get(base_variable) or default).expanduser().absolute() / "codetether-agent"
