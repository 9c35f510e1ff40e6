"""Checkpoints of whatever an agent left in its worktree."""

import os
import subprocess
from pathlib import Path

import pytest
from workspace_desk import Desk, git, new_repository

from app import workspace
from app.workspace.files import remove


def test_a_step_commits_once(desk: Desk) -> None:
    ws = desk.prepare()
    assert desk.commit(ws, "step-0").model_dump(include={"commit", "changed"}) == {"commit": ws.base, "changed": False}
    (desk.tree(ws) / "a.txt").write_text("one\n")
    first = desk.commit(ws, "step-1", "Codetether-Step: forged\nfirst\n\nCodetether-Step: step-2")
    (desk.tree(ws) / "b.txt").write_text("b\n")
    assert desk.commit(ws, "step-1") == first
    second = desk.commit(ws, "step-2")
    assert first.changed and second.changed and second.commit != first.commit
    assert (first.diffstat.files, first.diffstat.added, first.diffstat.removed) == (1, 0, 2)
    private = workspace.private_dir(desk.data, ws.run)
    message = git(private, "log", "-1", "--format=%an <%ae>%n%B", first.commit)
    assert message.startswith("CodeTether <agent@codetether.invalid>\nfirst\n\nCodetether-Run: run-1")
    assert git(private, "rev-parse", f"{second.commit}~1") == first.commit


def test_names_links_and_modes(desk: Desk) -> None:
    ws = desk.prepare()
    tree = desk.tree(ws)
    names = ["with space", "ünïcode", "new\nline", "-dash", "*.star", ":(top)x", '"quoted"', "tab\there"]
    for name in names:
        (tree / name).write_text(name)
    (tree / os.fsdecode(b"latin-\xe9")).write_text("bytes")
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "folder-link").symlink_to("tests")
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    os.mkfifo(tree / "pipe")
    done = desk.finish(ws, desk.commit(ws).commit)
    listed = git(desk.repo, "-c", "core.quotePath=false", "ls-tree", "-rz", done.branch).split("\0")
    entries = {entry.partition("\t")[2]: entry[:6] for entry in listed if entry}
    assert {*names, os.fsdecode(b"latin-\xe9")} <= entries.keys()
    assert "pipe" not in entries
    assert entries["link"] == entries["dangling"] == entries["folder-link"] == "120000"
    assert entries["run.sh"] == "100755"
    (tree / "run.sh").chmod(0o644)
    assert desk.commit(ws, "step-2").changed


def test_files_that_become_folders_and_links(desk: Desk) -> None:
    ws = desk.prepare()
    tree = desk.tree(ws)
    (tree / "a.txt").unlink()
    (tree / "a.txt").mkdir()
    (tree / "a.txt" / "inner").write_text("x")
    remove(tree / "tests")
    (tree / "tests").symlink_to("a.txt")
    made = desk.commit(ws)
    private = workspace.private_dir(desk.data, ws.run)
    listing = git(private, "ls-tree", "-r", "--name-only", made.commit).splitlines()
    assert listing == [".gitignore", "a.txt/inner", "tests"]
    remove(tree / "a.txt")
    (tree / "a.txt").write_text("a file again")
    remove(tree / "tests")
    made = desk.commit(ws, "step-2")
    assert git(private, "ls-tree", "-r", "--name-only", made.commit).splitlines() == [".gitignore", "a.txt"]


@pytest.mark.parametrize("dirty", [False, True], ids=["agent", "user"])
def test_a_name_that_changes_in_case_alone_is_kept_whatever_the_configuration_says(desk: Desk, dirty: bool) -> None:
    """A repository that came from a Mac or from Windows says that case does not count."""
    if (desk.repo / "A.TXT").exists():
        pytest.skip("this file system ignores case")
    git(desk.repo, "config", "core.ignorecase", "true")
    if dirty:
        (desk.repo / "a.txt").rename(desk.repo / "A.txt")
        assert workspace.dirty_files(desk.repo) == ["a.txt", "A.txt"]
    ws = desk.prepare(include_dirty=dirty)
    tree = desk.tree(ws)
    if not dirty:
        (tree / "a.txt").rename(tree / "A.txt")
    (tree / "TESTS").mkdir()
    (tree / "TESTS" / "b").write_text("b\n")
    done = desk.finish(ws, desk.commit(ws).commit)
    names = git(desk.repo, "ls-tree", "-r", "--name-only", done.branch).splitlines()
    assert names == [".gitignore", "A.txt", "TESTS/b", "tests/test_a.py"]


def agent_git(tree: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=tree, check=True, capture_output=True)


