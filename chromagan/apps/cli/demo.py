"""Photographs for people without one at hand: those that scikit-image carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chromagan.errors import ReadError
from chromagan.images.read import Photo, to_photo
from chromagan.images.write import output_suffix
from chromagan.inference.batch_plan import Job

PHOTOS = ("astronaut", "camera", "chelsea", "coffee", "rocket")
"""`camera` was taken in black and white; the others are turned gray first."""


def demo_jobs(out: str, photo_format: str | None, compare: bool, layer: bool) -> list[Job]:
    """One job for each photograph; outputs are PNG unless a format is given."""
    try:
        import skimage.data
    except ImportError as error:
        raise ReadError('--demo needs scikit-image; run: pip install "chromagan[demo]"') from error
    suffix = output_suffix("png", photo_format, 8)
    jobs = []
    for name in PHOTOS:
        target = Path(out) / f"{name}{suffix}"
        jobs.append(
            Job(
                Path(f"demo photo {name}"),
                target,
                target.with_name(f"{name}-compare{suffix}") if compare else None,
                target.with_name(f"{name}-layer.png") if layer else None,
                load=lambda name=name: [_gray(getattr(skimage.data, name)())],  # type: ignore[misc]
            )
        )
    return jobs


def _gray(pixels: np.ndarray) -> Photo:
    """The photograph as a black-and-white film scanner would have given it: 8-bit gray."""
    if pixels.ndim == 3:
        import cv2

        pixels = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    return to_photo(pixels)
