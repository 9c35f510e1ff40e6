"""What is unsigned, changed, expired, revoked or malformed is refused, each with one clear sentence."""

import io
import json
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import UserError
from app.security import keys, plugins, trust
from app.security.package import FILE_BYTES, read_package

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "wordcount"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    keys.generate(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def folder(tmp_path: Path, key: Path) -> Path:
    """The example, signed."""
    place = tmp_path / "wordcount"
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("__pycache__"))
    plugins.sign(place, key)
    return place


@pytest.fixture
def data(tmp_path: Path, key: Path) -> Path:
    """A data folder that trusts the key."""
    (tmp_path / "data").mkdir()
    trust.add(tmp_path / "data", keys.public_of(keys.load(key)))
    return tmp_path / "data"


def refused(data: Path, folder: Path) -> str:
    with pytest.raises(UserError) as error:
        plugins.install(data, read_package(folder))
    assert not plugins.installed(data)
    return str(error.value)


def resign(folder: Path, key: Path, old: str, new: str) -> None:
    source = folder / "plugin.toml"
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))
    plugins.sign(folder, key)


def test_a_signed_plugin_is_installed_read_only_and_found_again(data: Path, folder: Path) -> None:
    checked = plugins.install(data, read_package(folder))
    (ref,) = plugins.offered(data)
    assert (ref.name, ref.digest, ref.offers) == ("wordcount", checked.digest, ("plugin__wordcount__count",))
    assert plugins.ready(data, ref.digest) == checked.manifest
    kept = plugins.store(data, ref.digest) / "wordcount.py"
    assert not stat.S_IMODE(kept.stat().st_mode) & 0o222 and not stat.S_IMODE(kept.parent.stat().st_mode) & 0o222


def test_an_unsigned_plugin_is_refused(data: Path, folder: Path) -> None:
    (folder / "manifest.sig").unlink()
    assert "not signed" in refused(data, folder)


def test_a_tampered_file_is_refused(data: Path, folder: Path) -> None:
    with (folder / "wordcount.py").open("a") as file:
        file.write("# more\n")
    assert "`wordcount.py` is not what was signed" in refused(data, folder)


def test_an_added_file_is_refused(data: Path, folder: Path) -> None:
    (folder / "more.py").write_text("")
    assert "`more.py` is not in the plugin's manifest" in refused(data, folder)


def test_a_missing_file_is_refused(data: Path, folder: Path) -> None:
    (folder / "wordcount.py").unlink()
    assert "missing" in refused(data, folder)


