"""Whatever a person types or has set up wrongly is one sentence with the next step, never a traceback."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Script, System
from playbook import chores, git, kept, shell, working

from app.cli.lazy import run as run_ctl
from app.settings import load

Model = Callable[[Script], list[str]]
Said = Callable[..., str]
DONE = shell("cp /dev/null todo.txt")
LOCAL = ("--model", "openai/none", "--base-url", "http://127.0.0.1:9/v1")


@pytest.fixture
def said(system: System, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """`said(words, cwd=, code=)`: the one sentence that `ctl`, in this process, says on stderr as it fails."""
    for name, value in system.environment(HOME=str(system.data / "nobody")).items():
        monkeypatch.setenv(name, value)

    def call(*words: str, cwd: Path, code: int, **env: str) -> str:
        with monkeypatch.context() as here:
            here.chdir(cwd)
            for name, value in env.items():
                here.setenv(name, value)
            capfd.readouterr()
            left = run_ctl(list(words))
        out, err = capfd.readouterr()
        assert left == code, f"exit {left}\n{out}\n{err}"
        return sentence(out, err)

    return call


def sentence(out: str, err: str) -> str:
    """The one error, which names something and tells what to do."""
    assert out == "" and "Traceback" not in err and "defect of ours" not in err, out + err
    line = err.splitlines()[-1]  # before it: what git itself said
    assert line.startswith("error: "), err
    assert "`" in line
    return line


def test_places_that_are_no_repository(said: Said, tmp_path: Path) -> None:
    plain, empty = tmp_path / "plain", tmp_path / "empty"
    plain.mkdir()
    (plain / "code.py").write_text("print(1)\n")
    told = said("go", "be better", *LOCAL, cwd=plain, code=2)
    advice = told.split("`")[-2]
    assert str(plain) in advice and "git init" in advice
    subprocess.run(
        ["sh", "-c", f"{advice.replace('git commit', 'git -c user.name=T -c user.email=t@t commit')}"], check=True
    )
    assert git(plain, "ls-files") == "code.py\n"
    empty.mkdir()
    git(empty, "init", "-q")
    assert "no commit yet" in said("run", "be better", *LOCAL, cwd=empty, code=2)
    assert "`--repo`" in said("go", "be better", "--repo", str(tmp_path / "nowhere"), *LOCAL, cwd=plain, code=2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("go", ""), "`ctl go"),
        (("go", "  \n "), "`ctl go"),
        (("go", "long " * 900), "4000"),
        (("go", "Progress: 3 of 5 stories\nIncomplete stories: US-4"), "`Progress:`"),
        (("run", "go on\n\n**Incomplete stories:**\n- US-4"), "`Incomplete stories:`"),
        (("autochat", "## Next steps:\n1. write tests"), "`Next steps:`"),
        (("go", "be\x1b[2Jbetter"), "`\\x1b`"),
        (("go", "be \udcff better"), "`\\udcff`"),
        (("go", "be better", "--model", "gpt-5"), "`gpt-5`"),
        (("go", "be better", "--model", "acme/large"), "`acme`"),
        (("go", "be better", "--model", "openai/" + "x" * 129), "128"),
        (("go", "be better", "--model", "openai/x", "--base-url", "localhost:8000"), "`localhost:8000`"),
        (("go", "be better", "--budget-usd", "0", "--model", "openai/gpt-4o"), "`--budget-usd 0`"),
        (("go", "be better", "--budget-tokens", "-5", *LOCAL), "`--budget-tokens -5`"),
        (("go", "be better", "--budget-usd", "3", *LOCAL), "`--budget-tokens 500000`"),
        (("go", "be better", "--max-turns", "0", *LOCAL), "`--max-turns 0`"),
        (("go", "be better", "--mode", "swarm", *LOCAL), "`--mode swarm`"),
        (("go", "be better", "--permission-mode", "maybe", *LOCAL), "`mode`"),
        (("watch", "no-such-run"), "`ctl okr runs`"),
        (("okr", "show", "no-such-okr"), "`ctl okr list`"),
        (("sessions", "show", "no-such-session"), "`ctl sessions list"),
    ],
)
def test_usage(said: Said, tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    assert named in said(*words, cwd=chores(tmp_path / "chores"), code=2)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("go",), "intent"),
        (("go", "be better", "--budget-usd", "much"), "--budget-usd"),
        (("go", "be better", "--fast"), "--fast"),
        (("gogo",), "gogo"),
        (("amend",), "TEXT"),
    ],
)
def test_usage_as_the_parser_says_it(capfd: pytest.CaptureFixture[str], words: tuple[str, ...], named: str) -> None:
    assert run_ctl(list(words)) == 2
    out, err = capfd.readouterr()
    assert out == "" and named in err and "Traceback" not in err


def test_settings_that_cannot_be_read(said: Said, tmp_path: Path) -> None:
    repo, config = chores(tmp_path / "chores"), tmp_path / "config"
    config.mkdir()
    file = config / "config.toml"
    for content, named in (
        (b"model = [", "Invalid value"),
        (b"keep_days = 'soon'", "`keep_days`"),
        (b"\xff\xfe", "utf-8"),
        (b"[permission]\ndeny = ['bash: git push *']", "`permission`"),
        (b"link = ['sdk']", "`link`"),
        (b"[workspace]\nlinks = ['sdk']", "`workspace.links`"),
    ):
        file.write_bytes(content)
        told = said("go", "be better", cwd=repo, code=2, CODETETHER_CONFIG_DIR=str(config))
        assert f"`{file}`" in told and named in told
    for content in (b"workspace = 3", b"[workspace]\nlink = 3"):
        file.write_bytes(content)
        assert f"`{file}`" in said("go", "be better", cwd=repo, code=2, CODETETHER_CONFIG_DIR=str(config))


def test_a_model_without_a_key(said: Said, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    told = said("go", "be better", "--model", "moonshotai/kimi-k2.5", cwd=repo, code=4)
    assert "`ctl login moonshotai`" in told and "`VAULT_ADDR`" in told
    assert git(repo, "for-each-ref", "refs/heads/codetether") == ""


def test_data_lies_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(f"data_dir = '{tmp_path / 'mine'}'\n")
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    assert load().data_dir == tmp_path / "mine"
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(tmp_path / "theirs"))
    assert load().data_dir == tmp_path / "theirs"


def test_a_dirty_checkout_is_said_or_taken_along(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    (repo / "notes.txt").write_text("at work\n")
    (repo / "new.txt").write_text("new\n")
    flags = model(working(DONE))
    said = system.ctl("run", "work", *flags, cwd=repo)
    assert "`notes.txt`" in said and "`new.txt`" in said and "`--include-dirty`" in said
    runs = [system.json("okr", "runs", cwd=repo)[0]["run"]]
    assert kept(repo, runs[0], "notes.txt") == "nothing yet\n"
    quiet = system.ctl("run", "work", "--include-dirty", *flags, cwd=repo)
    assert "`--include-dirty`" not in quiet
    run = system.json("okr", "runs", cwd=repo)[0]["run"]
    assert kept(repo, run, "notes.txt") == "at work\n" and kept(repo, run, "new.txt") == "new\n"
    assert git(repo, "status", "--porcelain") == " M notes.txt\n?? new.txt\n"


def test_decisions_that_no_run_waits_for(system: System, said: Said, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(DONE))
    runs = [system.json("go", "nothing is left", *flags, cwd=repo, code=6)["run"] for _ in range(2)]
    told = said("approve", "go-nothing", cwd=repo, code=2)
    assert all(f"`{run}`" in told for run in runs)
    for words in (("amend", runs[0], "  "), ("amend", runs[0]), ("tell", runs[0]), ("amend", runs[0], "x" * 8001)):
        assert f"`ctl {words[0]} RUN " in said(*words, cwd=repo, code=2)
    assert "`--reason`" in said("deny", runs[0], "--reason", "x" * 8001, cwd=repo, code=2)
    assert "`ctl deny --reason" in said("deny", "not like this", cwd=repo, code=2)
    assert "quotes" in said("amend", runs[0], "make", "it", "so", cwd=repo, code=2)
    system.ctl("deny", runs[0], cwd=repo)
    system.ctl("watch", runs[0], cwd=repo, code=3)
    for verdict in ("approve", "deny"):
        assert "it ended: denied" in said(verdict, runs[0], cwd=repo, code=1)
    assert "has ended" in said("cancel", runs[0], cwd=repo, code=1)
    assert "never approved" in said("continue", runs[0], cwd=repo, code=2)
    assert "has committed no change yet" in system.ctl("diff", runs[1], cwd=repo)
    assert "`ctl watch" in said("merge", runs[1], cwd=repo, code=1)
    assert "`ctl cancel" in said("discard", runs[1], cwd=repo, code=1)
    system.ctl("cancel", runs[1], cwd=repo)


def test_merging_with_a_git_that_cannot_commit(system: System, said: Said, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    run = system.json("run", "work", *model(working(DONE)), cwd=repo)["run"]
    before = git(repo, "rev-parse", "HEAD")
    git(repo, "config", "--unset", "user.name")
    git(repo, "config", "--unset", "user.email")
    nobody = {"EMAIL": "", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    git(repo, "config", "user.useConfigOnly", "true")
    for words in (("merge", run), ("merge", run, "--squash")):
        assert "your checkout is as before" in said(*words, cwd=repo, code=1, **nobody)
        assert (git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain")) == (before, "")
    git(repo, "config", "user.name", "Test")
    git(repo, "config", "user.email", "test@codetether.invalid")
    git(repo, "config", "commit.gpgsign", "true")
    git(repo, "config", "gpg.program", "/nowhere/gpg")
    for words in (("merge", run), ("merge", run, "--squash")):
        assert "your checkout is as before" in said(*words, cwd=repo, code=1)
        assert (git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain")) == (before, "")
    assert not (repo / ".git" / "MERGE_HEAD").exists() and not (repo / ".git" / "SQUASH_MSG").exists()
    git(repo, "config", "commit.gpgsign", "false")
    system.ctl("merge", run, cwd=repo)
    assert (repo / "todo.txt").read_text() == ""
