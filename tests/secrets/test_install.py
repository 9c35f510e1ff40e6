"""What a person without a Vault is told to do: one line for their platform."""

import platform
from pathlib import Path

import pytest

from app.secrets.install import PAGE, install_line, next_step


def like(monkeypatch: pytest.MonkeyPatch, system: str, **release: str) -> str:
    """The line on such a system."""
    monkeypatch.setattr("sys.platform", system)

    def found() -> dict[str, str]:
        if not release:
            raise OSError("no os-release")
        return release

    monkeypatch.setattr(platform, "freedesktop_os_release", found)
    return install_line()


def test_the_line_is_the_platform_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert like(monkeypatch, "darwin") == "`brew tap hashicorp/tap && brew install hashicorp/tap/vault`"
    for names in ({"ID": "debian"}, {"ID": "pop", "ID_LIKE": "ubuntu debian"}):
        line = like(monkeypatch, "linux", **names)
        assert line.endswith("sudo apt update && sudo apt install vault`") and "\n" not in line
    for names in ({"ID": "fedora"}, {}):
        assert like(monkeypatch, "linux", **names) == f"see {PAGE}"


def test_with_the_program_the_next_step_is_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert next_step("zai").startswith("set `VAULT_ADDR` and `VAULT_TOKEN`, then `ctl login zai`; without a Vault")
    assert install_line() in next_step("zai")
    (tmp_path / "vault").touch(0o755)
    assert next_step("zai").startswith("`ctl login zai` starts a private Vault; or set `VAULT_ADDR`")
