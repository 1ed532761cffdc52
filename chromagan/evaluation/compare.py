"""A comparison of colorizers from end to end: pictures in, a `ComparisonResult` out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from chromagan.compute.distributed import rank
from chromagan.compute.versions import versions
from chromagan.errors import UsageError
from chromagan.evaluation.baselines import as_rgb, constant_colour, gray_of_8bit
from chromagan.evaluation.comparison import Comparison, Measured, Unpainted
from chromagan.evaluation.engine import measure, read_picture
from chromagan.evaluation.pairs import BASELINES, list_digest, listed
from chromagan.evaluation.result import ComparisonResult
from chromagan.evaluation.store import files_digest, methods_there, settings_digest, shared_there
from chromagan.evaluation.summary import paired_tests, summarize
from chromagan.files.atomic import write_atomically
from chromagan.models.contract import digest

FEW_IMAGES = 100
PICTURES, KEPT_BYTES = "pictures.npz", 1 << 30
"""Where models' pictures of the page are kept, and how much of them before compression."""


def compare(
    comparison: Comparison,
    protocol: str,
    missing: dict[str, str] | None = None,
    description: dict[str, Any] | None = None,
) -> ComparisonResult | None:
    """Measure and summarize: the result in the first process, None in the others of torchrun, which all call this.

    The comparison's `settings` are filled in here. `missing` tells of metrics that cannot be had what to do;
    `description` holds further settings to report, which figures do not depend on (the names of folders).

    Raises:
        UsageError: a painter has the name of a folder or of a baseline.
        ChromaganError: see `measure`.
    """
    names = comparison.methods
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two methods are called {twice!r}; give one of them another NAME=")
    settings = _settings(comparison, protocol)
    measured = measure(replace(comparison, settings=settings))
    if rank() != 0:
        return None
    methods = summarize(measured, comparison.metrics)
    warnings = _warnings(measured, comparison)
    for collector in comparison.collectors:
        for method in methods:
            figures = collector.compute(method.name)
            method.of_sets |= figures
            method.summary |= figures
        warnings += collector.warnings
    return ComparisonResult(
        protocol=protocol,
        images=list(comparison.pairs.images),
        sizes=[(int(height), int(width)) for height, width in measured.sizes],
        methods=methods,
        tests=paired_tests(methods, comparison.metrics),
        settings={**settings, "mean_ab": list(measured.ab), **(description or {})},
        versions=versions(),
        missing=dict(missing or {}),
        warnings=list(dict.fromkeys(warnings)),
    )


def pictures_of(comparison: Comparison, ab: tuple[float, float]) -> ReportPictures:
    """Pictures of a comparison, for a report; `ab` is the colour of the row `mean ab`."""
    return ReportPictures(comparison, ab)


class ReportPictures:
    """From a method's name and an image's index its prepared picture (H, W, 3) uint8; None for an unknown name.

    The engine kept some, an earlier run others; what is left is read, or painted.
    """

    def __init__(self, comparison: Comparison, ab: tuple[float, float]) -> None:
        self._comparison, self._colours = comparison, constant_colour(ab)
        self._painters = {name: painter for painter in comparison.painters for name in painter.names}
        self._asked: dict[str, tuple[str, int]] = {}  # of models, by their names in the file
        self._earlier = self._open() if comparison.out is not None else {}

    def __call__(self, method: str, index: int) -> NDArray[np.uint8] | None:
        """One picture."""
        kept, pairs = self._comparison.pictures, self._comparison.pairs
        if method not in self._comparison.methods:
            return None
        if method in self._painters and self._comparison.out is not None:
            self._asked[self._key(method, index)] = method, index
        found = kept.get(method, index)
        if found is not None:
            return found
        if method == "truth" or method in pairs.predictions:
            path = pairs.truth[index] if method == "truth" else pairs.predictions[method][index]
            found = self._comparison.protocol.prepare(read_picture(path))
            kept.put(method, index, found)
            return found
        truth = self("truth", index)
        assert truth is not None
        gray = gray_of_8bit(truth)
        if method in BASELINES:
            return as_rgb(gray) if method == "gray" else self._colours[gray]
        if self._earlier and (key := self._key(method, index)) in self._earlier:
            return np.asarray(self._earlier[key], np.uint8)
        painter = self._painters[method]
        (answers,) = painter.paint([Unpainted(gray, truth, pairs.images[index])])
        made = dict(zip(painter.names, map(self._comparison.protocol.prepare, answers), strict=True))
        for name, answer in made.items():
            kept.put(name, index, answer)
        return made[method]

    def keep(self) -> None:
        """Keep the models' pictures that were asked for, so that a later report with more methods paints none again."""
        if not self._asked or self._comparison.out is None:
            return

        def write(file: BinaryIO) -> None:
            size = 0
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for key, place in self._asked.items():
                    picture = self(*place)
                    assert picture is not None
                    size += picture.nbytes
                    if size > KEPT_BYTES:
                        break
                    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, picture)
            if isinstance(self._earlier, np.lib.npyio.NpzFile):  # some systems replace no file that is open
                self._earlier.close()
            self._earlier = {}

        write_atomically(self._comparison.out / PICTURES, write)

    def _open(self) -> Mapping[str, NDArray[np.uint8]]:
        assert self._comparison.out is not None
        try:
            return np.load(self._comparison.out / PICTURES)
        except (OSError, ValueError, zipfile.BadZipFile):  # none yet; or damaged, and they are painted again
            return {}

    def _key(self, method: str, index: int) -> str:
        """A name that changes with the photo and with the method's settings."""
        truth = files_digest([self._comparison.pairs.truth[index]])
        return settings_digest([method, index, truth, self._painters[method].settings[method]])


