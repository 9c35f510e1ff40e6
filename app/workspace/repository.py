"""The user's repository, and the private one that a run's worktrees hang on.

The private repository is what `git clone --bare --shared` makes (an empty object store that borrows
the user's by `objects/info/alternates`, and their references), made without running `upload-pack` in
a repository whose configuration may be hostile, and for shallow clones too. Neither hooks nor
configuration come along, but a few settings that say how file names and line ends are to be read.
"""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.errors import UserError
from app.workspace.files import copy_index, remove, sync_folder
from app.workspace.git import EMAIL, NAME, Git, GitError

START_REF = "refs/codetether/start"
"""In the private repository: the commit that the run started from."""

_HARMLESS = "autocrlf|eol|filemode|symlinks|precomposeunicode|checkstat|trustctime"
"""Not `ignorecase`: git finds out itself whether the folder of the run's worktrees ignores case. Where it does not,
and the setting says so, a file whose name changed in case alone is deleted under the old name and never added."""


@dataclass(frozen=True)
class Repository:
    """A checkout of the user: its top folder, its git directory and the one it shares with others."""

    top: Path
    git_dir: Path
    common_dir: Path

    @property
    def objects(self) -> Path:
        """Where the repository keeps its objects."""
        return self.common_dir / "objects"

    @property
    def git(self) -> Git:
        """For references and objects only, never for file contents: their filters would run."""
        return Git(self.git_dir, self.common_dir)

    @property
    def head(self) -> str:
        """The checked out commit. Raises `UserError` when there is none yet."""
        if commit := self.git.resolve("HEAD"):
            return commit
        raise UserError(
            f"repository `{self.top}` has no commit yet; make the first one: "
            f"`git -C {self.top} add -A && git -C {self.top} commit -m start`"
        )


def locate(folder: Path) -> Repository:
    """The repository that `folder` lies in. Raises `UserError` saying what it is instead."""
    if not folder.is_dir():
        raise UserError(f"folder `{folder}` does not exist; name the folder of a git repository with `--repo`")
    probe = Git(None, work_tree=folder)
    try:
        bare = _ask(probe, "--is-bare-repository") == "true"
        inside = _ask(probe, "--is-inside-work-tree") == "true"
    except GitError as error:
        if "not a git repository" not in error.stderr:
            raise
        raise UserError(
            f"folder `{folder}` is not a git repository; make it one: "
            f"`cd {folder} && git init && git add -A && git commit -m start`"
        ) from None
    if bare:
        raise UserError(f"repository `{folder}` is bare, without a checkout; use a clone of it: `git clone {folder}`")
    if not inside:
        raise UserError(f"folder `{folder}` lies inside a git directory; use the checkout it belongs to")
    if not _is_text(folder.absolute()):
        raise UserError(f"the path of folder `{folder.absolute()}` is not UTF-8 and cannot be recorded; rename it")
    return Repository(
        top=Path(_ask(probe, "--show-toplevel")),
        git_dir=Path(_ask(probe, "--absolute-git-dir")),
        common_dir=Path(_ask(probe, "--path-format=absolute", "--git-common-dir")),
    )


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _ask(probe: Git, *question: str) -> str:
    # GIT_WORK_TREE without GIT_DIR would stop git from looking for the repository itself.
    git = _Discovery(None, work_tree=probe.work_tree)
    return git.line("rev-parse", *question)


class _Discovery(Git):
    """Looks for the repository upwards from the folder, as git itself does."""

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in super()._environment().items() if name != "GIT_WORK_TREE"}


class _Checkout(Git):
    """Tells names apart as the file system of the user's checkout does."""

    def _environment(self) -> dict[str, str]:
        assert self.work_tree is not None
        other = self.work_tree / ".GIT"
        ignores = other.exists() and other.samefile(self.work_tree / ".git")
        told = {"COUNT": "1", "KEY_0": "core.ignorecase", "VALUE_0": "true" if ignores else "false"}
        return super()._environment() | {f"GIT_CONFIG_{name}": value for name, value in told.items()}