def test_what_an_agent_does_with_git_does_not_count_only_its_files(desk: Desk) -> None:
    ws = desk.prepare()
    tree = desk.tree(ws)
    (tree / "a.txt").write_text("by the agent\n")
    agent_git(tree, "commit", "-qam", "an agent's own commit")
    agent_git(tree, "checkout", "-q", "-b", "elsewhere")
    (tree / "b.txt").write_text("b\n")
    agent_git(tree, "add", "b.txt")
    agent_git(tree, "stash")
    agent_git(tree, "stash", "apply")
    made = desk.commit(ws)
    private = workspace.private_dir(desk.data, ws.run)
    assert git(private, "rev-parse", f"{made.commit}~1") == ws.base
    assert git(private, "show", f"{made.commit}:b.txt") == "b"
    assert git(tree, "rev-parse", "HEAD") == made.commit
    assert git(tree, "status", "--porcelain") == ""
    assert "elsewhere" not in git(desk.repo, "branch", "--list") and git(desk.repo, "stash", "list") == ""


@pytest.mark.parametrize("damage", ["index", "HEAD", "admin", "dot-git", "locks", "link", "commondir"])
def test_a_broken_git_directory_does_not_stop_a_checkpoint(desk: Desk, tmp_path: Path, damage: str) -> None:
    ws = desk.prepare()
    tree, private = desk.tree(ws), workspace.private_dir(desk.data, ws.run)
    admin = private / "worktrees" / "main"
    outside = tmp_path / "outside"
    outside.write_text("mine")
    match damage:
        case "index":
            (admin / "index").write_bytes(b"rubbish")
        case "HEAD":
            (admin / "HEAD").write_text("ref: refs/heads/none\n")
        case "admin":
            remove(admin)
        case "dot-git":
            (tree / ".git").unlink()
            git(tree, "init", "-q")
        case "locks":
            (admin / "index.lock").write_text("")
            (private / "index.lock").write_text("")
        case "link":
            (admin / "HEAD").unlink()
            (admin / "HEAD").symlink_to(outside)
            (admin / "HEAD.new").symlink_to(outside)
        case _:
            evil = new_repository(tmp_path / "evil") / ".git"
            (private / "commondir").write_text(str(evil))
            git(evil.parent, "config", "core.bare", "rubbish")
    (tree / "b.txt").write_text("b\n")
    made = desk.commit(ws)
    assert made.diffstat.files == 1
    assert outside.read_text() == "mine"
    if damage != "commondir":
        assert git(tree, "status", "--porcelain") == ""


def test_our_own_index_may_be_lost_or_broken(desk: Desk) -> None:
    ws = desk.prepare()
    index = desk.data / "worktrees" / ws.run / ".main.index"
    index.write_bytes(b"rubbish")
    index.with_name(".main.index.lock").write_bytes(b"")
    (desk.tree(ws) / "b.txt").write_text("b\n")
    assert desk.commit(ws).diffstat.files == 1


def test_files_of_a_nested_repository_are_committed_as_files(desk: Desk) -> None:
    ws = desk.prepare()
    tree = desk.tree(ws)
    nested = new_repository(tree / "nested")
    (nested / "x.log").write_text("ignored")
    (tree / "empty").mkdir()
    git(tree / "empty", "init", "-q")
    (tree / "empty" / "file").write_text("x")
    git(tree / "tests", "init", "-q")
    (tree / "tests" / "more").write_text("x")
    made = desk.commit(ws)
    listing = git(workspace.private_dir(desk.data, ws.run), "ls-tree", "-r", "--name-only", made.commit).splitlines()
    expected = {"nested/a.txt", "nested/.gitignore", "nested/tests/test_a.py", "empty/file", "tests/more"}
    assert expected <= set(listing)
    assert not any(".git/" in name or name.endswith(".log") for name in listing)
    assert desk.commit(ws, "step-2").changed is False


def test_a_submodule_stays_as_it_is_and_nothing_of_it_runs(desk: Desk, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    git(desk.repo, "submodule", "add", "-q", str(library), "lib")
    git(desk.repo, "commit", "-qm", "submodule")
    assert workspace.dirty_files(desk.repo) == []
    ws = desk.prepare()
    tree, marker = desk.tree(ws), tmp_path / "marker"
    remove(tree / "lib")
    evil = new_repository(tree / "lib")
    git(evil, "config", "core.fsmonitor", f"touch {marker}; false")
    (evil / "a.txt").write_text("changed")
    marker.unlink(missing_ok=True)
    (tree / "b.txt").write_text("b")
    made = desk.commit(ws)
    private = workspace.private_dir(desk.data, ws.run)
    assert made.diffstat.files == 1
    assert git(private, "ls-tree", made.commit, "lib") == git(private, "ls-tree", ws.base, "lib")
    assert not marker.exists()


def test_a_submodule_can_be_linked_so_that_commands_see_its_files(desk: Desk, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    git(desk.repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "lib")
    git(desk.repo, "commit", "-qm", "submodule")
    settings = desk.settings.model_copy(update={"link": ("lib",)})
    one = Desk(desk.repo, settings)
    ws = one.prepare()
    assert workspace.mounts(one.data, ws, settings).readonly == ((desk.repo / "lib", f"{ws.root}/lib"),)
    (one.tree(ws) / "lib" / ".git").write_text("gitdir: ../.git/modules/lib\n")  # as a command sees it
    agent_git(one.tree(ws), "status")
    (one.tree(ws) / "b.txt").write_text("b")
    assert one.commit(ws).diffstat.files == 1
