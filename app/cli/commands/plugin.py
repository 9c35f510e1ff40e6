"""`ctl plugin`: keys, signatures, what is installed, whom you trust. Nothing of a plugin runs here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import data_folder, one_of, print_table, say
from app.cli.output import JsonFlag, interactive, note, plain, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.security.plugins import Checked

plugin_app = typer.Typer(
    help="Make, check, install and remove plugins; whom you trust.", add_completion=False, no_args_is_help=True
)
trust_app = typer.Typer(help="Publishers' keys that you trust.", add_completion=False, no_args_is_help=True)
plugin_app.add_typer(trust_app, name="trust")

Place = Annotated[Path, typer.Argument(metavar="FOLDER|ARCHIVE", help="A signed plugin: a folder, .tar.gz or .zip.")]
_KEY_FILE = "plugin-signing.pem"


def _default_key() -> Path:
    from app.settings import load

    return load().config_dir / _KEY_FILE


@plugin_app.command()
def keygen(
    out: Annotated[Path | None, typer.Option("--out", help="Where the private key goes.")] = None,
    json: JsonFlag = False,
) -> None:
    """Make a key to sign plugins with. The private one is readable by you alone and never printed."""
    from app.security import keys

    file = out or _default_key()
    public = keys.generate(file)
    told = {"file": str(file), "public_key": public, "fingerprint": keys.fingerprint(public)}
    if json:
        print_json(told)
        return
    say(f"private key  {file}\npublic key   {public}\nfingerprint  {told['fingerprint']}")
    note(f"whoever trusts it says: ctl plugin trust add {public}")


@plugin_app.command()
def sign(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With `plugin.toml` and the plugin's files.")],
    key: Annotated[Path | None, typer.Option("--key", help="A private key; default: the one of `keygen`.")] = None,
    json: JsonFlag = False,
) -> None:
    """Write the manifest with the SHA-256 of every file, and its signature, into the folder."""
    from app.security.plugins import sign as sign_folder

    if not folder.is_dir():
        raise UserError(f"there is no folder `{folder}`; name the plugin's own")
    _show(sign_folder(folder, key or _default_key()), json)


@plugin_app.command()
def verify(place: Place, json: JsonFlag = False) -> None:
    """Check files, manifest, signature, expiry and trust; exit 3 when it would be refused."""
    from app.security.package import read_package
    from app.security.plugins import admit, check
    from app.security.trust import trust_of

    checked = check(read_package(place))
    admit(checked, trust_of(data_folder()))
    _show(checked, json)


@plugin_app.command()
def install(
    place: Place,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; its key must be trusted already.")] = False,
    json: JsonFlag = False,
) -> None:
    """Show what a plugin may do, ask once, and keep a read-only copy for the runs that start from now on."""
    from app.security import plugins, trust
    from app.security.package import read_package

    data = data_folder()
    package = read_package(place)  # what is shown is what is kept: nothing is read again
    checked = plugins.check(package)
    asking = not yes and not json and interactive()
    plugins.admit(checked, trust.trust_of(data), asking=asking)
    if not yes and not asking:
        raise UserError("there is no terminal to ask on; look at it with `ctl plugin verify`, then add `--yes`")
    if asking:
        _show(checked, False)
        known = checked.manifest.publisher in trust.trust_of(data).keys
        question = "Install it?" if known else "You do not trust this key yet. Trust it, and install the plugin?"
        if not typer.confirm(question, default=False):
            raise UserError("nothing was installed", 3)
        if not known:
            trust.add(data, checked.key)
    plugins.install(data, package)
    if json:
        print_json(_document(checked))
    else:
        note(f"installed {checked.manifest.name} {checked.manifest.version}; runs that start from now on offer it")


@plugin_app.command("list")
def list_(json: JsonFlag = False) -> None:
    """What is installed, and whether it would run now."""
    from app.security.plugins import installed

    rows = [_row(name, digest) for name, digest in sorted(installed(data_folder()).items())]
    if json:
        print_json(rows)
        return
    if not rows:
        say("no plugin is installed; see docs/write-a-plugin.md")
        return
    print_table(
        ("PLUGIN", "VERSION", "EXPIRES", "TOOLS", "STATE", "DIGEST"),
        [
            (row["name"], row["version"], row["expires"][:10], ", ".join(row["tools"]), row["state"], row["digest"])
            for row in rows
        ],
    )


@plugin_app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME")], json: JsonFlag = False) -> None:
    """Take a plugin away; a run that still offers it gets an error for each call."""
    from app.security import plugins

    plugins.remove(data_folder(), name)
    _said({"removed": name}, f"removed {name}", json)


@plugin_app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="KEY|DIGEST|NAME", help="A fingerprint, a digest, or a plugin.")],
    json: JsonFlag = False,
) -> None:
    """Refuse a key, or exactly one version of a plugin, for ever. It holds at once, also for runs at work."""
    from app.security import trust
    from app.security.plugins import installed

    data = data_folder()
    found = installed(data)
    known = [*found.values(), *trust.trust_of(data).keys]
    digest = found.get(name) or next((each for each in known if len(name) >= 8 and each.startswith(name)), name)
    trust.revoke(data, digest)
    _said({"revoked": digest}, f"revoked {digest}", json)


@trust_app.command()
def add(
    key: Annotated[
        str | None, typer.Argument(metavar="[PUBLIC_KEY]", help="What `keygen` printed; default: your own key.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Trust a publisher: plugins that this key signed may be installed."""
    from app.security import keys, trust

    name = trust.add(data_folder(), key or keys.public_of(keys.load(_default_key())))
    _said({"fingerprint": name}, f"trusted {name}", json)


