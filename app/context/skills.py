"""Skills in the Agent Skills format (https://agentskills.io/specification): a folder with a `SKILL.md`.

The prompt holds names and descriptions; the `skill` tool loads a body when it is wanted.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from app.context.instructions import plain
from app.context.source import Folder, Item, Source
from app.domain.base import Model
from app.domain.context import Origin, SkillRef

PLACES = (".agents/skills", ".claude/skills")
FILE = "SKILL.md"
LARGEST = 256 * 1024
"""Bytes of a file of a skill that is given to a model; the tool's result is cut further."""
MOST = 100
"""Skills that a prompt lists."""
_HEAD = 8 * 1024
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Front(Model):
    """The front matter of a `SKILL.md`."""

    name: str = Field(min_length=1, max_length=64)
    description: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(min_length=1, max_length=1024)
    compatibility: str = Field(default="", max_length=500)


@dataclass(frozen=True)
class Skill:
    """A usable skill: its folder (as `SkillRef` has it) and its files by their path in that folder."""

    front: Front
    origin: Origin
    folder: str
    files: dict[str, Item]

    @property
    def ref(self) -> SkillRef:
        """As it is offered."""
        words = " ".join(plain(self.front.description).split())
        return SkillRef(name=self.front.name, description=words, origin=self.origin, folder=self.folder)

    @property
    def starts(self) -> bool:
        """Whether it holds more than text: something that could be run."""
        return any(item.kind != "file" or not path.lower().endswith(".md") for path, item in self.files.items())


def found(source: Source, config_dir: Path, *, trusted: Callable[[], bool]) -> tuple[list[Skill], list[str]]:
    """All usable skills, a person's own first (the first of a name wins), and a sentence for each other one.

    `trusted`: whether the repository's files that can start something are trusted; asked where it matters.
    """
    own, notes = in_places(Folder(config_dir), ("skills",), "user")
    theirs, more = in_places(source, PLACES, "project")
    usable = [skill for skill in theirs if not skill.starts or trusted()]
    named: dict[str, Skill] = {}
    for skill in (*own, *usable):
        named.setdefault(skill.front.name, skill)
    return list(named.values())[:MOST], [*notes, *more]


def in_places(source: Source, places: Iterable[str], origin: Origin) -> tuple[list[Skill], list[str]]:
    """The usable skills below `places`, in their order, and a sentence for each that is not usable."""
    skills: list[Skill] = []
    notes: list[str] = []
    for place in places:
        for name, files in sorted(_folders(source.items([place]), place).items()):
            folder = f"{place}/{name}"
            shown = folder if origin == "project" else f"~/.config/codetether-agent/{folder}"
            try:
                skills.append(Skill(front_of(files, name), origin, folder, files))
            except ValueError as error:
                notes.append(f"skill `{shown}` was left out: {error}")
    return skills, notes


def front_of(files: dict[str, Item], folder: str) -> Front:
    """The checked front matter. Raises `ValueError` with the sentence that says what is wrong."""
    item = files.get(FILE)
    if item is None or item.kind not in ("file", "program"):
        raise ValueError(f"it has no file `{FILE}`")
    if item.size > LARGEST:
        raise ValueError(f"its `{FILE}` has {item.size:,} bytes, more than {LARGEST:,}")
    head, _ = split(item.read())
    if head is None:
        raise ValueError(f"its `{FILE}` does not begin with front matter between `---` lines")
    try:
        front = Front.model_validate(_yaml(head))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "front matter"
        raise ValueError(f"`{field}` in its front matter is not usable: {first['msg']}") from None
    if not _NAME.fullmatch(front.name):
        raise ValueError("`name` in its front matter may hold lower-case letters, digits and single hyphens only")
    if front.name != folder:
        raise ValueError(f"`name` in its front matter must be the name of its folder, `{folder}`")
    return front


def split(content: bytes) -> tuple[str | None, str]:
    """Front matter (None: there is none) and body of a `SKILL.md`."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    match = re.match(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return (match[1], text[match.end() :]) if match else (None, text)


def _yaml(head: str) -> Any:
    import yaml  # only where there is a skill

    if len(head) > _HEAD:
        raise ValueError(f"its front matter has more than {_HEAD:,} characters")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(head)):
            raise ValueError("its front matter uses YAML aliases, which are not read")
        return yaml.safe_load(head)
    except (yaml.YAMLError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise ValueError(f"its front matter is no valid YAML ({words})") from None


def _folders(items: dict[str, Item], place: str) -> dict[str, dict[str, Item]]:
    """Files by skill folder; hidden folders are not looked at."""
    folders: dict[str, dict[str, Item]] = {}
    for path, item in items.items():
        name, _, file = path.removeprefix(f"{place}/").partition("/")
        if file and not name.startswith("."):
            folders.setdefault(name, {})[file] = item
    return folders


def listing(skills: Iterable[SkillRef]) -> str:
    """What the system prompt says of skills; empty when there are none."""
    lines = [f"- {skill.name} ({skill.origin}): {skill.description}" for skill in skills]
    if not lines:
        return ""
    return "# Skills\nWritten instructions for special tasks. Load one with `skill` before such a task.\n" + "\n".join(
        lines
    )
