"""Signing, checking, installing and finding plugins. What is refused is refused before a byte of it runs.

In the data folder: `plugins/installed.json` (name → digest), and `plugins/store/<digest>/`, a read-only copy
that is named by the SHA-256 of its manifest and hashed again before each call.
"""

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from app.domain.base import Model
from app.domain.plugin import OFFERED, PluginRef
from app.errors import UserError
from app.security import keys
from app.security.manifest import MANIFEST, SEAL, SOURCE, Manifest, Seal, read_manifest, read_source, written
from app.security.package import Package, read_folder
from app.security.trust import Trust, folder, trust_of
from app.stream.files import locked, make_folder, replace_file, sync_folder
from app.workspace.files import remove as remove_tree

DENIED = 3


class Checked(NamedTuple):
    """A package whose files, manifest and signature fit together. `key`: the public key that signed it."""

    manifest: Manifest
    digest: str
    key: str


class Installed(Model):
    """`plugins/installed.json`: name → digest of its manifest."""

    plugins: dict[str, str] = Field(default_factory=dict)


def sign(place: Path, key_file: Path) -> Checked:
    """Writes `manifest.json` and `manifest.sig` into the folder, for exactly the files that it holds now."""
    key = keys.load(key_file)
    if key_file.resolve().is_relative_to(place.resolve()):
        raise UserError(f"`{key_file}` lies in the plugin's folder and would be given away; move it elsewhere")
    package = {path: content for path, content in read_folder(place).items() if path not in (MANIFEST, SEAL)}
    if SOURCE not in package:
        raise UserError(f"there is no `{SOURCE}` in `{place}`; docs/write-a-plugin.md shows one")
    public = keys.public_of(key)
    manifest = written(read_source(package[SOURCE]), keys.fingerprint(public), package)
    seal = Seal(key=public, signature=keys.sign(key, manifest)).model_dump_json().encode() + b"\n"
    try:
        replace_file(place / MANIFEST, manifest)
        replace_file(place / SEAL, seal)
    except OSError as error:
        raise UserError(f"cannot write into `{place}`: {error.strerror}; make the folder writable", 1) from None
    return check({**package, MANIFEST: manifest, SEAL: seal})


def check(package: Package) -> Checked:
    """Whether all of a package fits together. Raises `UserError` (exit 3) naming what does not."""
    checked = _signed(package.get(MANIFEST), package.get(SEAL))
    listed = checked.manifest.files
    there = package.keys() - {MANIFEST, SEAL}
    if extra := sorted(there - listed.keys()):
        raise UserError(f"`{extra[0]}` is not in the plugin's manifest; do not install it", DENIED)
    for path, digest in listed.items():
        if path not in package:
            raise UserError(f"`{path}` is in the plugin's manifest and missing; do not install it", DENIED)
        if not hmac.compare_digest(sha256(package[path]).hexdigest(), digest):
            raise UserError(f"`{path}` is not what was signed; do not install it", DENIED)
    return checked


def admit(checked: Checked, trust: Trust, now: datetime | None = None, *, asking: bool = False) -> None:
    """Whether it may run: not expired, not revoked, its key trusted (`asking`: a person decides that now).

    Raises `UserError` (exit 3) otherwise.
    """
    manifest = checked.manifest
    what = f"plugin `{manifest.name}` {manifest.version}"
    if manifest.publisher in trust.revoked:
        raise UserError(f"{what} is signed by the revoked key `{manifest.publisher}`; ask its author", DENIED)
    if checked.digest in trust.revoked:
        raise UserError(f"{what} was revoked; use another version", DENIED)
    if manifest.expired(now or datetime.now(UTC)):
        raise UserError(f"{what} expired on {manifest.expires:%Y-%m-%d}; ask its author for a newer one", DENIED)
    if not asking and manifest.publisher not in trust.keys:
        raise UserError(
            f"{what} is signed by a key that you do not trust; if you do: `ctl plugin trust add {checked.key}`", DENIED
        )


def install(data: Path, package: Package, *, asking: bool = False) -> Checked:
    """Keeps a checked package, read-only; an earlier version of the same publisher's is replaced."""
    checked = check(package)
    admit(checked, trust_of(data), asking=asking)
    name, place = checked.manifest.name, folder(data)
    with locked(place):
        known = installed(data)
        before = known.get(name)
        if before not in (None, checked.digest) and publisher(data, before) != checked.manifest.publisher:
            raise UserError(f"`{name}` of another publisher is installed; `ctl plugin remove {name}` first", DENIED)
        _keep(data, checked, package)
        _save(place, known | {name: checked.digest})
        if before not in (None, checked.digest):
            _drop(data, before)
    return checked


