"""Skills as the specification has them; what is not usable is told in one sentence."""

from pathlib import Path

import pytest

from app.context.skills import PLACES, found, in_places, listing
from app.context.source import Folder


def skill(top: Path, name: str, text: str, place: str = ".agents/skills", **files: str) -> Path:
    folder = top / place / name
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(text)
    for file, content in files.items():
        (folder / file).write_text(content)
    return folder


def front(name: str, description: str = "What it is for", more: str = "") -> str:
    return f"---\nname: {name}\ndescription: {description}\n{more}---\nThe body.\n"


@pytest.mark.parametrize(
    ("folder", "text", "why"),
    [
        ("a", "no front matter", "does not begin with front matter"),
        ("a", "---\nname: a\n---\n", "`description`"),
        ("a", front("b"), "must be the name of its folder"),
        ("a--b", front("a--b"), "single hyphens"),
        ("A", front("A"), "single hyphens"),
        ("a", front("a", "x" * 1025), "1024 characters"),
        ("a", front("a", more=f"compatibility: {'x' * 501}\n"), "500 characters"),
        ("a", "---\nname: [a\n---\n", "no valid YAML"),
        ("a", "---\nname: a\ndescription: &x y\nmetadata: {z: *x}\n---\n", "aliases"),
        ("a", "---\n- 1\n---\n", "front matter"),
        ("a", "---\nname: !!python/object/apply:os.system [id]\ndescription: x\n---\n", "no valid YAML"),
    ],
)
def test_bad_front_matter_is_one_sentence(tmp_path: Path, folder: str, text: str, why: str) -> None:
    skill(tmp_path, folder, text)
    skills, (note,) = in_places(Folder(tmp_path), PLACES, "project")
    assert not skills and why in note and f"`.agents/skills/{folder}`" in note and "\n" not in note


def test_own_ones_first_and_scripts_only_where_they_are_trusted(tmp_path: Path) -> None:
    repo, config = tmp_path / "repo", tmp_path / "config"
    skill(config, "tidy", front("tidy", "mine"), "skills")
    skill(repo, "tidy", front("tidy", "theirs"))
    skill(repo, "plain", front("plain", more="license: MIT\nallowed-tools: Bash Read\n"), ".claude/skills")
    skill(repo, "runs", front("runs"), **{"run.sh": "true"})
    skills, notes = found(Folder(repo), config, trusted=lambda: False)
    assert [(each.front.name, each.origin) for each in skills] == [("tidy", "user"), ("plain", "project")] and not notes
    skills, _ = found(Folder(repo), config, trusted=lambda: True)
    assert [each.front.name for each in skills] == ["tidy", "runs", "plain"]
    assert "- tidy (user): mine" in listing(each.ref for each in skills)


def test_a_linked_file_is_no_skill(tmp_path: Path) -> None:
    folder = tmp_path / ".agents" / "skills" / "a"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").symlink_to("/etc/passwd")
    assert in_places(Folder(tmp_path), PLACES, "project")[0] == []
