"""`bash`: a command in the sandbox. It runs at most once, whatever happens to the worker."""

import asyncio
import os
from pathlib import Path, PurePosixPath

from pydantic import Field

from app.stream.files import make_folder
from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip
from app.tools.paths import output_file, resolve

_SHELL = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; else exec sh -c "$0"; fi'


class Bash(Arguments):
    """Arguments of `bash`."""

    command: str = Field(min_length=1, max_length=20_000, description="Run by bash")
    timeout: float = Field(default=120, gt=0, le=600, description="Seconds until it is killed")
    cwd: str = Field(default=".", description="The folder to run in")
    network: bool = Field(default=False, description="True only if it needs the network; a person may be asked")


async def _bash(args: Bash, ctx: ToolContext) -> Output:
    from app.tools import process

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
        argv=["sh", "-c", _SHELL, args.command],
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
    by_signal = finished.exit is None or finished.exit < 0
    ended = f"killed by signal {-(finished.exit or 0)}" if by_signal else f"exit code {finished.exit}"
    return Output("ok", output + ended, clip(f"{ended} after {finished.seconds:.1f} s"))


def _folder(ctx: ToolContext, cwd: str) -> str:
    real = resolve(ctx, cwd)
    top = Path(os.path.realpath(ctx.worktree))
    if not real.is_relative_to(top):
        raise ToolError(f"`{cwd}` leads out of the repository; run the command in a folder of it")
    if not real.is_dir():
        raise ToolError(f"`{cwd}` is not a folder; give one that exists as `cwd`")
    return str(PurePosixPath(ctx.workspace.root) / real.relative_to(top))


BASH = Tool(
    name="bash",
    description="Runs a command with bash in the repository. Each call is a new shell; nothing keeps running after it. "
    "The answer ends with the exit code. To read, search and edit files use the other tools.",
    arguments=Bash,
    effect="run",
    run=_bash,
    preview=lambda args: clip(args.command),
    paths=lambda args: (args.cwd,),
)
