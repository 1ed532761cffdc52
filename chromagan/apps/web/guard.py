"""Who may ask: a page's own origin, with the token of this start where there is one, and no one else.

A page of a stranger that is open in the same browser can send requests to this machine. It cannot read the token, it
cannot set the header that carries it without being asked by which right (CORS, which is never granted here), and where
it has its own name point at this machine (DNS rebinding), that name stands in `Host`, which is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chromagan.apps.web.hearing import Hearing

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
        framed: whose pages may show it within them, as a Content-Security-Policy writes it.
        name: what a person calls the application.
    """

    app: ASGIApp
    token: str
    hosts: tuple[str, ...] = ()
    framed: str = "'none'"
    name: str = "the studio"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; see ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused, hearing = self.refuse(headers, scope["path"]), Hearing(receive, "expect" in headers)

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {**_HEADERS, "content-security-policy": _POLICY.format(self.framed)}
                if message["status"] >= 400 and not await hearing.out():
                    given["connection"] = "close"  # or it goes on sending for as long as it likes
                more = [(name.encode(), value.encode()) for name, value in given.items()]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        if refused is None:
            await self.app(scope, hearing.receive, answered)
            return
        status, words = refused
        kind = (b"content-type", b"application/json")
        await answered({"type": "http.response.start", "status": status, "headers": [kind]})
        await answered({"type": "http.response.body", "body": json.dumps({"error": words}).encode()})

    def refuse(self, headers: dict[str, str], path: str) -> tuple[int, str] | None:
        """The status and the words with which a request is refused; None for one that is welcome."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, f"{self.name} is not asked for by this name"
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, f"another page may not ask {self.name}"
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
