"""A photo that comes in by stdin, and one that goes out by stdout."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chromagan.errors import ChromaganError, ReadError, UsageError, WriteError

if TYPE_CHECKING:
    from chromagan.images.read import Photo
    from chromagan.inference.batch_plan import Job

MOST_BYTES = 2**31
_BLOCK = 2**20


def receive(folder: Path) -> Path:
    """Keep the photo of stdin in a folder, as `stdin` with the ending of its format.

    Raises:
        UsageError: a person sits at stdin.
        ReadError: there is too much of it.
    """
    from chromagan.inference.sources import named_by_content

    if sys.stdin.isatty():
        raise UsageError("- reads a photo from stdin, which is a terminal; send one: < PHOTO")
    path, left = folder / "stdin", MOST_BYTES
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(_BLOCK):
            file.write(block)
            left -= len(block)
            if left < 0:
                raise ReadError(f"stdin: this is more than {MOST_BYTES >> 30} GiB; name the file")
    return named_by_content(path)


def received_job(job: Job) -> Job:
    """The job of what was received, whose messages name stdin and no file of ours."""

    def load() -> list[Photo]:
        from chromagan.images.read import read_pages

        try:
            photos = read_pages(job.source, accept_truncated=job.accept_truncated)
            return [replace(photo, path=Path("stdin")) for photo in photos]
        except ChromaganError as error:
            raise type(error)(str(error).replace(str(job.source), "stdin")) from error

    return replace(job, source=Path("stdin"), load=load)


def send(path: Path) -> None:
    """Give a file out by stdout; `WriteError` where nobody takes it."""
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise WriteError(f"stdout: cannot be written: {getattr(error, 'strerror', None) or error}") from error
