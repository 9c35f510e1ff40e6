"""read, write, edit, multiedit, todo: through `execute`, as a model calls them."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.tools.base import Output, ToolContext
from app.tools.execute import CAP, execute
from app.tools.registry import REGISTRY, specs

_steps = count()


@pytest.fixture
def call(context: Callable[..., ToolContext]):
    """Runs a tool as a step of its own."""

    async def run(name: str, allowed: bool = False, **arguments: Any) -> Output:
        return await execute(name, json.dumps(arguments), context(step_id=f"step {next(_steps)}", allowed=allowed))

    return run


async def test_read_numbers_lines_and_goes_on(call, worktree: Path) -> None:
    (worktree / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo\nthree")
    assert (await call("read", path="a")).text == "1\tone\n2\ttwo\n3\tthree"
    part = await call("read", path="a", offset=2, limit=1)
    assert part.text == "2\ttwo\n… 1 more lines of 3; go on with offset=3"
    assert "at most 3" in (await call("read", path="a", offset=4)).text


async def test_read_of_long_lines_and_long_files(call, worktree: Path) -> None:
    (worktree / "wide").write_text("x" * 5000)
    assert "3000 characters more" in (await call("read", path="wide")).text
    (worktree / "long").write_text("word " * 10 + "\n" + "y" * 99 + "\n" * 9000)
    text = (await call("read", path="long")).text
    assert len(text) <= CAP and "go on with offset=" in text


async def test_read_refuses_what_is_no_text(call, worktree: Path) -> None:
    (worktree / "image").write_bytes(b"\x89PNG\0\0")
    (worktree / "folder").mkdir()
    (worktree / "config.py").write_text("")
    assert "binary" in (await call("read", path="image")).text
    assert "is a folder" in (await call("read", path="folder")).text
    assert (await call("read", path="config.py")).text == "(the file is empty)"
    missing = await call("read", path="confg.py")
    assert (missing.status, missing.text) == ("error", "`confg.py` does not exist; did you mean `config.py`?")


async def test_write_makes_folders_and_keeps_the_mode(call, worktree: Path) -> None:
    assert (await call("write", filePath="x/y/run.sh", content="a\n")).text == "created `x/y/run.sh` (1 lines)"
    (worktree / "x/y/run.sh").chmod(0o755)
    assert (await call("write", path="x/y/run.sh", content="b")).status == "ok"
    assert (worktree / "x/y/run.sh").read_text() == "b"
    assert (worktree / "x/y/run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", [".git/config", "../x", "out/x", ".env"])
async def test_write_refuses_forbidden_places(call, worktree: Path, tmp_path: Path, path: str) -> None:
    (worktree / "out").symlink_to(tmp_path)
    before = (worktree / ".git/config").read_bytes()
    assert (await call("write", path=path, content="x")).status == "error"
    assert (worktree / ".git/config").read_bytes() == before
    assert not (tmp_path / "x").exists() and not (worktree / ".env").exists()


async def test_edit_wants_one_exact_place(call, worktree: Path) -> None:
    (worktree / "a").write_text("x = 1\ny = 1\n")
    assert "occurs 2 times" in (await call("edit", path="a", old="= 1", new="= 2")).text
    assert "does not occur" in (await call("edit", path="a", old="z = 1", new="")).text
    assert "equal" in (await call("edit", path="a", old="x", new="x")).text
    assert "is empty" in (await call("edit", path="a", old="", new="x")).text
    assert (await call("edit", file_path="a", old_string="x = 1", new_string="x = 2")).status == "ok"
    assert (await call("edit", path="a", old=" = ", new=": ", replace_all=True)).text == "edited `a` (2 replacements)"
    assert (worktree / "a").read_text() == "x: 2\ny: 1\n"
    assert (await call("edit", path="n", old="", new="new\n")).status == "ok"
    assert (worktree / "n").read_text() == "new\n"


async def test_edit_keeps_line_endings_and_odd_bytes(call, worktree: Path) -> None:
    (worktree / "a").write_bytes(b"one\r\ntwo\r\n\xff\r\n")
    assert (await call("edit", path="a", old="one\ntwo", new="1\n2\n3")).status == "ok"
    assert (worktree / "a").read_bytes() == b"1\r\n2\r\n3\r\n\xff\r\n"
    assert (await call("edit", path="a", old="3", new="3\n4")).status == "ok"
    assert (worktree / "a").read_bytes() == b"1\r\n2\r\n3\r\n4\r\n\xff\r\n"
    assert (await call("edit", path="a", old="\n4", new="\n5\n6")).status == "ok"
    assert (await call("edit", path="a", old="\n2", new="")).status == "ok"
    assert (worktree / "a").read_bytes() == b"1\r\n3\r\n5\r\n6\r\n\xff\r\n"


async def test_multiedit_is_all_or_nothing(call, worktree: Path) -> None:
    (worktree / "a").write_text("one two")
    edits = [{"old": "one", "new": "1"}, {"oldString": "gone", "newString": "x"}]
    failed = await call("multiedit", path="a", edits=edits)
    assert failed.status == "error" and failed.text.startswith("edit 2 of 2:")
    assert (worktree / "a").read_text() == "one two"
    edits[1] = {"old": "1 two", "new": "12"}
    assert (await call("multiedit", path="a", edits=edits)).status == "ok"
    assert (worktree / "a").read_text() == "12"


async def test_todo_is_kept(call) -> None:
    assert (await call("todo_read")).text == "(the list is empty)"
    await call("todo_write", items=[{"text": "look", "status": "done"}, {"text": "act"}])
    assert await call("todo_read") == Output("ok", "[x] look\n[ ] act", "1 of 2 done")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("{}", "`path` of `read`: Field required"),
        ('{"path": "a", "lines": 3}', "`lines` of `read`: Extra inputs"),
        ('{"path": "a", "offset": 0}', "`offset` of `read`"),
        ('{"path": "a\\u0000"}', "NUL"),
        ('{"path": "a\\ud800"}', "the arguments of `read` hold half a character"),
        ('{"path": "' + "a" * 300 + '"}', "name too long"),
    ],
)
async def test_bad_arguments_are_told_in_one_sentence(ctx: ToolContext, arguments: str, words: str) -> None:
    output = await execute("read", arguments, ctx)
    assert output.status == "error"
    assert words in output.text.replace("File", "file")
    assert "\n" not in output.text and len(output.preview) <= 400


async def test_unknown_tools_and_answers_do_not_run(ctx: ToolContext) -> None:
    for name in ("nothing", "give_score"):
        assert (await execute(name, "{}", ctx)).status == "error"


async def test_long_results_are_cut_and_can_be_read_whole(context, worktree: Path) -> None:
    for number in range(700):
        (worktree / f"{'long name ' * 5}{number}").write_text("")
    cut = await execute("list", "{}", context(step_id="t/1:call 3"))
    assert len(cut.text) <= CAP and "characters left out" in cut.text
    arguments = cut.text.split("the whole output: read ")[1].split("\n")[0]
    path, offset = arguments.split('"')[1], int(arguments.rpartition("=")[2])
    more = await execute("read", json.dumps({"path": path, "offset": offset}), context(step_id="next"))
    assert more.status == "ok" and more.text.startswith(f"{offset}\tlong name")
    assert (await execute("list", "{}", context(step_id="t/1:call 3", attempt=2))).text == cut.text


def test_specs_show_canonical_names_only() -> None:
    for spec in specs(REGISTRY):
        function = spec["function"]
        assert "." not in function["name"] and function["description"]
        assert function["parameters"]["type"] == "object"
        assert not {"file_path", "filePath", "old_string", "title"} & set(function["parameters"].get("properties", ()))
    edit = specs(["edit"])[0]["function"]["parameters"]
    assert list(edit["properties"]) == ["path", "old", "new", "replace_all"]
    assert edit["required"] == ["path", "old", "new"] and edit["additionalProperties"] is False
    proposal = specs(["propose_okr"])[0]["function"]["parameters"]
    assert "title" in proposal["$defs"]["ProposedKeyResult"]["properties"]
