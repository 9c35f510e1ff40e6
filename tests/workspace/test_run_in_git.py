"""prepare, commit and finish on real repositories, also hostile ones."""

import os
from pathlib import Path

import pytest
from workspace_desk import Desk, git, snapshot

from app import workspace
from app.domain.activities import FinishInput
from app.errors import UserError
from app.workspace.files import remove
from app.workspace.repository import locate


def hostile(repo: Path, marker: Path) -> None:
    """Everything in a `.git/config`, attributes and hooks that starts a command, each touching the marker."""
    script = repo.parent / "evil.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {marker}\ncat 2>/dev/null\nexit 0\n')
    script.chmod(0o755)
    hooks = repo.parent / "hooks"
    hooks.mkdir()
    names = ("pre-commit", "post-checkout", "post-commit", "reference-transaction", "post-index-change", "post-merge")
    for folder in (repo / ".git" / "hooks", hooks):
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_text(script.read_text())
            (folder / name).chmod(0o755)
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    for key in (
        *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.alternateRefsCommand"),
        *("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.evil.command"),
        *("diff.external", "merge.evil.driver", "gpg.program", "credential.helper", "alias.diff-tree", "alias.log"),
    ):
        git(repo, "config", key, f"!{script}" if key.startswith("alias") else str(script))
    git(repo, "config", "commit.gpgSign", "true")
    git(repo, "config", "core.hooksPath", str(hooks))


def test_a_run_leaves_the_users_repository_as_it_was_and_runs_nothing_of_it(desk: Desk, tmp_path: Path) -> None:
    (desk.repo / "a.txt").write_text("stashed\n")
    git(desk.repo, "stash")
    (desk.repo / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    git(desk.repo, "add", "-A")
    git(desk.repo, "commit", "-q", "-m", "attributes")
    (desk.repo / "a.txt").write_text("not committed\n")
    marker = tmp_path / "marker"
    hostile(desk.repo, marker)
    marker.unlink(missing_ok=True)
    before = snapshot(desk.repo)

    assert workspace.dirty_files(desk.repo) == ["a.txt"]
    with pytest.raises(UserError, match=r"`a.txt` .* its filter `evil`"):
        desk.prepare(include_dirty=True)
    ws = desk.prepare()
    (desk.tree(ws) / "new.txt").write_text("new\n")
    made = desk.commit(ws)
    done = desk.finish(ws, made.commit)
    text = workspace.diff_text(desk.data, ws.run, ws.base, made.commit, repo=desk.repo)
    workspace.discard(desk.data, desk.repo, ws.run)

    assert "new.txt" in text
    assert done.diffstat.files == 1
    assert not marker.exists()
    assert snapshot(desk.repo) == before
    assert (desk.repo / "a.txt").read_text() == "not committed\n"
    git(desk.repo, "status")
    assert marker.exists(), "the traps of this test do not work"


def test_prepare_twice_is_the_same_and_keeps_what_was_written(desk: Desk) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "a.txt").write_text("changed\n")
    assert desk.prepare() == ws
    assert (desk.tree(ws) / "a.txt").read_text() == "changed\n"
    assert ws.base == git(desk.repo, "rev-parse", "HEAD") == git(desk.repo, "rev-parse", "refs/codetether/keep/run-1")


def test_prepare_after_a_crash_at_each_point(desk: Desk) -> None:
    ws = desk.prepare()
    private = workspace.private_dir(desk.data, ws.run)
    workspace.private_git(desk.data, ws.run).run("update-ref", "-d", "refs/codetether/head/main")
    (desk.tree(ws) / "a.txt").unlink()
    assert desk.prepare() == ws
    assert (desk.tree(ws) / "a.txt").exists()
    private.rename(private.with_name(f".new-{private.name}"))
    (private.with_name(f".new-{private.name}") / "HEAD").unlink()
    assert desk.prepare() == ws
    assert desk.commit(ws).changed is False


