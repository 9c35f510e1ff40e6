"""The program behind a wrapper: what `timeout 5 sudo sh -c '...'` would really run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

from app.tools.gate.options import is_one, of_shell, taken
from app.tools.gate.shell import Part
from app.tools.gate.words import Word
from app.tools.gate.wrappers import GIT_RUNS, HARMLESS_GIT, OPAQUE, RENAMES, SHELLS, WRAPPERS, XARGS, Wrapper

_DEEP = 16
"""Wrappers around wrappers that are taken off."""


@dataclass
class Found:
    """What a command comes down to: parts, scripts that must be read in turn, and doubts."""

    parts: list[Part] = field(default_factory=list[Part])
    scripts: list[str] = field(default_factory=list[str])
    doubts: list[str] = field(default_factory=list[str])


def unwrapped(words: tuple[Word, ...], before: tuple[str, ...] = (), *, given: str | None = None) -> Found:
    """The parts behind a command's words. `given`: what it reads on its input, None where that is unknown."""
    found = Found()
    _take(found, Part(words, before), given, 0)
    return found


def name_of(word: Word) -> str:
    """The program's name without its folder."""
    return word.text.rpartition("/")[2]


def _take(found: Found, part: Part, given: str | None, depth: int) -> None:
    if not part.words:
        return
    first = part.words[0]
    if not first.literal or depth > _DEEP:
        found.parts.append(part)
        found.doubts.append(f"nobody knows which program `{first.text[:80]}` is before it runs")
        return
    name = name_of(first)
    if name in WRAPPERS:
        _wrapper(found, part, WRAPPERS[name], name, given, depth)
    elif name == "xargs":
        _xargs(found, part, depth)
    elif name == "find":
        _find(found, part, depth)
    elif name in SHELLS:
        _shell(found, part, given)
    elif name in ("eval", "trap", "watch"):
        _words_as_script(found, part, name)
    else:
        found.parts.append(part)
        _odd(found, part, name)


def _odd(found: Found, part: Part, name: str) -> None:
    if name in OPAQUE:
        found.doubts.append(f"`{name}` runs another program in a way that is not read")
    elif name in RENAMES and len(part.words) > 1:
        found.doubts.append(f"`{name}` changes what later words mean")
    elif name in ("source", ".") and not all(word.literal for word in part.words[1:2]):
        found.doubts.append(f"nobody knows what `{name}` reads before it runs")
    elif name == "git":
        found.doubts.extend(_git(part.words[1:]))


def _git(words: Sequence[Word]) -> list[str]:
    """Settings on git's command line that make it run other programs."""
    doubts: list[str] = []
    for word, following in zip_longest(words, words[1:], fillvalue=Word("")):
        if not word.text.startswith("-"):
            if word.text not in _values(words):
                break
            continue
        if word.text == "-c" and not following.text.lower().startswith(HARMLESS_GIT):
            doubts.append(f"`git -c {following.text[:80]}` may run another program")
        if word.text.startswith(("--exec-path=", "--config-env")) or not word.literal:
            doubts.append(f"`git {word.text[:80]}` may run another program")
    command, *rest = [word.text for word in without_options((Word("git"), *words))[1:]] or [""]
    if command in GIT_RUNS and any(text.startswith(GIT_RUNS[command]) for text in rest):
        doubts.append(f"`git {command}` runs another program in a way that is not read")
    return doubts


def _values(words: Sequence[Word]) -> list[str]:
    return [following.text for word, following in pairwise(words) if word.text in _GIT_VALUED]


