"""Words of a command as bash makes them: quotes and backslashes taken off, where that is known before it runs."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True)
class Word:
    """A word as the program gets it. Not `literal`: bash makes something else of it, `text` is its source."""

    text: str
    literal: bool = True


def word_of(node: "Node") -> Word:
    """The word that bash makes of a node, where that is known before it runs."""
    source = text_of(node)
    match node.type:
        case "command_name":
            return word_of(node.children[0]) if node.child_count == 1 else Word(source, False)
        case "word" | "number" | "variable_name" | "test_operator" | "export" | "declare" | "local" | "readonly":
            return _bare(source)
        case "raw_string":
            return Word(source[1:-1])
        case "string" | "translated_string":
            inside = node if node.type == "string" else node.children[-1]
            return _quoted(inside, source)
        case "concatenation":
            pieces = [word_of(child) for child in node.children]
            if all(piece.literal for piece in pieces) and "{" not in source and _joined(node):
                return Word("".join(piece.text for piece in pieces))
            return Word(source, False)
        case "ansi_c_string":
            return Word(source[2:-1]) if "\\" not in source else Word(source, False)
        case "typeset" | "unset" | "unsetenv" | "$":
            return Word(source)
        case _:
            return Word(source, False)


def _joined(node: "Node") -> bool:
    children = node.children
    return all(left.end_byte == right.start_byte for left, right in pairwise(children))


def _quoted(node: "Node", source: str) -> Word:
    if any(child.type not in ('"', "string_content") for child in node.children):
        return Word(source, False)
    text = text_of(node)[1:-1]
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("$", "`", '"', "\\", "\n"):
            at += 1
            out.append("" if text[at] == "\n" else text[at])
        else:
            out.append(text[at])
        at += 1
    return Word("".join(out))


def _bare(source: str) -> Word:
    """An unquoted word: a backslash takes the next letter as it is; `*`, `?`, `[` and `{` make others of it."""
    out: list[str] = []
    literal = True
    letters = iter(source)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            out.append("" if following == "\n" else following)
            continue
        literal = literal and letter not in "*?[{"
        out.append(letter)
    return Word("".join(out)) if literal or source in ("{}", "[") else Word(source, False)


def child_of(node: "Node", kind: str) -> "Node | None":
    """The first child of this kind."""
    return next((child for child in node.children if child.type == kind), None)


def text_of(node: "Node") -> str:
    """The source of a node."""
    return (node.text or b"").decode("utf-8", "replace")