def test_a_dirty_tree_becomes_start_and_base_once(desk: Desk) -> None:
    (desk.repo / "a.txt").write_text("dirty\n")
    (desk.repo / "untracked ä.txt").write_text("here\n")
    (desk.repo / "staged.txt").write_text("staged\n")
    git(desk.repo, "add", "staged.txt")
    (desk.repo / "x.log").write_text("ignored\n")
    ws = desk.prepare(include_dirty=True)
    (desk.repo / "a.txt").write_text("dirtier\n")
    assert desk.prepare(include_dirty=True) == ws
    tree = desk.tree(ws)
    assert (tree / "a.txt").read_text() == "dirty\n"
    assert (tree / "untracked ä.txt").exists() and (tree / "staged.txt").exists() and not (tree / "x.log").exists()
    assert ws.base != git(desk.repo, "rev-parse", "HEAD")
    (tree / "more.txt").write_text("more\n")
    done = desk.finish(ws, desk.commit(ws).commit)
    assert done.diffstat.files == 1
    assert git(desk.repo, "fsck", "--connectivity-only", done.branch) == ""
    assert git(desk.repo, "show", f"{done.branch}~1:a.txt") == "dirty"


@pytest.mark.parametrize("way", ["clean", "process"])
def test_what_a_filter_hides_from_git_is_not_taken_along_as_it_lies_there(desk: Desk, way: str) -> None:
    """git-crypt, LFS: a run starts no filter, and the plain file must not get into git."""
    (desk.repo / ".gitattributes").write_text("*.key filter=crypt\n*.md filter=nothing\n")
    git(desk.repo, "add", "-A")
    git(desk.repo, "commit", "-q", "-m", "attributes")
    (desk.repo / "a.key").write_text("secret\n")
    (desk.repo / "a.md").write_text("plain\n")
    git(desk.repo, "config", f"filter.crypt.{way}", "rev")
    with pytest.raises(UserError, match=r"`a\.key` .* filter `crypt`.* add"):
        desk.prepare(include_dirty=True)
    plain = git(desk.repo, "hash-object", "--no-filters", "a.key")
    assert plain not in git(desk.repo, "cat-file", "--batch-all-objects", "--batch-check")

    git(desk.repo, "config", "--unset", f"filter.crypt.{way}")
    git(desk.repo, "config", "filter.crypt.clean", "rev")
    os.utime(desk.repo / "a.key", (1, 1))  # else it is as young as the index, and git looks closer
    git(desk.repo, "add", "a.key")
    ws = desk.prepare(include_dirty=True)
    assert (desk.tree(ws) / "a.key").read_text() == "terces\n"
    assert (desk.tree(ws) / "a.md").read_text() == "plain\n"


def test_without_asking_for_it_the_dirty_tree_stays_out(desk: Desk) -> None:
    (desk.repo / "a.txt").write_text("dirty\n")
    (desk.repo / "folder").mkdir()
    (desk.repo / "folder" / "b").write_text("b")
    assert workspace.dirty_files(desk.repo) == ["a.txt", "folder/"]
    ws = desk.prepare()
    assert (desk.tree(ws) / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_finish_hands_over_a_branch_once(desk: Desk) -> None:
    head, branch = git(desk.repo, "rev-parse", "HEAD"), git(desk.repo, "branch", "--show-current")
    ws = desk.prepare()
    assert desk.finish(ws, ws.base).branch == ""
    assert desk.finish(ws, "").commit == ws.base
    (desk.tree(ws) / "b.txt").write_text("b\n")
    made = desk.commit(ws)
    done = desk.finish(ws, made.commit)
    assert done.branch == "codetether/run-1" and done.commit == made.commit and done.diffstat == made.diffstat
    assert desk.finish(ws, made.commit) == done
    remove(workspace.private_dir(desk.data, ws.run))
    assert desk.finish(ws, made.commit) == done
    assert git(desk.repo, "show", "codetether/run-1:b.txt") == "b"
    assert git(desk.repo, "fsck", "--full") == ""
    assert (git(desk.repo, "rev-parse", "HEAD"), git(desk.repo, "branch", "--show-current")) == (head, branch)
    assert "b.txt" in workspace.diff_text(desk.data, ws.run, ws.base, made.commit, repo=desk.repo, stat=True)


def test_finish_goes_on_from_an_ancestor_but_never_over_the_users_work(desk: Desk) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "b.txt").write_text("b\n")
    desk.finish(ws, desk.commit(ws, "step-1").commit)
    (desk.tree(ws) / "c.txt").write_text("c\n")
    second = desk.commit(ws, "step-2").commit
    assert desk.finish(ws, second).branch == "codetether/run-1"
    git(desk.repo, "switch", "-q", "codetether/run-1")
    (desk.tree(ws) / "d.txt").write_text("d\n")
    third = desk.commit(ws, "step-3").commit
    assert desk.finish(ws, third).branch == "codetether/run-1-2"
    assert git(desk.repo, "rev-parse", "codetether/run-1") == second
    git(desk.repo, "commit", "-q", "--allow-empty", "-m", "mine")
    assert desk.finish(ws, third).branch == "codetether/run-1-2"
    assert git(desk.repo, "log", "-1", "--format=%s", "codetether/run-1") == "mine"


