"""What the documents say is true: their commands run, their examples work, what they name exists."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from harness import playing
from typer.main import get_command

from app.cli.lazy import COMMANDS
from app.cli.lazy import app as ctl
from app.demo.scenario import Reply
from app.domain.run import ModelRef
from app.llm import ChatRequest, answer, priced, resolve, user_message
from app.llm.registry import PROVIDERS, Provider, base_url_of
from app.settings import Settings, load
from app.stack.local import down

ROOT = Path(__file__).parents[2]
README, FIRST_HOUR = ROOT / "README.md", ROOT / "docs" / "first-hour.md"
PLUGIN = ROOT / "docs" / "write-a-plugin.md"
TOOL, PROVIDER = ROOT / "docs" / "add-a-tool.md", ROOT / "docs" / "add-a-provider.md"
DOCS = (README, *sorted((ROOT / "docs").glob("*.md")))
FOLDERS = ("app", "workflows", "activities", "tests", "docs", "scripts", "examples", "benchmarks")
MADE = ("app/tools/outline.py", "tests/tools/test_outline.py")
"""What the reader of `add-a-tool.md` makes."""


@dataclass(frozen=True)
class Block:
    """A fenced block. `mark`: the comment on the line before it, without its arrows."""

    file: Path
    line: int
    language: str
    mark: str
    text: str


def blocks(file: Path) -> Iterator[Block]:
    lines = file.read_text(encoding="utf-8").splitlines()
    opened, mark = 0, ""
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if opened:
            text = "\n".join(lines[opened : number - 1]) + "\n"
            yield Block(file, opened, lines[opened - 1][3:], mark, text)
            opened = 0
        else:
            opened = number
            comment = re.fullmatch(r"<!-- (.*) -->", lines[number - 2])
            mark = comment[1] if comment else ""
    assert not opened, f"{file.name}:{opened}: a block without an end"


def marked(file: Path, kind: str) -> dict[str, str]:
    """Blocks marked `kind: name`, by name; of a `diff` what it adds."""
    found = (block for block in blocks(file) if block.mark.startswith(f"{kind}:"))
    return {block.mark.split()[1]: re.sub(r"^\+", "", block.text, flags=re.MULTILINE) for block in found}


def prose(file: Path) -> str:
    """The text without its blocks."""
    return re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def snippets(file: Path) -> Iterator[str]:
    """Everything that is to be typed: code in a line, and the lines of `sh` blocks."""
    yield from re.findall(r"`([^`\n]+)`", prose(file))
    for block in blocks(file):
        if block.language == "sh":
            yield from block.text.splitlines()


def calls(file: Path, program: str) -> Iterator[list[str]]:
    """The words of each call of `program`, up to its end."""
    for snippet in snippets(file):
        for match in re.finditer(rf"(?:^|&& |\$\(){program} ([^|;&)#]+)", snippet):
            yield shlex.split(match[1])


def command_of(words: list[str]) -> Any:
    """The command that the first words name; None for a name that is none."""
    if words[0] not in COMMANDS:
        return None
    group = get_command(ctl)
    command: Any = group.get_command(typer.Context(group), words[0])  # pyright: ignore[reportAttributeAccessIssue]
    if hasattr(command, "commands") and len(words) > 1:
        return command.commands.get(words[1])
    return command


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.stem)
def test_every_command_and_option_that_is_named_exists(file: Path) -> None:
    for words in calls(file, "ctl"):
        if words[0].startswith("-"):
            continue
        command = command_of(words)
        assert command is not None, f"{file.name}: ctl {' '.join(words)}"
        known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known, f"{file.name}: ctl {words[0]} has no {used - known}"


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.stem)
def test_make_targets_that_are_named_exist(file: Path) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert phony is not None
    assert {words[0] for words in calls(file, "make")} <= set(phony[1].split())


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.stem)
def test_links_lead_somewhere(file: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", prose(file)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{file.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{file.name}: {link}"


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.stem)
def test_files_that_are_named_exist(file: Path) -> None:
    for word in re.findall(r"`([\w./-]+)`", prose(file)):
        if word.split("/")[0] in FOLDERS and "/" in word and word not in MADE:
            assert (ROOT / word).exists(), f"{file.name}: {word}"


def anchors(file: Path) -> set[str]:
    """The headings of a document as GitHub's anchors."""
    heads = re.findall(r"^#+ (.*)$", prose(file), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_command_is_in_the_readme() -> None:
    assert set(COMMANDS) - {words[0] for words in calls(README, "ctl")} <= {"demo"}  # that one is `make demo`


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 240


def test_the_configuration_of_the_readme_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(block.text for block in blocks(README) if block.language == "toml")
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    told, settings = tomllib.loads(text), load()
    spaces, lists, prices = (told.pop(name) for name in ("workspace", "permissions", "prices"))
    assert {name: price.model_dump(exclude_none=True) for name, price in settings.prices.items()} == prices
    texts = [(rule.verdict, f"{rule.tool}: {rule.pattern}") for rule in settings.rules]
    assert texts == [(verdict, text) for verdict, each in lists.items() for text in each]
    told["fallback"] = tuple(told["fallback"])
    assert {name: getattr(settings, name) for name in told} == told
    assert (list(settings.link), list(settings.copy_files)) == (spaces["link"], spaces["copy"])


def test_the_new_tool_works_in_a_copy_of_the_code(tmp_path: Path) -> None:
    files = marked(TOOL, "file")
    assert set(files) == set(MADE)
    for name in ("app", "workflows"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "tools" / "conftest.py", tmp_path / "tests" / "tools")
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/tools/test_outline.py")
    python(tmp_path, "-m", "ruff", "check", "-q", "--no-cache", *files)
    python(tmp_path, "-m", "ruff", "format", "-q", "--no-cache", "--check", *files)
    python(tmp_path, "-c", OFFERED)


OFFERED = """
import app.tools.registry, workflows.relay
specs = app.tools.registry.specs(workflows.relay.WRITING_TOOLS)
assert app.tools.registry.__file__.startswith(__import__("os").getcwd())
assert "outline" in [spec["function"]["name"] for spec in specs]
"""


def python(folder: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_new_provider_resolves_and_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    call = ast.parse(marked(PROVIDER, "row")["app/llm/registry.py"].strip().rstrip(","), mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Provider"
    row = Provider(*(ast.literal_eval(word) for word in call.args))
    assert row.name not in PROVIDERS
    monkeypatch.setitem(PROVIDERS, row.name, row)
    settings = Settings(data_dir=tmp_path, config_dir=tmp_path)
    (named,) = {words[words.index("--model") + 1] for words in calls(PROVIDER, "ctl") if f"{row.name}/" in str(words)}
    model = resolve(named, "", settings)
    assert base_url_of(model) == row.base_url and priced(model)
    monkeypatch.setitem(PROVIDERS, row.name, row._replace(needs_key=False))
    with playing(lambda _messages, _offered: Reply("Hello.")) as server:
        here = ModelRef(provider=row.name, name=model.name, base_url=f"http://127.0.0.1:{server.server_address[1]}/v1")
        request = ChatRequest(model=here, system="be brief", messages=[user_message("hi")], tools=[])
        assert (await answer(request)).text == "Hello."


@pytest.fixture
def desk(tmp_path: Path) -> Generator[dict[str, str]]:
    """The environment of a person with an identity, a checkout and `ctl`; the stack is ended with it."""
    folders = {name: tmp_path / name for name in ("bin", "data", "config", "home", "codetether")}
    for name in ("bin", "home", "codetether"):
        folders[name].mkdir()
    shutil.copytree(ROOT / "examples", folders["codetether"] / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    program = folders["bin"] / "ctl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m app.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    identity = "[user]\n\tname = Reader\n\temail = reader@codetether.invalid\n"
    (folders["home"] / ".gitconfig").write_text(identity, encoding="utf-8")
    yield {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "PATH": f"{folders['bin']}:{os.environ['PATH']}",
        "HOME": str(folders["home"]),
        "COLUMNS": "80",
        "CODETETHER_DATA_DIR": str(folders["data"]),
        "CODETETHER_CONFIG_DIR": str(folders["config"]),
    }
    if folders["data"].exists():
        down(Settings(data_dir=folders["data"], config_dir=folders["config"]), lambda _text: None)


def test_a_plugin_is_signed_installed_and_revoked_as_it_is_written(desk: dict[str, str], tmp_path: Path) -> None:
    folder, told = str(tmp_path / "codetether"), ""
    for block in blocks(PLUGIN):
        if block.mark == "run":
            code, said, folder = carried_out(block.text, folder, desk)
            assert code == 0, f"{PLUGIN.name}:{block.line}: exit {code}\n{block.text}\n{said}"
            told += said
    assert "reads the worktree, changes nothing" in told and "removed wordcount" in told


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_first_hour_runs_as_it_is_written(desk: dict[str, str], tmp_path: Path) -> None:
    folder, told = str(tmp_path / "codetether"), ""
    for block in (*blocks(FIRST_HOUR), *blocks(README)):
        if not block.mark.startswith("run"):
            continue
        assert block.language == "sh"
        wanted = re.fullmatch(r"run(?:: exit (\d+))?", block.mark)
        assert wanted is not None, f"{block.file.name}:{block.line}: {block.mark}"
        code, said, folder = carried_out(block.text, folder, desk)
        assert code == int(wanted[1] or 0), f"{block.file.name}:{block.line}: exit {code}\n{block.text}\n{said}"
        told += said
    missing = [line for line in shown(FIRST_HOUR) if line not in told]
    assert not missing, f"first-hour.md shows what was never printed: {missing}\n{told}"
    assert "keep the public names" in told and "stopped: worker, demo, temporal" in told
    assert json.loads((tmp_path / "data" / "stack.json").read_text(encoding="utf-8"))["worker"] is None


def shown(file: Path) -> list[str]:
    """The lines that a document shows as printed."""
    return [line for block in blocks(file) if not block.language for line in block.text.splitlines()]


def carried_out(text: str, folder: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Runs a block as a shell does; its exit code, what it printed, and the folder that it ended in."""
    place = Path(environment["HOME"]) / "pwd"
    script = f"trap 'pwd >{shlex.quote(str(place))}' EXIT\nset -e\n{text}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, place.read_text(encoding="utf-8").strip()
