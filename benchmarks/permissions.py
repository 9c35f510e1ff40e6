"""How many calls the permission gate judges in a second, with rules and hard commands."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row

COMMANDS = (
    "pytest -q tests",
    "cd src && timeout 60 python -m pytest -q 2>&1 | tail -n 3",
    "find . -name '*.py' -exec sh -c 'wc -l \"$1\"' _ {} \\; | sort -n",
    "cat <<'EOF' > notes.txt\none\ntwo\nEOF\ngit add notes.txt && git commit -m \"notes\"",
)
CHECKS = 1000


async def measure() -> list[Row]:
    """The row of the gate."""
    return [await asyncio.to_thread(_row)]


def _row() -> Row:
    from app.domain.tool import Workspace
    from app.tools.gate.rules import parse
    from app.tools.gate.sandbox import Sandbox
    from app.tools.gate.verdict import Standing, Subject, weigh

    rules = [parse(f"bash: tool{number} *", "allow") for number in range(20)]
    rules += [parse("bash: rm *", "deny"), parse("bash: git push *", "ask")]
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(data_id="d", run="r", name="main", root=folder)
        standing = Standing(space, Path(folder), "ask", rules, Sandbox(True, "bwrap"))
        subjects = [Subject("bash", "run", command, command=command) for command in COMMANDS]
        weigh(subjects[0], standing)  # loads the grammar
        started = time.perf_counter()
        for number in range(CHECKS):
            weigh(subjects[number % len(subjects)], standing)
        taken = time.perf_counter() - started
    return Row("permission checks", CHECKS / taken, "1/s", note=f"{len(rules)} rules; pipes, heredoc, sh -c")
