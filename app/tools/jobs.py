"""Jobs of an agent on disk: what was noted to run, its output, how it ended. A job has its number's name.

`jobs/job-1.json` is written once by the call that begins it, and the command is run from it alone. The output
lies beside cut results (`@output/job-1`), and the end in the results folder, under the step id of the job.
"""

import time
from pathlib import Path

from app.domain.base import Model
from app.stream import Diverged, StoredResult, read_result
from app.stream.files import create_file, make_folder
from app.tools.base import ToolContext, session_folder
from app.tools.paths import OUTPUT


class Noted(Model):
    """A command that is to run in the background. `step_id`: of the call; `cwd`: below the repository's own path."""

    step_id: str
    command: str
    cwd: str
    timeout: float
    network: bool = False

    @property
    def job_step(self) -> str:
        """The step of the job itself: `…:t3-s2-bash-job` for the call `…:t3-s2-bash`."""
        return f"{self.step_id}-job"


def name_of(number: int) -> str:
    """How a model names a job."""
    return f"job-{number}"


def output_of(number: int) -> str:
    """The path by which `read` and `grep` find a job's output."""
    return f"{OUTPUT}{name_of(number)}"


def note(ctx: ToolContext, number: int, noted: Noted) -> None:
    """Writes down a job, once. Raises `Diverged` where another call has that number."""
    folder = session_folder(ctx)
    file = folder / "jobs" / f"{name_of(number)}.json"
    make_folder(file.parent, below=ctx.data)
    if not create_file(file, noted.model_dump_json().encode()):
        there = Noted.model_validate_json(file.read_bytes())
        if there.step_id != noted.step_id:
            raise Diverged(f"`{name_of(number)}` is already the job of `{there.step_id}`; this run was reset")


def noted(folder: Path, number: int) -> Noted | None:
    """What was noted of a job of the session in `folder`, or None."""
    try:
        return Noted.model_validate_json((folder / "jobs" / f"{name_of(number)}.json").read_bytes())
    except FileNotFoundError:
        return None


def numbers(folder: Path) -> list[int]:
    """The jobs of a session, in order."""
    return sorted(int(file.stem.partition("-")[2]) for file in (folder / "jobs").glob("job-*.json"))


def age(folder: Path, number: int) -> float:
    """Seconds since a job was noted; a clock that was set back makes it no less than 0."""
    return max(0.0, time.time() - (folder / "jobs" / f"{name_of(number)}.json").stat().st_mtime)


def spool(folder: Path, number: int) -> Path:
    """Where the output of a job lies; it may not exist yet."""
    return folder / "output" / f"{name_of(number)}.txt"


def ending(data: Path, session_id: str, job: Noted) -> StoredResult | None:
    """How a job ended, once that is recorded."""
    return read_result(data, session_id, job.job_step)
