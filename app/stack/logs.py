"""What the stack's processes share: logs below `logs/`, of which one older file is kept, and an environment."""

import os
from pathlib import Path
from typing import BinaryIO

_LIMIT = 10 * 1024 * 1024


def opened_log(data: Path, name: str) -> BinaryIO:
    """The log of a process that is about to start; a long one is put aside as `<name>.log.1`."""
    folder = data / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{name}.log"
    if file.exists() and file.stat().st_size > _LIMIT:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab")


def without_vault() -> dict[str, str]:
    """The environment of a process that needs no key: it holds nothing of Vault."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VAULT_")}


def tail(data: Path, name: str, lines: int = 3) -> str:
    """The last words of a log and where the rest is."""
    file = data / "logs" / f"{name}.log"
    try:
        said = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:]
    except FileNotFoundError:
        said = []
    return f"{' / '.join(said)[-600:] or 'it said nothing'} (log: `{file}`)"
