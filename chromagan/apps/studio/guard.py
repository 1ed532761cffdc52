"""Who may ask: the page's own origin with the token of this start, and no one else.

A page of a stranger that is open in the same browser can send requests to this machine. It cannot read the token, it
cannot set the header that carries it without being asked by which right (CORS, which is never granted here), and where
it has its own name point at this machine (DNS rebinding), that name stands in `Host`, which is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {}"
)
_HEADERS = {
    "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin",
}  # fmt: skip


@dataclass(frozen=True)
class Guard:
    """Stands before an application.

    Attributes:
        app: the application.
        token: that every request for data carries as `Authorization: Bearer ...`; none is asked for where it is empty.
        hosts: names by which this machine may be asked for, besides numbers and localhost; "*" for any.
        framed: whose pages may show the studio within them, as a Content-Security-Policy writes it.
    """

    app: App
    token: str
    hosts: tuple[str, ...] = ()
    framed: str = "'none'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; see ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self.refuse(headers, scope["path"])

        async def answered(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                policy = ("content-security-policy", _POLICY.format(self.framed))
                more = [(name.encode(), value.encode()) for name, value in (*_HEADERS.items(), policy)]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        if refused is None:
            await self.app(scope, receive, answered)
            return
        status, words = refused
        await answered({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await answered({"type": "http.response.body", "body": words.encode()})

    def refuse(self, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        """The status and the words with which a request is refused; None for one that is welcome."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, "the studio is not asked for by this name"
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "another page may not ask the studio"
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if path.startswith("/api/") and self.token and not hmac.compare_digest(given.encode(), self.token.encode()):
            return 401, "the key is missing or wrong; open the address that the terminal shows"
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a name is a number (no one can point that elsewhere), localhost, or allowed."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name.lower() in ("localhost", *(one.lower() for one in self.hosts)) or "*" in self.hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