@trust_app.command("remove")
def remove_key(key: Annotated[str, typer.Argument(metavar="FINGERPRINT")], json: JsonFlag = False) -> None:
    """Trust a key no longer: what it signed is refused from now on."""
    from app.security import trust

    data = data_folder()
    name = one_of(trust.trust_of(data).keys, key, "trusted key", "ctl plugin trust list")
    trust.remove(data, name)
    _said({"removed": name}, f"trusted no longer: {name}", json)


@trust_app.command("list")
def list_keys(json: JsonFlag = False) -> None:
    """The keys that you trust, and everything that was revoked."""
    from app.security import trust

    known = trust.trust_of(data_folder())
    if json:
        print_json({"keys": known.keys, "revoked": list(known.revoked)})
        return
    for name in sorted(known.keys):
        say(f"trusted  {name}")
    for name in known.revoked:
        say(f"revoked  {name}")
    if not known.keys and not known.revoked:
        say("no key is trusted yet: ctl plugin trust add PUBLIC_KEY")


def _row(name: str, digest: str) -> dict[str, Any]:
    from app.security.manifest import MANIFEST, read_manifest
    from app.security.plugins import ready, store

    row: dict[str, Any] = {"name": name, "digest": digest, "version": "—", "expires": "—", "tools": [], "state": "ok"}
    try:
        manifest = read_manifest((store(data_folder(), digest) / MANIFEST).read_bytes())
        tools = [tool.name for tool in manifest.tools]
        row |= {"version": manifest.version, "expires": manifest.expires.isoformat(), "tools": tools}
        ready(data_folder(), digest)
    except (UserError, OSError) as error:
        row["state"] = f"refused: {error}"
    return row


def _document(checked: "Checked") -> dict[str, Any]:
    told = checked.manifest.model_dump(mode="json")
    return {**told, "digest": checked.digest, "public_key": checked.key}


def _show(checked: "Checked", json: bool) -> None:
    """What it is and what it may do, in a person's words."""
    if json:
        print_json(_document(checked))
        return
    manifest, limits = checked.manifest, checked.manifest.limits
    say(f"{manifest.name} {manifest.version}  {plain(manifest.description)}")
    say(f"  digest      {checked.digest}")
    say(f"  signed by   {manifest.publisher}")
    say(f"  expires     {manifest.expires:%Y-%m-%d}")
    say(f"  runs        {' '.join(manifest.entry)}  ({len(manifest.files)} files)")
    say(f"  files       {'may change the worktree' if limits.writes else 'reads the worktree, changes nothing'}")
    say(f"  network     {'asks each time; says: ' + ', '.join(limits.network) if limits.network else 'none'}")
    say(f"  limits      {limits.memory_mb} MiB · {limits.cpu_seconds} s CPU · {limits.wall_seconds} s")
    for tool in manifest.tools:
        say(f"  tool        plugin__{manifest.name}__{tool.name}: {plain(tool.description)}")


def _said(document: dict[str, str], text: str, json: bool) -> None:
    if json:
        print_json(document)
    else:
        note(text)
