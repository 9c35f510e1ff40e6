"""How long the command line takes to start, against `python -c pass`."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import Row

RUNS = 11


def _median(argv: list[str], env: dict[str, str]) -> float:
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return median(times)


def _many_runs(data: Path, count: int) -> None:
    """Projections of `count` runs, as `run.record` leaves them."""
    from app.domain.event import RunEvent
    from app.domain.fold import apply
    from app.domain.run import ModelRef, RunInput
    from app.domain.session import Ids
    from app.stream.journal import write_view

    for number in range(count):
        okr = f"make-it-faster-{number:04}"
        order = RunInput(
            run=f"go-{okr}-1",
            kind="go",
            intent="make it faster",
            repo="/r",
            data_id="d",
            model=ModelRef(provider="demo", name="scripted"),
            ids=Ids(okr_id=okr, okr_run_id=f"go-{okr}-1"),
        )
        event = RunEvent(kind="started", body={"input": order.model_dump(mode="json")})
        write_view(data, apply(None, event, "2026-01-01T00:00:00.000+00:00"))


def measure() -> list[Row]:
    """The rows of the command line."""
    ctl = [str(Path(sys.executable).parent / "ctl")]
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "CODETETHER_DATA_DIR": folder}
        _many_runs(Path(folder), 1000)
        base = _median([sys.executable, "-c", "pass"], env)
        rows = [Row("python -c pass", base * 1000, "ms")]
        for words, limit in ((["--version"], 3), (["--help"], 25), (["okr", "list"], 40)):
            taken = _median([*ctl, *words], env)
            label = f"ctl {' '.join(words)}" + (" with 1,000 runs" if "list" in words else "")
            rows.append(Row(label, taken * 1000, "ms", ratio=taken / base, limit=limit))
    return rows
