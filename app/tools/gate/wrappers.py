"""The programs that run another one, and how they take their words."""

from dataclasses import dataclass

SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "ash", "rbash"))


@dataclass(frozen=True)
class Wrapper:
    """How a program that runs another one takes its words."""

    valued: tuple[str, ...] = ()
    """Options whose value is the next word."""
    positional: int = 0
    """Words of its own before the program."""
    assigns: bool = False
    """It takes NAME=value before the program."""
    seen: bool = False
    """It is a part of its own, too: it gives the program more than it would have."""


_NICE = ("-n", "--adjustment")
_SPLIT = ("-S", "--split-string")
WRAPPERS: dict[str, Wrapper] = {
    "timeout": Wrapper(("-s", "--signal", "-k", "--kill-after"), positional=1),
    "time": Wrapper(("-f", "--format", "-o", "--output"), assigns=True),
    "nice": Wrapper(_NICE),
    "ionice": Wrapper(("-c", "--class", "-n", "--classdata")),
    "chrt": Wrapper(("-T", "--sched-runtime", "-P", "--sched-period", "-D", "--sched-deadline"), positional=1),
    "taskset": Wrapper((), positional=1),
    "nohup": Wrapper(),
    "setsid": Wrapper(),
    "stdbuf": Wrapper(("-i", "--input", "-o", "--output", "-e", "--error")),
    "command": Wrapper(),
    "builtin": Wrapper(),
    "exec": Wrapper(("-a",)),
    "coproc": Wrapper(assigns=True),
    "busybox": Wrapper(),
    "toybox": Wrapper(),
    "env": Wrapper(("-u", "--unset", "-C", "--chdir", *_SPLIT), assigns=True),
    "sudo": Wrapper(
        (
            *("-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "--close-from", "-r", "--role"),
            *("-t", "--type", "-T", "--command-timeout", "-U", "--other-user", "-D", "--chdir", "-R", "--chroot"),
        ),
        assigns=True,
        seen=True,
    ),
    "doas": Wrapper(("-u", "-C"), seen=True),
}
XARGS = (
    *("-a", "--arg-file", "-d", "--delimiter", "-E", "-L", "-n", "--max-args", "-P", "--max-procs", "-s", "-I"),
    *("--max-chars", "--process-slot-var"),
)
OPAQUE = frozenset(
    (
        *("su", "chroot", "unshare", "nsenter", "strace", "ltrace", "gdb", "flock"),
        *("parallel", "systemd-run", "script", "setpriv", "runuser", "pkexec", "firejail", "bwrap"),
        *("tmux", "screen", "at", "batch", "entr", "fakeroot", "prlimit", "numactl"),
        *("rlwrap", "expect", "unbuffer", "setarch", "start-stop-daemon"),
    )
)
RENAMES = frozenset(("alias", "enable", "hash", "shopt", "bind", "complete"))
"""They change what later words mean."""
HARMLESS_GIT = ("user.", "author.", "committer.", "color.", "advice.", "core.quotepath=", "init.defaultbranch=",
                 "commit.gpgsign=false", "core.autocrlf=", "core.abbrev=", "safe.directory=")  # fmt: skip
GIT_RUNS = {
    "bisect": ("run",),
    "submodule": ("foreach",),
    "rebase": ("-x", "--ex"),
    "difftool": ("-x", "--ext"),
    "grep": ("-O", "--open"),
    "filter-branch": ("--",),
}
"""Commands of git that run other programs, and how the words begin with which they do."""
