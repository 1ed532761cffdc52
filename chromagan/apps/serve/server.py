"""The server around the application: it ends by a signal when all that was accepted is answered."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from chromagan.apps.serve.app import make_app
from chromagan.apps.serve.service import Service
from chromagan.compute.signals import StopSignals

_KEPT_SECONDS = 75  # idle connections: longer than a client may be told to wait
_LAST_SECONDS = 5  # for answers that are being sent when nothing is accepted any more


def serve(
    service: Service, door: socket.socket, hosts: tuple[str, ...] = (), tell: Callable[[str], None] = print
) -> None:
    """Serve until a signal asks to stop: new photos are then refused, and those that were accepted are answered.

    Args:
        service: not yet open.
        door: listens.
        hosts: see `make_app`.
        tell: see `make_app`.

    Raises:
        ChromaganError: the weights cannot be loaded, or the pipeline failed.
    """
    config = uvicorn.Config(
        make_app(service, hosts, tell), log_level="error", access_log=False, server_header=False,
        timeout_keep_alive=_KEPT_SECONDS, timeout_graceful_shutdown=_LAST_SECONDS, ws="none",
    )  # fmt: skip
    with StopSignals() as signals:
        _Server(config, service, signals).run(sockets=[door])
    if service.failure is not None:
        raise service.failure


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service, signals: StopSignals) -> None:
        super().__init__(config)
        self._service, self._signals = service, signals
        self._idle: dict[Any, tuple[Any, float]] = {}  # connections: their last request, and since when it is over

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: uvicorn would close the door at once, and end the process by the signal itself."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        self._service.ending |= bool(self._signals.asked)
        self.should_exit |= self._service.failure is not None or (self._service.ending and not self._service.accepted)
        self._close_idle(time.monotonic())
        return await super().on_tick(counter)

    def _close_idle(self, now: float) -> None:
        """Close connections that bring no whole head of a request for long; uvicorn waits for ever for its end."""
        connections: set[Any] = self.server_state.connections
        idle = [one for one in connections if one.cycle is None or one.cycle.response_complete]
        before, self._idle = self._idle, {}
        for one in idle:
            last, since = before.get(one, (one.cycle, now))
            self._idle[one] = (one.cycle, since if last is one.cycle else now)
            if now - self._idle[one][1] > _KEPT_SECONDS:
                one.transport.close()
