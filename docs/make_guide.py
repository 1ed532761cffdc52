"""Make the pictures of docs/guide from photographs that scikit-image ships.

python docs/make_guide.py [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from chromagan import Colorizer, Guidance
from chromagan.conditioning.encode import cover
from chromagan.conditioning.guidance import Reference, Stroke

Picture = NDArray[Any]
HEIGHT, GAP = 210, 6


def references() -> Picture:
    """A row each: gray | painted | the reference | with it; a part in a mirror, another part, something else."""
    colorizer = Colorizer.from_pretrained("chromagan")
    cat, coffee = data.chelsea(), data.coffee()
    left, right = np.array_split(coffee, 2, axis=1)
    pairs = ((cat, cat[20:290, 30:430][:, ::-1]), (left, right), (coffee, cat))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reference.png"
        for photo, other in pairs:
            cv2.imwrite(str(file), np.ascontiguousarray(other[..., ::-1]))
            gray = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
            session = colorizer.open(gray)
            plain = session.paint()[0].photo.pixels
            done = session.paint(guidance=Guidance(references=(Reference(str(file)),)))[0]
            print(f"score {done.references[0].score:.2f}")
            rows.append([np.dstack([gray] * 3), plain, other, done.photo.pixels])
    return sheet(rows)


def strokes() -> Picture:
    """A row each: gray | painted | the strokes | with them."""
    session_of = Colorizer.from_pretrained("chromagan").open
    cat, woman, cup = data.chelsea(), data.astronaut(), data.coffee()
    orange, blue, wood, green = (214, 96, 40), (50, 90, 160), (150, 108, 66), (120, 150, 60)
    suit = ((0.15, 0.62), (0.1, 0.85)), ((0.26, 0.6), (0.3, 0.9), (0.42, 0.95)), ((0.6, 0.62), (0.68, 0.68))
    saucer = (0.17, 0.68), (0.25, 0.82), (0.4, 0.92), (0.6, 0.9), (0.72, 0.75)
    wishes = (
        (woman, [Stroke("colour", path, 0.012, orange) for path in suit]),
        (cup, [Stroke("colour", saucer, 0.012, blue), Stroke("colour", ((0.85, 0.2), (0.95, 0.6)), 0.012, wood)]),
        (cat, [Stroke("colour", (eye,), 0.02, green) for eye in ((0.345, 0.36), (0.695, 0.5))]),
    )
    rows = []
    for photo, some in wishes:
        gray = cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2GRAY)
        session = session_of(gray)
        shown = np.dstack([gray] * 3)
        under = cover(some, gray.shape)
        for number, one in enumerate(some, 1):
            shown[under == number] = one.rgb or (128, 128, 128)
        plain, done = (session.paint(guidance=Guidance(tuple(given)))[0].photo.pixels for given in ((), some))
        rows.append([np.dstack([gray] * 3), plain, shown, done])
    return sheet(rows)


def sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Pictures in rows, all of one height, with white between."""
    made = []
    for row in rows:
        cells = [cv2.resize(one, (round(one.shape[1] * HEIGHT / one.shape[0]), HEIGHT), interpolation=cv2.INTER_AREA)
                 for one in map(np.ascontiguousarray, row)]  # fmt: skip
        made.append(np.hstack([np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for cell in cells]))
    width = max(row.shape[1] for row in made)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in made])


PICTURES: dict[str, Callable[[], Picture]] = {"strokes": strokes, "references": references}


def main() -> None:
    """Make those that are named, or all."""
    for name in sys.argv[1:] or PICTURES:
        file = Path(__file__).parent / "guide" / f"{name}.jpg"
        cv2.imwrite(str(file), PICTURES[name]()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
        print(file)


if __name__ == "__main__":
    main()
