"""What of a repository can start something, and whether a person trusted exactly that, by its content.

Trust is given for one repository and one SHA-256 over all such files: a changed byte, a new file or a
changed permission makes them untrusted again. Nothing but `ctl trust add` gives it.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from app.context import hooks, skills
from app.context.source import Item, Source
from app.domain.base import Model
from app.errors import UserError
from app.stream.files import make_folder, replace_file
from app.telemetry.clock import now

PLACES = (*hooks.FILES, ".claude/hooks", ".codetether", ".mcp.json")
LARGEST = 16 * 1024 * 1024
"""Bytes: a repository with a larger file among these is not trusted at all."""


class Trusted(Model):
    """One repository's set of files as a person trusted it. `files`: SHA-256 by path."""

    root: str
    digest: str
    files: dict[str, str]
    at: str = ""


class Standing(Model):
    """Whether what can start something may. `none`: there is nothing of the kind."""

    state: Literal["none", "trusted", "untrusted", "changed"]
    digest: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    changed: tuple[str, ...] = ()
    """Paths that differ from what was trusted last."""

    @property
    def usable(self) -> bool:
        """Whether the files may be used."""
        return self.state == "trusted"


def starters(source: Source) -> dict[str, Item]:
    """The files that can start something: hooks and what they name, MCP servers, settings, skills with scripts."""
    found = source.items(PLACES)
    for skill in skills.in_places(source, skills.PLACES, "project")[0]:
        if skill.starts:
            found |= {item.path: item for item in skill.files.values()}
    named = {word for file in hooks.FILES for word in hooks.paths_in(found.get(file))}
    return found | source.items(named)


def standing(data: Path, root: str, source: Source) -> Standing:
    """Whether a person trusted the files of `root` as they are in `source`."""
    items = starters(source)
    if not items:
        return Standing(state="none")
    files = {path: _digest(item) for path, item in sorted(items.items())}
    whole = digest_of(files)
    known = [entry for entry in everything(data) if entry.root == root]
    if any(entry.digest == whole for entry in known):
        return Standing(state="trusted", digest=whole, files=files)
    if not known:
        return Standing(state="untrusted", digest=whole, files=files)
    last = max(known, key=lambda entry: entry.at).files
    changed = tuple(sorted(path for path in {*files, *last} if files.get(path) != last.get(path)))
    return Standing(state="changed", digest=whole, files=files, changed=changed)


def sentence(found: Standing, root: str) -> str:
    """What a person is told of files that are not used; empty when there is nothing to say."""
    if found.state in ("none", "trusted"):
        return ""
    names = found.changed if found.state == "changed" else tuple(found.files)
    shown = ", ".join(f"`{name}`" for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    what = "changed since you trusted them" if found.state == "changed" else "can start programs, are not trusted"
    advice = f"`ctl trust show --repo {root}` shows them, `ctl trust add --repo {root}` trusts them"
    return f"{shown}: {what} and are not used; {advice}"


def add(data: Path, root: str, found: Standing) -> Trusted:
    """Trusts the files as they are in `found`. Raises `UserError` when one is too large to be looked at."""
    if large := [path for path, digest in found.files.items() if not digest]:
        raise UserError(f"`{large[0]}` is too large to be trusted; make it smaller than {LARGEST:,} bytes")
    entry = Trusted(root=root, digest=found.digest, files=found.files, at=now())
    make_folder(data / "trust", below=data)
    replace_file(_file(data, root, found.digest), entry.model_dump_json().encode())
    return entry


def remove(data: Path, root: str) -> int:
    """Forgets all trust in the files of `root`; how many sets there were."""
    entries = [entry for entry in everything(data) if entry.root == root]
    for entry in entries:
        _file(data, root, entry.digest).unlink(missing_ok=True)
    return len(entries)


def everything(data: Path) -> list[Trusted]:
    """All that is trusted, by repository. A file that cannot be read trusts nothing."""
    found: list[Trusted] = []
    for file in sorted((data / "trust").glob("*.json")):
        try:
            found.append(Trusted.model_validate_json(file.read_bytes()))
        except (OSError, ValidationError):
            continue
    return sorted(found, key=lambda entry: (entry.root, entry.at))


def digest_of(files: dict[str, str]) -> str:
    """SHA-256 over names and contents."""
    return sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def pinned(data: Path, items: Iterable[Item]) -> dict[str, Path]:
    """Copies of trusted files in the data folder, by path, so that a hook runs what was trusted."""
    copies: dict[str, Path] = {}
    for item in items:
        if item.kind not in ("file", "program"):
            continue
        content = item.read()
        copy = data / "trust" / "files" / sha256(content).hexdigest() / item.kind
        if not copy.is_file():
            make_folder(copy.parent, below=data)
            replace_file(copy, content)
        copy.chmod(0o500 if item.kind == "program" else 0o400)
        copies[item.path] = copy
    return copies


def _digest(item: Item) -> str:
    return "" if item.size > LARGEST else sha256(f"{item.kind}\0".encode() + item.read()).hexdigest()


def _file(data: Path, root: str, digest: str) -> Path:
    name = sha256("\0".join((root, digest)).encode()).hexdigest()
    return data / "trust" / f"{name[:32]}.json"
