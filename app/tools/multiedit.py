"""`multiedit`: several exact replacements in one file, all of them or none."""

from pydantic import AliasChoices, Field

from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.edit import ALL, NEW, OLD, replaced
from app.tools.paths import resolve
from app.tools.text import open_text
from app.tools.writes import Plan, written


class Change(Arguments):
    """One replacement."""

    old: str = Field(min_length=1, validation_alias=OLD, description="The exact text to replace; it must occur once")
    new: str = Field(validation_alias=NEW, description="What stands there afterwards")
    replace_all: bool = Field(default=False, validation_alias=ALL, description="Replace every occurrence")


class MultiEdit(Arguments):
    """Arguments of `multiedit`."""

    path: str = Field(min_length=1, validation_alias=AliasChoices("path", "file_path", "filePath"))
    edits: tuple[Change, ...] = Field(min_length=1, max_length=200, description="Made in this order")


def _multiedit(args: MultiEdit, ctx: ToolContext) -> Output:
    def plan() -> Plan:
        real = resolve(ctx, args.path, write=True)
        before = open_text(ctx, real, args.path, unchanged=True)
        text, ways = before.text, list[str]()
        for number, edit in enumerate(args.edits, 1):
            try:
                text, _, way = replaced(text, edit.old, edit.new, edit.replace_all, f"`{args.path}`")
                ways += [f"; edit {number} matched with {way}"] * bool(way)
            except ToolError as error:
                raise ToolError(f"edit {number} of {len(args.edits)}: {error}; none was made") from None
        return Plan({real: before.encoded(text)}, f"edited `{args.path}` ({len(args.edits)} edits{''.join(ways)})")

    message = written(ctx, plan)
    return Output("ok", message, clip(message))


MULTIEDIT = Tool(
    name="multiedit",
    description="Makes several exact replacements in one file, in order, each on the result of the one before. If one "
    "does not apply, none is made.",
    arguments=MultiEdit,
    effect="write",
    run=in_thread(_multiedit),
    preview=lambda args: clip(f"{args.path}: {len(args.edits)} edits"),
    paths=lambda args: (args.path,),
)
