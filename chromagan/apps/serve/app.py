"""The service as a web application: paths, statuses, errors in one line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from chromagan.apps.serve import intake
from chromagan.apps.serve.account import Account
from chromagan.apps.serve.description import BODY, PHOTO, State, Wish, refusals, with_guidance
from chromagan.apps.serve.metrics import Metrics
from chromagan.apps.serve.refusals import status_of
from chromagan.apps.serve.service import Service
from chromagan.apps.web.guard import Guard
from chromagan.errors import ChromaganError
from chromagan.files.suffixes import WRITTEN
from chromagan.inference.sinks import Files
from chromagan.version import __version__

log = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
_MOST_WORDS = 1000  # characters of an error
_ABOUT = "A black-and-white photo comes, and goes back in colour: the file that `chromagan sample` writes."


class _Handed(FileResponse):
    """A photo's file; its place is given back when it is taken, or was not within its time."""

    def __init__(self, path: Path, media_type: str, place: ExitStack, seconds: float) -> None:
        super().__init__(path, media_type=media_type)
        self._place, self._seconds = place, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)


def make_app(service: Service, hosts: tuple[str, ...] = (), tell: Callable[[str], None] = print) -> ASGIApp:
    """The application.

    Args:
        service: that colours.
        hosts: names by which it may be asked for, see `Guard`.
        tell: takes a line of JSON for each request.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.open()
        yield
        await service.close()

    app = FastAPI(title="chromagan", version=__version__, description=_ABOUT, license_info={"name": "Apache-2.0"},
                  docs_url=None, redoc_url=None, lifespan=lifespan)  # fmt: skip
    metrics = Metrics(service)
    _colours(app, service, metrics)
    _states(app, service, metrics)
    _describes(app)
    for kind in (Exception, ChromaganError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _refused)
    paths = frozenset(path for route in app.routes if "{" not in (path := getattr(route, "path", "{")))
    return Account(Guard(app, "", hosts, name="the service"), metrics, tell, paths)


def _colours(app: FastAPI, service: Service, metrics: Metrics) -> None:
    limits = service.limits

    @app.post(
        "/colorize", summary="Colour a photo", response_class=Response, openapi_extra=BODY,
        responses=PHOTO | refusals(400, 408, 413, 415, 422, 429, 500, 503, 504),
    )  # fmt: skip
    async def colorize(request: Request, wish: Annotated[Wish, Query()]) -> Response:
        """The photo in its own size, depth and lightness, with what its file carried and the mark that says that its
        colours are made up.
        """
        with ExitStack() as place:
            folder = place.enter_context(service.place())
            photo, guidance = await intake.receive(request, folder, limits)
            job = await run_in_threadpool(intake.make_job, photo, guidance, wish.format, wish.given, limits.pixels)
            done = await service.colour(job, Files(quality=wish.quality), intake.gone(request))
            metrics.waited.observe(done.waited)
            metrics.seconds.observe(done.seconds)
            request.scope["told"] |= {"waited": round(done.waited, 4), "coloured": round(done.seconds, 4)}
            output = job.pictures[0].output
            return _Handed(output, f"image/{WRITTEN[output.suffix]}", place.pop_all(), limits.transfer_seconds)


def _states(app: FastAPI, service: Service, metrics: Metrics) -> None:
    def answer(state: Any, fine: bool) -> JSONResponse:
        told = State(state=state, model=service.model, accepted=service.accepted)
        return JSONResponse(told.model_dump(), 200 if fine else 503)

    unwell: dict[int | str, dict[str, Any]] = {503: {"model": State, "description": "it is not"}}

    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="Whether it is to be left alone", response_model=State, responses=unwell)
    async def health() -> JSONResponse:
        """503 when the service should be started anew."""
        return answer("up" if service.alive else "failed", service.alive)

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", summary="Whether photos are accepted", response_model=State, responses=unwell)
    async def ready() -> JSONResponse:
        """503 while the weights are loaded, and when the service ends."""
        state = "ending" if service.ending else "ready" if service.ready else "loading"
        state = state if service.alive else "failed"
        return answer(state, state == "ready")

    @app.head("/metrics", include_in_schema=False)
    @app.get("/metrics", summary="Figures for Prometheus", response_class=Response,
             responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def figures() -> Response:
        """Answers by status, seconds of photos, how many wait, memory."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _describes(app: FastAPI) -> None:
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_guidance(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))


async def _refused(request: Request, error: Exception) -> Response:
    """An error as one line."""
    headers: dict[str, str] = dict(getattr(error, "headers", None) or {})
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        status, words = 422, f"{first['loc'][-1]}: {first['msg']}"
    elif isinstance(error, HTTPException):
        status, words = error.status_code, str(error.detail)
    else:
        status, words = status_of(error), str(error)
    if status == 500:
        log.error("%s: %s", request.scope["id"], error, exc_info=error)
        words = "the service failed; its log says why"
    if (seconds := getattr(error, "seconds", None)) is not None:
        headers["retry-after"] = str(seconds)
    if len(words) > _MOST_WORDS:  # a value of the client's own stands in them
        words = f"{words[: _MOST_WORDS // 2]} ... {words[-_MOST_WORDS // 2 :]}"
    request.scope["told"]["error"] = words
    return JSONResponse({"error": words, "id": request.scope["id"]}, status, headers)
