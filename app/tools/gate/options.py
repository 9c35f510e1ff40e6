"""The options in front of what a program runs: how many words they take, as getopt and bash read them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.tools.gate.words import Word

_IN_QUOTES = re.compile(r'"[^"@]*"')
_SPLITS = re.compile(r"[$`*?\[{]")


def taken(words: Sequence[Word], at: int, valued: Sequence[str], optional: str = "") -> int:
    """The words of the option at `at`: itself, or itself and its value; 0 where nobody knows.

    `valued`: options with a value; `optional`: letters whose value, if they have one, is the rest of their word.
    """
    word = words[at]
    if not word.literal:
        return 0
    count = _of_name(word.text, valued) if word.text.startswith("--") else _of_letters(word.text, valued, optional)
    return count if count < 2 or at + 1 >= len(words) or is_one(words[at + 1]) else 0


def _of_name(text: str, valued: Sequence[str]) -> int:
    name, equals, _ = text.partition("=")
    if name in valued:
        return 1 if equals else 2
    return 0 if any(each.startswith(name) for each in valued) else 1  # GNU takes `--sig` for `--signal`


def _of_letters(text: str, valued: Sequence[str], optional: str) -> int:
    for place, letter in enumerate(text[1:], 2):
        if f"-{letter}" in valued:
            return 1 if place < len(text) else 2
        if letter in optional:
            return 1
    return 1


def is_one(word: Word) -> bool:
    """Whether bash makes exactly one word of it: without quotes, `$X` may be none or several."""
    return word.literal or not _SPLITS.search(_IN_QUOTES.sub("", word.text))


@dataclass(frozen=True)
class ShellOptions:
    """What a shell's options say. `rest`: the words behind them; `file`: an option that has it read a file first."""

    rest: tuple[Word, ...] = ()
    command: bool = False
    """`-c`: the first word of the rest is a script."""
    stdin: bool = False
    """`-s`: it reads its input, whatever the rest is."""
    file: str = ""
    known: bool = True


def of_shell(words: Sequence[Word]) -> ShellOptions:
    """The options of `sh` and its like; `words` without the program."""
    at, letters = 0, ""
    while at < len(words) and words[at].text[:1] in ("-", "+"):
        text = words[at].text
        if not words[at].literal:
            return ShellOptions(known=False)
        at += 1
        if text in ("-", "--"):
            break
        if text in ("--rcfile", "--init-file"):
            return ShellOptions(file=text)
        if not text.startswith("--"):
            letters += text[1:]
            values = sum(letter in "oO" for letter in text)
            if not all(is_one(word) for word in words[at : at + values]):
                return ShellOptions(known=False)
            at += values
    return ShellOptions(tuple(words[at:]), command="c" in letters, stdin="s" in letters)
