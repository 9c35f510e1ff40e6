"""`glob`: files by name."""

from pydantic import Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.paths import resolve
from app.tools.ripgrep import files, located
from app.tools.text import missing

MOST = 500
"""Paths of one answer."""


class Glob(Arguments):
    """Arguments of `glob`."""

    pattern: str = Field(min_length=1, max_length=500, description="E.g. `*.py`, `src/**/*.{ts,tsx}`")
    path: str = Field(default=".", description="The folder to look in")


def _glob(args: Glob, ctx: ToolContext) -> Output:
    folder = resolve(ctx, args.path)
    if not folder.exists():
        raise ToolError(missing(ctx, folder, args.path))
    if not folder.is_dir():
        raise ToolError(f"`{args.path}` is a file; give the folder to look in")
    if args.pattern.startswith("!"):
        raise ToolError("`pattern` must not begin with `!`; name what to find")
    found = files(ctx, folder, args.pattern.removeprefix("./"))
    text = "\n".join(located(ctx, folder, found[:MOST]))
    if len(found) > MOST:
        text += f"\n… {len(found) - MOST} more; narrow the pattern"
    return Output("ok", text or "no file matches", f"{len(found)} files")


GLOB = Tool(
    name="glob",
    description="Finds files by a glob pattern, sorted by path. Files that git ignores are left out.",
    arguments=Glob,
    effect="read",
    run=in_thread(_glob),
    preview=lambda args: clip(f"{args.pattern} in {args.path}"),
    paths=lambda args: (args.path,),
    agents=EVERYBODY,
)
