"""Ports of loopback: the one a server had before, else a free one."""

import random
import socket
import time

_FREED = 5.0
"""Seconds for an ended server to let go of its port."""
_ANY = (20_000, 32_000)
"""Below the ports that systems give to outgoing connections."""


def port_of(address: str) -> int:
    """The port of an address; 0 for none."""
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def kept_port(had: int, usual: int = 0) -> int:
    """The port `had`, so that whoever looks for it there is right; else the usual one; else any."""
    deadline = time.monotonic() + _FREED
    while had and time.monotonic() < deadline:
        if is_free(had):
            return had
        time.sleep(0.02)  # a killed server's last threads hold it for a moment, and nothing tells
    return usual if usual and is_free(usual) else any_port()


def is_free(port: int) -> bool:
    """Whether a server can listen there."""
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_port() -> int:
    """A free port that no outgoing connection is ever given while the server is down."""
    return next(port for port in iter(lambda: random.randrange(*_ANY), None) if is_free(port))
