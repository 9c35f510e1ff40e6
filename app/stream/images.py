"""Images that a model was shown: files named by their SHA-256 beside a session's results; records hold references."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.base import Model
from app.stream.files import create_file, make_folder, safe_name, session_folder, told_plainly

LEFT_OUT = " (the image itself is not shown any more; call `image` again to see it)"


class StoredImage(Model):
    """A reference. `session`: in whose folder the bytes lie, also after a fork; `size` in bytes, the rest in pixels."""

    session: str
    digest: str
    media_type: str
    width: int
    height: int
    size: int

    @property
    def line(self) -> str:
        """What stands for it in a text: `[image png 640x480, 12 kB]`."""
        kind = self.media_type.removeprefix("image/")
        return f"[image {kind} {self.width}x{self.height}, {max(1, round(self.size / 1000))} kB]"

    @property
    def weight(self) -> int:
        """About how long it is for a model, in characters: 750 pixels are a token (Anthropic), 1,600 tokens at most."""
        return 4 * max(85, min(1600, self.width * self.height // 750))


def store_image(
    data: Path, session_id: str, content: bytes, *, media_type: str, width: int, height: int
) -> StoredImage:
    """Puts the bytes on the disk, unless they are there, and returns what refers to them."""
    digest = sha256(content).hexdigest()
    file = _file(data, session_id, digest)
    with told_plainly(file):
        make_folder(file.parent, below=data)
        create_file(file, content)
    return StoredImage(
        session=session_id, digest=digest, media_type=media_type, width=width, height=height, size=len(content)
    )


def load_image(data: Path, image: StoredImage) -> bytes | None:
    """The bytes; None where they were removed or are others."""
    try:
        content = _file(data, image.session, image.digest).read_bytes()
    except FileNotFoundError:
        return None
    return content if sha256(content).hexdigest() == image.digest else None


def images_in(body: dict[str, Any]) -> list[StoredImage]:
    """What a record's body, or a stored result, refers to."""
    return [StoredImage.model_validate(image) for image in body.get("images", ())]


def weight_of(body: dict[str, Any]) -> int:
    """About how long the images of a record are, in characters."""
    return sum(image.weight for image in images_in(body)) if "images" in body else 0


def _file(data: Path, session_id: str, digest: str) -> Path:
    return session_folder(data, session_id) / "images" / safe_name(digest)
