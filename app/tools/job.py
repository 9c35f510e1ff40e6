"""`job`: looks at, waits for and ends what `bash` began in the background.

Reading needs no memory of what was read before: each answer says the offset at which the next one goes on. So
a call that is made again after a crash gives the same. What ends a job is the workflow, before this tool runs.
"""

import asyncio
import codecs
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.stream import StoredResult
from app.tools import jobs
from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread, session_folder
from app.tools.process import SPOOL_LIMIT

PIECE = 12_000
"""Bytes of output in one answer."""
_LOOK = 0.2
"""Seconds between two looks at a job that is waited for: it may run in another process."""


class Job(Arguments):
    """Arguments of `job`."""

    action: Literal["list", "read", "wait", "stop"]
    id: str = Field(default="", pattern=r"^(job-[1-9][0-9]{0,5})?$", description="`job-1`; not for `list`")
    offset: int | None = Field(
        default=None, ge=0, description="Byte of the output to read from, as the last answer told; else its end"
    )
    until: str = Field(default="", max_length=400, description="For `wait`: a text in the output from `offset` on")
    timeout: float = Field(default=30, gt=0, le=600, description="For `wait`: seconds at most")

    @property
    def number(self) -> int:
        """The job's number, 0 without an id."""
        return int(self.id.partition("-")[2] or 0)

    @property
    def stops(self) -> int:
        """The number of the job that the workflow ends first."""
        return self.number if self.action == "stop" else 0


@dataclass(frozen=True)
class _State:
    job: jobs.Noted
    end: StoredResult | None
    size: int
    open: bool
    age: float
    """Seconds since it was noted: whoever waits for a silent job does not repeat itself."""

    @property
    def words(self) -> str:
        if self.end is not None:
            return self.end.text
        return (
            f"running for {self.age:.0f} s"
            if self.open
            else "cut off: it ended without a word; it may have had effects"
        )


async def _job(args: Job, ctx: ToolContext) -> Output:
    if args.action == "wait":
        await _wait(args, ctx)
    return await in_thread(_look)(args, ctx)


def _look(args: Job, ctx: ToolContext) -> Output:
    if args.action == "list":
        return _list(ctx)
    state = _state(args, ctx)
    if args.action == "stop" and state.end is None and state.open:
        raise ToolError("`stop` must be a call of its own, not part of `batch`")
    text, after = _piece(jobs.spool(session_folder(ctx), args.number), args.offset)
    whole = f"[output beyond {SPOOL_LIMIT:,} bytes is not kept]\n" if state.size >= SPOOL_LIMIT else ""
    more = f"{state.size - after} bytes follow, read on" if after < state.size else "read on"
    said = f"{args.id}: {state.words} ({more} with offset={after}; all of it: `{jobs.output_of(args.number)}`)"
    body = text if not text or text.endswith("\n") else f"{text}\n"
    return Output("ok", f"{body}{whole}[{said}]", clip(f"{args.id}: {state.words}"))


def _list(ctx: ToolContext) -> Output:
    lines: list[str] = []
    for number in jobs.numbers(session_folder(ctx)):
        state = _state(Job(action="read", id=jobs.name_of(number)), ctx)
        lines.append(f"job-{number}: {state.words}; {state.size:,} bytes of output; {clip(state.job.command, 120)}")
    return Output("ok", "\n".join(lines) or "no job was started", f"{len(lines)} jobs, {len(ctx.jobs)} running")


def _state(args: Job, ctx: ToolContext) -> _State:
    if not args.id:
        raise ToolError(f"`{args.action}` needs the `id` of a job; `list` shows them")
    folder = session_folder(ctx)
    job = jobs.noted(folder, args.number)
    if job is None:
        known = ", ".join(jobs.name_of(number) for number in jobs.numbers(folder)) or "none was started"
        raise ToolError(f"`{args.id}` is no job of this conversation ({known}); begin one by `bash` in the background")
    end = jobs.ending(ctx.data, ctx.session_id, job)
    file = jobs.spool(folder, args.number)
    size = file.stat().st_size if file.exists() else 0
    return _State(job, end, size, args.number in ctx.jobs, jobs.age(folder, args.number))


def _piece(file: Path, offset: int | None) -> tuple[str, int]:
    """A piece of the output and the offset behind it. Without `offset`: its last lines. Characters stay whole."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            start = max(0, size - PIECE) if offset is None else min(offset, size)
            stream.seek(start)
            content = stream.read(PIECE)
    except FileNotFoundError:
        return "", 0
    if offset is None and start:
        skipped = content.find(b"\n") + 1
        content, start = content[skipped:], start + skipped
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(content)
    after = start + len(content) - len(decoder.getstate()[0])
    return (text, after) if text else (content.decode(errors="replace"), start + len(content))


async def _wait(args: Job, ctx: ToolContext) -> None:
    """Returns when the job has ended, when `until` stands in its output, or after the timeout."""
    deadline = time.monotonic() + args.timeout
    wanted, file = args.until.encode(), jobs.spool(session_folder(ctx), args.number)
    position, rest = args.offset or 0, b""
    while True:
        state = await asyncio.to_thread(_state, args, ctx)
        if wanted:
            fresh = await asyncio.to_thread(_from, file, position)
            position, found = position + len(fresh), rest + fresh
            if wanted in found:
                return
            rest = found[-len(wanted) :]
        if state.end is not None or not state.open or time.monotonic() >= deadline:
            return
        await asyncio.sleep(_LOOK)


def _from(file: Path, position: int) -> bytes:
    try:
        with file.open("rb") as stream:
            stream.seek(position)
            return stream.read()
    except FileNotFoundError:
        return b""


JOB = Tool(
    name="job",
    description="Jobs that `bash` began in the `background`. `read`: the output, from `offset` or its end; `wait`: "
    "until it ends, or `until` a text is printed; `stop`: ends it and all it started; `list`. Says how it stands.",
    arguments=Job,
    effect="read",  # it changes no file; what it ends was the agent's own
    run=_job,
    preview=lambda args: clip(f"{args.action} {args.id}"),
)