def create_private(repo: Repository, target: Path, start: str) -> Git:
    """Makes the private repository at `target`, its HEAD and `START_REF` at `start`.

    Not atomic: make it beside its place and rename it.
    """
    format = repo.git.line("rev-parse", "--show-object-format")
    Git(None).run("init", "--quiet", "--bare", "--template=", f"--object-format={format}", str(target))
    for name in ("info", "hooks", "worktrees"):
        (target / name).mkdir(exist_ok=True)
    (target / "objects" / "info" / "alternates").write_bytes(_alternate(repo.objects))
    if (shallow := repo.common_dir / "shallow").is_file():
        (target / "shallow").write_bytes(shallow.read_bytes())
    for name in ("exclude", "attributes"):
        if (rules := repo.common_dir / "info" / name).is_file():
            (target / "info" / name).write_bytes(rules.read_bytes())
    (target / "packed-refs").write_bytes(_references(repo))
    git = Git(target)
    for key, value in (_OURS | _harmless(repo)).items():
        git.run("config", key, value)
    (target / "HEAD").write_text(f"{start}\n", encoding="ascii")
    git.run("update-ref", START_REF, start)
    return git


_OURS = {
    "user.name": NAME,
    "user.email": EMAIL,
    "commit.gpgSign": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "advice.detachedHead": "false",
    "diff.ignoreSubmodules": "all",  # a linked one names a git directory that is not there
}
"""For the git calls that an agent makes in its shell."""


def publish(made: Path, target: Path) -> None:
    """Puts a finished private repository in its place, durably and whole."""
    made.rename(target)
    sync_folder(target.parent)


@contextmanager
def borrowed(repo: Repository) -> Generator[Git]:
    """A throw-away private repository over the user's checkout, with a copy of their index.

    Reading contents through it runs no filter of theirs and writes nothing of theirs.
    """
    with TemporaryDirectory(prefix="codetether-") as folder:
        target = Path(folder) / "git"
        create_private(repo, target, repo.head)
        yield with_index(repo, Git(target, work_tree=repo.top), Path(folder) / "index")


def with_index(repo: Repository, git: Git, index: Path) -> Git:
    """`git` with a copy of the user's index at `index`; a fresh one where it cannot be read."""
    remove(index)
    theirs = repo.git_dir / "index"
    git = _Checkout(git.git_dir, git.common_dir, repo.top, index, lock=git.lock)
    if theirs.is_file():
        copy_index(theirs, index)
        try:
            git.run("ls-files", "--stage", "-z", output=Path(os.devnull))
            return git
        except GitError:  # a split index lies in two files
            remove(index)
    git.run("read-tree", "HEAD")
    return git


def _alternate(objects: Path) -> bytes:
    name = os.fsencode(objects)
    if b"\n" in name:
        name = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return name + b"\n"


def _references(repo: Repository) -> bytes:
    names = ("refs/heads", "refs/tags", "refs/remotes")
    return repo.git.run("for-each-ref", "--format=%(objectname) %(refname)", *names)


def _harmless(repo: Repository) -> dict[str, str]:
    """What the user's and the repository's configuration say about names and line ends: plain values."""
    found: dict[str, str] = {}
    for entry in _config(repo, "--get-regexp", f"^core\\.({_HARMLESS})$").split("\0"):
        key, separator, value = entry.partition("\n")
        if separator:
            found[key] = value
    for key in ("core.excludesFile", "core.attributesFile"):
        if rules := _config(repo, "--type=path", "--get", key).split("\0")[0]:
            found[key] = str(repo.top / rules)
    return found


def has_filter(repo: Repository, name: str) -> bool:
    """Whether a configuration of the user says what the filter of this name does to a file that is added."""
    return any(_config(repo, "--get", f"filter.{name}.{way}").strip("\0") for way in ("clean", "process"))


def _config(repo: Repository, *question: str) -> str:
    # The user's own global configuration counts here, so this is the one call without our environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "--git-dir", str(repo.git_dir), "config", "--null", *question],
        env=environment | {"GIT_TERMINAL_PROMPT": "0"},
        cwd=repo.top,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return os.fsdecode(done.stdout) if done.returncode == 0 else ""
