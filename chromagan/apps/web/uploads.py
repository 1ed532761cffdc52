"""What strangers bring: bodies within bounds, and photos that are looked at before anything is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.types import Message

from chromagan.errors import ChromaganError, ReadError
from chromagan.images.read_header import open_file, read_header
from chromagan.inference.batch_plan import Job, plan_jobs


class TooLarge(ReadError):
    """More bytes, or more pixels, than are taken."""


class NoPhoto(ReadError):
    """A file whose beginning is no photo's that is read here."""


def within(request: Request, most: int) -> Request:
    """The request, whose body ends with `TooLarge` where it is longer than it may be, as soon as that is known.

    Args:
        request: whose body nobody has read yet.
        most: bytes.
    """
    words = f"more than {most / 1e6:.0f} MB are not taken"
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise TooLarge(words)
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > most:
            raise TooLarge(words)
        return message

    return Request(request.scope, receive)


def check_upload(path: Path, most_pixels: int) -> None:
    """Look at the header of a photo that was brought.

    Raises:
        NoPhoto: it is none, or none that is read here.
        TooLarge: it has more pixels than are taken.
    """
    try:
        with open_file(path) as file:
            header = read_header(file, path.name)
    except ChromaganError as error:
        raise NoPhoto(unplaced(error, path.parent)) from error
    if header.width * header.height > most_pixels:
        raise TooLarge(f"{path.name} has more than {most_pixels / 1e6:.0f} million pixels")


def upload_job(path: Path, **options: Any) -> Job:
    """The job of a photo that was brought, whose output goes into a folder beside it.

    Args:
        path: of the photo, in a folder of its own.
        **options: of `plan_jobs`.

    Raises:
        ReadError: the photo is one of this program's outputs.
    """
    jobs = plan_jobs([str(path)], path.parent / "colorized", overwrite=True, **options).jobs
    if not jobs:
        raise ReadError(f"{path.name} is coloured by this program already; open the photo that it is of")
    return jobs[0]


def unplaced(error: BaseException, folder: Path) -> str:
    """What an error says, without the folder: where an upload lies is nobody's business."""
    return str(error).replace(f"{folder}/", "").replace(f"{folder}\\", "")
