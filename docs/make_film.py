"""Make the picture of docs/guide/film.md: frames of a film, gray, painted one by one, and steady.

    python docs/make_film.py

The photographs ship with scikit-image (astronaut: NASA, public domain).
"""

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data

from chromagan.film import colorize

STRIP = Path(__file__).with_name("guide") / "film.jpg"
SIZE = (384, 216)
FRAMES, SHOWN, WIDTH = 48, 6, 200
GRAIN = 5.0


def main() -> None:
    """Make a film, colour it both ways, and write the strip."""
    with tempfile.TemporaryDirectory() as folder:
        gray, alone, steady = (Path(folder) / f"{name}.mkv" for name in ("gray", "alone", "steady"))
        write(gray)
        colorize(gray, alone, model="chromagan@small", codec="ffv1", steady=False)
        colorize(gray, steady, model="chromagan@small", codec="ffv1")
        rows = [np.hstack(shown(film)) for film in (gray, alone, steady)]
    cv2.imwrite(str(STRIP), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def write(path: Path) -> None:
    """A camera that moves over a photograph, with grain."""
    photo = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=24, width=SIZE[0], height=SIZE[1], pix_fmt="gray")
        for number in range(FRAMES):
            left, top = 20 + 1.5 * number, 20 + 0.8 * number
            view = np.float32([[0.9, 0, left], [0, 0.9, top]])
            frame = cv2.warpAffine(photo, view, SIZE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            frame = np.clip(np.rint(frame + random.normal(0, GRAIN, frame.shape)), 0, 255).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            picture.pts, picture.time_base = number, Fraction(1, 24)
            film.mux(stream.encode(picture))
        film.mux(stream.encode())


def shown(path: Path) -> list[np.ndarray]:
    """Some of a film's frames, side by side in time."""
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    chosen = np.linspace(0, len(frames) - 1, SHOWN).round().astype(int)
    height = round(SIZE[1] * WIDTH / SIZE[0])
    return [cv2.resize(frames[one], (WIDTH, height), interpolation=cv2.INTER_AREA) for one in chosen]


if __name__ == "__main__":
    main()