def test_finish_beside_a_branch_called_codetether(desk: Desk) -> None:
    git(desk.repo, "branch", "codetether")
    done = desk.finished({"b.txt": "b\n"})
    assert done.branch == "codetether-run-1"


def test_giving_up_the_keep_reference(desk: Desk) -> None:
    ws = desk.prepare()
    workspace.finish(desk.data, FinishInput(run=ws.run, workspace=ws, commit=ws.base, keep=False))
    assert git(desk.repo, "for-each-ref", "refs/codetether") == ""


def test_a_run_goes_on_from_an_earlier_one(desk: Desk) -> None:
    first = desk.finished({"b.txt": "b\n"})
    base = git(desk.repo, "rev-parse", "HEAD")
    ws = desk.prepare("run-2", start=first.commit, base=base)
    assert (desk.tree(ws) / "b.txt").exists() and ws.base == base
    assert desk.commit(ws).changed is False
    (desk.tree(ws) / "c.txt").write_text("c\n")
    assert desk.finish(ws, desk.commit(ws, "step-2").commit).diffstat.files == 2


def test_a_subfolder_and_a_linked_worktree_of_the_user(desk: Desk) -> None:
    linked = desk.repo.parent / "linked"
    git(desk.repo, "worktree", "add", "-q", "-b", "feature", str(linked))
    (linked / "sub").mkdir()
    (linked / "sub" / "x").write_text("x")
    git(linked, "add", "-A")
    git(linked, "commit", "-qm", "feature")
    other = Desk(linked / "sub", desk.settings)
    ws = other.prepare()
    assert (ws.root, ws.subdir) == (str(linked), "sub")
    assert ws.base == git(linked, "rev-parse", "HEAD")
    (other.tree(ws) / "sub" / "y").write_text("y")
    assert other.finish(ws, other.commit(ws).commit).branch == "codetether/run-1"
    assert git(desk.repo, "show", "codetether/run-1:sub/y") == "y"


def test_dependency_folders_and_copied_files(desk: Desk) -> None:
    (desk.repo / ".venv" / "bin").mkdir(parents=True)
    (desk.repo / "node_modules").mkdir()  # not ignored here: an ordinary folder
    (desk.repo / "models [big]").mkdir()
    (desk.repo / "models [big]" / "w").write_text("w")
    (desk.repo / ".env").write_text("KEY=1\n")
    settings = desk.settings.model_copy(update={"link": ("models [big]", "../outside"), "copy_files": (".env",)})
    one = Desk(desk.repo, settings)
    ws = one.prepare()
    tree = one.tree(ws)
    seen = workspace.mounts(one.data, ws, settings)
    assert seen.readonly == tuple((desk.repo / name, f"{ws.root}/{name}") for name in (".venv", "models [big]"))
    assert seen.objects == (desk.repo / ".git" / "objects",) and seen.worktree == tree and seen.git_dir.is_dir()
    assert (tree / ".venv").is_dir() and (tree / ".env").read_text() == "KEY=1\n"
    (tree / "models [big]" / "w").write_text("written without a sandbox")
    assert one.commit(ws).changed is False


