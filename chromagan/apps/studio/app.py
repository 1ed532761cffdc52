"""The studio as a web application: routes, bodies within bounds, errors in one line.

Starlette, and a page of our own, rather than gradio: its image editor sends a picture of every layer for each stroke,
which is no answer within 0.3 s, knows no picker of the colours that a lightness can show, and holds Pillow below the
release that reading photographs here is tested with.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from chromagan.apps.studio import handlers
from chromagan.apps.studio.desk import Desk, UnknownDesk, UnknownPhoto
from chromagan.apps.studio.studio import Studio
from chromagan.apps.web.guard import Guard
from chromagan.apps.web.uploads import TooLarge, within
from chromagan.errors import ChromaganError, UsageError

log = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
MOST_TEXT = 4_000_000  # bytes of a request that is no upload


def make_app(studio: Studio, token: str, hosts: tuple[str, ...] = (), framed: str = "'none'") -> Guard:
    """The application.

    Args:
        studio: what it serves.
        token: see `Guard`.
        hosts: see `Guard`.
        framed: see `Guard`.
    """
    routes = [
        Route("/", lambda request: FileResponse(PAGE / "index.html")),
        Mount("/page", StaticFiles(directory=PAGE)),
        Route("/api/enter", _told(partial(_enter, studio)), methods=["POST"]),
        Route("/api/leave", _told(partial(_leave, studio)), methods=["POST"]),
        Route("/api/upload", _told(partial(_upload, studio)), methods=["POST"]),
        Route("/api/file", _told(partial(_file, studio)), methods=["POST"]),
        Route("/api/{what}", _told(partial(_handle, studio)), methods=["POST"]),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        studio.close()

    return Guard(Starlette(routes=routes, lifespan=lifespan), token, hosts, framed)


def _told(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """An endpoint whose errors become one line for the page."""

    async def answer(request: Request) -> Response:
        try:
            made = await endpoint(request)
        except Exception as error:  # a fault of the program is told as such, and the studio goes on
            status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
            if status == 500:
                log.error("%s", error, exc_info=error)
            return JSONResponse({"error": str(error) or type(error).__name__}, status)
        if isinstance(made, bytes):
            return Response(made, media_type="image/jpeg")
        return made if isinstance(made, Response) else JSONResponse(made)

    return answer


_STATUS = {UnknownDesk: 410, UnknownPhoto: 404, TooLarge: 413, ChromaganError: 400}


def _desk(studio: Studio, request: Request) -> Desk:
    return studio.desk(request.headers.get("x-desk", ""))


async def _enter(studio: Studio, request: Request) -> Any:
    return handlers.listing(studio, await run_in_threadpool(studio.enter))


async def _leave(studio: Studio, request: Request) -> Any:
    await run_in_threadpool(studio.leave, _desk(studio, request))
    return {}


async def _handle(studio: Studio, request: Request) -> Any:
    handler = handlers.HANDLERS.get(request.path_params["what"])
    if handler is None:
        return JSONResponse({"error": "the studio knows no such wish"}, 404)
    desk = _desk(studio, request)
    try:
        return await run_in_threadpool(handler, studio, desk, await _values(request))
    except ChromaganError as error:  # where an upload lies is nobody's business
        words = re.sub(re.escape(str(desk.folder)) + r"[/\\][^/\\]+[/\\]", "", str(error))
        raise type(error)(words) from error


async def _values(request: Request) -> handlers.Values:
    body = await within(request, MOST_TEXT).body()
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise UsageError("the request is not JSON") from error
    if not isinstance(values, dict):
        raise UsageError("the request is an object of JSON")
    return values


async def _upload(studio: Studio, request: Request) -> Any:
    """A photo as the body, its name in the query."""
    desk = _desk(studio, request)
    path = studio.place(desk, request.query_params.get("name", ""))
    try:
        with path.open("xb") as file:
            async for chunk in within(request, studio.limits.upload_bytes).stream():
                file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        raise
    reference = request.query_params.get("as") == "reference"
    return handlers.shown(await run_in_threadpool(studio.take, desk, path, reference))


async def _file(studio: Studio, request: Request) -> Any:
    """The coloured file of an upload."""
    desk = _desk(studio, request)
    picture = desk.picture((await _values(request)).get("photo"))
    path = desk.saved.get(picture.key)
    if not picture.uploaded or path is None or not path.is_file():
        raise UnknownPhoto("there is no coloured file of this photo; save it first")
    return FileResponse(path, media_type="application/octet-stream")
