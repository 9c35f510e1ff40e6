"""`edit`: one exact replacement in one file."""

from pydantic import AliasChoices, Field

from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.paths import resolve
from app.tools.text import encode, lines_of, missing, read_text
from app.tools.writes import Plan, written

OLD = AliasChoices("old", "old_string", "oldString")
NEW = AliasChoices("new", "new_string", "newString")
ALL = AliasChoices("replace_all", "replaceAll")


class Edit(Arguments):
    """Arguments of `edit`."""

    path: str = Field(min_length=1, validation_alias=AliasChoices("path", "file_path", "filePath"))
    old: str = Field(
        validation_alias=OLD,
        description="The exact text to replace, without line numbers; it must occur once. Empty: create the file",
    )
    new: str = Field(validation_alias=NEW, description="What stands there afterwards")
    replace_all: bool = Field(default=False, validation_alias=ALL, description="Replace every occurrence")


def replaced(text: str, old: str, new: str, replace_all: bool, where: str) -> tuple[str, int]:
    """The text after one replacement, and how often it was made; line endings of the file are kept.

    Raises `ToolError` when `old` occurs not at all, or several times without `replace_all`.
    """
    if not old:
        raise ToolError(f"`old` is empty, but {where} exists; give the text to replace, or use `write`")
    if old == new:
        raise ToolError(f"`old` and `new` are equal for {where}; nothing would change")
    if lines_of(text).crlf or old not in text:
        converted = _crlf(old)
        if converted in text:
            old, new = converted, _crlf(new)
    count = text.count(old)
    if count == 0:
        raise ToolError(f"`old` does not occur in {where}; read the file and copy the text exactly, with its indents")
    if count > 1 and not replace_all:
        raise ToolError(f"`old` occurs {count} times in {where}; add lines around it, or set `replace_all`")
    return text.replace(old, new), count


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _edit(args: Edit, ctx: ToolContext) -> Output:
    def plan() -> Plan:
        real = resolve(ctx, args.path, write=True)
        if not args.old and not real.exists():
            return Plan({real: encode(args.new)}, f"created `{args.path}`")
        if not real.exists():
            raise ToolError(missing(ctx, real, args.path))
        text = read_text(ctx, real, args.path)
        if not args.old and not text:
            return Plan({real: encode(args.new)}, f"filled `{args.path}`")
        after, count = replaced(text, args.old, args.new, args.replace_all, f"`{args.path}`")
        return Plan({real: encode(after)}, f"edited `{args.path}` ({count} replacement{'s' * (count > 1)})")

    message = written(ctx, plan)
    return Output("ok", message, clip(message))


EDIT = Tool(
    name="edit",
    description="Replaces one exact piece of text in a file. The piece must occur exactly once, so take in enough "
    "lines around it. Several changes to one file: use `multiedit`.",
    arguments=Edit,
    effect="write",
    run=in_thread(_edit),
    preview=lambda args: clip(f"{args.path}: {args.old} → {args.new}"),
    paths=lambda args: (args.path,),
)
