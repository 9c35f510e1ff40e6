"""What a command may use: limits of each process (`setrlimit(2)`), and of all together where a cgroup can be had.

Memory is `RLIMIT_DATA`, not the address space: a JIT reserves far more addresses than it ever writes to.
The number of processes is `RLIMIT_NPROC`, which the kernel does not apply to root: for root a cgroup holds it.
"""

import os
import signal
from collections.abc import Iterator

from app.settings import SandboxSettings
from app.tools.gate.sandbox.cgroups import Cgroups, folders

_OF_SIGNAL = {
    signal.SIGXCPU: ("cpu_seconds", "{} s of CPU time"),
    signal.SIGXFSZ: ("file_size", "{} bytes in a file"),
}
_FULL = (
    ("memory", ("MemoryError", "Cannot allocate memory", "bad_alloc", "out of memory")),
    ("file_size", ("File too large", "File size limit exceeded")),
    ("processes", ("fork: retry", "Resource temporarily unavailable", "can't start new thread", "Cannot fork")),
    ("temporary", ("No space left on device",)),
)
_TAIL = 4000


def rlimits(settings: SandboxSettings, *, namespaced: bool) -> Iterator[str]:
    """Options of `inner.py`. `namespaced`: its user namespace counts processes from zero."""
    processes = settings.processes if namespaced else f"+{settings.processes}"
    yield from ("--rlimit", "core=0")
    yield from ("--rlimit", f"data={settings.memory}")
    yield from ("--rlimit", f"cpu={settings.cpu_seconds}")
    yield from ("--rlimit", f"fsize={settings.file_size}")
    yield from ("--rlimit", f"nproc={processes}")


def not_held() -> str:
    """The limit that cannot be held here, in words; empty when all are."""
    if os.geteuid() == 0 and "pids" not in folders():
        return "the number of processes (root needs a writable cgroup for that)"
    return ""


def reached(settings: SandboxSettings, exit: int | None, output: str, cgroups: Cgroups) -> tuple[str, ...]:
    """A sentence for each limit that the command hit: for sure by signal or cgroup, else by its last words."""
    found = [_sentence(settings, name, "it hit") for name in cgroups.hits()]
    code = -signal.SIGKILL if exit is None else exit
    number = -code if code < 0 else code - 128
    for which, (name, _) in _OF_SIGNAL.items():
        if number == which:
            found.append(_sentence(settings, name, "it was killed at"))
    if code != 0 and not found:
        tail = output[-_TAIL:]
        found += [
            _sentence(settings, name, "it may have hit") for name, words in _FULL if any(word in tail for word in words)
        ]
    return tuple(dict.fromkeys(found))


def _sentence(settings: SandboxSettings, name: str, how: str) -> str:
    amount = getattr(settings, name)
    unit = {"cpu_seconds": "s of CPU time", "processes": "processes"}.get(name)
    what = f"{amount} {unit}" if unit else f"{_bytes(amount)} of {name.replace('_', ' ')}"
    return f"{how} the limit of {what} (`[sandbox] {name}`); use less of it, or a person raises it"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:g} {unit}" if count % size == 0 else f"{count / size:.1f} {unit}"
    return f"{count} bytes"
