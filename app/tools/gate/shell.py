"""What a shell command would run: its parts, read with tree-sitter's grammar of bash, never by patterns.

A part is one program with its words, wherever it stands: behind `;`, `&&`, `|`, in `$(...)`, in a function or
in a script inside `sh -c`. Whatever cannot be known before the command runs is a *doubt*, and doubts are asked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from app.tools.gate.misread import misread, quoted
from app.tools.gate.words import Word, child_of, text_of, word_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LIMIT = 20_000
"""Bytes of a command that are read; a longer one is a doubt."""
DEPTH = 8
"""Scripts inside scripts (`sh -c`, `eval`) that are followed."""
_RESERVED = frozenset(
    (
        *("{", "}", "!", "then", "fi", "do", "done", "esac", "else", "elif", "in", ")", "(", ";;"),
        *("if", "while", "until", "for", "case", "select", "function"),
    )
)
_ASSIGNS = re.compile(r"[A-Za-z_]\w*(\[.*\])?\+?=")
_BLANKS = b" \t"


@dataclass(frozen=True)
class Part:
    """One program that would run. `open`: further words follow that nobody knows yet (`xargs`)."""

    words: tuple[Word, ...]
    before: tuple[str, ...] = ()
    """Assignments in front of it: they change what it does, so that a rule must name them."""
    open: bool = False

    @property
    def text(self) -> str:
        """The part in one line, as a person reads it."""
        return " ".join((*self.before, *(word.text for word in self.words)))


@dataclass(frozen=True)
class Redirect:
    """A file that the shell itself opens."""

    target: Word
    writes: bool


@dataclass
class Script:
    """What was found in a command. `doubts` are sentences; one is enough to ask."""

    parts: list[Part] = field(default_factory=list[Part])
    redirects: list[Redirect] = field(default_factory=list[Redirect])
    doubts: list[str] = field(default_factory=list[str])

    def doubt(self, sentence: str) -> None:
        """Notes a reason to ask, once."""
        if sentence not in self.doubts:
            self.doubts.append(sentence)


def read(command: str) -> Script:
    """The parts of a command. Never raises: what it cannot read is a doubt."""
    script = Script()
    _into(script, command, 0)
    return script


def _into(script: Script, command: str, depth: int) -> None:
    source = command.encode("utf-8", "surrogatepass")
    if depth > DEPTH:
        return script.doubt("scripts inside scripts go too deep to be read")
    if len(source) > LIMIT:
        return script.doubt("it is too long to be read")
    if b"\0" in source or b"\r" in source:
        return script.doubt("it holds a NUL byte or a carriage return")
    root = _parser().parse(source).root_node
    if root.has_error:
        return script.doubt("it cannot be read as a bash command")
    nodes = list(_nodes(root))
    if misread(nodes, source):
        return script.doubt("it cannot be read as a bash command")
    for node in nodes:
        _visit(script, node, source, depth)


@cache
def _parser() -> "Parser":
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _nodes(root: "Node") -> "Iterator[Node]":
    """All nodes, in order. No recursion: a model may nest deeper than Python's stack."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _visit(script: Script, node: "Node", source: bytes, depth: int) -> None:
    match node.type:
        case "command":
            _command(script, node, source, depth)
        case "declaration_command" | "unset_command":
            script.parts.append(Part(tuple(word_of(child) for child in node.children)))
        case "variable_assignment" if node.parent is not None and node.parent.type not in ("command",):
            _assignment(script, node)
        case "file_redirect":
            _redirect(script, node)
        case "expansion" if re.search(r"@\s*P\s*}$", text_of(node)):
            script.doubt(f"nobody knows what `{text_of(node)[:80]}` runs before it runs")
        case _:
            pass


def _assignment(script: Script, node: "Node") -> None:
    """`PATH=.` on its own changes which program a name means; inside `export` it is a word of that part."""
    name = text_of(node).partition("=")[0]
    inside = node.parent is not None and node.parent.type == "declaration_command"
    if not inside and (name in _STEERING or name.startswith(("LD_", "DYLD_", "GIT_", "PYTHON", "NODE_", "BASH_"))):
        script.parts.append(Part((Word(text_of(node)),)))


_STEERING = frozenset(("PATH", "IFS", "ENV", "CDPATH", "HOME", "SHELLOPTS", "PROMPT_COMMAND", "PS4", "PAGER", "EDITOR"))


