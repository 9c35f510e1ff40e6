"""`edit`: one replacement in one file."""

from pydantic import AliasChoices, Field

from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.matching import find, fitted
from app.tools.paths import resolve
from app.tools.text import encode, missing, open_text
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


def replaced(text: str, old: str, new: str, replace_all: bool, where: str) -> tuple[str, int, str]:
    """The text after one replacement, how often it was made, and in which looser way, if any, it was matched.

    Line endings of the file are kept. Raises `ToolError` when `old` occurs not at all, or several times
    without `replace_all`.
    """
    if not old:
        raise ToolError(f"`old` is empty, but {where} exists; give the text to replace, or use `write`")
    if old == new:
        raise ToolError(f"`old` and `new` are equal for {where}; nothing would change")
    found = find(text, old, where)
    count = len(found.places)
    if count > 1 and not replace_all:
        raise ToolError(f"`old` occurs {count} times in {where}; add lines around it, or set `replace_all`")
    parts: list[str] = []
    end = 0
    for start, stop in found.places:
        have = text[start:stop]
        given = fitted(have, old, new) if found.way else new
        parts += [text[end:start], given if have == old and "\r" in old else _ended(given, have, text)]
        end = stop
    return "".join([*parts, text[end:]]), count, found.way


def told(count: int, way: str) -> str:
    """How a replacement was made, for the model."""
    return f"{count} replacement{'s' * (count > 1)}" + (f", matched with {way}" if way else "")


def _ended(new: str, have: str, text: str) -> str:
    """The new lines with the endings of those they replace, or as most of the file has them."""
    model = have if "\n" in have else text
    crlf = model.count("\r\n")
    plain = new.replace("\r\n", "\n")
    return plain.replace("\n", "\r\n") if crlf > model.count("\n") - crlf else plain


def _edit(args: Edit, ctx: ToolContext) -> Output:
    def plan() -> Plan:
        real = resolve(ctx, args.path, write=True)
        if not args.old and not real.exists():
            return Plan({real: encode(args.new)}, f"created `{args.path}`")
        if not real.exists():
            raise ToolError(missing(ctx, real, args.path))
        before = open_text(ctx, real, args.path, unchanged=True)
        if not args.old and not before.text:
            return Plan({real: before.encoded(args.new)}, f"filled `{args.path}`")
        after, count, way = replaced(before.text, args.old, args.new, args.replace_all, f"`{args.path}`")
        return Plan({real: before.encoded(after)}, f"edited `{args.path}` ({told(count, way)})")

    message = written(ctx, plan)
    return Output("ok", message, clip(message))


EDIT = Tool(
    name="edit",
    description="Replaces one exact piece of text in a file. The piece must occur exactly once, so take in enough "
    "lines around it; where only spaces differ it is found all the same, and the answer says so. Several changes to "
    "one file: use `multiedit`.",
    arguments=Edit,
    effect="write",
    run=in_thread(_edit),
    preview=lambda args: clip(f"{args.path}: {args.old} → {args.new}"),
    paths=lambda args: (args.path,),
)
