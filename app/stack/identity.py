"""Who this data folder is, and which code is installed."""

import uuid
from functools import cache
from hashlib import sha256
from pathlib import Path

from app.stream.files import create_file, make_folder, told_plainly

_ROOT = Path(__file__).parents[2]


def data_id(data: Path) -> str:
    """The uuid of the data folder, made with the folder (0700) when it is first asked for."""
    file = data / "id"
    if not file.exists():
        with told_plainly(data):
            make_folder(data, below=data.parent)
            create_file(file, f"{uuid.uuid4()}\n".encode())
    return file.read_text(encoding="ascii").strip()


@cache
def build_id() -> str:
    """A digest (12 hex digits) of our installed source: a worker with another one is older or newer."""
    own = sha256()
    files = [_ROOT / "worker.py", *(file for name in ("app", "workflows", "activities") for file in _sources(name))]
    for file in files:
        own.update(str(file.relative_to(_ROOT)).encode() + b"\0" + file.read_bytes())
    return own.hexdigest()[:12]


def _sources(name: str) -> list[Path]:
    return sorted(file for file in (_ROOT / name).rglob("*") if file.suffix in (".py", ".md"))
