"""Permission rules: `TOOL: PATTERN`, as `config.toml`, a person's `always` and `ctl permissions` write them.

TOOL is a tool's name, or a glob (`mcp_*`, `*`). PATTERN, by what the tool takes:

- a command: words with `*` globs, held against the words of each part; a last `*` stands for any number of words.
  `(network)` at the end: the rule is about calls that want the network. `*` alone is about whatever it runs.
- paths: a glob on the path below the repository (`src/*`: also deeper; `/etc/*`: outside of it).
- a URL, or else the arguments as JSON: a glob.

A rule that names a whole call word for word is about that call alone. Deny beats all; else the most specific wins.
"""

import shlex
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, cast

from app.domain.tool import Rule, RuleVerdict
from app.tools.gate.shell import Part
from app.tools.gate.unwrap import name_of, without_options
from app.tools.gate.words import Word

NETWORK = "(network)"
MOST = 8_000
"""Bytes of all rules of a run: they travel with every step."""


def parse(text: str, verdict: RuleVerdict, origin: str = "") -> Rule:
    """The rule in `TOOL: PATTERN`. Raises `ValueError` with a sentence."""
    tool, colon, pattern = (piece.strip() for piece in text.partition(":"))
    if not colon or not tool or not pattern or " " in tool:
        raise ValueError(f'`{text[:80]}` is no rule; write `TOOL: PATTERN`, such as "bash: pytest *"')
    if len(pattern) > 300 or len(tool) > 64:
        raise ValueError(f"`{text[:80]}…` is too long for a rule; 300 characters are the most")
    if tool == "bash":
        try:
            shlex.split(pattern)
        except ValueError as error:
            raise ValueError(f"`{text[:80]}` has words that do not end ({error}); close the quotes") from None
    return Rule(tool=tool, pattern=pattern, verdict=verdict, origin=origin)


def from_table(table: Any, origin: str) -> tuple[Rule, ...]:
    """The rules of a table `{allow: [...], ask: [...], deny: [...]}`. Raises `ValueError` with a sentence."""
    if not isinstance(table, dict):
        raise ValueError("it is no table; write `[permissions]` on a line of its own")
    found: list[Rule] = []
    for verdict, texts in cast("dict[str, Any]", table).items():
        if verdict not in ("allow", "ask", "deny"):
            raise ValueError(f"`{verdict}` is unknown; the lists are `allow`, `ask` and `deny`")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in cast("list[Any]", texts)):
            raise ValueError(f'`{verdict}` is no list of texts; write `{verdict} = ["bash: pytest *"]`')
        found += [parse(text, verdict, origin) for text in cast("list[str]", texts)]
    return tuple(found)


def shown(rule: Rule) -> str:
    """The rule as it is written."""
    return f"{rule.tool}: {rule.pattern}"


def of_tool(rules: Iterable[Rule], tool: str) -> list[Rule]:
    """The rules about a tool."""
    return [rule for rule in rules if glob(tool, rule.tool)]


def strictest(rules: Sequence[Rule]) -> Rule | None:
    """The rule that decides: a deny, else the most specific; of equals the one that asks."""
    return max(rules, key=_rank, default=None)


def _rank(rule: Rule) -> tuple[bool, bool, int, int, bool]:
    pattern = rule.pattern
    plain = sum("*" not in word for word in pattern.split())
    return rule.verdict == "deny", "*" not in rule.tool, plain, len(pattern.replace("*", "")), rule.verdict == "ask"


def glob(text: str, pattern: str) -> bool:
    """Whether the text fits a pattern in which only `*` is special."""
    return fnmatchcase(text, _escaped(pattern))


@lru_cache(1024)
def _escaped(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


@lru_cache(1024)
def _words(pattern: str) -> tuple[tuple[str, ...], bool]:
    try:
        words = shlex.split(pattern)
    except ValueError:
        words = pattern.split()
    network = words[-1:] == [NETWORK]
    return tuple(words[:-1] if network else words), network


def allows(rule: Rule, part: Part, *, network: bool) -> bool:
    """Whether an allowing rule covers a part for sure: its assignments, all its words, and the network."""
    pattern, with_network = _words(rule.pattern)
    if network and not with_network:
        return False
    have = (*(Word(text) for text in part.before), *part.words)
    if part.open and pattern[-1:] != ("*",):
        return False
    return _fits(have, pattern, sure=True)


def touches(rule: Rule, part: Part, *, network: bool, sure: bool) -> bool:
    """Whether a denying or asking rule is about a part; not `sure`: whether it could be."""
    pattern, with_network = _words(rule.pattern)
    if (with_network and not network) or not pattern:
        return False
    shapes: list[tuple[Word, ...]] = [part.words]
    first = part.words[0]
    if first.literal and "/" in first.text and "/" not in pattern[0]:
        shapes = [(Word(name_of(first)), *part.words[1:])]
    if first.literal and name_of(first) == "git":
        shapes.append(without_options(shapes[0]))
    if "=" in pattern[0]:
        shapes.append((*(Word(text) for text in part.before), *part.words))
    return any(
        _fits(words, pattern, sure=sure) or (part.open and not sure and _begins(words, pattern)) for words in shapes
    )


def _begins(words: Sequence[Word], pattern: Sequence[str]) -> bool:
    return len(words) <= len(pattern) and _fits(words, pattern[: len(words)], sure=False)


def _fits(words: Sequence[Word], pattern: Sequence[str], *, sure: bool) -> bool:
    """`sure`: an unknown word fits only `*` and itself; else it may be anything, or several words."""
    rest = pattern[-1:] == ("*",)
    fixed = pattern[:-1] if rest else pattern
    for number, wanted in enumerate(fixed):
        if number >= len(words):
            return False
        word = words[number]
        if word.literal:
            if not glob(word.text, wanted):
                return False
        elif sure:
            if wanted not in ("*", word.text):
                return False
        elif number:
            return True  # what follows an unknown word may have moved
    return rest or len(words) == len(fixed) or (not sure and any(not word.literal for word in words))
