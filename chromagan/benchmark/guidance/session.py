"""How long a person waits in a session: for the first answer, and for each stroke after it.

The photo is decoded before the clock starts; what is timed ends with the picture of a preview's size as a JPEG. Strokes
follow each other at places drawn by chance, each with those before it; the first one follows `Session.ready`, which
works ahead while a person is still looking. Seconds of the clock say what was waited on this machine as busy as it was;
seconds of the processors say what there was to do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from chromagan.conditioning.guidance import Guidance, Stroke
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer, Session
from chromagan.reports.tables import format_table

Times = tuple[float, float]  # seconds of the clock, of the processors
STROKES = 6  # a photo
_PIXELS = 12_000_000  # of each photo, which is enlarged or reduced to it


@dataclass(frozen=True)
class SessionFigures:
    """Medians over photos of 12 megapixels, and over their strokes, in seconds of the clock and of all processors.

    Attributes:
        first: from a decoded photo to its first picture.
        first_work: of the processors, for that.
        stroke: from a stroke to the next picture.
        stroke_work: of the processors, for that.
        renewed: to the picture after it, for which a network that is shown strokes is asked again, as the page does.
        renewed_work: of the processors, for that.
        photos: how many.
    """

    first: float
    first_work: float
    stroke: float
    stroke_work: float
    renewed: float
    renewed_work: float
    photos: int


def measure(colorizer: Colorizer, photos: Sequence[Path], seed: int = 0) -> SessionFigures:
    """Open each photo at 12 megapixels, and draw strokes on it; `seed` decides where."""
    rng = np.random.default_rng(seed)
    colorizer(np.full((64, 64), 99, np.uint8))  # what only the first photo of a process waits for is not of a session
    firsts: list[Times] = []
    strokes: list[Times] = []
    renewals: list[Times] = []
    for path in photos:
        pixels = read_photo(path).pixels
        scale = (_PIXELS / (pixels.shape[0] * pixels.shape[1])) ** 0.5
        session = colorizer.open(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR))
        firsts.append(_timed(partial(_shown, session, Guidance())))
        session.ready()
        drawn: tuple[Stroke, ...] = ()
        for _ in range(STROKES):
            x, y = 0.05 + 0.85 * rng.random(2)
            rgb = (int(rng.integers(256)), int(rng.integers(256)), int(rng.integers(256)))
            drawn = (*drawn, Stroke("colour", ((x, y), (x + 0.04, y + 0.02)), 0.02, rgb))
            for quick, times in ((True, strokes), (False, renewals)):
                times.append(_timed(partial(_shown, session, Guidance(drawn), quick)))
    (first, first_work), (stroke, stroke_work), (renewed, renewed_work) = map(_medians, (firsts, strokes, renewals))
    return SessionFigures(first, first_work, stroke, stroke_work, renewed, renewed_work, len(photos))


def table(found: Mapping[str, SessionFigures]) -> str:
    """A line a network."""
    rows = [
        (
            model,
            *(
                f"{a:.2f} ({b:.2f})"
                for a, b in (
                    (one.first, one.first_work),
                    (one.stroke, one.stroke_work),
                    (one.renewed, one.renewed_work),
                )
            ),
        )
        for model, one in found.items()
    ]
    return format_table(("seconds (of the processors)", "first answer", "next stroke", "asked again"), rows)


def _shown(session: Session, guidance: Guidance, quick: bool = False) -> Any:
    (picture,) = session.preview(guidance=guidance, quick=quick)
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]


def _medians(times: Sequence[Times]) -> Times:
    return statistics.median(one[0] for one in times), statistics.median(one[1] for one in times)


def _timed(action: Callable[[], Any]) -> Times:
    clock, work = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - work
