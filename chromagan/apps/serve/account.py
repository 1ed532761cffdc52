"""An account of each request: an id, a line of JSON, counts."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chromagan.apps.serve.metrics import Metrics

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MOST_PATH = 300  # characters in a line
_QUIET = {"/health", "/ready", "/metrics"}  # asked every few seconds, and told where they fail


@dataclass(frozen=True)
class Account:
    """Stands before everything else.

    Attributes:
        app: an ASGI application; what it puts into `scope["told"]` stands in the line.
        metrics: that count.
        tell: takes the line.
        paths: that are counted by their name; any other is "other".
    """

    app: ASGIApp
    metrics: Metrics
    tell: Callable[[str], None]
    paths: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; see ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        scope["told"] = told = dict[str, Any]()
        scope["id"] = key = given if _ID.fullmatch(given) else secrets.token_hex(8)
        started, status, taken, sent = time.perf_counter(), 0, 0, 0

        async def heard() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message

        async def answered(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (b"x-request-id", key.encode())]
                message = {**message, "headers": headers}
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, heard, answered)
        except Exception:
            told.setdefault("error", "the answer was cut off")
            if not status:
                raise
        finally:
            path = scope["path"]
            self.metrics.requests.labels(path if path in self.paths else "other", status or 500).inc()
            if path not in _QUIET or status >= 400:
                self.tell(json.dumps({
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "id": key,
                    "client": (scope.get("client") or [None])[0], "method": scope["method"], "path": path[:_MOST_PATH],
                    "status": status or 500, "seconds": round(time.perf_counter() - started, 4),
                    "taken": taken, "sent": sent, **told,
                }))  # fmt: skip
