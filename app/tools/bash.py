"""`bash`: a command in the sandbox. It runs at most once, whatever happens to the worker.

In the background it is a job: the call only notes it, and the workflow runs what was noted (`app/tools/jobs.py`).
"""

import asyncio
from pathlib import PurePosixPath
from typing import Any, cast

from pydantic import Field, model_validator

from app.stream.files import make_folder
from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip
from app.tools.paths import output_file, resolve, top_of

_MOST = 600.0
_IN_BACKGROUND = 3600.0


class Bash(Arguments):
    """Arguments of `bash`."""

    command: str = Field(min_length=1, max_length=20_000, description="Run by bash")
    timeout: float = Field(
        default=120,
        gt=0,
        le=14_400,
        description=f"Seconds until it is killed: at most {_MOST:g}; in the background {_IN_BACKGROUND:g} unless given",
    )
    cwd: str = Field(default=".", description="The folder to run in")
    network: bool = Field(default=False, description="True only if it needs the network; a person may be asked")
    background: bool = Field(default=False, description="True: it runs on as a job while you work; see `job`")

    @model_validator(mode="before")
    @classmethod
    def _longer(cls, values: Any) -> Any:
        given = cast("dict[str, Any]", values)  # as it was parsed from JSON, or what a test gives
        return {"timeout": _IN_BACKGROUND, **given} if given.get("background") is True else given

    @model_validator(mode="after")
    def _shorter(self) -> "Bash":
        if self.timeout > _MOST and not self.background:
            raise ValueError(f"`timeout` is at most {_MOST:g} s; a command that takes longer needs `background`")
        return self


async def _bash(args: Bash, ctx: ToolContext) -> Output:
    from app.tools import process

    if args.background:
        return await asyncio.to_thread(_job, args, ctx)

    spool = output_file(ctx).with_suffix(".spool")
    await asyncio.to_thread(make_folder, spool.parent, below=ctx.data)
    if ctx.attempt > 1 and await asyncio.to_thread(process.started, ctx.data, ctx.step_id):
        left = await process.cut_off(data=ctx.data, key=ctx.step_id, spool=spool)
        return Output(
            "cut_off",
            "the worker died while this command ran; it was not started again; it may have had effects. "
            f"Its output so far:\n{left}",
            clip(f"cut off: {args.command}"),
        )
    finished = await process.run_command(
        data=ctx.data,
        key=ctx.step_id,
        argv=[*process.SHELL, args.command],
        cwd=await asyncio.to_thread(_folder, ctx, args.cwd),
        mounts=await asyncio.to_thread(ctx.mounts),
        timeout=args.timeout,
        network=args.network,
        sandboxed=ctx.sandboxed,
        emit=ctx.emit,
        spool=spool,
    )
    output = finished.output if not finished.output or finished.output.endswith("\n") else finished.output + "\n"
    output += "".join(f"{note}\n" for note in finished.notes)
    if finished.timed_out:
        text = f"{output}killed after {args.timeout:g} s; give a longer `timeout`, or run less"
        return Output("error", text, f"killed after {args.timeout:g} s")
    return Output("ok", output + finished.ending, clip(f"{finished.ending} after {finished.seconds:.1f} s"))


def _job(args: Bash, ctx: ToolContext) -> Output:
    """Notes the job; it begins when this result is known."""
    from app.tools import jobs

    if not ctx.job:
        raise ToolError("nothing can run in the background here; run the command without `background`")
    noted = jobs.Noted(
        step_id=ctx.step_id,
        command=args.command,
        cwd=_folder(ctx, args.cwd),
        timeout=args.timeout,
        network=args.network,
    )
    jobs.note(ctx, ctx.job, noted)
    name = jobs.name_of(ctx.job)
    text = (
        f"{name} is started. Its output: `job` with action `read` and id `{name}` (`wait` waits for its end or for a "
        f"text in its output, `stop` ends it), or `read` path `{jobs.output_of(ctx.job)}`. It is ended after "
        f"{args.timeout:g} s, and when you give your last answer."
    )
    return Output("ok", text, clip(f"{name} is started"))


def _folder(ctx: ToolContext, cwd: str) -> str:
    real = resolve(ctx, cwd)
    top = top_of(ctx.worktree)
    if not real.is_relative_to(top):
        raise ToolError(f"`{cwd}` leads out of the repository; run the command in a folder of it")
    if not real.is_dir():
        raise ToolError(f"`{cwd}` is not a folder; give one that exists as `cwd`")
    return str(PurePosixPath(ctx.workspace.root) / real.relative_to(top))


def _preview(args: Bash) -> str:
    return clip(f"(in the background) {args.command}" if args.background else args.command)


BASH = Tool(
    name="bash",
    description="Runs a command with bash in the repository. Each call is a new shell; nothing keeps running after it, "
    "unless it runs in the `background`. The answer ends with the exit code. To read, search and edit files use the "
    "other tools.",
    arguments=Bash,
    effect="run",
    run=_bash,
    preview=_preview,
    paths=lambda args: (args.cwd,),
)
