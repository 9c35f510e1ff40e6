"""A cgroup for each command, where this process may make one: processes and memory of all together.

Version 2 where `cgroup.subtree_control` above us delegates the controller, version 1 where it is mounted.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from app.settings import SandboxSettings

_ROOT = Path("/sys/fs/cgroup")
_FILES = {"pids": ("pids.max",), "memory": ("memory.max", "memory.limit_in_bytes")}
_numbers = count()


@dataclass(frozen=True)
class Cgroups:
    """Folders of one command, by controller; none where there is no leave to make them."""

    of: tuple[tuple[str, Path], ...] = ()

    @property
    def paths(self) -> list[str]:
        """For the journal, so that whoever comes after a killed worker removes them."""
        return [str(path) for path in dict.fromkeys(path for _, path in self.of)]

    def hold(self, pid: int) -> None:
        """Moves a process, which has no children yet, under the limits."""
        for path in self.paths:
            with suppress(OSError):
                (Path(path) / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def hits(self) -> list[str]:
        """Which limits were reached: `processes`, `memory`."""
        found: list[str] = []
        for controller, path in self.of:
            names, key = (("pids.events",), "max") if controller == "pids" else (_MEMORY_EVENTS, "oom_kill")
            if any(_number(path / name, key) > 0 for name in names):
                found.append("processes" if controller == "pids" else "memory")
        return found

    def close(self) -> None:
        """Ends what is left inside and removes the folders."""
        remove(self.paths)


_MEMORY_EVENTS = ("memory.events", "memory.oom_control")


@cache
def folders() -> dict[str, Path]:
    """The folder in which this process may make cgroups, for each controller that it may use."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found: dict[str, Path] = {}
    for line in lines:
        _, controllers, place = line.split(":", 2)
        for controller in _FILES:
            if controller in controllers.split(","):
                above = _above(_ROOT / controller, place)
            elif not controllers:
                above = (path for path in _above(_ROOT, place) if controller in _delegated(path))
            else:
                continue
            if folder := next((path for path in above if os.access(path, os.W_OK) and _is_mount(path)), None):
                found.setdefault(controller, folder)
    return found


def make(settings: SandboxSettings) -> Cgroups:
    """Cgroups with the limits of `settings`; what cannot be made is left out."""
    name = f"codetether-{os.getpid()}-{next(_numbers)}"
    made: list[tuple[str, Path]] = []
    for controller, above in folders().items():
        folder = above / name
        value = settings.processes if controller == "pids" else settings.memory
        try:
            folder.mkdir(exist_ok=True)
            file = next(folder / name for name in _FILES[controller] if (folder / name).exists())
            file.write_text(str(value), encoding="ascii")
        except (OSError, StopIteration):
            with suppress(OSError):
                folder.rmdir()
            continue
        made.append((controller, folder))
    return Cgroups(tuple(made))


def remove(paths: list[str]) -> None:
    """Ends every process in these cgroups and removes them; a gone one is fine."""
    for path in map(Path, paths):
        for _ in range(1000):
            try:
                path.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                _kill_all(path)
                time.sleep(0.002)  # the kernel says nothing when the last process has left
            else:
                break


def _kill_all(path: Path) -> None:
    try:
        pids = (path / "cgroup.procs").read_text(encoding="ascii").split()
    except OSError:
        return
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _above(mount: Path, place: str) -> Iterator[Path]:
    here = mount / place.lstrip("/")
    yield here
    yield from (path for path in here.parents if path.is_relative_to(mount))


def _is_mount(path: Path) -> bool:
    return (path / "cgroup.procs").exists()


def _delegated(path: Path) -> list[str]:
    try:
        return (path / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return []


def _number(file: Path, key: str) -> int:
    try:
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    except (OSError, ValueError):
        return 0
    return 0
