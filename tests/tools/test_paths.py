import json
from pathlib import Path

import pytest

from app.tools.base import ToolContext, ToolError
from app.tools.execute import execute
from app.tools.paths import outside, resolve, sensitive, shown

ROOT = "/home/somebody/project"


def test_relative_and_absolute_paths_lead_into_the_worktree(ctx: ToolContext, worktree: Path) -> None:
    assert resolve(ctx, "a/b.py") == worktree / "a" / "b.py"
    assert resolve(ctx, f"{ROOT}/a/b.py") == worktree / "a" / "b.py"
    assert resolve(ctx, ROOT) == worktree
    assert resolve(ctx, "a/../b") == worktree / "b"


def test_a_subfolder_is_the_working_folder(context, worktree: Path) -> None:
    ctx = context(subdir="pkg")
    assert resolve(ctx, "a.py") == worktree / "pkg" / "a.py"
    assert resolve(ctx, "../a.py") == worktree / "a.py"
    for real in (worktree / "pkg" / "x" / "a.py", worktree / "a.py", worktree / "pkg"):
        assert resolve(ctx, shown(ctx, real)) == real


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", f"{ROOT}/../x", f"{ROOT}-2/x", "a/../../x", "", "a\0b"])
def test_paths_that_leave_the_worktree_are_refused(ctx: ToolContext, path: str) -> None:
    with pytest.raises(ToolError):
        resolve(ctx, path)
    assert path == "" or outside(ctx.workspace, ctx.worktree, path)


def test_outside_is_for_reading_and_only_when_allowed(context) -> None:
    assert resolve(context(allowed=True), "/etc/hostname") == Path("/etc/hostname").resolve()
    with pytest.raises(ToolError):
        resolve(context(allowed=True), "/etc/hostname", write=True)


def test_links_out_of_the_worktree_are_refused(ctx: ToolContext, worktree: Path, tmp_path: Path) -> None:
    (worktree / "out").symlink_to(tmp_path)
    (worktree / "in").symlink_to(worktree / "real")
    with pytest.raises(ToolError, match="leads out"):
        resolve(ctx, "out/secret")
    assert outside(ctx.workspace, worktree, "out/secret")
    assert resolve(ctx, "in") == worktree / "real"


def test_a_worktree_that_leads_elsewhere_by_now_takes_nothing_in(ctx: ToolContext, worktree: Path) -> None:
    assert resolve(ctx, "a.py") == worktree / "a.py"
    elsewhere = worktree.with_name("elsewhere")
    elsewhere.mkdir()
    worktree.rename(worktree.with_name("moved"))
    worktree.symlink_to(elsewhere)
    with pytest.raises(ToolError, match="leads out"):
        resolve(ctx, "a.py")
    assert outside(ctx.workspace, worktree, "a.py")


def test_a_link_that_leads_in_a_circle_makes_nothing_absolute(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "loop").symlink_to("loop")
    assert resolve(ctx, "loop//etc/passwd") == worktree / "loop" / "etc" / "passwd"
    assert not outside(ctx.workspace, worktree, "loop//etc/passwd")


@pytest.mark.parametrize("path", [".git", ".git/config", "sub/.git/hooks/x", ".GIT/config", "link/config"])
def test_the_files_of_git_are_refused(context, ctx: ToolContext, worktree: Path, path: str) -> None:
    (worktree / "link").symlink_to(".git")
    with pytest.raises(ToolError, match="git"):
        resolve(ctx, path)
    with pytest.raises(ToolError, match="git"):
        resolve(context(allowed=True), path)


@pytest.mark.parametrize("path", [".env", "a/.env.local", "key.pem", "id_rsa", "id_rsa.old", "tls.KEY"])
def test_files_of_secrets_are_refused(context, ctx: ToolContext, path: str) -> None:
    assert sensitive(path)
    with pytest.raises(ToolError, match="secrets"):
        resolve(ctx, path)
    resolve(context(allowed=True), path)


@pytest.mark.parametrize("path", [".env.example", "x/.env.sample", ".env.template", "environment.py", "keys.py"])
def test_templates_are_not_secret(ctx: ToolContext, path: str) -> None:
    assert not sensitive(path)
    resolve(ctx, path)


def test_a_harmless_link_to_secrets_is_refused(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "notes.txt").symlink_to(".env")
    with pytest.raises(ToolError, match="secrets"):
        resolve(ctx, "notes.txt")


@pytest.mark.parametrize("path", ["@output/", "@output/../x", "@output/a/b", "@output/.x"])
def test_recorded_results_are_found_by_plain_names_only(ctx: ToolContext, path: str) -> None:
    with pytest.raises(ToolError):
        resolve(ctx, path)
    with pytest.raises(ToolError, match="record"):
        resolve(ctx, "@output/x", write=True)


def test_nobody_can_allow_the_private_vault(context, tmp_path: Path) -> None:
    open_ = context(allowed=True)
    file = open_.data / "vault" / "unseal.key"
    file.parent.mkdir(parents=True)
    file.write_text("TOP-SECRET")
    (tmp_path / "link").symlink_to(file.parent)
    for path in (file, tmp_path / "link" / "unseal.key"):
        with pytest.raises(ToolError, match="private Vault"):
            resolve(open_, str(path))


async def test_grep_above_the_private_vault_does_not_see_it(context, tmp_path: Path) -> None:
    open_ = context(allowed=True)
    (open_.data / "vault").mkdir(parents=True)
    for name in ("vault/unseal.key", "notes.txt"):
        (open_.data / name).write_text("TOP-SECRET\n")
    found = await execute("grep", json.dumps({"pattern": "TOP-SECRET", "path": str(tmp_path / "data")}), open_)
    assert "notes.txt" in found.text and "unseal" not in found.text
