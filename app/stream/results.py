"""Tool results: one file a step, created exclusively, so that parallel tools never race for an offset."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.domain.base import Model
from app.domain.tool import ToolResult
from app.stream.files import create_file, make_folder, safe_name, session_folder, told_plainly
from app.stream.images import StoredImage


class StoredResult(Model):
    """What a tool left: the text that the model reads, and what lists show of it. `seconds`: it ran for.

    `seen`: SHA-256 of the files that the model knows from it, by their path in the worktree.
    `images`: what it is shown beside the text.
    """

    status: Literal["ok", "error", "denied", "cut_off"]
    text: str
    preview: str = ""
    fingerprint: str = ""
    seconds: float = 0.0
    seen: dict[str, str] = Field(default_factory=dict)
    images: tuple[StoredImage, ...] = ()

    @property
    def size(self) -> int:
        """How much a model is shown, in bytes of text; an image counts as many as its tokens are."""
        return len(self.text.encode()) + sum(image.weight for image in self.images)

    def told(self, step_id: str) -> ToolResult:
        """What the workflow is told of it."""
        return ToolResult(
            id=step_id.rpartition(":")[2],
            status=self.status,
            preview=self.preview,
            size=self.size,
            fingerprint=self.fingerprint,
            seconds=self.seconds,
        )


_KEPT = 128
_kept: dict[str, StoredResult] = {}
"""What this process wrote last: the next turn, and edits, read it. A result never changes."""


def write_result(data: Path, session_id: str, step_id: str, result: StoredResult) -> StoredResult:
    """Records `result` unless one is recorded: returns the one that counts, once it is on the disk."""
    file = _file(data, session_id, step_id)
    with told_plainly(file):
        make_folder(_folder(data, session_id), below=data)
        created = create_file(file, result.model_dump_json().encode())
    if not created:
        return StoredResult.model_validate_json(Path(file).read_bytes())
    if len(_kept) >= _KEPT:
        _kept.clear()
    _kept[file] = result
    return result


def read_result(data: Path, session_id: str, step_id: str) -> StoredResult | None:
    """The recorded result of a step, or None."""
    file = _file(data, session_id, step_id)
    if (known := _kept.get(file)) is not None:
        return known
    try:
        with open(file, "rb") as opened:  # noqa: PTH123 - most often to find that there is none yet
            return StoredResult.model_validate_json(opened.read())
    except FileNotFoundError:
        return None


def _file(data: Path, session_id: str, step_id: str) -> str:
    return f"{_folder(data, session_id)}/{safe_name(step_id)}"


@lru_cache(1024)
def _folder(data: Path, session_id: str) -> Path:
    return session_folder(data, session_id) / "results"
