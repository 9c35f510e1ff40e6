"""Where tree-sitter's grammar and bash read a command differently, so that what bash runs looks like text.

Nothing is read anew here: a place of which that could be so makes the whole command unreadable.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from app.tools.gate.words import child_of

if TYPE_CHECKING:
    from tree_sitter import Node

_OPENERS = re.compile(rb"`|\$(?:\\\n)*[({\[]|[<>](?:\\\n)*\(")
_QUOTES = re.compile(rb"['\"\\]")
_JOINED = b"\\\n"
_BEFORE_COMMENT = b" \t\n;&|()<>`"
_AFTER_DELIMITER = b" \t\n;&|()<>"


def misread(nodes: Iterable["Node"], source: bytes) -> bool:
    """Whether a node of the tree (all of them, in order) may not be what bash makes of its bytes."""
    known: set[int] = set()
    spans: list[tuple[int, int]] = []
    for node in nodes:
        if not node.is_named:
            known.add(node.start_byte)
        if node.type == "comment" and not _comment(node, source):
            return True
        if node.type == "heredoc_redirect" and not _heredoc(node, source):
            return True
        if node.type == "file_redirect" and _taken_away(node):
            return True
        if _is_text(node):
            spans.append((node.start_byte, node.end_byte))
    return any(_opens(at, source, spans) for at in _found(source) if at not in known)


def quoted(redirect: "Node") -> bool:
    """Whether the delimiter of a here-document is quoted: bash then takes its body as it stands."""
    return bool(_QUOTES.search(_start(redirect)))


def _found(source: bytes) -> Iterator[int]:
    return (match.start() for match in _OPENERS.finditer(source))


def _opens(at: int, source: bytes, spans: list[tuple[int, int]]) -> bool:
    if any(start <= at < end for start, end in spans):
        return False
    before = source[:at]
    return source[at : at + 1] == b"`" or not (len(before) - len(before.rstrip(b"\\"))) % 2


def _is_text(node: "Node") -> bool:
    """Whether nothing in the node means anything to bash. In double quotes single ones are signs like others."""
    if node.type == "comment":
        return True
    if node.type == "heredoc_body":
        return node.parent is not None and quoted(node.parent)
    return node.type in ("raw_string", "ansi_c_string") and not _in_quotes(node)


def _in_quotes(node: "Node") -> bool:
    above = node.parent
    while above is not None and above.type not in ("command_substitution", "process_substitution"):
        if above.type in ("string", "heredoc_body"):
            return True
        above = above.parent
    return False


def _comment(node: "Node", source: bytes) -> bool:
    """A `#` begins a comment only where a word could begin."""
    before = source[: node.start_byte]
    while before.endswith(_JOINED):
        before = before.removesuffix(_JOINED)
    return not before or before[-1] in _BEFORE_COMMENT


def _taken_away(node: "Node") -> bool:
    """Words behind the file of `a | b > file words`: the grammar gives them to all of it, bash to `b`."""
    parent = node.parent
    body = parent.child_by_field_name("body") if parent is not None else None
    return len(node.children_by_field_name("destination")) > 1 and (body is None or body.type != "command")


def _heredoc(node: "Node", source: bytes) -> bool:
    """Whether a here-document ends where bash ends it, and its delimiter is one word."""
    start = child_of(node, "heredoc_start")
    body, end = child_of(node, "heredoc_body"), child_of(node, "heredoc_end")
    if start is None or end is None:
        return False
    behind = source[start.end_byte : start.end_byte + 1]
    if not behind or behind not in _AFTER_DELIMITER:
        return False
    wanted = _start(node)
    if re.search(rb"[$`\n]", wanted):
        return False
    wanted = re.sub(rb"['\"\\]", b"", wanted)
    tabs = child_of(node, "<<-") is not None
    # The node of the body leaves out blanks at its beginning; its first line begins at the line feed before.
    first = source.rfind(b"\n", 0, body.start_byte if body is not None else end.start_byte) + 1
    lines = source[first : end.start_byte].split(b"\n")
    after = source[end.end_byte - 1 : end.end_byte + 1] if source[end.end_byte :] else b"\n"
    if lines.pop().strip(b"\t" if tabs else b"") or (end.text or b"").rstrip(b"\n") != wanted or b"\n" not in after:
        return False
    return not _ended(lines, wanted, tabs=tabs, joins=not quoted(node))


def _ended(lines: list[bytes], wanted: bytes, *, tabs: bool, joins: bool) -> bool:
    """Whether a line of the body is its end already, or joins the line that should be."""
    begun = b""
    for line in lines:
        whole = begun + (line.lstrip(b"\t") if tabs else line)
        if joins and (len(whole) - len(whole.rstrip(b"\\"))) % 2:
            begun = whole[:-1]
            continue
        if whole == wanted:
            return True
        begun = b""
    return bool(begun)


def _start(redirect: "Node") -> bytes:
    start = child_of(redirect, "heredoc_start")
    return (start.text or b"") if start is not None else b""
