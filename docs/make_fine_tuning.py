"""Make `docs/fine_tuning.jpg`: what tuning to one's own photographs does to the shipped weights.

    python docs/make_fine_tuning.py

Left to right: the gray photo, `chromagan@small`, the same after some minutes of training on these very photographs,
the truth. It shows that the weights take on a world of their own, such as one family's album; it says nothing about
photographs that they were not tuned to. The photographs ship with scikit-image (coffee, chelsea: CC0) and scikit-learn
(china: danielbuechele, flower: Dan Schulz; both CC BY 2.0).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from sklearn.datasets import load_sample_image

from chromagan import Colorizer

HERE = Path(__file__).parent
HEIGHT, PHOTOGRAPHS = 170, 3000


def main() -> None:
    """Tune, colorize and write the sheet beside this script."""
    truths = [
        load_sample_image("flower.jpg"),
        load_sample_image("china.jpg"),
        skimage.data.coffee(),
        skimage.data.chelsea(),
    ]
    grays = [cv2.cvtColor(np.ascontiguousarray(truth), cv2.COLOR_RGB2GRAY) for truth in truths]
    with tempfile.TemporaryDirectory() as folder:
        tuned = tune(truths, Path(folder))
        painted = [Colorizer.from_pretrained(weights)(grays) for weights in ("chromagan@small", tuned)]
    rows = []
    for gray, before, after, truth in zip(grays, *painted, truths, strict=True):
        pictures = [np.repeat(gray[..., None], 3, 2), before, after, truth]
        width = round(gray.shape[1] * HEIGHT / gray.shape[0])
        rows.append(np.hstack([cv2.resize(p, (width, HEIGHT), interpolation=cv2.INTER_AREA) for p in pictures]))
    widest = max(row.shape[1] for row in rows)
    sheet = np.vstack([np.pad(row, ((0, 4), (0, widest - row.shape[1]), (0, 0)), constant_values=255) for row in rows])
    cv2.imwrite(str(HERE / "fine_tuning.jpg"), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def tune(truths: list[np.ndarray], folder: Path) -> str:
    """Write the photographs, train on them by the command of `docs/training.md`, and give the new weights."""
    photos = folder / "photos"
    photos.mkdir()
    for number, truth in enumerate(truths):
        cv2.imwrite(str(photos / f"{number}.png"), np.ascontiguousarray(truth[..., ::-1]))
    run, weights = folder / "run", folder / "mine.safetensors"
    train = ["train", "--data", photos, "--init", "chromagan@small", "--preset", "lite", "--class-weight", "0"]
    train += ["--adversarial-weight", "0", "--images", PHOTOGRAPHS, "--warmup", "200", "--lr", "1e-4", "--out", run]
    export = ["export", run, "-o", weights, "--size", "256", "--annealed-share", "0.5", "--calm", "0.5"]
    for command in (train, export):
        subprocess.run([sys.executable, "-m", "chromagan", *map(str, command)], check=True)
    return str(weights)


if __name__ == "__main__":
    main()
