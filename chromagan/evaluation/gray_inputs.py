"""The gray inputs that other programs should be given: the very pictures that this package's own models are shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from chromagan.compute.threads import ahead, default_workers
from chromagan.errors import ChromaganError, UsageError
from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.evaluation.engine import read_picture
from chromagan.evaluation.pairs import Pairs, match_pairs, without_suffix
from chromagan.evaluation.protocols import Protocol
from chromagan.files.atomic import write_atomically


def gray_inputs(photos: Path, out: Path, protocol: Protocol) -> tuple[Pairs, list[Path]]:
    """Which photos become gray, and where: names and folders are kept, the extension becomes .png.

    Raises:
        DataError: no photos, names that differ in their extension alone, or photos that are not the protocol's.
        UsageError: the output lies among the photos.
    """
    if out.resolve().is_relative_to(photos.resolve()):
        raise UsageError(f"{out}: lies inside {photos}, where the next run would take it for photos; choose another -o")
    pairs = match_pairs(photos, {}, protocol.chosen)
    return pairs, [out / f"{without_suffix(name)}.png" for name in pairs.images]


def write_gray_inputs(pairs: Pairs, files: list[Path], protocol: Protocol) -> Iterator[ChromaganError | None]:
    """Write each photo's gray picture as an 8-bit PNG of one channel; gives what went wrong, photo by photo.

    A photo is rounded to 8 bits and prepared as the protocol says. Each pixel becomes the sRGB gray of the same L*,
    rounded to the nearest code: what `gray` stands for in every table, and what `lightness_difference` compares with.
    """

    def write(index: int) -> ChromaganError | None:
        try:
            gray = gray_of_8bit(np.ascontiguousarray(protocol.prepare(read_picture(pairs.truth[index]))))
            with contextlib.suppress(OSError):  # writing says what is wrong with the folder
                files[index].parent.mkdir(parents=True, exist_ok=True)
            write_atomically(files[index], lambda file: file.write(cv2.imencode(".png", gray)[1].tobytes()))
        except ChromaganError as error:
            return error
        return None

    with ThreadPoolExecutor(default_workers()) as pool:
        yield from ahead(pool, write, range(len(files)), 2 * default_workers())