@pytest.mark.parametrize("kind", ["missing", "plain", "bare", "empty"])
def test_nothing_to_work_on_is_one_clear_sentence(desk: Desk, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    words = {"missing": "does not exist", "plain": "git init", "bare": "git clone", "empty": "has no commit yet"}
    if kind != "missing":
        folder.mkdir()
    if kind in ("bare", "empty"):
        git(folder, "init", "-q", *(["--bare"] if kind == "bare" else []))
    with pytest.raises(UserError, match=words[kind]):
        Desk(folder, desk.settings).prepare()


def test_a_path_that_cannot_be_recorded_is_one_clear_sentence(desk: Desk) -> None:
    odd = desk.repo.rename(desk.repo.with_name(os.fsdecode(b"bad\xff")))
    for folder in (odd, odd / "tests"):
        with pytest.raises(UserError, match="is not UTF-8 and cannot be recorded; rename it"):
            locate(folder)


@pytest.mark.parametrize("order", [{"start": "0" * 40}, {"run": "../x"}, {"name": "a/b"}, {"subdir": "../.."}])
def test_orders_that_lead_nowhere(desk: Desk, order: dict[str, str]) -> None:
    with pytest.raises(UserError):
        desk.prepare(**order)


def test_a_change_of_the_same_length_right_after_the_index_is_seen(desk: Desk) -> None:
    for number in range(20):
        (desk.repo / "a.txt").write_text(f"{number:04}\n")
        git(desk.repo, "add", "a.txt")
        git(desk.repo, "commit", "-q", "-m", "again")
        (desk.repo / "a.txt").write_text(f"{number:03}x\n")
        assert workspace.dirty_files(desk.repo) == ["a.txt"]


def test_a_repository_that_moves_away_during_a_run_is_said_and_loses_nothing(desk: Desk) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "new.txt").write_text("new\n")
    away = desk.repo.rename(desk.repo.with_name("away"))
    with pytest.raises(UserError, match=r"repository that `.*/project/.git/objects` belonged to is gone; put it back"):
        desk.commit(ws)
    away.rename(desk.repo)
    assert desk.finish(ws, desk.commit(ws).commit).diffstat.files == 1


def test_attributes_that_only_the_users_git_knows_count(desk: Desk, tmp_path: Path) -> None:
    (desk.repo / ".git" / "info").mkdir(exist_ok=True)
    (desk.repo / ".git" / "info" / "attributes").write_text("*.win text eol=crlf\n")
    (tmp_path / "attributes").write_text("*.dos text eol=crlf\n")
    git(desk.repo, "config", "core.attributesFile", str(tmp_path / "attributes"))
    done = desk.finished({"a.win": "a\r\n", "b.dos": "b\r\n"})
    workspace.merge(desk.repo, done.branch, squash=False, message="m")
    assert git(desk.repo, "cat-file", "-p", "HEAD:a.win") == "a"
    assert git(desk.repo, "ls-files", "--eol", "a.win", "b.dos").count("i/lf") == 2
    assert git(desk.repo, "status", "--short") == ""


def test_a_partial_clone_without_the_files_is_told_how_to_get_them(desk: Desk) -> None:
    (desk.repo / "new.txt").write_text("new\n")
    git(desk.repo, "add", "-A")
    git(desk.repo, "commit", "-q", "-m", "new")
    blob = git(desk.repo, "rev-parse", "HEAD:new.txt")
    (desk.repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UserError, match=r"contents of `new.txt` .* no full clone; get them with `git fetch --refetch"):
        desk.prepare()
