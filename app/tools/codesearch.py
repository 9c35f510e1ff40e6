"""`codesearch`: where a symbol is defined and where it is used, by syntax, not by text."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.beneath import open_file
from app.tools.paths import refuse_unreadable, resolve, sensitive, shown
from app.tools.ripgrep import lines
from app.tools.text import missing

if TYPE_CHECKING:
    from tree_sitter import Language, Query

MOST = 200
"""Symbols of one answer."""
_FILES = 2000
"""Files that are parsed at most; a name that is in more of them is no help."""
_BYTES = 2 * 1024 * 1024
"""Larger files are generated: they are passed over."""
_LANGUAGES = {
    **dict.fromkeys((".py", ".pyi"), ("python", "language")),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), ("javascript", "language")),
    **dict.fromkeys((".ts", ".mts", ".cts"), ("typescript", "language_typescript")),
    ".tsx": ("typescript", "language_tsx"),
    ".go": ("go", "language"),
    ".rs": ("rust", "language"),
    ".java": ("java", "language"),
    **dict.fromkeys((".c", ".h"), ("c", "language")),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"), ("cpp", "language")),
}
_MORE = {
    "python": "(call function: [(identifier) @n (attribute attribute: (identifier) @n)]) @reference.call",
    "c": "(call_expression function: (identifier) @n) @reference.call",
    "cpp": "(call_expression function: [(identifier) @n (field_expression field: (field_identifier) @n)"
    " (qualified_identifier name: (identifier) @n)]) @reference.call",
}
"""References that a grammar's own queries leave out."""


class CodeSearch(Arguments):
    """Arguments of `codesearch`."""

    name: str = Field(min_length=1, max_length=200, description="The symbol's own name, without module or class")
    kind: str = Field(default="", max_length=40, description="E.g. `function`, `class`, `method`, `call`; empty: all")
    find: Literal["definitions", "references", "all"] = "all"
    path: str = Field(default=".", description="The folder to look in")


@dataclass(frozen=True)
class _Symbol:
    path: str
    line: int
    role: str
    kind: str
    text: str


def _codesearch(args: CodeSearch, ctx: ToolContext) -> Output:
    place = resolve(ctx, args.path)
    if not place.exists():
        raise ToolError(missing(ctx, place, args.path))
    refuse_unreadable(place, args.path)
    if not re.fullmatch(r"[\w$~?!]+", args.name):
        raise ToolError(f"`{args.name}` is no name of a symbol; search for text with `grep`")
    files = _holding(args.name, place)
    found = [
        symbol
        for file in files[:_FILES]
        if ctx.allowed or not sensitive(file.name)
        for symbol in _symbols(ctx, file, args.name)
        if args.find in ("all", f"{symbol.role}s") and args.kind in ("", symbol.kind)
    ]
    found.sort(key=lambda symbol: (symbol.role, symbol.path, symbol.line))
    text = "\n".join(f"{each.role} {each.kind} {each.path}:{each.line}: {each.text}" for each in found[:MOST])
    left = len(found) - MOST
    notes = [f"… {left} more; name a `kind` or a `path`"] * (left > 0)
    notes += [f"… only {_FILES} of {len(files)} files were parsed; name a `path`"] * (len(files) > _FILES)
    nothing = "no such symbol in Python, JavaScript, TypeScript, Go, Rust, Java, C or C++; try `grep`"
    count = sum(symbol.role == "definition" for symbol in found)
    told = f"{count} definitions, {len(found) - count} references"
    return Output("ok", "\n".join([text or nothing, *notes]), told)


def _holding(name: str, place: Path) -> list[Path]:
    """The files that hold the word and whose language is known: only these are worth parsing."""
    folder, target = (place, ".") if place.is_dir() else (place.parent, f"./{place.name}")
    # A type, not a glob: a glob would bring ignored files back.
    types = [f"--type-add=parsed:*{suffix}" for suffix in _LANGUAGES]
    words = ("--files-with-matches", "--null", "--sort=path", "--fixed-strings", "--word-regexp")
    with lines(folder, (*words, *types, "--type=parsed", f"--regexp={name}", "--", target)) as output:
        names = b"".join(output).split(b"\0")
    return [folder / os.fsdecode(each.removeprefix(b"./")) for each in names if each]


def _symbols(ctx: ToolContext, file: Path, name: str) -> Iterator[_Symbol]:
    from tree_sitter import Parser, QueryCursor

    if file.suffix not in _LANGUAGES or not file.is_file() or file.stat().st_size > _BYTES:
        return
    with open(open_file(ctx, file), "rb") as opened:  # noqa: PTH123 - a descriptor
        source = opened.read()
    path = shown(ctx, file)
    language, query = _grammar(*_LANGUAGES[file.suffix])
    wanted, rows = name.encode(), source.split(b"\n")
    seen: set[tuple[int, str]] = set()
    for _, captures in QueryCursor(query).matches(Parser(language).parse(source).root_node):
        names = [node for key in ("name", "n") for node in captures.get(key, ()) if node.text == wanted]
        tags = [key for key in captures if key.startswith(("definition.", "reference."))]
        for node in names:
            for tag in tags:
                role, _, kind = tag.partition(".")
                line = node.start_point.row
                if (line, role) not in seen:
                    seen.add((line, role))
                    yield _Symbol(path, line + 1, role, kind, clip(rows[line].decode(errors="replace"), 200))


@cache
def _grammar(module: str, function: str) -> "tuple[Language, Query]":
    from tree_sitter import Language, Query

    grammar = import_module(f"tree_sitter_{module}")
    if module == "typescript":  # its queries go on from those of JavaScript
        from importlib.resources import files

        own = files(grammar).joinpath("queries/tags.scm").read_text(encoding="utf-8")
        base = import_module("tree_sitter_javascript").TAGS_QUERY
    else:
        own, base = grammar.TAGS_QUERY, ""
    capsule: object = getattr(grammar, function)()
    language = Language(capsule)
    return language, Query(language, "\n".join((own, base, _MORE.get(module, ""))))


CODESEARCH = Tool(
    name="codesearch",
    description="Finds the definitions and references of a symbol by its name, by syntax: Python, JavaScript, "
    "TypeScript, Go, Rust, Java, C, C++. For text, use `grep`.",
    arguments=CodeSearch,
    effect="read",
    run=in_thread(_codesearch),
    preview=lambda args: clip(f"{args.name} in {args.path}"),
    paths=lambda args: (args.path,),
    agents=EVERYBODY,
)
