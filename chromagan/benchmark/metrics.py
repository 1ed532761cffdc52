"""How long PSNR, SSIM, colourfulness and CIEDE2000 of pairs of pictures take, reading included, against scikit-image.

Each way is timed in turn in the same run, so that other work on the machine falls on all alike; ratios of medians are
the figures to compare. Reading alone is timed too: no way can be faster than that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chromagan.benchmark.photos import make_photo
from chromagan.compute.threads import ahead, default_workers
from chromagan.errors import UsageError, WriteError
from chromagan.evaluation.study.pictures import centre_square
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.metric import Pair, Picture, PictureMetric, Shown, measure_pair
from chromagan.metrics.registry import choose_metrics
from chromagan.reports.figures import plural
from chromagan.reports.tables import format_table

METRICS = ("psnr", "ssim", "ciede2000", "colourfulness")
Files = tuple[Path, Path]


@dataclass(frozen=True)
class MetricTimings:
    """Median milliseconds a pair, and by metric the largest difference between the two ways' figures over the pairs.

    The ways are `reading` alone (both pictures, in threads), `chromagan` (in threads, as the command works),
    `scikit-image` (one pair after the other) and `scikit-image in threads` (as many as chromagan has).
    """

    milliseconds: dict[str, float]
    differences: dict[str, float]
    pairs: int
    workers: int

    @property
    def ratio(self) -> float:
        """The share that chromagan takes of scikit-image's time; the smaller the better."""
        return self.milliseconds["chromagan"] / self.milliseconds["scikit-image"]


def make_pairs(folder: Path, photos: Sequence[Path], count: int, size: int) -> list[Files]:
    """Pairs of square pictures, `size` pixels wide, and their truths as JPEG files in a folder, or `WriteError`.

    The truths are taken from photos, again and again (generated ones if there are none); a picture is its truth with
    blurred colours.
    """
    if not photos:
        photos = [folder / "generated.jpg"]
        make_photo(photos[0], max(0.2, 2e-6 * size * size))
    pairs = []
    for number in range(count):
        truth = centre_square(to_8bit_rgb(read_photo(photos[number % len(photos)]).pixels), size)
        lab = cv2.cvtColor(truth, cv2.COLOR_RGB2LAB)
        lab[..., 1:] = cv2.blur(lab[..., 1:], (max(1, size // 16), max(1, size // 16)))
        pair = folder / f"{number}-picture.jpg", folder / f"{number}-truth.jpg"
        for path, picture in zip(pair, (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), truth), strict=True):
            if not cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95]):
                raise WriteError(f"{path}: the test picture cannot be written; free some space")
        pairs.append(pair)
    return pairs


def time_metrics(pairs: Sequence[Files], runs: int = 3, workers: int | None = None) -> MetricTimings:
    """Time every way over all pairs in `runs` rounds, after one that is thrown away.

    Pairs are files of equal size, at least 11 pixels a side; there are as many threads as `chromagan evaluate` takes
    unless `workers` says other. `UsageError` where scikit-image is not installed.
    """
    workers = workers or default_workers()
    oracle = _scikit_image()
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in `chromagan evaluate`: pictures are what threads share
    try:
        with ThreadPoolExecutor(workers) as pool:
            ways: dict[str, Callable[[], list[dict[str, float]]]] = {
                "reading": lambda: list(ahead(pool, _read_only, pairs, 2 * workers)),
                "chromagan": lambda: list(ahead(pool, _ours, pairs, 2 * workers)),
                "scikit-image": lambda: [oracle(pair) for pair in pairs],
                "scikit-image in threads": lambda: list(ahead(pool, oracle, pairs, 2 * workers)),
            }
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(runs + 1):
                found = {}
                for name, way in ways.items():
                    start = time.perf_counter()
                    found[name] = way()
                    seconds[name].append(time.perf_counter() - start)
    finally:
        cv2.setNumThreads(before)
    both = list(zip(found["chromagan"], found["scikit-image"], strict=True))
    differences = {metric: max(abs(a[metric] - b[metric]) for a, b in both) for metric in METRICS}
    medians = {name: 1e3 * statistics.median(times[1:]) / len(pairs) for name, times in seconds.items()}
    return MetricTimings(medians, differences, len(pairs), workers)


def metrics_table(timings: MetricTimings, size: int) -> str:
    """The figures for a terminal, over pictures of a size in pixels."""
    whole = timings.milliseconds["scikit-image"]
    rows = [(name, f"{value:.2f}", f"1 / {whole / value:.1f}") for name, value in timings.milliseconds.items()]
    title = f"{size} px, {plural(timings.workers, 'thread')}"
    off = ", ".join(f"{metric} {value:.1e}" for metric, value in timings.differences.items())
    return (
        format_table((title, "ms a pair", "of scikit-image"), rows)
        + f"\nlargest difference from scikit-image over {timings.pairs} pairs: {off}"
    )


def _read(files: Files) -> tuple[Picture, Picture]:
    return to_8bit_rgb(read_photo(files[0]).pixels), to_8bit_rgb(read_photo(files[1]).pixels)


def _read_only(files: Files) -> dict[str, float]:
    return {"pixels": float(sum(picture.size for picture in _read(files)))}


def _ours(files: Files) -> dict[str, float]:
    metrics = [metric for metric in choose_metrics(METRICS) if isinstance(metric, PictureMetric)]
    picture, truth = (Shown(pixels) for pixels in _read(files))
    of_truth = measure_pair(Pair(truth, truth), metrics[3:])
    return measure_pair(Pair(picture, truth), metrics) | {"true_colourfulness": of_truth["colourfulness"]}


def _scikit_image() -> Callable[[Files], dict[str, float]]:
    try:
        from skimage.color import deltaE_ciede2000, rgb2lab
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity
    except ImportError as error:
        raise UsageError("this benchmark compares with scikit-image; pip install scikit-image") from error

    def colourfulness(picture: Picture) -> float:
        red, green, blue = np.moveaxis(picture.astype(float), 2, 0)
        rg, yb = red - green, (red + green) / 2 - blue
        return float(np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2))

    def measure(files: Files) -> dict[str, float]:
        picture, truth = _read(files)
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        ssim = structural_similarity(truth, picture, channel_axis=2, data_range=255, **window)
        return {
            "psnr": float(peak_signal_noise_ratio(truth, picture, data_range=255)),
            "ssim": float(ssim),
            "ciede2000": float(deltaE_ciede2000(rgb2lab(truth), rgb2lab(picture)).mean()),
            "colourfulness": colourfulness(picture),
            "true_colourfulness": colourfulness(truth),
        }

    return measure
