"""The process of `ctl`. `python -I -m app.cli`, so that no code of the current folder is ever imported."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Runs the command and leaves with its exit code; never a traceback for what a person can correct."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from app import __version__

        sys.stdout.write(f"ctl {__version__}\n")
        leave(0)
    from app.cli.lazy import run

    leave(run(sys.argv[1:]))


def leave(code: int) -> None:
    """Ends the process at once: the Temporal client can abort in the interpreter's own shutdown."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the reader of a pipe went away
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
