"""Merging in the user's checkout, and taking a run away."""

from pathlib import Path

import pytest
from workspace_desk import Desk, git, snapshot

from app import workspace
from app.errors import UserError


def merge(desk: Desk, branch: str, *, squash: bool = False) -> workspace.Merged:
    return workspace.merge(desk.repo, branch, squash=squash, message="Merge the run")


def state(repo: Path) -> tuple[str, ...]:
    return tuple(
        git(repo, *args) for args in (("status", "--porcelain"), ("rev-parse", "HEAD"), ("diff",), ("ls-files", "-s"))
    )


def test_a_clean_merge_is_the_users_own(desk: Desk) -> None:
    hook, marker = desk.repo / ".git" / "hooks" / "pre-merge-commit", desk.repo.parent / "hook-ran"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    done = desk.finished({"b.txt": "b\n"})
    (desk.repo / "a.txt").write_text("unrelated, not committed\n")
    assert not workspace.merged_into_head(desk.repo, done.branch)
    merged = merge(desk, done.branch)
    assert merged.commit == git(desk.repo, "rev-parse", "HEAD")
    assert git(desk.repo, "log", "-1", "--format=%ae %s") == "ada@example.com Merge the run"
    assert marker.exists() and (desk.repo / "b.txt").exists()
    assert (desk.repo / "a.txt").read_text() == "unrelated, not committed\n"
    assert workspace.merged_into_head(desk.repo, done.branch)
    assert merge(desk, done.branch).already


def test_squash_makes_one_commit_of_the_user(desk: Desk) -> None:
    done = desk.finished({"b.txt": "b\n"})
    merged = merge(desk, done.branch, squash=True)
    assert git(desk.repo, "log", "-1", "--format=%ae %s %P") == f"ada@example.com Merge the run {done_base(desk)}"
    assert git(desk.repo, "status", "--porcelain") == "" and merged.commit == git(desk.repo, "rev-parse", "HEAD")
    again = merge(desk, done.branch, squash=True)
    assert again.already and again.commit == merged.commit
    assert not (desk.repo / ".git" / "SQUASH_MSG").exists()


def test_the_runs_own_branch_is_not_merged_into_itself(desk: Desk) -> None:
    done = desk.finished({"b.txt": "b\n"})
    git(desk.repo, "switch", "-q", done.branch)
    with pytest.raises(UserError, match="itself is checked out"):
        merge(desk, done.branch)


@pytest.mark.parametrize("squash", [False, True])
def test_a_merge_that_was_taken_back_is_none(desk: Desk, squash: bool) -> None:
    done = desk.finished({"b.txt": "b\n"})
    merged = merge(desk, done.branch, squash=squash)
    assert workspace.merged_into_head(desk.repo, done.branch, merged.commit)
    git(desk.repo, "reset", "-q", "--keep", "HEAD~1")
    assert not workspace.merged_into_head(desk.repo, done.branch, merged.commit)


def done_base(desk: Desk) -> str:
    return git(desk.repo, "rev-parse", "HEAD~1")


@pytest.mark.parametrize("squash", [False, True])
def test_a_conflict_leaves_everything_as_before(desk: Desk, squash: bool) -> None:
    done = desk.finished({"a.txt": "theirs\n", "c.txt": "c\n"})
    (desk.repo / "a.txt").write_text("mine\n")
    git(desk.repo, "commit", "-qam", "mine")
    (desk.repo / "tests" / "test_a.py").write_text("not committed\n")
    before = state(desk.repo)
    with pytest.raises(workspace.MergeConflict) as caught:
        merge(desk, done.branch, squash=squash)
    assert caught.value.files == ("a.txt",) and caught.value.code == 1 and "git merge" in str(caught.value)
    assert state(desk.repo) == before
    leftovers = ("MERGE_HEAD", "SQUASH_MSG", "MERGE_MSG")
    assert not any((desk.repo / ".git" / name).exists() for name in leftovers)


@pytest.mark.parametrize("squash", [False, True])
def test_a_hook_that_refuses_leaves_everything_as_before(desk: Desk, squash: bool) -> None:
    done = desk.finished({"b.txt": "b\n"})
    for name in ("pre-merge-commit", "pre-commit"):
        hook = desk.repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    before = state(desk.repo)
    with pytest.raises(UserError, match="did not merge"):
        merge(desk, done.branch, squash=squash)
    assert state(desk.repo) == before and not (desk.repo / "b.txt").exists()


@pytest.mark.parametrize("how", ["changed", "untracked", "ignored", "staged"])
def test_changes_in_the_way_are_named(desk: Desk, how: str) -> None:
    (desk.repo / ".gitignore").write_text("")
    git(desk.repo, "commit", "-qam", "nothing is ignored")
    done = desk.finished({"a.txt": "theirs\n", "b.log": "theirs\n"})
    match how:
        case "changed":
            (desk.repo / "a.txt").write_text("mine\n")
        case "untracked":
            (desk.repo / "b.log").write_text("mine\n")
        case "ignored":
            (desk.repo / ".git" / "info" / "exclude").write_text("b.log\n")
            (desk.repo / "b.log").write_text("mine\n")
        case _:
            (desk.repo / "other").write_text("mine\n")
            git(desk.repo, "add", "other")
    before = state(desk.repo)
    with pytest.raises(UserError, match=r"`(a.txt|b.log|other)`"):
        merge(desk, done.branch)
    assert state(desk.repo) == before


