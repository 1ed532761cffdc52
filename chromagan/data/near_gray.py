"""The filter against near-gray training photographs, which teach a colorizer to answer gray, and its memory."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from chromagan.errors import DataError
from chromagan.files.atomic import told
from chromagan.files.csv_text import defused, restored

_UNREADABLE = "unreadable"


def mean_chroma(rgb: np.ndarray) -> float:
    """Mean Lab chroma sqrt(a^2 + b^2) of an sRGB photo (H, W, 3) uint8, measured on at most 64 pixels a side.

    0 for a gray photo, about 15 for an ordinary one.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, 64 / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def read_manifest(path: Path) -> dict[str, float]:
    """The measured chroma of each photo by its name, NaN for unreadable ones; of the files of all ranks.

    What stands behind the last newline was torn off by a kill, and is not read.

    Raises:
        DataError: a file is not a manifest.
    """
    known: dict[str, float] = {}
    for file in [path, *sorted(path.parent.glob(f"{path.stem}.rank*{path.suffix}"))]:
        if not file.exists():
            continue
        text = file.read_bytes()
        lines = text[: text.rfind(b"\n") + 1].decode("utf-8", "surrogateescape").split("\n")
        try:
            for chroma, name in csv.reader(filter(None, lines)):
                known[restored(name)] = math.nan if chroma == _UNREADABLE else float(chroma)
        except ValueError as error:
            raise DataError(f"{file}: not a near-gray manifest ({error}); remove it or name another") from error
    return known


class ManifestWriter:
    """Appends what was measured: one line `chroma,name` a photo, in a file of this rank's own.

    Args:
        path: of rank 0; rank r writes `NAME.rank{r}.csv` beside it. None writes nothing.
        rank: this process.
    """

    def __init__(self, path: Path | None, rank: int = 0) -> None:
        self._file: TextIO | None = None
        if path is None:
            return
        file = path if rank == 0 else path.with_name(f"{path.stem}.rank{rank}{path.suffix}")
        self._path = file
        with told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():  # a torn line would run into the next one
                text = file.read_bytes()
                os.truncate(file, text.rfind(b"\n") + 1)
            self._file = open(file, "a", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, name: str, chroma: float) -> None:
        """Add a photo; NaN says unreadable. A name with a line break is left out: it is measured again each time."""
        if self._file is not None and "\n" not in name and "\r" not in name:
            self._writer.writerow((_UNREADABLE if math.isnan(chroma) else repr(chroma), defused(name)))

    def flush(self) -> None:
        """Hand the lines to the system: a kill of this process loses none of them."""
        if self._file is not None:
            with told(self._path):
                self._file.flush()

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with told(self._path):
                self._file.close()
