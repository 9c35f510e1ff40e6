"""A user's repository, as people have them, and shorthands for what a run does with it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from app import workspace
from app.domain.activities import CommitInput, Committed, Finished, FinishInput, PrepareInput
from app.domain.session import Ids
from app.domain.tool import Workspace
from app.settings import Settings

RUN = "run-1"


def git(folder: Path, *args: str) -> str:
    """What the person's own git prints."""
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode(errors="surrogateescape").strip()


def new_repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_a.py").write_text("assert True\n")
    (folder / ".gitignore").write_text("*.log\n.venv/\n.env\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "start")
    return folder


@dataclass
class Desk:
    """One run on one repository."""

    repo: Path
    settings: Settings

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    def prepare(self, run: str = RUN, **more: object) -> Workspace:
        fields = {"run": run, "data_id": "here", "name": "main", "repo": str(self.repo)} | more
        return workspace.prepare(self.data, PrepareInput.model_validate(fields), self.settings)

    def tree(self, ws: Workspace) -> Path:
        return workspace.worktree_path(self.data, ws)

    def commit(self, ws: Workspace, step: str = "step-1", message: str = "work") -> Committed:
        return workspace.commit(self.data, CommitInput(step_id=step, ids=Ids(), workspace=ws, message=message))

    def finish(self, ws: Workspace, commit: str) -> Finished:
        return workspace.finish(self.data, FinishInput(run=ws.run, workspace=ws, commit=commit))

    def finished(self, files: dict[str, str], run: str = RUN) -> Finished:
        """A whole run that writes these files."""
        ws = self.prepare(run)
        for name, text in files.items():
            (self.tree(ws) / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree(ws) / name).write_text(text)
        return self.finish(ws, self.commit(ws).commit)


def snapshot(repo: Path) -> dict[str, bytes]:
    """Every file of the user's `.git` but objects, ours aside: our branches and keep references."""
    top = repo / ".git"
    found: dict[str, bytes] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_file() and not name.startswith("objects/") and "codetether" not in name:
            found[name] = path.read_bytes()
    return found
