"""Compare two colorizers on colour photographs.

    python examples/evaluate_two_models.py PHOTOS chromagan mine.safetensors

`chromagan evaluate --data PHOTOS --model A B` writes a report with intervals and more metrics. This is the idea of it:
both see the gray photo, and the difference is taken photo by photo, since photos differ more than colorizers do.
"""

import argparse
import math
import statistics
import sys
from pathlib import Path

import numpy as np

from chromagan import Colorizer
from chromagan.files.find import find_photo_files
from chromagan.images.read import read_photo
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.psnr import psnr


def to_8bit(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, as metrics and screens see it."""
    return pixels if pixels.dtype == np.uint8 else np.round(pixels / 257).astype(np.uint8)


def main() -> int:
    """0 when there was something to compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of colour photographs")
    parser.add_argument("models", nargs=2, help="shipped names, weights files or OWNER/NAME of the Hub")
    args = parser.parse_args()

    colorizers = [Colorizer.from_pretrained(model) for model in args.models]
    decibels: list[list[float]] = [[], []]
    colours: list[list[float]] = [[], []]
    for path in find_photo_files(args.photos):
        truth = to_8bit(read_photo(path).pixels)
        if truth.ndim != 3:
            continue  # a gray photo has no colours to be compared with
        for index, colorizer in enumerate(colorizers):
            made = colorizer(truth)  # of a colour picture a colorizer uses the lightness alone
            decibels[index].append(psnr(made, truth))
            colours[index].append(colourfulness(made))
    if not decibels[0]:
        print(f"{args.photos}: no colour photographs", file=sys.stderr)
        return 1
    for model, values, colour in zip(args.models, decibels, colours, strict=True):
        print(f"{model}: {statistics.fmean(values):.3f} dB, colourfulness {statistics.fmean(colour):.1f}")
    steps = [b - a for a, b in zip(*decibels, strict=True)]
    error = statistics.stdev(steps) / math.sqrt(len(steps)) if len(steps) > 1 else math.nan
    print(f"second - first: {statistics.fmean(steps):+.3f} dB, standard error {error:.3f}, {len(steps)} photographs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
