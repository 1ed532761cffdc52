"""A measurement of fairness from options to figures and files: what `chromagan fairness` does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chromagan.compute.versions import versions
from chromagan.evaluation.fairness.files import colorizer_method, folder_method, masked_skin, read_pictures
from chromagan.evaluation.fairness.measure import (
    FairnessResult,
    Method,
    Pixels,
    detected_skin,
    gray_method,
    mean_ab_method,
    mean_colour,
    measure_fairness,
)
from chromagan.evaluation.fairness.options import FairnessOptions
from chromagan.evaluation.fairness.report import write_fairness
from chromagan.evaluation.pairs import Pairs, list_digest, match_pairs, parse_methods, without_suffix
from chromagan.inference.colorizer import Colorizer

_DETECTED = "LBP cascade of scikit-image on the truth's luminance"


def evaluate_fairness(options: FairnessOptions | None = None, **given: Any) -> FairnessResult:
    """Measure what colorizers do to the colour of skin, by group of skin tone, beside the rows that cost nothing.

    Args:
        options: whose colours, on which photos.
        **given: fields of `FairnessOptions`, in place of `options`.

    Returns:
        Faces and figures; they are in `options.out` too, where it is given.

    Raises:
        UsageError: options that contradict each other.
        DataError: pictures do not match, there is no face, or the face detector is not installed.
        ReadError, WriteError, WeightsError, DeviceError: see their messages.
    """
    options = options or FairnessOptions(**given)
    methods, settings, pairs = _methods(options)
    truth = dict(zip(map(without_suffix, pairs.images), pairs.truth, strict=True))
    find_skin = masked_skin(options.masks, truth) if options.masks else detected_skin()

    def photos(what: str) -> Iterator[tuple[str, Pixels]]:
        yield from tqdm(read_pictures(truth), what, len(truth), unit="photo", disable=None, leave=False)

    average = mean_colour(photos("mean colour"))
    baselines: dict[str, Method] = {"gray": gray_method, "mean ab": mean_ab_method(average)}
    result = measure_fairness(
        photos("skin"),
        {**methods, **baselines},
        find_skin,
        baselines=frozenset(baselines),
        fewest=options.min_faces,
        grouping=options.group_by,
        seed=options.seed,
    )
    result.versions = versions()
    result.settings |= {
        "truth": str(options.truth or options.data),
        "photos_sha256": list_digest(list(truth)),
        "skin": f"masks of {options.masks}" if options.masks else _DETECTED,
        "mean_ab": list(average),
        **settings,
    }
    if options.out:
        write_fairness(options.out, result)
    return result


def _methods(options: FairnessOptions) -> tuple[dict[str, Method], dict[str, Any], Pairs]:
    """What to compare, what of it the figures depend on, and the photos."""
    if options.pred:
        folders = parse_methods(options.pred)
        pairs = match_pairs(Path(options.truth or ""), folders)
        methods = {name: folder_method(pairs.images, files) for name, files in pairs.predictions.items()}
        return methods, {"pred": {name: str(folder) for name, folder in folders.items()}}, pairs
    pairs = match_pairs(Path(options.data or ""), {})
    colorizer = Colorizer.from_pretrained(options.model or "chromagan", options.device, options.size)
    mark = colorizer.mark
    settings = {
        "model": mark.model,
        "weights_sha256": mark.sha256,
        "size": colorizer.look.size,
        "saturation": colorizer.look.saturation,
        "device": str(colorizer.device),
    }
    return {mark.model: colorizer_method(colorizer)}, settings, pairs
