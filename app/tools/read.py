"""`read`: a file, or the whole text of an earlier result, with line numbers."""

from hashlib import sha256

from pydantic import AliasChoices, Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.paths import resolve
from app.tools.text import decoded, known_as, lines_of, read_bytes

LINE = 2000
"""Characters shown of one line."""
ROOM = 15_000
"""Characters of one answer: below the cap of results, so that reading never needs another file."""


class Read(Arguments):
    """Arguments of `read`."""

    path: str = Field(
        min_length=1,
        validation_alias=AliasChoices("path", "file_path", "filePath"),
        description="Relative to the working folder, or absolute in the repository",
    )
    offset: int = Field(default=1, ge=1, description="First line, counted from 1")
    limit: int = Field(default=2000, ge=1, description="Lines at most")


def _read(args: Read, ctx: ToolContext) -> Output:
    real = resolve(ctx, args.path)
    content = read_bytes(ctx, real, args.path)
    lines = lines_of(decoded(content, args.path).text).lines
    seen = {known_as(ctx, real): sha256(content).hexdigest()}
    if not lines:
        return Output("ok", "(the file is empty)", f"{args.path}: empty", seen)
    if args.offset > len(lines):
        raise ToolError(f"`{args.path}` has {len(lines)} lines; use an `offset` of at most {len(lines)}")
    shown_lines = _numbered(lines, args.offset, args.limit)
    last = args.offset + len(shown_lines) - 1
    text = "\n".join(shown_lines)
    if last < len(lines):
        text += f"\n… {len(lines) - last} more lines of {len(lines)}; go on with offset={last + 1}"
    return Output("ok", text, clip(f"{args.path}: lines {args.offset} to {last} of {len(lines)}"), seen)


def _numbered(lines: tuple[str, ...], offset: int, limit: int) -> list[str]:
    out: list[str] = []
    room = ROOM
    for number, line in enumerate(lines[offset - 1 : offset - 1 + limit], offset):
        entry = f"{number}\t{_cut(line.removesuffix(chr(13)))}"
        room -= len(entry) + 1
        if room < 0 and out:
            break
        out.append(entry)
    return out


def _cut(line: str) -> str:
    return line if len(line) <= LINE else f"{line[:LINE]}… ({len(line) - LINE} characters more in this line)"


READ = Tool(
    name="read",
    description="Reads a text file. Every line is shown as its number, a tab and its text; the number is no part of "
    "the file. Long files come in parts: go on with `offset`.",
    arguments=Read,
    effect="read",
    run=in_thread(_read),
    preview=lambda args: clip(args.path),
    paths=lambda args: (args.path,),
    agents=EVERYBODY,
)
