"""`image`: shows the model a picture, of the worktree or of an https address."""

import asyncio
import io
from typing import NamedTuple

from pydantic import AliasChoices, Field

from app.stream.images import StoredImage, store_image
from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip
from app.tools.beneath import open_file
from app.tools.paths import resolve
from app.tools.text import missing

MOST = 3_750_000
"""Bytes: Bedrock's limit, and Anthropic's 5 MB once it is base64."""
SIDE = 8000
"""Pixels: the limit of Anthropic and Bedrock."""
TYPES = ("PNG", "JPEG", "GIF", "WEBP")
"""What OpenAI, Anthropic, Gemini and Bedrock all take."""
_SMALLER = "make a smaller copy with a command in `bash` and look at that"


class Image(Arguments):
    """Arguments of `image`."""

    path: str = Field(
        min_length=1,
        max_length=4000,
        validation_alias=AliasChoices("path", "url", "file_path", "filePath"),
        description="A file in the repository, or an https URL",
    )

    @property
    def url(self) -> str:
        """The address, if it is one: the gate asks for it as for the network."""
        return self.path if self.path.lower().startswith(("https://", "http://")) else ""


class Looked(NamedTuple):
    """What an image's bytes say of themselves."""

    media_type: str
    width: int
    height: int


async def _image(args: Image, ctx: ToolContext) -> Output:
    if ctx.blind:
        raise ToolError(
            f"model `{ctx.blind}` is not known to see images; go on without it and say so. A person can choose "
            "one that does (`ctl models` shows `vision`), or name this one under `vision` in `config.toml`"
        )
    if args.url:
        if not ctx.allowed:
            raise ToolError(f"nobody allowed to fetch `{clip(args.url, 200)}`; go on without it")
        from app.tools.fetch import fetched

        content = await fetched(args.url, MOST)
    else:
        content = await asyncio.to_thread(_read, args.path, ctx)
    return await asyncio.to_thread(_kept, args.path, content, ctx)


def _read(path: str, ctx: ToolContext) -> bytes:
    real = resolve(ctx, path)
    if not real.exists():
        raise ToolError(missing(ctx, real, path))
    if not real.is_file():
        raise ToolError(f"`{path}` is not a regular file; name an image")
    with open(open_file(ctx, real), "rb") as file:  # noqa: PTH123 - a descriptor
        return file.read(MOST + 1)


def _kept(path: str, content: bytes, ctx: ToolContext) -> Output:
    looked = look(content, clip(path, 200))
    image: StoredImage = store_image(ctx.data, ctx.session_id, content, **looked._asdict())
    return Output("ok", f"{image.line} {path}", clip(f"{path} {image.line}"), images=(image,))


def look(content: bytes, name: str) -> Looked:
    """Type and size in pixels, by decoding it. Raises `ToolError` for what no provider would take."""
    from PIL import Image as Pillow

    if len(content) > MOST:
        raise ToolError(f"`{name}` is larger than {MOST / 1e6:.2f} MB, the most that providers take; {_SMALLER}")
    kinds = "png, jpeg, gif or webp"
    if b"<svg" in content[:4096].lower():
        raise ToolError(f"`{name}` is an SVG, which is text: `read` it, or turn it into a png with a command in `bash`")
    try:
        found = Pillow.open(io.BytesIO(content), formats=TYPES)
    except Pillow.DecompressionBombError:
        raise ToolError(f"`{name}` has far more pixels than its size tells; {SIDE} a side are the most") from None
    except Exception:  # whatever a file that only pretends makes a decoder say
        raise ToolError(f"`{name}` is no image that models take ({kinds}), whatever its name says") from None
    with found:
        width, height = found.size
        if width > SIDE or height > SIDE:
            raise ToolError(f"`{name}` has {width}x{height} pixels; {SIDE} a side are the most: {_SMALLER}")
        if found.format != "MPO" and getattr(found, "is_animated", False):
            raise ToolError(f"`{name}` is animated, which models do not see; take one picture of it by `bash`")
        try:
            found.load()
        except Exception:
            raise ToolError(f"`{name}` is damaged or cut off: it cannot be decoded as {found.format}") from None
        kind = "jpeg" if found.format == "MPO" else str(found.format).lower()  # a camera's JPEG, with more behind it
        return Looked(f"image/{kind}", width, height)


IMAGE = Tool(
    name="image",
    description="Shows you an image (png, jpeg, gif, webp): a screenshot, a diagram, a mock-up.",
    arguments=Image,
    effect="read",
    run=_image,
    preview=lambda args: clip(args.path),
    paths=lambda args: () if args.url else (args.path,),
    agents=EVERYBODY,
)
