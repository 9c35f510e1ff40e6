"""A name in one Unicode form finds the file whose name is in the other; the exact name wins."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from app.tools.base import Output, ToolContext, ToolError
from app.tools.execute import execute
from app.tools.paths import outside, resolve

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
BOTH = pytest.mark.parametrize(("stored", "asked"), [(NFC, NFD), (NFD, NFC)], ids=["NFD for NFC", "NFC for NFD"])


async def call(ctx: ToolContext, tool: str, **arguments: Any) -> Output:
    return await execute(tool, json.dumps(arguments), ctx)


@BOTH
async def test_every_tool_finds_the_file(context, worktree: Path, stored: str, asked: str) -> None:
    place = worktree / stored / f"{stored}.txt"
    place.parent.mkdir()
    place.write_text("needle 1\n")
    path = f"{asked}/{asked}.txt"
    assert (await call(context(), "read", path=path)).text == "1\tneedle 1"
    assert (await call(context(), "grep", pattern="needle", path=path)).status == "ok"
    assert (await call(context(), "list", path=asked)).text == f"{stored}.txt"
    assert (await call(context(), "glob", pattern="*", path=asked)).text == f"{stored}/{stored}.txt"
    for pattern in (f"{asked}.*", f"{asked}/*.txt", f"**/{asked}*"):
        assert (await call(context(), "glob", pattern=pattern)).text == f"{stored}/{stored}.txt", pattern
    assert (await call(context(step_id="1"), "edit", path=path, old="1", new="2")).status == "ok"
    edits = [{"old": "2", "new": "3"}]
    assert (await call(context(step_id="2"), "multiedit", path=path, edits=edits)).status == "ok"
    patch = f"*** Begin Patch\n*** Update File: {path}\n@@\n-needle 3\n+needle 4\n*** End Patch"
    assert (await call(context(step_id="3"), "apply_patch", patch=patch)).status == "ok"
    assert place.read_text() == "needle 4\n"
    assert "replaced" in (await call(context(step_id="4"), "write", path=path, content="whole\n")).text
    assert place.read_text() == "whole\n" and [each.name for each in place.parent.iterdir()] == [place.name]
    patch = f"*** Begin Patch\n*** Delete File: {path}\n*** End Patch"
    assert (await call(context(step_id="5"), "apply_patch", patch=patch)).status == "ok" and not place.exists()


async def test_the_exact_name_wins_and_several_are_a_sentence(context, worktree: Path) -> None:
    marks = "a\u0323\u0302"  # two marks on one letter: three ways to write it
    forms = {unicodedata.normalize("NFC", marks), "\u1ea1\u0302"}
    for number, form in enumerate(sorted(forms)):
        (worktree / form).write_text(f"{number}\n")
    for number, form in enumerate(sorted(forms)):
        assert (await call(context(), "read", path=form)).text == f"1\t{number}"
    for tool, more in (("read", {}), ("write", {"content": "x"}), ("edit", {"old": "0", "new": "1"})):
        refused = await call(context(), tool, path=marks, **more)
        assert refused.status == "error" and "2 names" in refused.text and "rename" in refused.text
    assert not outside(context().workspace, worktree, marks) and len(list(worktree.iterdir())) == 3


async def test_a_new_file_keeps_the_form_it_was_given(context, worktree: Path) -> None:
    assert (await call(context(), "write", path=f"new/{NFD}", content="x")).status == "ok"
    assert [each.name for each in (worktree / "new").iterdir()] == [NFD]


@BOTH
def test_a_link_in_another_form_leads_out_all_the_same(
    ctx: ToolContext, worktree: Path, tmp_path: Path, stored: str, asked: str
) -> None:
    (worktree / stored).symlink_to(tmp_path)
    assert outside(ctx.workspace, worktree, f"{asked}/x")
    with pytest.raises(ToolError, match="leads out"):
        resolve(ctx, f"{asked}/x")