def remove(data: Path, name: str) -> None:
    """Takes an installed plugin away. Raises `UserError` when there is none of that name."""
    place = folder(data)
    with locked(place):
        known = installed(data)
        if name not in known:
            raise UserError(f"there is no plugin `{name}`; `ctl plugin list` shows what is installed")
        digest = known.pop(name)
        _save(place, known)
        _drop(data, digest)


def installed(data: Path) -> dict[str, str]:
    """Name → digest of every installed plugin."""
    file = data / "plugins" / "installed.json"
    try:
        return dict(Installed.model_validate_json(file.read_bytes()).plugins)
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError):
        raise UserError(f"cannot read `{file}`; move it away and install your plugins again", 1) from None


def offered(data: Path) -> tuple[PluginRef, ...]:
    """What a run that starts now offers to its agents; a plugin that is refused is left out."""
    found: list[PluginRef] = []
    for name, digest in sorted(installed(data).items()):
        try:
            manifest = described(data, digest)
        except UserError:
            continue
        found.append(PluginRef(name=name, digest=digest, tools=tuple(tool.name for tool in manifest.tools)))
    return tuple(found[:OFFERED])


def described(data: Path, digest: str) -> Manifest:
    """The manifest of an installed plugin, admitted now; its files are not looked at, so nothing of it may run."""
    place = store(data, digest)
    try:
        checked = _signed((place / MANIFEST).read_bytes(), (place / SEAL).read_bytes())
    except OSError:
        raise UserError(f"plugin `{digest[:12]}` is not installed any more", DENIED) from None
    return _admitted(data, checked, digest)


def ready(data: Path, digest: str) -> Manifest:
    """The manifest of an installed plugin whose every file was hashed just now: it may be called.

    Raises `UserError` when it was removed, replaced, changed, revoked or has expired.
    """
    if not store(data, digest).is_dir():
        raise UserError(f"plugin `{digest[:12]}` is not installed any more", DENIED)
    return _admitted(data, check(read_folder(store(data, digest))), digest)


def publisher(data: Path, digest: str) -> str:
    """The fingerprint in the manifest of an installed plugin; empty where it cannot be read."""
    try:
        return read_manifest((store(data, digest) / MANIFEST).read_bytes()).publisher
    except (OSError, UserError):
        return ""


def store(data: Path, digest: str) -> Path:
    """Where the copy with this digest lies."""
    return data / "plugins" / "store" / digest


def _admitted(data: Path, checked: Checked, digest: str) -> Manifest:
    if checked.digest != digest or installed(data).get(checked.manifest.name) != digest:
        raise UserError(f"plugin `{checked.manifest.name}` is not what was approved any more", DENIED)
    admit(checked, trust_of(data))
    return checked.manifest


def _signed(manifest: bytes | None, seal: bytes | None) -> Checked:
    if manifest is None or seal is None:
        raise UserError("it is not signed; its author signs it: `ctl plugin sign FOLDER`", DENIED)
    try:
        given = Seal.model_validate_json(seal)
    except ValidationError:
        raise UserError(f"`{SEAL}` is no signature; do not install it", DENIED) from None
    if not keys.signed_by(given.key, given.signature, manifest):
        raise UserError(f"`{SEAL}` is no signature of this `{MANIFEST}`; do not install it", DENIED)
    told = read_manifest(manifest)
    if told.publisher != keys.fingerprint(given.key):
        raise UserError(f"`{SEAL}` is signed by another key than `{MANIFEST}` names; do not install it", DENIED)
    return Checked(told, sha256(manifest).hexdigest(), given.key)


def _keep(data: Path, checked: Checked, package: Package) -> None:
    """Writes the copy beside its place, and puts it there whole."""
    place = store(data, checked.digest)
    make_folder(place.parent, below=data)
    new = place.with_name(f".{checked.digest}.new")
    for old in (new, place):
        remove_tree(old)
    for path, content in package.items():
        file = new / path
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o500 if path == checked.manifest.entry[0] else 0o400)
    for level in [*(each for each in new.rglob("*") if each.is_dir()), new]:
        sync_folder(level)
    new.rename(place)
    for level in [*(each for each in place.rglob("*") if each.is_dir()), place]:
        level.chmod(0o500)
    sync_folder(place.parent)


def _drop(data: Path, digest: str) -> None:
    remove_tree(store(data, digest))


def _save(place: Path, plugins: dict[str, str]) -> None:
    replace_file(place / "installed.json", Installed(plugins=plugins).model_dump_json(indent=2).encode())
