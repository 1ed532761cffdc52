"""A measurement of fairness from options to figures and files: what `chromagan fairness` does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chromagan.compute.versions import versions
from chromagan.errors import DataError
from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.evaluation.fairness import measure
from chromagan.evaluation.fairness.measure import FairnessResult, Method, SkinFinder
from chromagan.evaluation.fairness.options import FairnessOptions
from chromagan.evaluation.fairness.report import FILES, write_fairness
from chromagan.evaluation.fairness.skin import Pixels, SkinRegion, skin_in_mask
from chromagan.evaluation.pairs import Pairs, files_by_name, list_digest, match_pairs, parse_methods, without_suffix
from chromagan.files.atomic import refuse_existing
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.eight_bit import to_8bit_rgb

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
    # 1. What is compared, where skin is, and the rows that cost nothing.
    options = options or FairnessOptions(**given)
    if options.out and not options.overwrite:
        refuse_existing(options.out, FILES, "--out")
    methods, settings, pairs = _methods(options)
    truth = dict(zip(map(without_suffix, pairs.images), pairs.truth, strict=True))
    find_skin = _masked_skin(options.masks, truth) if options.masks else measure.detected_skin()

    def photos(what: str) -> Iterator[tuple[str, Pixels]]:
        for stem, path in tqdm(truth.items(), what, unit="photo", disable=None, leave=False):
            yield stem, _read(path)

    average = measure.mean_colour(photos("mean colour"))
    baselines: dict[str, Method] = {"gray": measure.gray_method, "mean ab": measure.mean_ab_method(average)}
    # 2. Every face.
    result = measure.measure_fairness(
        photos("skin"), {**methods, **baselines}, find_skin, baselines=frozenset(baselines), fewest=options.min_faces,
        grouping=options.group_by, seed=options.seed,
    )  # fmt: skip
    # 3. What the figures depend on, and the report.
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
        stems = list(map(without_suffix, pairs.images))
        made = {name: dict(zip(stems, files, strict=True)) for name, files in pairs.predictions.items()}
        methods: dict[str, Method] = {name: _folder_method(pictures) for name, pictures in made.items()}
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
    # The product's pipeline, on the gray version of the true photo.
    return {mark.model: lambda _, truth: to_8bit_rgb(colorizer(gray_of_8bit(truth)))}, settings, pairs


def _folder_method(pictures: Mapping[str, Path]) -> Method:
    return lambda stem, _: _read(pictures[stem])


def _masked_skin(folder: str | os.PathLike[str], truth: Mapping[str, Path]) -> SkinFinder:
    """Skin by given masks, one file a photo, not zero where skin is; a photo without a mask has no face."""
    masks = files_by_name(Path(folder))
    if not masks.keys() & truth.keys():
        raise DataError(f"{folder}: no mask has the name of a photo; a mask of a.jpg is called a.png, say")

    def find(stem: str, picture: Pixels) -> list[SkinRegion]:
        if stem not in masks:
            return []
        mask = read_photo(masks[stem]).pixels
        if mask.shape[:2] != picture.shape[:2]:
            raise DataError(
                f"{masks[stem]}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels and its photo "
                f"{picture.shape[1]}x{picture.shape[0]}; make them equal"
            )
        region = skin_in_mask(mask)
        return [] if region is None else [region]

    return find


def _read(path: Path) -> Pixels:
    return to_8bit_rgb(read_photo(path).pixels)
