"""Clients that are refused while they still send are heard out for a moment: cut off, most would miss the answer."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Message, Receive

LINGER_SECONDS = 2.0


class Hearing:
    """A request's body, and whether it has come to its end.

    Args:
        receive: of ASGI.
        asks_first: the client waits for a sign before it sends (`Expect: 100-continue`).
    """

    def __init__(self, receive: Receive, asks_first: bool = False) -> None:
        self._receive, self._waits, self._over = receive, asks_first, False

    async def receive(self) -> Message:
        """The next message; see ASGI."""
        self._waits = False
        message = await self._receive()
        self._over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def out(self) -> bool:
        """Take what is still being sent, for so long, and throw it away; returns whether it came to its end."""
        if self._waits:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._over:
                    await self.receive()
        return self._over
