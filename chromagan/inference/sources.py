"""Where photos come from, beside the files of `chromagan.inference.batch_plan`: pictures that a program has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from chromagan.images.read import Photo, to_photo
from chromagan.inference.batch_plan import Job
from chromagan.inference.request import Request


def pictures(images: Iterable[Any], request: Request) -> Iterator[Job]:
    """A job for each picture, in their order; a file is read when its turn comes.

    Args:
        images: paths, PIL images or arrays, as `chromagan.images.read.to_photo` takes them; may be without end.
        request: what is asked for, of each.
    """
    for number, image in enumerate(images):
        named = isinstance(image, str | os.PathLike)
        name = Path(image) if named else Path(f"picture {number}")
        yield Job(name, name, load=partial(_read, image), request=request)


def _read(image: Any) -> list[Photo]:
    return [to_photo(image)]
