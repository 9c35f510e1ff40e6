"""Instruction files from a commit: nearest wins, capped, without what a person cannot see."""

from pathlib import Path

from playbook import commit_all

from app.context.instructions import folders_to, load, marked, plain
from app.context.source import Commit
from app.workspace.repository import locate


def committed(repo: Path, **files: str) -> Commit:
    """A repository with these files (`__` is `/`, `_md` is `.md`)."""
    for name, text in files.items():
        path = repo / name.replace("__", "/").replace("_md", ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commit = commit_all(repo)
    return Commit(locate(repo).git, commit)


def test_one_file_a_folder_and_the_nearest_last(tmp_path: Path) -> None:
    source = committed(tmp_path, AGENTS_md="top", CLAUDE_md="other", a__GEMINI_md="a", a__b__CLAUDE_md="b")
    text, loaded, notes = load(source, folders_to("a/b"))
    assert [file.path for file in loaded] == ["AGENTS.md", "a/GEMINI.md", "a/b/CLAUDE.md"] and not notes
    assert text.index("top") < text.index("a/GEMINI.md") < text.index("a/b/CLAUDE.md") and "other" not in text


def test_the_farthest_is_cut_first_and_says_so(tmp_path: Path) -> None:
    source = committed(tmp_path, AGENTS_md="x" * 80, a__AGENTS_md="y" * 60)
    text, loaded, notes = load(source, folders_to("a"), 100)
    assert [(file.path, file.left_out) for file in loaded] == [("AGENTS.md", 40), ("a/AGENTS.md", 0)]
    assert text.count("x" * 40) == 1 and "x" * 41 not in text and "y" * 60 in text
    assert notes == ("`AGENTS.md` was cut: 40 of its 80 bytes were left out",)
    assert "40 more bytes of this file were left out" in text


def test_a_file_that_is_no_instruction_is_not_read(tmp_path: Path) -> None:
    source = committed(tmp_path, AGENTS_md="x" * (1024 * 1024 + 1))
    text, loaded, (note,) = load(source, ["."])
    assert (text, loaded) == ("", ()) and "`AGENTS.md` has 1,048,577 bytes" in note


def test_a_link_leads_to_its_neighbour_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").symlink_to("CLAUDE.md")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "AGENTS.md").symlink_to("/etc/passwd")
    source = committed(tmp_path, CLAUDE_md="the rules")
    text, loaded, (note,) = load(source, folders_to("a"))
    assert [file.path for file in loaded] == ["CLAUDE.md"] and "the rules" in text and "a/AGENTS.md" in note


def test_only_the_commit_counts(tmp_path: Path) -> None:
    source = committed(tmp_path, AGENTS_md="committed")
    (tmp_path / "AGENTS.md").write_text("changed since")
    assert "committed" in load(source, ["."])[0] and "changed" not in load(source, ["."])[0]


def test_what_nobody_sees_is_not_told() -> None:
    assert plain("a\x1b[0m\u202eb\u200b\U000e0041c\td\n") == "a[0mbc\td\n"


def test_a_text_cannot_hold_its_own_mark() -> None:
    text = marked("AGENTS.md", "x")
    closing = text.splitlines()[-1]
    assert closing not in marked("AGENTS.md", f"x\n{closing}").splitlines()[-1]
