"""Where bubblewrap cannot nest, Landlock holds; where that is not there either, nothing does, and all say so."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.tools.gate.sandbox.bubblewrap import program
from tests.tools.gate.conftest import sandbox_of

_PROBE = """
from app.tools.gate.sandbox import probe
found = probe()
print(found.backend, found.works, found.enough, found.reason, sep="|")
"""
_DENY = """
from app.tools.gate.sandbox import inner
inner.deny(inner.filter_program())
inner.deny([(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)])
"""
"""As a container that forbids namespaces, on a kernel without Landlock (`landlock_create_ruleset` is 444)."""
_CTL = """
import sys
from app.cli.lazy import run
sys.argv = ["ctl", *sys.argv[1:]]
raise SystemExit(run(sys.argv[1:]))
"""


def python(code: str, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_in_a_sandbox_that_forbids_nesting_landlock_holds() -> None:
    outer = sandbox_of("bubblewrap")
    sandbox_of("landlock")
    if "--disable-userns" not in outer.extras:
        pytest.skip("this bubblewrap cannot forbid nesting")
    nesting = (program(), "--unshare-user", "--disable-userns", "--dev-bind", "/", "/")
    backend, works, enough, reason = python(_PROBE, before=nesting).stdout.strip().split("|")
    assert (backend, works, enough) == ("landlock", "True", "False")
    assert "bwrap` failed: " in reason


def test_without_namespaces_and_landlock_nothing_holds_and_the_reason_is_told() -> None:
    backend, works, _, reason = python(_DENY + _PROBE).stdout.strip().split("|")
    assert (backend, works) == ("none", "False")
    assert "bwrap` failed: " in reason and "no Landlock" in reason


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("CODETETHER_ADDRESS", raising=False)
    return tmp_path


def test_yes_is_refused_where_no_sandbox_holds(at_home: Path) -> None:
    said = python(_DENY + _CTL, "go", "make it faster", "--yes", "--repo", str(at_home))
    assert said.returncode == 2 and "`--permission-mode full`" in said.stderr
    assert not (at_home / "data" / "stack.json").exists(), "nothing was started"


@pytest.mark.usefixtures("at_home")
def test_doctor_says_what_is_missing() -> None:
    said = python(_DENY + _CTL, "doctor").stdout
    line = next(line for line in said.splitlines() if " sandbox " in line)
    assert line.startswith("warn") and "waits for your approval" in line