def _settings(comparison: Comparison, protocol: str) -> dict[str, Any]:
    """Everything that figures of images depend on; what a resumed run must agree in."""
    out = comparison.out
    there = methods_there(out) if out else {}
    folders = {name: there.get(name, {}).get("settings", {}).get("folder", "") for name in comparison.pairs.predictions}
    made = comparison.pairs.predictions.items()
    methods: dict[str, Any] = {name: {"folder": files_root(files, out, folders[name])} for name, files in made}
    for painter in comparison.painters:
        methods |= painter.settings
    return {
        "protocol": protocol,
        "images": len(comparison.pairs.images),
        "images_sha256": list_digest(comparison.pairs.images),
        "truth": files_root(comparison.pairs.truth, out, shared_there(out).get("truth", "") if out else ""),
        "methods": methods,
        "metrics": list(comparison.figures),
        "lpips_sha256": {name: digest(network.state_dict()) for name, network in comparison.networks.items()},
        "set_metrics": [collector.settings for collector in comparison.collectors],
    }


def files_root(files: Sequence[Path], out: Path | None = None, known: str = "") -> str:
    """Where files are, so that other folders are another configuration; as digests: their names stay private.

    Args:
        files: the files.
        out: the folder of a report, which may be moved together with them.
        known: what this function gave before.

    Returns:
        A digest of their places on this machine and one of their places as seen from the report; `known` where one of
        the two is the same.
    """
    places = [str(file.resolve()) for file in files]
    digests = [_digest(places)]
    if out is not None:
        with contextlib.suppress(ValueError):  # on another drive
            start = out.resolve()
            digests.append(_digest([os.path.relpath(place, start) for place in places]))
    return known if set(known.split()) & set(digests) else " ".join(digests)


def _digest(places: Sequence[str]) -> str:
    return hashlib.sha256(os.fsencode("\n".join(places))).hexdigest()[:16]


def _warnings(measured: Measured, comparison: Comparison) -> list[str]:
    count = len(measured.sizes)
    found = []
    if count < FEW_IMAGES:
        found.append(f"{count} image{'s' * (count != 1)}: too few to tell close methods apart; see the intervals")
    if left_out := comparison.pairs.left_out:
        found.append(f"{len(left_out):,} photos are none of the protocol's by their names and are left out "
                     f"({listed(left_out)})")  # fmt: skip
    for name in [metric.name for metric in comparison.metrics]:
        if name in measured.figures:
            finite = np.isfinite(np.stack(measured.judged(name)))
            infinite = int(count - finite.all(axis=0).sum())
            if infinite:
                found.append(
                    f"{name}: {infinite} of {count} images are left out in every row, where a figure is not finite "
                    "(photos that are gray already, exact reproductions, pictures too small for the metric)"
                )
    return found
