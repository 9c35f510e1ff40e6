"""The last step before a command: limits, Landlock and a system call filter on itself, then exec.

A program of its own (`python -I -S inner.py OPTIONS -- ARGV`), so it imports the standard library only, and
little of it: it starts for every command. `py-landlock` (alpha, 1,300 lines) would take longer to import.
Sources: `linux/landlock.h`, `linux/seccomp.h`, `landlock(7)`, `prctl(2)`.

--rlimit NAME=N   both limits of `resource.RLIMIT_NAME`; `nproc=+N` is beyond what the user runs now
--read PATH, --write PATH   Landlock: nothing else can be opened; a path that is gone grants nothing
--filter          no new sockets, no terminal injection, no namespaces, no capability
--bridge PATH     a loopback port that leads to this unix socket, named by HTTP_PROXY and its like
--supervise       stays as the parent and ends whatever the command leaves behind
"""

import ctypes
import os
import resource
import signal
import struct
import sys

_LIBC = ctypes.CDLL(None, use_errno=True)
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same number on every architecture
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_PDEATHSIG, _CAPBSET_DROP, _NO_NEW_PRIVS, _SECCOMP, _SUBREAPER = 1, 24, 38, 22, 36
_FILTERED = {
    # audit architecture, then: socket ioctl unshare clone setns
    "x86_64": (0xC000003E, 41, 16, 272, 56, 308),
    "aarch64": (0xC00000B7, 198, 29, 97, 220, 268),
}
_CLONE3, _IO_URING = 435, 425
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


def abi() -> int:
    """The version of Landlock that the kernel offers; 0: none."""
    return max(0, _LIBC.syscall(_CREATE, None, 0, 1))


def can_filter() -> bool:
    """Whether the filter is known for this machine's architecture."""
    return os.uname().machine in _FILTERED


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def restrict(read: list[str], write: list[str]) -> None:
    """Allows only what lies below these paths, for this process and all that it starts."""
    version = abi()
    handled = (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1
    scoped = 3 if version >= 6 else 0  # abstract unix sockets, signals to whoever is outside
    words = struct.pack("QQQ", handled, 0, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _checked(_LIBC.syscall(_CREATE, words, ctypes.c_size_t(len(words)), 0), "Landlock")
    for path in read:
        _grant(rules, path, handled & (_EXECUTE | _READ | _LIST))
    for path in write:
        _grant(rules, path, handled)
    _checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(_LIBC.syscall(_RESTRICT, rules, 0), "Landlock")
    os.close(rules)


def _grant(rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(f"/proc/self/fd/{descriptor}"):
        access &= _OF_FILES
    words = struct.pack("=Qi", access, descriptor)
    _checked(_LIBC.syscall(_ADD, rules, 1, words, 0), f"Landlock `{path}`")
    os.close(descriptor)


def drop_capabilities() -> None:
    """An exec gives back no capability that left the bounding set, not even to root."""
    for number in range(64):
        _LIBC.prctl(_CAPBSET_DROP, number, 0, 0, 0)


def deny(program: list[tuple[int, int, int, int]]) -> None:
    """Installs a filter of classic BPF: (code, jump if true, jump if false, k) each."""

    class Program(ctypes.Structure):
        _fields_ = [("size", ctypes.c_ushort), ("words", ctypes.c_char_p)]

    words = b"".join(struct.pack("HBBI", *line) for line in program)
    _checked(_LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    program_of = Program(len(program), words)
    _checked(_LIBC.prctl(_SECCOMP, 2, ctypes.byref(program_of), 0, 0), "seccomp")


def filter_program() -> list[tuple[int, int, int, int]]:
    """No socket, so no network and no server's socket; no TIOCSTI and TIOCLINUX; no new namespace.

    A call of another architecture (32 bit, x32) is refused whole: its numbers mean something else.
    """
    arch, socket, ioctl, unshare, clone, setns = _FILTERED[os.uname().machine]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    lines = [(load, 0, 0, 4), (equal, 1, 0, arch), (give, 0, 0, _EPERM), (load, 0, 0, 0)]
    lines += [(at_least, 0, 1, 0x40000000), (give, 0, 0, _EPERM)]
    for number, answer in ((socket, _EPERM), (setns, _EPERM), (_CLONE3, _ENOSYS), (_IO_URING, _ENOSYS)):
        lines += [(equal, 0, 1, number), (give, 0, 0, answer)]
    lines += [(equal, 0, 5, ioctl), (load, 0, 0, 24), (equal, 1, 0, 0x5412), (equal, 0, 1, 0x541C)]
    lines += [(give, 0, 0, _EPERM), (give, 0, 0, _ALLOW)]
    lines += [(equal, 1, 0, unshare), (equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, 0x10000000)]
    return [*lines, (give, 0, 0, _EPERM), (give, 0, 0, _ALLOW)]


def limit(word: str) -> None:
    """Sets one limit, never above what is allowed already."""
    name, _, text = word.partition("=")
    which = getattr(resource, f"RLIMIT_{name.upper()}")
    value = int(text) + (_tasks() if text.startswith("+") else 0)
    hard = resource.getrlimit(which)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # The kernel kills at the hard limit of CPU seconds; a signal that says why comes at the soft one.
    top = soft + 5 if name == "cpu" and (hard == resource.RLIM_INFINITY or hard >= soft + 5) else soft
    resource.setrlimit(which, (soft, top))


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _tasks() -> int:
    count = 0
    for pid in _processes():
        try:
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count


def _children() -> list[int]:
    found: list[int] = []
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == os.getpid():
            found.append(pid)
    return found


def _sweep() -> None:
    """Ends every process below this one: what loses its parent becomes our child, and is next."""
    while True:
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def supervise() -> None:
    """Returns in a child with a session of its own; the parent waits, sweeps, and ends as the child did."""
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGCHLD))
    _LIBC.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGCHLD))
        os.setsid()
        return
    status = None
    while status is None:
        caught = signal.sigwait((signal.SIGTERM, signal.SIGCHLD))
        if caught == signal.SIGTERM:
            break
        while True:
            try:
                pid, ended = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == child:
                status = ended
    _sweep()
    code = -signal.SIGKILL if status is None else os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def bridge(path: str) -> None:
    """Starts a process that carries connections of a loopback port to the unix socket, and names it."""
    import socket
    import threading

    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    if os.fork() != 0:
        server.close()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            os.environ[name] = os.environ[name.upper()] = address
        return
    nothing = os.open("/dev/null", os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)

    def carry(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                end.close()

    while True:
        near, _ = server.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(path)
        except OSError:
            near.close()
            continue
        for pair in ((near, far), (far, near)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


def main(words: list[str]) -> None:
    """Does what the options say and becomes the command; exit 126 or 127 where it cannot be run."""
    options: dict[str, list[str]] = {"--rlimit": [], "--read": [], "--write": [], "--bridge": []}
    flags: set[str] = set()
    while words and (word := words.pop(0)) != "--":
        if word in options:
            options[word].append(words.pop(0))
        else:
            flags.add(word)
    for path in options["--bridge"]:
        bridge(path)
    if "--supervise" in flags:
        supervise()
    for one in options["--rlimit"]:
        limit(one)
    if "--filter" in flags:
        drop_capabilities()
    if options["--read"]:
        restrict(options["--read"], options["--write"])
    if "--filter" in flags:
        deny(filter_program())
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and an exec would keep that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.stderr.write(f"{words[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main(sys.argv[1:])