def test_a_merge_in_progress_and_an_unknown_branch_are_refused(desk: Desk) -> None:
    with pytest.raises(UserError, match="does not exist"):
        merge(desk, "codetether/none")
    done = desk.finished({"b.txt": "b\n"})
    (desk.repo / ".git" / "rebase-merge").mkdir()
    with pytest.raises(UserError, match="rebase is in progress"):
        merge(desk, done.branch)


def test_a_patch_applies(desk: Desk, tmp_path: Path) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "binary").write_bytes(bytes(range(256)))
    (desk.tree(ws) / "a.txt").unlink()
    made = desk.commit(ws)
    file = tmp_path / "run.patch"
    file.write_bytes(workspace.patch(desk.data, ws.run, ws.base, made.commit, repo=desk.repo))
    git(desk.repo, "apply", "--index", str(file))
    assert git(desk.repo, "write-tree") == git(desk.tree(ws), "rev-parse", "HEAD^{tree}")
    colored = workspace.diff_text(desk.data, ws.run, ws.base, made.commit, repo=desk.repo, color=True)
    assert "\x1b[" in colored


def test_discard_leaves_no_trace(desk: Desk) -> None:
    before = snapshot(desk.repo)
    desk.finished({"b.txt": "b\n"})
    desk.finished({"c.txt": "c\n"}, run="run-1-2")  # looks like a second branch of run-1
    workspace.discard(desk.data, desk.repo, "run-1")
    assert git(desk.repo, "branch", "--list", "--format=%(refname:short)", "codetether/*") == "codetether/run-1-2"
    workspace.discard(desk.data, desk.repo, "run-1-2")
    assert snapshot(desk.repo) == before
    assert git(desk.repo, "for-each-ref", "refs/codetether", "refs/heads/codetether") == ""
    assert list((desk.data / "repos").iterdir()) == [] and list((desk.data / "worktrees").iterdir()) == []
    workspace.discard(desk.data, desk.repo, "run-1")


def test_discard_never_loses_work_of_the_user(desk: Desk) -> None:
    done = desk.finished({"b.txt": "b\n"})
    git(desk.repo, "switch", "-q", done.branch)
    with pytest.raises(UserError, match="checked out"):
        workspace.discard(desk.data, desk.repo, "run-1")
    git(desk.repo, "commit", "-q", "--allow-empty", "-m", "mine")
    git(desk.repo, "switch", "-q", "main")
    with pytest.raises(UserError, match="commits of yours"):
        workspace.discard(desk.data, desk.repo, "run-1")
    assert workspace.private_dir(desk.data, "run-1").is_dir()
    git(desk.repo, "merge", "-q", "--no-edit", done.branch)
    workspace.discard(desk.data, desk.repo, "run-1")
    assert git(desk.repo, "for-each-ref", "refs/codetether", "refs/heads/codetether") == ""


def test_collecting_keeps_the_branch_also_without_the_repository(desk: Desk) -> None:
    done = desk.finished({"b.txt": "b\n"})
    (desk.data / "worktrees" / "run-1" / "main" / "tests").chmod(0o500)
    workspace.remove_run_files(desk.data, desk.repo, "run-1")
    assert git(desk.repo, "show", f"{done.branch}:b.txt") == "b"
    desk.prepare("run-2")
    workspace.remove_run_files(desk.data, desk.repo.parent / "gone", "run-2")
    assert not workspace.private_dir(desk.data, "run-2").exists()


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("asked", ["--no-commit", "--squash", "--no-ff", "--ff-only"])
@pytest.mark.parametrize("ff", ["false", "only"])
def test_a_merge_is_made_whatever_the_configuration_of_merges_says(
    desk: Desk, squash: bool, asked: str, ff: str
) -> None:
    done = desk.finished({"new.txt": "new\n"})
    (desk.repo / "b.txt").write_text("b\n")
    git(desk.repo, "add", "b.txt")
    git(desk.repo, "commit", "-qm", "b")
    git(desk.repo, "config", "merge.ff", ff)
    git(desk.repo, "config", f"branch.{git(desk.repo, 'branch', '--show-current')}.mergeOptions", asked)
    merged = workspace.merge(desk.repo, done.branch, squash=squash, message="m")
    assert merged.commit == git(desk.repo, "rev-parse", "HEAD")
    assert git(desk.repo, "show", "HEAD:new.txt") == "new"
    assert git(desk.repo, "status", "--short") == ""
    assert len(git(desk.repo, "log", "-1", "--format=%P").split()) == (1 if squash else 2)
