"""`python -m benchmarks`: measures, prints one table, writes `build/bench.json`."""

import argparse
import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

from rich.console import Console

from benchmarks import history, memory, money, permissions, recovery, sandbox, starts, steps, tools, voices
from benchmarks.rows import Row, table, to_json

JSON = Path("build/bench.json")
PARTS: dict[str, Callable[[], Coroutine[None, None, list[Row]]]] = {
    "starts": lambda: asyncio.to_thread(starts.measure),
    "steps": steps.measure,
    "history": history.measure,
    "memory": memory.measure,
    "money": money.measure,
    "permissions": permissions.measure,
    "recovery": recovery.measure,
    "sandbox": sandbox.measure,
    "tools": tools.measure,
    "voices": voices.measure,
}


def main() -> None:
    """Runs the parts that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=JSON, metavar="FILE", help=f"where the figures go ({JSON})")
    parser.add_argument("--only", choices=sorted(PARTS), metavar="NAME", help=f"one of {', '.join(PARTS)}")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    console = Console()
    rows: list[Row] = []
    for name in [words.only] if words.only else PARTS:
        console.print(f"measuring {name}", style="dim")
        rows += asyncio.run(PARTS[name]())
        gc.collect()
    console.print(table(rows))
    words.json.parent.mkdir(parents=True, exist_ok=True)
    words.json.write_text(to_json(rows), encoding="utf-8")
    console.print(f"written to {words.json}", style="dim")


if __name__ == "__main__":
    main()