_GIT_VALUED = ("-c", "-C", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env", "--attr-source")


def without_options(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words of `git` without the options before its command: `git -C x push` is a `git push`."""
    at = 1
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in _GIT_VALUED else 1
    return (*words[:1], *words[at:])


def _wrapper(found: Found, part: Part, how: Wrapper, name: str, given: str | None, depth: int) -> None:
    if how.seen:
        found.parts.append(part)
    words, at, options = part.words, 1, True
    before = list(part.before)
    while at < len(words):
        text = words[at].text
        if how.assigns and "=" in text and not (options and text.startswith("-")) and is_one(words[at]):
            before.append(text)
            at += 1
        elif not options or not text.startswith("-") or (text == "-" and name != "env"):
            break
        elif text == "--":
            options = False
            at += 1
        elif name == "env" and (text.startswith("--s") or ("S" in text and not text.startswith("--"))):
            return _split_string(found, words, at, before)
        elif name == "command" and text in ("-v", "-V"):
            found.parts.append(part)
            return None
        elif count := taken(words, at, how.valued):
            at += count
        else:
            return _unknown(found, part, name)
    inner = words[at + how.positional :]
    if not all(is_one(word) for word in words[at : at + how.positional]) or (part.open and not inner):
        return _unknown(found, part, name)
    if not inner:
        if not how.seen:
            found.parts.append(part)
        return None
    _take(found, Part(inner, tuple(before), part.open), given, depth + 1)
    return None


def _unknown(found: Found, part: Part, name: str) -> None:
    if part not in found.parts:
        found.parts.append(part)
    found.doubts.append(f"nobody knows which program `{name}` starts before it runs")


def _split_string(found: Found, words: Sequence[Word], at: int, before: Sequence[str]) -> None:
    """`env -S "..."` splits a string into words; the rest of the words follows them."""
    text = words[at].text
    joined = text.removeprefix("--split-string=").removeprefix("-vS").removeprefix("-S")
    rest = words[at + 1 :]
    if text in ("-S", "--split-string", "-vS"):
        joined, rest = (rest[0].text, rest[1:]) if rest else ("", rest)
    plain = text.startswith(("-S", "-vS")) or text.partition("=")[0] == "--split-string"
    if not all(word.literal for word in (words[at], *rest)) or "\\" in joined or "$" in joined or before or not plain:
        found.doubts.append("nobody knows what `env -S` runs before it runs")
        return
    import shlex

    found.scripts.append(" ".join((f"env {joined}", *(shlex.quote(word.text) for word in rest))))


def _xargs(found: Found, part: Part, depth: int) -> None:
    words, at, place = part.words, 1, ""
    while at < len(words) and words[at].text.startswith("-"):
        text = words[at].text
        if text == "--":
            at += 1
            break
        count = taken(words, at, XARGS, optional="iel")
        if not count:
            return _unknown(found, part, "xargs")
        place = _placeholder(text, words[at + 1].text if count == 2 and at + 1 < len(words) else "") or place
        at += count
    inner = _placed(words[at:], place)
    if not inner:
        return _unknown(found, part, "xargs") if part.open else found.parts.append(part)
    if name_of(inner[0]) in SHELLS and len(inner) < 3:
        found.parts.append(part)
        found.doubts.append("`xargs` hands a shell what another program writes")
        return None
    return _take(found, Part(inner, part.before, open=True), None, depth + 1)


def _placeholder(option: str, value: str) -> str:
    """What `xargs` replaces in the words of its command, where this option is about it."""
    if option.startswith("--"):
        return (option.partition("=")[2] or "{}") if option.startswith("--r") else ""
    letters, sign, rest = option[1:].partition("I")
    if sign and not set(letters) & set("adELnPsiel"):
        return rest or value
    letters, sign, rest = option[1:].partition("i")
    return rest or "{}" if sign and not set(letters) & set("adELnPsIel") else ""


def _placed(words: Sequence[Word], place: str) -> tuple[Word, ...]:
    """Words that hold a placeholder are not known before they are filled in."""
    return tuple(Word(word.text, word.literal and not (place and place in word.text)) for word in words)


def _find(found: Found, part: Part, depth: int) -> None:
    if part.open:
        return _unknown(found, part, "find")
    found.parts.append(part)
    words = part.words
    at = 1
    while at < len(words):
        if words[at].text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((n for n in range(at + 1, len(words)) if _ends(words, n)), len(words))
            _take(found, Part(_placed(words[at + 1 : end], "{}"), part.before), None, depth + 1)
            at = end
        at += 1
    return None


def _ends(words: Sequence[Word], at: int) -> bool:
    return words[at].text == ";" or (words[at].text == "+" and words[at - 1].text == "{}")


def _shell(found: Found, part: Part, given: str | None) -> None:
    """`sh -c SCRIPT` is its script; `sh FILE` a part; `sh` alone what it is given."""
    options = of_shell(part.words[1:])
    if options.file:
        found.parts.append(part)
        found.doubts.append(f"`{options.file}` has a shell read a file first")
    elif not options.known or (options.command and options.stdin):  # dash runs both
        _script(found, part, None)
    elif options.command:
        _script(found, part, options.rest[0] if options.rest else None)
    elif options.rest and not options.stdin:
        found.parts.append(part)
        if not options.rest[0].literal:
            found.doubts.append(f"nobody knows which script `{part.text[:80]}` is before it runs")
    elif given is not None:
        _script(found, part, Word(given))
    elif not any(word.text in ("--version", "--help") for word in part.words):
        found.parts.append(part)
        found.doubts.append(f"`{name_of(part.words[0])}` runs what another program writes")


def _script(found: Found, part: Part, script: Word | None) -> None:
    if script is None or not script.literal:
        found.parts.append(part)
        found.doubts.append(f"nobody knows what `{part.text[:80]}` runs before it runs")
        return
    if part.before:
        found.parts.append(Part(part.words, part.before))
    found.scripts.append(script.text)


def _words_as_script(found: Found, part: Part, name: str) -> None:
    """`eval`, `watch` and `trap` have a shell read their words once more."""
    words = [word for word in part.words[1:] if word.text != "--"]
    if name == "watch":
        while words and words[0].text.startswith("-"):
            words = words[2:] if words[0].text in ("-n", "--interval") else words[1:]
    if name == "trap":
        if not words or words[0].text.startswith("-") or len(words) < 2:
            return
        words = words[:1]
    if not all(word.literal for word in words):
        found.parts.append(part)
        found.doubts.append(f"nobody knows what `{name}` runs before it runs")
        return
    if part.before:
        found.parts.append(part)
    found.scripts.append(" ".join(word.text for word in words))
