"""`ctl memory`: a person reads and changes what agents remember."""

import json
import os
import subprocess
import sys
from pathlib import Path

from app.tools.memory import remembered


def test_a_person_lists_shows_edits_and_removes_notes(tmp_path: Path) -> None:
    repo, data, editor = tmp_path / "repo", tmp_path / "data", tmp_path / "editor"
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], cwd=repo, check=True)
    editor.write_text('#!/bin/sh\necho by hand >>"$1"\n')
    editor.chmod(0o755)
    env = {**os.environ, "CODETETHER_DATA_DIR": str(data), "CODETETHER_CONFIG_DIR": str(tmp_path)}
    env["VISUAL"] = str(editor)

    def ctl(*words: str) -> tuple[int, str]:
        argv = [sys.executable, "-I", "-m", "app.cli", "memory", *words]
        done = subprocess.run(argv, cwd=repo, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert ctl("edit", "notes") == (0, "changed: notes\n")
    assert ctl("show") == (0, "by hand\n")
    assert json.loads(ctl("list", "--json")[1])[0]["name"] == "notes"
    assert remembered(data, str(repo)) == "## notes\nby hand"
    assert ctl("remove", "notes")[0] == 0
    code, said = ctl("show")
    assert code == 2 and "there are no notes `notes`" in said
    env["VISUAL"] = "/nonexistent/editor"
    code, said = ctl("edit", "notes")
    assert code == 2 and "EDITOR" in said and remembered(data, str(repo)) == ""
