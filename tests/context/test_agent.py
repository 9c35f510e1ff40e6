"""What an agent is told when it comes to another folder."""

from pathlib import Path

import pytest
from playbook import commit_all

from app.context import agent
from app.context.source import Commit
from app.domain.tool import Workspace
from app.workspace.repository import locate


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> Commit:
    repo = tmp_path_factory.mktemp("repo")
    for folder in ("", "a", "a/b", "c"):
        (repo / folder).mkdir(exist_ok=True)
        (repo / folder / "AGENTS.md").write_text("words")
    at = commit_all(repo)
    return Commit(locate(repo).git, at)


@pytest.mark.parametrize(
    ("subdir", "path", "told"),
    [
        (".", "x.py", []),
        (".", "a/x.py", ["a/AGENTS.md"]),
        (".", "/r/a/b/x.py", ["a/AGENTS.md", "a/b/AGENTS.md"]),
        (".", "a/b", ["a/AGENTS.md"]),
        (".", "a/b/", ["a/AGENTS.md"]),
        (".", "a/b/..", []),
        (".", "a/b/c/..", ["a/AGENTS.md"]),
        (".", "a/../c/./x.py", ["c/AGENTS.md"]),
        (".", "../r/c/x.py", ["c/AGENTS.md"]),
        (".", "../other/a/x.py", []),
        (".", "/etc/passwd", []),
        (".", "/x", []),
        (".", "", []),
        (".", "a\0/x", []),
        ("a", "b/x.py", ["a/b/AGENTS.md"]),
        ("a", "x.py", []),
        ("a", "../c/x.py", ["c/AGENTS.md"]),
        ("a", "..", []),
    ],
)
def test_a_folder_tells_when_a_path_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: Commit, subdir: str, path: str, told: list[str]
) -> None:
    monkeypatch.setattr(agent, "_now", lambda *_: commit)
    space = Workspace(data_id="", run="r", name="main", root="/r", subdir=subdir)
    found = agent.nearer(tmp_path, space, [path], known=[])
    assert [file.path for file in found.files] == told if found else told == []
