"""A request as a job: the photo alone as its body, or a form with guidance and the pictures that it names."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from chromagan.apps.serve.limits import Limits
from chromagan.apps.serve.refusals import Gone, Malformed, Slow
from chromagan.apps.web.uploads import check_upload, unplaced, upload_job, within
from chromagan.conditioning.guidance import Guidance
from chromagan.errors import ReadError, UsageError
from chromagan.inference.batch_plan import Job
from chromagan.inference.request import Request as Wish
from chromagan.inference.sources import named_by_content

MOST_TEXT = 4_000_000  # bytes of guidance
MOST_WISHES, MOST_POINTS = 1_000, 20_000  # of one guidance: half a minute of two processors at most
_MOST_FILES = 16
_PNG = b"\x89PNG\r\n\x1a\n"
_GUIDANCE = "guidance.hints"


async def receive(request: Request, folder: Path, limits: Limits) -> tuple[Path, Path | None]:
    """Take a request's body.

    Args:
        request: nobody has read it.
        folder: for what it brings.
        limits: of that.

    Returns:
        The photo and its guidance, whose pictures lie beside it.

    Raises:
        TooLarge: of bytes or pixels.
        NoPhoto: one of the pictures is none.
        Malformed, UsageError: a form that is none, or with other parts.
        Slow: it did not arrive in its time.
        Gone: the client went away.
    """
    bounded, photo = within(request, limits.upload_bytes), folder / "photo"
    try:
        async with asyncio.timeout(limits.transfer_seconds):
            if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
                async with bounded.form(max_files=_MOST_FILES, max_fields=_MOST_FILES, max_part_size=MOST_TEXT) as form:
                    guidance = await run_in_threadpool(_keep_parts, form, photo)
            else:
                guidance = None
                with photo.open("wb") as file:
                    async for chunk in bounded.stream():
                        file.write(chunk)
    except TimeoutError as error:
        raise Slow(f"the request did not arrive within {limits.transfer_seconds:g} s") from error
    except ClientDisconnect as error:
        raise Gone("the client went away") from error
    except HTTPException as error:
        raise Malformed(str(error.detail)) from error
    photo = await run_in_threadpool(_look_at, photo, guidance, limits)
    return photo, guidance


def make_job(
    photo: Path, guidance: Path | None, photo_format: str | None, given: dict[str, Any], most_pixels: int
) -> Job:
    """The job of what was received; not in the event loop, as it reads files.

    Args:
        photo: the photo's file.
        guidance: a file of hints.
        photo_format: of the answer; the photo's own unless given.
        given: fields of the request, which go before those in the file of hints.
        most_pixels: of the photo's pages together.

    Raises:
        UsageError: a value out of range; guidance that is none, or names what did not come with it.
        ReadError: the photo, or a picture that is named, is of no use.
    """
    try:
        if guidance is not None and guidance.suffix == ".json":
            _check_guidance(guidance)
        hints = [] if guidance is None else [guidance]
        job = upload_job(photo, photo_format=photo_format, request=Wish(**given), hints=hints, firm=given)
    except (UsageError, ReadError) as error:
        words = str(error) if guidance is None else unplaced(error, guidance.parent).replace("--hints ", "")
        raise type(error)(unplaced(Exception(words), photo.parent)) from error
    if len(job.pictures) > 1:
        raise UsageError("one picture is painted at a time; ask with one seed after another")
    return replace(job, most_pixels=most_pixels)


def _look_at(photo: Path, guidance: Path | None, limits: Limits) -> Path:
    """Check the headers of all pictures; the photo gets the ending of its format."""
    check_upload(photo, limits.pixels)
    for picture in [] if guidance is None else sorted(guidance.parent.iterdir()):
        if picture.suffix != ".json":
            check_upload(picture, limits.pixels)
    return named_by_content(photo)


def _keep_parts(form: FormData, photo: Path) -> Path | None:
    """Write the parts of a form into files: the photo, and in a folder beside it what comes with it."""
    parts = form.multi_items()
    unknown = sorted({name for name, _ in parts} - {"photo", "guidance", "file"})
    if unknown:
        raise UsageError(f"the form has no part {unknown[0]!r}; it has photo, guidance and file")
    photos, hints, files = ([value for name, value in parts if name == kind] for kind in ("photo", "guidance", "file"))
    if len(photos) != 1 or not isinstance(photos[0], UploadFile):
        raise UsageError("the form brings one photo, as a file in its part 'photo'")
    if len(hints) > 1 or (files and not hints):
        raise UsageError("files come with one part 'guidance', which names them")
    _write(photos[0].file, photo)
    if not hints:
        return None
    beside = photo.parent / "beside"
    beside.mkdir()
    _keep_files(files, beside)
    return _keep_guidance(hints[0], beside)


def _keep_files(files: Sequence[UploadFile | str], folder: Path) -> None:
    for one in files:
        name = one.filename or "" if isinstance(one, UploadFile) else ""
        plain = name.isprintable() and 0 < len(name.encode()) <= 200 and not set(name) & set('/\\:*?"<>|')
        if isinstance(one, str) or not plain or name.startswith((".", _GUIDANCE)) or (folder / name).exists():
            raise UsageError("each part 'file' is a file with a plain name of its own, by which guidance calls it")
        _write(one.file, folder / name)


def _keep_guidance(given: UploadFile | str, folder: Path) -> Path:
    content = given.encode() if isinstance(given, str) else given.file.read(MOST_TEXT + 1)
    kind = "png" if content.startswith(_PNG) else "json"
    if kind == "json" and len(content) > MOST_TEXT:
        raise UsageError(f"guidance has at most {MOST_TEXT / 1e6:.0f} MB")
    path = folder / f"{_GUIDANCE}.{kind}"
    path.write_bytes(content)
    if isinstance(given, UploadFile) and len(content) > MOST_TEXT:
        with path.open("ab") as file:
            shutil.copyfileobj(given.file, file)
    return path


def _check_guidance(guidance: Path) -> None:
    """Bound its work; of files that a stranger names, those that came with it are opened, and no others."""
    try:
        told = Guidance.from_json(guidance.read_text(encoding="utf-8-sig"), "guidance")
    except UnicodeDecodeError as error:
        raise UsageError("guidance: not UTF-8; it is JSON, or a PNG with an alpha") from error
    regions = [one.polygons for one in (told.only, told.keep, told.vary) if one]
    colours = len(told.palette.colours) if told.palette else 0
    wishes = len(told.strokes) + len(told.references) + colours + sum(map(len, regions))
    points = sum(len(stroke.points) for stroke in told.strokes) + sum(len(one) for some in regions for one in some)
    if wishes > MOST_WISHES or points > MOST_POINTS:
        raise UsageError(
            f"guidance has {wishes:,} wishes with {points:,} points; the service takes {MOST_WISHES:,} and "
            f"{MOST_POINTS:,}, and the command takes all"
        )
    there = {path.name for path in guidance.parent.iterdir()} - {guidance.name}
    named = [one.file for one in (*told.references, told.only, told.keep, told.vary, told.layer) if one and one.file]
    missing = next((name for name in named if name not in there), None)
    if missing is not None:
        raise UsageError(f"guidance names {missing!r}, which did not come with it; send it as a part 'file'")


def _write(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(source, file)


async def gone(request: Request) -> None:
    """Ends when the client goes away; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
