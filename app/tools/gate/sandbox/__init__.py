"""The sandbox that holds every command a model wrote: bubblewrap with Landlock inside, else Landlock alone.

Inside bubblewrap, the whole file system is read-only, secret places are empty, the network is a loopback of
its own, and the worktree lies at the repository's own path, so that editable installs and absolute paths
mean the worktree. Git sees the run's private repository through GIT_DIR, its config and hooks read-only.
Landlock alone cannot mount: the worktree is where it is, and what it `lacks` a person is asked for.
"""

from app.tools.gate.sandbox.bubblewrap import alternates_of, wrap
from app.tools.gate.sandbox.kinds import UNHELD, Mounts, Sandbox, environment
from app.tools.gate.sandbox.probing import probe

__all__ = ["UNHELD", "Mounts", "Sandbox", "alternates_of", "environment", "probe", "wrap"]
