"""A fresh copy of the example repository."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "examples" / "ledger"
_DATE = "2026-01-05T09:00:00+00:00"
_IDENTITY = {"NAME": "Demo", "EMAIL": "demo@codetether.invalid", "DATE": _DATE}


def create(target: Path) -> Path:
    """Copies the example to `target`, which must not exist, and makes its first commit, always the same one."""
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in _IDENTITY.items()
    }
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "--no-gpg-sign", "-m", "The ledger")):
        argv = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", *words]
        subprocess.run(argv, cwd=target, env=environment, check=True, capture_output=True)
    return target


def next_folder(data: Path) -> Path:
    """Where the next copy goes, below the data folder: earlier ones stay, for their runs name them."""
    folder = data / "demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while (target := folder / f"ledger-{number}").exists():
        number += 1
    return target
