"""Instruction files (https://agents.md): `AGENTS.md`, else `CLAUDE.md`, else `GEMINI.md`, in each folder.

The nearest one counts most. They are text of the repository, marked as such: they allow nothing.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import PurePosixPath

from app.context.source import Item, Source
from app.domain.context import Loaded

NAMES = ("AGENTS.md", "CLAUDE.md", "GEMINI.md")
CAP = 32 * 1024
"""Bytes of instruction files in one prompt, the farthest cut first."""
LATER = 8 * 1024
"""Bytes that one turn adds, for folders that the agent came to."""
LARGEST = 1024 * 1024
"""Bytes: a larger file is no instruction, and is not read at all."""


def folders_to(folder: str) -> list[str]:
    """The top (`.`) and every folder on the way down to `folder`, which lies in the repository."""
    path = PurePosixPath(folder)
    return [str(each) for each in (*reversed(path.parents), path)] if str(path) != "." else ["."]


def load(source: Source, folders: Sequence[str], cap: int = CAP) -> tuple[str, tuple[Loaded, ...], tuple[str, ...]]:
    """The marked text of the instruction files of `folders` (far to near), what was loaded, and what was not."""
    items = source.items(_join(folder, name) for folder in folders for name in NAMES)
    parts: list[str] = []
    loaded: list[Loaded] = []
    notes: list[str] = []
    room = cap
    for folder in reversed(folders):  # the nearest is the last to be cut
        item, why = _of(folder, items)
        notes += [why] if why else []
        if item is None:
            continue
        text = plain(item.read().decode("utf-8", "replace"))
        kept = text.encode()[: max(room, 0)].decode(errors="ignore")
        room -= len(kept.encode())
        left = len(text.encode()) - len(kept.encode())
        loaded.insert(0, Loaded(path=item.path, size=item.size, left_out=left))
        if left:
            notes.append(f"`{item.path}` was cut: {left:,} of its {len(text.encode()):,} bytes were left out")
        parts.insert(0, marked(item.path, kept, left))
    return "\n\n".join(parts), tuple(loaded), tuple(notes)


def marked(path: str, text: str, left_out: int = 0) -> str:
    """Text of the repository between marks that the text itself cannot hold: their name is its digest."""
    mark = sha256(text.encode()).hexdigest()[:12]
    cut = f"\n[{left_out} more bytes of this file were left out]" if left_out else ""
    return f"<repository-file-{mark} path={path!r}>\n{text.strip()}{cut}\n</repository-file-{mark}>"


def plain(text: str) -> str:
    """The text without control and invisible characters: what a person cannot see does not speak to a model."""
    return "".join(
        sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Co", "Cs")
    )


def _of(folder: str, items: dict[str, Item]) -> tuple[Item | None, str]:
    for name in NAMES:
        item = items.get(_join(folder, name))
        if item is None:
            continue
        if item.kind == "link":
            item = _led(folder, item, items)
            if item is None:
                return None, f"`{_join(folder, name)}` is a link that leads to no instruction file beside it: left out"
        if item.size > LARGEST:
            return None, f"`{item.path}` has {item.size:,} bytes, which is no instruction file: left out"
        return item, ""
    return None, ""


def _led(folder: str, link: Item, items: dict[str, Item]) -> Item | None:
    """Where a link leads, if that is another instruction file of its own folder."""
    target = items.get(_join(folder, link.read().decode("utf-8", "replace").removeprefix("./")))
    return target if target is not None and target.kind in ("file", "program") else None


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def unread(folders: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those of `folders` none of whose instruction files is among the `known` paths."""
    seen = {str(PurePosixPath(path).parent) for path in known}
    return [folder for folder in dict.fromkeys(folders) if folder not in seen]
