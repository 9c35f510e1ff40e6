"""Trust is in exact contents: any other byte, name or permission is not trusted."""

import json
from pathlib import Path

import pytest

from app.context import trust
from app.context.source import Folder

HOOK = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "sh scripts/check.sh && python3 other.py"}]}]}}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    for name, text in {
        ".claude/settings.json": json.dumps(HOOK),
        "scripts/check.sh": "true\n",
        "other.py": "",
        "a": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def state(tmp_path: Path, repo: Path, root: str = "/r") -> str:
    return trust.standing(tmp_path / "data", root, Folder(repo)).state


def test_a_changed_byte_or_permission_ends_it(tmp_path: Path, repo: Path) -> None:
    data = tmp_path / "data"
    assert state(tmp_path, repo) == "untrusted"
    found = trust.standing(data, "/r", Folder(repo))
    assert sorted(found.files) == [".claude/settings.json", "other.py", "scripts/check.sh"]  # what hooks name, too
    trust.add(data, "/r", found)
    assert (state(tmp_path, repo), state(tmp_path, repo, "/elsewhere")) == ("trusted", "untrusted")
    (repo / "a").write_text("nothing that starts anything")
    assert state(tmp_path, repo) == "trusted"
    (repo / "scripts" / "check.sh").chmod(0o755)
    found = trust.standing(data, "/r", Folder(repo))
    assert (found.state, found.changed, found.usable) == ("changed", ("scripts/check.sh",), False)
    assert "`scripts/check.sh`: changed since you trusted them" in trust.sentence(found, "/r")
    (repo / "scripts" / "check.sh").chmod(0o644)
    (repo / ".mcp.json").write_text("{}")
    assert state(tmp_path, repo) == "changed"
    (repo / ".mcp.json").unlink()
    assert state(tmp_path, repo) == "trusted"
    assert trust.remove(data, "/r") == 1 and state(tmp_path, repo) == "untrusted"


def test_an_unreadable_record_trusts_nothing(tmp_path: Path, repo: Path) -> None:
    data = tmp_path / "data"
    trust.add(data, "/r", trust.standing(data, "/r", Folder(repo)))
    (file,) = (data / "trust").glob("*.json")
    file.write_text(file.read_text()[:-3])
    assert state(tmp_path, repo) == "untrusted"


def test_nothing_to_trust(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    found = trust.standing(tmp_path / "data", "/r", Folder(tmp_path / "repo"))
    assert found.state == "none" and trust.sentence(found, "/r") == ""