def test_a_tampered_manifest_is_refused(data: Path, folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"writes": false', '"writes": true'))
    assert "no signature of this `manifest.json`" in refused(data, folder)


def test_a_signature_without_our_prefix_is_none_of_a_manifest(data: Path, folder: Path, key: Path) -> None:
    import base64

    raw = keys.load(key).sign((folder / "manifest.json").read_bytes())
    seal = json.loads((folder / "manifest.sig").read_text()) | {"signature": base64.b64encode(raw).decode()}
    (folder / "manifest.sig").write_text(json.dumps(seal))
    assert "no signature of this" in refused(data, folder)


def test_a_swapped_signature_is_refused(data: Path, folder: Path, tmp_path: Path) -> None:
    keys.generate(tmp_path / "other.pem")
    other = keys.load(tmp_path / "other.pem")
    trust.add(data, keys.public_of(other))
    manifest = (folder / "manifest.json").read_bytes()
    seal = {"key": keys.public_of(other), "signature": keys.sign(other, manifest)}
    (folder / "manifest.sig").write_text(json.dumps(seal))
    assert "another key" in refused(data, folder)


def test_a_key_that_nobody_trusts_is_refused_with_the_way_to_trust_it(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "fresh").mkdir()
    assert "`ctl plugin trust add " in refused(tmp_path / "fresh", folder)


def test_an_expired_manifest_is_refused(data: Path, folder: Path, key: Path) -> None:
    resign(folder, key, "2036-01-01", "2020-01-01")
    assert "expired on 2020-01-01" in refused(data, folder)


def test_what_expires_later_is_refused_from_then_on(data: Path, folder: Path) -> None:
    checked = plugins.install(data, read_package(folder))
    with pytest.raises(UserError, match="expired"):
        plugins.admit(checked, trust.trust_of(data), datetime(2036, 1, 1, tzinfo=UTC))


def test_a_revoked_key_is_refused_also_where_it_is_installed(data: Path, folder: Path) -> None:
    checked = plugins.install(data, read_package(folder))
    trust.revoke(data, checked.manifest.publisher)
    with pytest.raises(UserError, match="revoked key"):
        plugins.ready(data, checked.digest)
    assert plugins.offered(data) == ()
    with pytest.raises(UserError, match="was revoked"):
        trust.add(data, checked.key)


def test_a_revoked_digest_is_refused_also_where_it_is_installed(data: Path, folder: Path) -> None:
    checked = plugins.install(data, read_package(folder))
    trust.revoke(data, checked.digest)
    with pytest.raises(UserError, match="was revoked"):
        plugins.ready(data, checked.digest)


def test_a_copy_that_was_changed_is_not_called(data: Path, folder: Path) -> None:
    checked = plugins.install(data, read_package(folder))
    kept = plugins.store(data, checked.digest) / "wordcount.py"
    kept.chmod(0o600)
    kept.write_text("print('evil')\n")
    with pytest.raises(UserError, match="not what was signed"):
        plugins.ready(data, checked.digest)


def test_an_earlier_version_is_not_called_any_more(data: Path, folder: Path, key: Path) -> None:
    first = plugins.install(data, read_package(folder))
    resign(folder, key, "1.0.0", "1.1.0")
    second = plugins.install(data, read_package(folder))
    with pytest.raises(UserError, match="not installed any more"):
        plugins.ready(data, first.digest)
    assert plugins.ready(data, second.digest).version == "1.1.0"


def test_another_publisher_cannot_take_a_name_over(data: Path, folder: Path, tmp_path: Path) -> None:
    plugins.install(data, read_package(folder))
    trust.add(data, keys.generate(tmp_path / "other.pem"))
    plugins.sign(folder, tmp_path / "other.pem")
    with pytest.raises(UserError, match="another publisher"):
        plugins.install(data, read_package(folder))


def test_a_link_is_refused(data: Path, folder: Path) -> None:
    (folder / "link.py").symlink_to("/etc/passwd")
    assert "`link.py` is a link" in refused(data, folder)


def test_a_pipe_is_refused_and_does_not_hang(data: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "`pipe` is no plain file" in refused(data, folder)


def test_a_huge_file_is_refused(data: Path, folder: Path) -> None:
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(FILE_BYTES + 1)
    assert "`huge.bin` has more than 5 MiB" in refused(data, folder)


def test_a_manifest_with_a_path_outside_is_refused(data: Path, folder: Path, key: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../evil.py"] = "0" * 64
    content, private = json.dumps(manifest).encode(), keys.load(key)
    (folder / "manifest.json").write_bytes(content)
    seal = {"key": keys.public_of(private), "signature": keys.sign(private, content)}
    (folder / "manifest.sig").write_text(json.dumps(seal))
    assert "`../evil.py` is no path below the plugin's folder" in refused(data, folder)


def tar(file: Path, folder: Path, change: Callable[[tarfile.TarFile], None]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, "wordcount")
        change(archive)
    return file


def test_archives_install_like_folders(data: Path, folder: Path, tmp_path: Path) -> None:
    expected = read_package(folder)
    assert read_package(tar(tmp_path / "p.tar.gz", folder, lambda _: None)) == expected
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path, content in expected.items():
            archive.writestr(path, content)
    assert read_package(tmp_path / "p.zip") == expected
    assert plugins.install(data, read_package(tmp_path / "p.zip")).manifest.name == "wordcount"


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, size, "/etc/passwd" if kind != tarfile.REGTYPE else ""
        archive.addfile(info, io.BytesIO(bytes(size)) if size else None)

    return add


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (entry("/etc/evil"), "is no path below"),
        (entry("wordcount/../../evil"), "is no path below"),
        (entry("wordcount/link", tarfile.SYMTYPE), "is a link"),
        (entry("wordcount/link", tarfile.LNKTYPE), "is a link"),
        (entry("wordcount/null", tarfile.CHRTYPE), "is a link or no plain file"),
        (entry("wordcount/huge", size=FILE_BYTES + 1), "more than 5 MiB"),
        (entry("wordcount/wordcount.py"), "is there twice"),
    ],
)
def test_a_bad_archive_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, change: Callable[[tarfile.TarFile], None], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        read_package(tar(tmp_path / "p.tar.gz", folder, change))
    assert not (tmp_path / "evil").exists()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            archive.writestr(f"{number}.bin", bytes(FILE_BYTES))
    with pytest.raises(UserError, match="this one has more"):
        read_package(tmp_path / "p.zip")


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.tar.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(UserError, match="no archive that can be read"):
        read_package(tmp_path / "p.tar.gz")
    with pytest.raises(UserError, match="there is no folder or archive"):
        read_package(tmp_path / "missing")


def test_a_private_key_is_its_owners_and_never_overwritten(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(UserError, match="exists already"):
        keys.generate(key)


def test_a_key_in_the_plugins_folder_is_not_given_away(folder: Path) -> None:
    keys.generate(folder / "key.pem")
    with pytest.raises(UserError, match="would be given away"):
        plugins.sign(folder, folder / "key.pem")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"wordcount"', '"Word Count"', "`name`"),
        ('["python3", "wordcount.py"]', '["python3", "-c", "1"]', "starts none of its files"),
        ('["python3", "wordcount.py"]', '["/bin/sh", "wordcount.py"]', "neither one of its files nor a program"),
        ('type = "object"\nrequired', 'type = "strange"\nrequired', "no JSON Schema"),
        ("memory_mb = 256", "memory_mb = 256\nroot = true", "`limits.root`"),
        ("2036-01-01T00:00:00Z", "2036-01-01", "`expires`"),
    ],
)
def test_a_source_that_cannot_work_is_not_signed(folder: Path, key: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resign(folder, key, old, new)
