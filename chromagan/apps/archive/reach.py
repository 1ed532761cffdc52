"""Whether anybody answers at the address of a Ray cluster."""

from __future__ import annotations

import socket

from chromagan.errors import DeviceError, UsageError, words_of

_CONNECT = 10.0  # seconds


def check_address(address: str) -> None:
    """Refuse an address at which nothing listens; Ray tries it for minutes.

    Args:
        address: HOST:PORT, or "auto", which Ray looks up on this machine.

    Raises:
        UsageError: it is none.
        DeviceError: nothing listens there.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise UsageError(f"{address!r} is no address of a Ray cluster; write HOST:PORT, or auto on one of its machines")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise DeviceError(
            f"no Ray cluster answers at {address} ({words_of(error)}); give the address that ray start named, or auto"
        ) from error
