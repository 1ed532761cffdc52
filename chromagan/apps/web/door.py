"""Where a server listens."""

from __future__ import annotations

import socket

from chromagan.errors import UsageError


def listen(host: str, port: int, tries: int = 1) -> socket.socket:
    """A socket that listens.

    Args:
        host: a name or number of this machine.
        port: 0 for one that is free.
        tries: so many ports from this one on are tried.

    Raises:
        UsageError: nothing can listen there.
    """
    refused: OSError | None = None
    for number in range(port, port + tries) if port else [0]:
        try:
            return socket.create_server((host, number), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except (OSError, OverflowError) as error:
            refused = error if isinstance(error, OSError) else OSError(str(error))
    raise UsageError(f"nothing can listen at {host}, port {port}: {refused}; choose others")


def address(door: socket.socket) -> str:
    """By which a browser on this machine finds it."""
    host, port = door.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
