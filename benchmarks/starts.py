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
    """Projections and sums of `count` runs with a conversation each, as `run.record` leaves them."""
    from app.domain.event import RunEvent
    from app.domain.fold import apply
    from app.domain.run import ModelRef, RunInput, RunResult
    from app.domain.session import Ids, NewRecord, Usage
    from app.stream import Stream
    from app.stream.journal import write_view
    from app.stream.totals import keep

    usage = Usage(input=20_000, output=500).model_dump()
    answers = [
        NewRecord(kind="assistant", body={"text": "x" * 500, "model": model, "usage": usage, "usd": 0.01})
        for model in ("demo/scripted", "moonshotai/kimi-k2.5") * 10
    ]
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
        view = apply(None, event, "2026-01-01T00:00:00.000+00:00")
        write_view(data, view.model_copy(update={"result": RunResult(outcome="completed")}))
        Stream(data, f"{order.run}-t1-coder").append(
            expected=0, step_id="s", digest="d", records=answers, ids=order.ids
        )
        keep(data, order.run, order.repo)


def measure() -> list[Row]:
    """The rows of the command line."""
    ctl = [str(Path(sys.executable).parent / "ctl")]
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "CODETETHER_DATA_DIR": folder}
        _many_runs(Path(folder), 1000)
        base = _median([sys.executable, "-c", "pass"], env)
        rows = [Row("python -c pass", base * 1000, "ms")]
        for words, limit in (
            (["--version"], 3),
            (["--help"], 25),
            (["okr", "list"], 40),
            (["cost", "--days", "30", "--all"], 40),
        ):
            taken = _median([*ctl, *words], env)
            label = f"ctl {' '.join(words)}" + (" with 1,000 runs" if len(words) > 1 else "")
            rows.append(Row(label, taken * 1000, "ms", ratio=taken / base, limit=limit))
    return rows
