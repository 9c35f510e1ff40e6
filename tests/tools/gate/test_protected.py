"""What a command made of a worktree is put right again, also where it took permissions away."""

import os
import socket
from pathlib import Path

import pytest

from app.errors import UserError
from app.settings import load
from app.tools.gate.sandbox.protected import after, before
from app.tools.gate.sandbox.protected import load as read_back


def test_what_was_there_is_put_back_and_what_was_not_is_removed(tmp_path: Path) -> None:
    worktree, kept = tmp_path / "tree", tmp_path / "kept"
    (worktree / ".vscode").mkdir(parents=True)
    (worktree / ".vscode" / "tasks.json").write_text("{}")
    (worktree / ".mcp.json").write_text("{}")
    (worktree / ".profile").symlink_to("elsewhere")
    noted = read_back(before(worktree, kept).dump())  # as whoever comes after a killed worker reads it
    (worktree / ".vscode" / "tasks.json").write_text("evil")
    (worktree / ".vscode").chmod(0o000)
    (worktree / ".profile").unlink()
    (worktree / ".profile").write_text("evil")
    (worktree / ".idea").mkdir()
    (worktree / "deep").mkdir()
    os.mkfifo(worktree / "deep" / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(worktree / "sock"))
    (worktree / "deep").chmod(0o555)
    worktree.chmod(0o555)
    said = after(noted)
    assert (worktree / ".vscode" / "tasks.json").read_text() == "{}"
    assert (worktree / ".profile").readlink() == Path("elsewhere")
    assert not (worktree / ".idea").exists()
    assert list((worktree / "deep").iterdir()) == [] and not (worktree / "sock").exists()
    assert [sentence.split("`")[1] for sentence in said] == [".idea", ".profile", ".vscode", "deep/pipe", "sock"]
    assert after(noted) == (), "a second time changes nothing"


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('network = ["https://pypi.org/simple"]', "sandbox.network.0"),
        ('memory = "lots"', "sandbox.memory"),
        ("processes = 0", "sandbox.processes"),
        ("procesess = 5", "sandbox.procesess"),
    ],
)
def test_a_wrong_setting_is_named(lines: str, field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.toml").write_text(f"[sandbox]\n{lines}\n")
    with pytest.raises(UserError, match=f"`{field}`"):
        load()


def test_sizes_are_written_as_people_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.toml").write_text('[sandbox]\nmemory = "2 GiB"\nnetwork = ["*.example.com:443"]\n')
    found = load().sandbox
    assert (found.memory, found.network) == (2 << 30, ("*.example.com:443",))
