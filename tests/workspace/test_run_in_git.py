"""prepare, commit and finish on real repositories, also hostile ones."""

import os
import subprocess
from pathlib import Path

import pytest
from workspace_desk import Desk, git, new_repository, snapshot

from app import workspace
from app.domain.contracts import FinishInput
from app.errors import UserError
from app.workspace.files import remove


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
    ws = desk.prepare(include_dirty=True)
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


def test_without_asking_for_it_the_dirty_tree_stays_out(desk: Desk) -> None:
    (desk.repo / "a.txt").write_text("dirty\n")
    (desk.repo / "folder").mkdir()
    (desk.repo / "folder" / "b").write_text("b")
    assert workspace.dirty_files(desk.repo) == ["a.txt", "folder/"]
    ws = desk.prepare()
    assert (desk.tree(ws) / "a.txt").read_text() == "one\ntwo\nthree\n"


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


def test_finish_hands_over_a_branch_once(desk: Desk) -> None:
    head, branch = git(desk.repo, "rev-parse", "HEAD"), git(desk.repo, "branch", "--show-current")
    ws = desk.prepare()
    assert desk.finish(ws, ws.base).branch == ""
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


@pytest.mark.parametrize("order", [{"start": "0" * 40}, {"run": "../x"}, {"name": "a/b"}, {"subdir": "../.."}])
def test_orders_that_lead_nowhere(desk: Desk, order: dict[str, str]) -> None:
    with pytest.raises(UserError):
        desk.prepare(**order)
