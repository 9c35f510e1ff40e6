"""A fresh copy of the example repository."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "examples" / "ledger"


def create(target: Path) -> Path:
    """Copies the example to `target`, which must not exist, and makes its first commit."""
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__"))
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@codetether.invalid", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "The ledger")):
        subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *words], cwd=target, check=True, capture_output=True)
    return target
