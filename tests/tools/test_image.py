"""`image`: what is shown, what is refused and with which words, and what the gate asks about."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.llm import blind
from app.llm.catalog import models
from app.stream.images import load_image
from app.tools.base import Output, ToolContext
from app.tools.execute import execute
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import Sandbox
from app.tools.registry import REGISTRY

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


def drawn(kind: str, size: tuple[int, int] = (64, 48), frames: int = 1) -> bytes:
    held = io.BytesIO()
    first, *more = (Image.new("RGB", size, (n * 9, 0, 99)) for n in range(frames))
    first.save(held, kind, save_all=frames > 1, append_images=more) if frames > 1 else first.save(held, kind)
    return held.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 by 60,000 pixels, as its head says."""
    head = b"IHDR" + struct.pack("!IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return drawn("PNG")[:8] + struct.pack("!I", 13) + head + struct.pack("!I", zlib.crc32(head)) + drawn("PNG")[33:]


async def call(ctx: ToolContext, path: str, tool: str = "image") -> Output:
    return await execute(tool, json.dumps({"path": path}), ctx)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_the_content_decides_and_not_the_name(ctx: ToolContext, worktree: Path, kind: str) -> None:
    content = drawn(kind)
    (worktree / "shot.txt").write_bytes(content)
    shown = await call(ctx, "shot.txt")
    (image,) = shown.images
    assert (image.media_type, image.width, image.height) == (f"image/{kind.lower()}", 64, 48)
    assert shown.text == f"[image {kind.lower()} 64x48, 1 kB] shot.txt" and load_image(ctx.data, image) == content
    assert (await call(ctx, "shot.txt")).images == (image,), "a second attempt finds the same"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"just words", "no image that models take"),
        (b"", "no image that models take"),
        (b"%PDF-1.7\n", "no image that models take"),
        (drawn("BMP"), "no image that models take"),
        (SVG, "SVG"),
        (drawn("PNG")[:-30], "damaged"),
        (drawn("JPEG", (400, 400))[:900], "damaged"),
        (drawn("GIF", frames=3), "animated"),
        (drawn("WEBP", frames=3), "animated"),
        (drawn("PNG", frames=3), "animated"),
        (drawn("PNG", (8001, 1)), "8001x1"),
        (bomb(), "far more pixels"),
        (drawn("PNG") + b"\0" * 3_750_000, "larger than 3.75 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_no_provider_takes_is_refused_in_a_sentence(
    ctx: ToolContext, worktree: Path, content: bytes, words: str
) -> None:
    (worktree / "shot.png").write_bytes(content)
    refused = await call(ctx, "shot.png")
    assert refused.status == "error" and words in refused.text and "\n" not in refused.text and not refused.images
    assert not list(ctx.data.glob("streams/*/images/*"))


async def test_folders_missing_files_and_other_places_are_refused(ctx: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(drawn("PNG"))
    for path, words in ((".", "regular file"), ("none.png", "does not exist"), (str(tmp_path / "outside.png"), "out")):
        refused = await call(ctx, path)
        assert refused.status == "error" and words in refused.text, refused.text


async def test_a_model_that_sees_nothing_is_told_who_does(context: Callable[..., ToolContext], worktree: Path) -> None:
    (worktree / "a.png").write_bytes(drawn("PNG"))
    refused = await call(context(blind="openai/words-only"), "a.png")
    assert refused.status == "error" and "`openai/words-only`" in refused.text and "`ctl models`" in refused.text


async def test_a_batch_shows_its_images(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a.png").write_bytes(drawn("PNG"))
    (worktree / "b.gif").write_bytes(drawn("GIF"))
    calls = [{"tool": "image", "arguments": {"path": name}} for name in ("a.png", "b.gif")]
    done = await execute("batch", json.dumps({"calls": calls}), ctx)
    assert [image.media_type for image in done.images] == ["image/png", "image/gif"]


@pytest.mark.parametrize(
    ("arguments", "verdict", "reason"),
    [
        ({"path": "a.png"}, "allow", ""),
        ({"path": "/home/somebody/else.png"}, "ask", "outside"),
        ({"path": "https://example.org/a.png"}, "ask", "network"),
        ({"url": "HTTPS://example.org/a.png"}, "ask", "network"),
        ({"path": "http://example.org/a.png"}, "ask", "network"),
    ],
)
def test_the_gate_asks_for_the_network_and_for_other_places(
    ctx: ToolContext, arguments: dict[str, Any], verdict: str, reason: str
) -> None:
    found = judge(
        "image",
        json.dumps(arguments),
        index=0,
        offered=tuple(REGISTRY),
        workspace=ctx.workspace,
        worktree=ctx.worktree,
        mode="ask",
        rules=(),
        sandbox=Sandbox(True, "bwrap"),
    )
    assert found.verdict == verdict and reason in found.reason


async def test_an_address_is_fetched_only_when_allowed_and_never_from_inside(
    context: Callable[..., ToolContext],
) -> None:
    refused = await call(context(), "https://example.org/a.png")
    assert refused.status == "error" and "nobody allowed" in refused.text
    refused = await call(context(allowed=True), "https://127.0.0.1:9/a.png")
    assert refused.status == "error" and "no public address" in refused.text


def test_the_catalogue_and_the_tool_agree_about_who_sees() -> None:
    assert {row.model: row.vision for row in models()} == {row.model: not blind(row.model) for row in models()}
