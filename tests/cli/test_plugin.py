"""`ctl plugin`, as a person calls it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "wordcount"


@pytest.fixture
def folder(tmp_path: Path, ctl: Callable[..., object]) -> Path:
    """The example, signed with the default key, which nobody trusts yet."""
    place = tmp_path / "wordcount"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("__pycache__"))
    ctl("plugin", "keygen")
    ctl("plugin", "sign", str(place))
    return place


def test_the_private_key_is_never_printed(ctl, tmp_path: Path) -> None:
    said = ctl("plugin", "keygen", "--out", str(tmp_path / "k.pem"))
    secret = (tmp_path / "k.pem").read_text().splitlines()[1]
    assert said.code == 0 and secret not in said.out + said.err
    assert secret not in ctl("plugin", "keygen", "--json").out


def test_what_a_plugin_may_do_is_shown(ctl, folder: Path) -> None:
    key = ctl("plugin", "verify", str(folder))
    assert key.code == 3 and "do not trust" in key.err
    public = key.err.split("trust add ")[1].split("`")[0]
    assert ctl("plugin", "trust", "add", public).code == 0
    told = ctl("plugin", "verify", str(folder))
    assert told.code == 0
    for words in ("reads the worktree, changes nothing", "network     none", "plugin__wordcount__count", "256 MiB"):
        assert words in told.out
    assert ctl("plugin", "verify", str(folder), "--json").json["limits"]["writes"] is False


def test_nothing_is_installed_where_nobody_can_be_asked(ctl, folder: Path) -> None:
    assert ctl("plugin", "install", str(folder), "--yes").code == 3
    assert ctl("plugin", "list", "--json").json == []


def test_revoking_a_name_refuses_that_version_and_the_list_says_so(ctl, folder: Path) -> None:
    public = ctl("plugin", "verify", str(folder)).err.split("trust add ")[1].split("`")[0]
    key = ctl("plugin", "trust", "add", public, "--json").json["fingerprint"]
    assert ctl("plugin", "install", str(folder)).code == 2
    assert ctl("plugin", "install", str(folder), "--yes", "--json").json["publisher"] == key
    (row,) = ctl("plugin", "list", "--json").json
    assert row["state"] == "ok"
    assert ctl("plugin", "revoke", "wordcount", "--json").json == {"revoked": row["digest"]}
    assert "was revoked" in ctl("plugin", "list").out
    assert ctl("plugin", "install", str(folder), "--yes").code == 3
    assert ctl("plugin", "trust", "remove", key[:10]).code == 0
    assert ctl("plugin", "trust", "list", "--json").json == {"keys": {}, "revoked": [row["digest"]]}
    assert ctl("plugin", "remove", "wordcount").code == 0
    assert ctl("plugin", "remove", "wordcount").code == 2