def _redirect(script: Script, node: "Node") -> None:
    operator = next((child.type for child in node.children if not child.is_named), "")
    target = node.child_by_field_name("destination")
    if target is None or target.type == "process_substitution":
        return  # `>&-` closes; what is inside `>(...)` is a part of its own
    word = word_of(target)
    if operator in (">&", "<&") and word.literal and word.text.rstrip("-").isdigit():
        return
    writes = operator not in ("<", "<&")
    if writes and not word.literal:
        return script.doubt(f"nobody knows where `{word.text[:80]}` leads before it runs")
    script.redirects.append(Redirect(word, writes))


def _command(script: Script, node: "Node", source: bytes, depth: int) -> None:
    from app.tools.gate.unwrap import unwrapped

    if not _whole(node, source):
        return script.doubt("it cannot be read as a bash command")
    before = tuple(text_of(child) for child in node.children if child.type == "variable_assignment")
    words = [word_of(child) for child in node.children if _is_word(child)]
    words += _after_redirects(script, node, source)
    if not words:
        return None
    if words[0].text in _RESERVED or _ASSIGNS.match(words[0].text):
        return script.doubt("it cannot be read as a bash command")
    found = unwrapped(tuple(words), before, given=_given(node))
    script.parts.extend(found.parts)
    for sentence in found.doubts:
        script.doubt(sentence)
    for inner in found.scripts:
        _into(script, inner, depth + 1)
    return None


def _after_redirects(script: Script, node: "Node", source: bytes) -> list[Word]:
    """The words behind a redirection: `rm > log -rf x`. The grammar keeps them with the file."""
    parent = node.parent
    if parent is None or parent.type != "redirected_statement":
        return []
    words: list[Word] = []
    at = node.end_byte
    for child in parent.children[1:]:
        between = source[at : child.start_byte].replace(b"\\\n", b"").strip(_BLANKS)
        if between == b"-":
            words.append(Word("-"))
        elif between:
            script.doubt("it cannot be read as a bash command")
        if child.type == "file_redirect":
            words += [word_of(each) for each in child.children_by_field_name("destination")[1:]]
        if child.type == "heredoc_redirect":
            words += [word_of(each) for each in child.children if each.type in _WORDS]
        at = child.end_byte
    return words


_WORDS = frozenset(("word", "string", "raw_string", "concatenation", "number", "simple_expansion", "expansion"))


def _is_word(node: "Node") -> bool:
    return node.type not in (
        "variable_assignment",
        "herestring_redirect",
        "file_redirect",
        "comment",
        "heredoc_redirect",
    )


def _whole(node: "Node", source: bytes) -> bool:
    """Whether blanks and nothing else stand between the words: the grammar joins lines that bash keeps apart, and
    keeps apart what a backslash at the end of a line joins."""
    at = node.start_byte
    for number, child in enumerate(node.children):
        between = source[at : child.start_byte].replace(b"\\\n", b"")
        glued = not between and bool(number) and not child.type.endswith("_redirect")
        if child.type == "comment" or between.strip(_BLANKS) or glued:
            return False
        if child.type == "word" and (b"\n" in source[child.start_byte : child.end_byte].replace(b"\\\n", b"")):
            return False
        at = child.end_byte
    return True


def _given(node: "Node") -> str | None:
    """What the command reads on its input, where it is written there; None: unknown."""
    redirects = list(node.children)
    parent = node.parent
    if parent is not None and parent.type == "redirected_statement" and parent.child_by_field_name("body") == node:
        redirects += parent.children
    redirects += [inner for child in redirects if child.type == "heredoc_redirect" for inner in child.children]
    redirects = [child for child in redirects if child.type.endswith("_redirect") and _reads(child)]
    if len(redirects) != 1 or redirects[0].children[0].is_named:  # `3<<<`
        return None
    (redirect,) = redirects
    if redirect.type == "herestring_redirect":
        word = word_of(redirect.children[-1])
        return word.text if word.literal else None
    body = child_of(redirect, "heredoc_body")
    if body is None:
        return None
    changes = any(child.type not in ("heredoc_content",) for child in body.children) or "\\" in text_of(body)
    return text_of(body) if quoted(redirect) or not changes else None


def _reads(redirect: "Node") -> bool:
    return any(child.type.startswith("<") for child in redirect.children if not child.is_named)
