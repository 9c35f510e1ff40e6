"""`grep`: text in files."""

import os
import re
from itertools import islice
from pathlib import Path

from pydantic import AliasChoices, Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.beneath import open_file
from app.tools.paths import closed, refuse_unreadable, resolve, sensitive, shown
from app.tools.ripgrep import files, lines
from app.tools.text import missing

MOST = 200
"""Matching lines of one answer."""
_LINE = re.compile(rb"(\d+)([:-])(.*)", re.DOTALL)
_COLUMNS = 400


class Grep(Arguments):
    """Arguments of `grep`."""

    pattern: str = Field(min_length=1, max_length=2000, description="A regular expression, matched line by line")
    path: str = Field(default=".", description="A folder, or one file")
    glob: str = Field(
        default="", max_length=500, validation_alias=AliasChoices("glob", "include"), description="E.g. `*.py`"
    )
    ignore_case: bool = Field(default=False, validation_alias=AliasChoices("ignore_case", "ignoreCase"))
    context: int = Field(default=0, ge=0, le=20, description="Lines shown before and after each match")


def _grep(args: Grep, ctx: ToolContext) -> Output:
    place = resolve(ctx, args.path)
    if not place.exists():
        raise ToolError(missing(ctx, place, args.path))
    refuse_unreadable(place, args.path)
    folder, target = (place, ".") if place.is_dir() else (place.parent, f"./{place.name}")
    wanted = set(files(ctx, folder, args.glob)) if args.glob else None
    found, count, more = _matches(args, ctx, folder, target, wanted)
    if not count:
        return Output("ok", "no line matches", "0 matches")
    text = "\n".join(found) + (f"\n… more than {MOST} matches; narrow the pattern or the path" if more else "")
    return Output("ok", text, f"{count}{'+' * more} matches")


def _matches(
    args: Grep, ctx: ToolContext, folder: Path, target: str, wanted: set[str] | None
) -> tuple[list[str], int, bool]:
    out: list[str] = []
    count, begun = 0, b""
    with lines(folder, (*_options(args), "--", target)) as output:
        for raw in output:
            if b"\0" not in raw and raw != b"--\n":
                # Part of a name that holds a line feed, unless it is rg's own word about a binary file.
                begun = b"" if b"binary file match" in raw or b"searching binary file" in raw else begun + raw
                continue
            name, _, rest = (begun + raw).removesuffix(b"\n").partition(b"\0")
            begun = b""
            matched = _LINE.match(rest)
            path = os.fsdecode(name.removeprefix(b"./"))
            if matched is None:
                if out and out[-1] != "--" and args.context:
                    out.append("--")
                continue
            if (wanted is not None and path not in wanted) or (sensitive(path) and not ctx.allowed):
                continue
            if closed(ctx, folder / path) or (ctx.jobs and not _holds(ctx, folder / path, int(matched[1]), matched[3])):
                continue
            is_match = matched[2] == b":"
            if is_match and count == MOST:
                return out, count, True
            count += is_match
            text = matched[3].removesuffix(b"\r").decode("utf-8", "replace")
            out.append(f"{shown(ctx, folder / path)}{matched[2].decode()}{int(matched[1])}{matched[2].decode()}{text}")
    return (out[:-1] if out and out[-1] == "--" else out), count, False


def _holds(ctx: ToolContext, file: Path, number: int, text: bytes) -> bool:
    """Whether the file of the worktree holds this line: a job can put a link where a folder was while rg reads."""
    try:
        with open(open_file(ctx, file), "rb") as opened:  # noqa: PTH123 - a descriptor
            line = next(islice(opened, number - 1, None), b"").removesuffix(b"\n")
    except (OSError, ToolError):
        return False
    text = text.removesuffix(b"\n")
    begun, cut, _ = text.rpartition(b" [... ")
    return line == text or bool(cut and len(line) > _COLUMNS and line.startswith(begun))


def _options(args: Grep) -> tuple[str, ...]:
    return (
        "--no-heading",
        "--with-filename",
        "--line-number",
        "--null",
        "--sort=path",
        f"--max-columns={_COLUMNS}",
        "--max-columns-preview",
        f"--context={args.context}",
        *(("--ignore-case",) if args.ignore_case else ()),
        f"--regexp={args.pattern}",
    )


GREP = Tool(
    name="grep",
    description="Searches files with a regular expression (Rust syntax) and shows matching lines as path:line:text. "
    "Files that git ignores are left out unless named.",
    arguments=Grep,
    effect="read",
    run=in_thread(_grep),
    preview=lambda args: clip(f"{args.pattern} in {args.path}"),
    paths=lambda args: (args.path,),
    agents=EVERYBODY,
)
