"""`write`: a whole file."""

from pydantic import AliasChoices, Field

from app.tools.base import Arguments, Output, Tool, ToolContext, clip, in_thread
from app.tools.paths import resolve
from app.tools.text import encode, refuse_changed
from app.tools.writes import Plan, written


class Write(Arguments):
    """Arguments of `write`."""

    path: str = Field(min_length=1, validation_alias=AliasChoices("path", "file_path", "filePath"))
    content: str = Field(max_length=5_000_000, description="The whole new content of the file")


def _write(args: Write, ctx: ToolContext) -> Output:
    def plan() -> Plan:
        real = resolve(ctx, args.path, write=True)
        if real.is_file():
            refuse_changed(ctx, real, args.path, real.read_bytes())
        verb = "replaced" if real.exists() else "created"
        count = args.content.count("\n") + bool(args.content and not args.content.endswith("\n"))
        return Plan({real: encode(args.content)}, f"{verb} `{args.path}` ({count} lines)")

    message = written(ctx, plan)
    return Output("ok", message, clip(message))


WRITE = Tool(
    name="write",
    description="Writes a whole file, replacing what was there; missing folders are made. To change a part of a file, "
    "use `edit` or `apply_patch`.",
    arguments=Write,
    effect="write",
    run=in_thread(_write),
    preview=lambda args: clip(f"{args.path} ({len(args.content)} characters)"),
    paths=lambda args: (args.path,),
)
