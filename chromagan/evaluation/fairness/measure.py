"""What colorizers do to skin: every face's colour against the truth, by group of skin tone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from chromagan.errors import DataError, UsageError
from chromagan.evaluation.baselines import as_rgb, gray_of_8bit, mean_ab, mean_of_means
from chromagan.evaluation.fairness.faces import FaceFinder
from chromagan.evaluation.fairness.groups import GroupedFigures, grouped_figures
from chromagan.evaluation.fairness.shift import MEASURES, SkinShift, measure_skin
from chromagan.evaluation.fairness.skin import GROUPINGS, Pixels, SkinRegion, group_of, ita_degrees, skin_in_box
from chromagan.evaluation.pairs import listed
from chromagan.images.join import join_chroma
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb

Method = Callable[[str, Pixels], Pixels]
"""From a photo's name and true pixels to its colorization, both (H, W, 3) uint8 sRGB."""
SkinFinder = Callable[[str, Pixels], list[SkinRegion]]
"""From a photo's name and true pixels to the skin of each of its faces."""

FEWEST_FACES = 10
_LEAST_CHROMA = 1.0  # Lab units of the truth's mean skin colour; a gray photo has no skin colour to keep


@dataclass(frozen=True)
class Face:
    """One face, the `index`-th of its photo, and by method what each colorizer made of its skin.

    Attributes:
        top, left, height, width, pixels: the rectangle around its skin pixels, and how many of them there are.
        L, a, b, ita: their mean in the truth, and that mean's individual typology angle in degrees.
        group: by the angle, or by L (see `FairnessResult.grouping`).
    """

    photo: str
    index: int
    top: int
    left: int
    height: int
    width: int
    pixels: int
    L: float
    a: float
    b: float
    ita: float
    group: str
    shifts: dict[str, SkinShift]


@dataclass
class FairnessResult:
    """All that a report on fairness shows.

    Attributes:
        photos, without_face: how many were looked at; names of those in which no coloured skin of a face was found.
        faces: in the order of their photos.
        methods, baselines: names in the order given, and those of them that are no colorizers.
        figures: by method, then by measure (see `MEASURES`).
        fewest: faces below which a group is flagged and has no part in a gap.
        grouping: name in `GROUPINGS` of what the faces are grouped by.
        settings, versions, warnings: what the figures depend on, and what a reader must know.
    """

    photos: int
    without_face: list[str]
    faces: list[Face]
    methods: list[str]
    baselines: frozenset[str]
    figures: dict[str, dict[str, GroupedFigures]]
    fewest: int = FEWEST_FACES
    grouping: str = "ita"
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Faces by group."""
        return {name: sum(face.group == name for face in self.faces) for name in GROUPINGS[self.grouping]}

    def few(self) -> list[str]:
        """Groups with too few faces to say much."""
        return [name for name, count in self.counts().items() if count < self.fewest]


def measure_fairness(
    photos: Iterable[tuple[str, Pixels]],
    methods: Mapping[str, Method],
    find_skin: SkinFinder,
    *,
    baselines: frozenset[str] = frozenset(),
    fewest: int = FEWEST_FACES,
    grouping: str = "ita",
    seed: int = 0,
) -> FairnessResult:
    """Measure the skin of every face under every colorizer, on the same pixels.

    Args:
        photos: names and true photos, sRGB (H, W, 3) uint8; taken one at a time.
        methods: what to compare; asked only for photos with a face.
        find_skin: which pixels are skin, such as `detected_skin()`.
        baselines: names of the methods that are no colorizers.
        fewest: faces that a group needs to have a part in the gap.
        grouping: "ita", or "lightness" for groups by L*, which the gray photo tells.
        seed: of the intervals' resampling.

    Raises:
        UsageError: `fewest` is below 2, or there is no such grouping.
        DataError: there is no face, or pictures differ in size from the truth (all are listed).
    """
    if fewest < 2:
        raise UsageError(f"a group needs at least 2 faces to be compared, not {fewest}")
    if grouping not in GROUPINGS:
        raise UsageError(f"faces are grouped by {' or '.join(GROUPINGS)}, not by {grouping!r}")
    # 1. Every face under every colorizer.
    faces: list[Face] = []
    without: list[str] = []
    misfits: list[str] = []
    count = 0
    for name, truth in photos:
        count += 1
        regions = [(region, region.lab(truth)) for region in find_skin(name, truth)]
        regions = [(region, lab) for region, lab in regions if np.hypot(*lab.mean(0)[1:]) >= _LEAST_CHROMA]
        if not regions:
            without.append(name)
            continue
        pictures = {method: colorize(name, truth) for method, colorize in methods.items()}
        misfits += [
            f"{method}: {name} {_size(picture)} for {_size(truth)}"
            for method, picture in pictures.items()
            if picture.shape != truth.shape
        ]
        for index, (region, lab) in enumerate(() if misfits else regions):
            shifts = {method: measure_skin(region.lab(picture), lab) for method, picture in pictures.items()}
            L, a, b = lab.mean(0).tolist()
            angle = ita_degrees(L, b)
            group = group_of(angle if grouping == "ita" else L, grouping)
            height, width = region.mask.shape
            top, left, pixels = region.top, region.left, region.pixels
            faces.append(Face(name, index, top, left, height, width, pixels, L, a, b, angle, group, shifts))
    if misfits:
        raise DataError(f"pictures must have the truth's size: {listed(misfits)}; resize nothing, colorize again")
    if not faces:
        raise DataError(f"no face with coloured skin in {count} photos; give faces seen from the front, or --masks")
    # 2. Means by group.
    members = {name: [face for face in faces if face.group == name] for name in GROUPINGS[grouping]}

    def grouped(method: str, measure: str) -> GroupedFigures:
        values = {k: [(face.photo, getattr(face.shifts[method], measure)) for face in members[k]] for k in members}
        return grouped_figures(values, fewest, seed)

    figures = {method: {measure: grouped(method, measure) for measure in MEASURES} for method in methods}
    result = FairnessResult(count, without, faces, list(methods), baselines, figures, fewest, grouping)
    result.settings = {"grouping": grouping, "fewest_faces": fewest, "seed": seed}
    result.warnings = _warnings(result)
    return result


def detected_skin() -> SkinFinder:
    """Skin by the face detector and `skin_in_box`; `DataError` where scikit-image is not installed."""
    finder = FaceFinder()

    def find(_: str, truth: Pixels) -> list[SkinRegion]:
        regions = (skin_in_box(truth, box) for box in finder(truth))
        return [region for region in regions if region is not None]

    return find


def gray_method(_: str, truth: Pixels) -> Pixels:
    """The baseline `gray`: no colour at all."""
    return as_rgb(gray_of_8bit(truth))


def mean_ab_method(ab: tuple[float, float]) -> Method:
    """The baseline `mean ab`: one colour for every pixel.

    It takes the photo's own lightness, where `baselines.constant_colour` takes that of the nearest gray code: skin has
    few codes, so that rounding would show in the means over a face.
    """
    grid = torch.tensor(ab, dtype=torch.float32).reshape(1, 2, 1, 1)
    return lambda _, truth: to_8bit_rgb(join_chroma(truth, grid))


def mean_colour(photos: Iterable[tuple[str, Pixels]]) -> tuple[float, float]:
    """Mean a* and b* over photos of each photo's mean over its pixels."""
    return mean_of_means(mean_ab(lab_of_8bit(picture)) for _, picture in photos)


def _size(picture: Pixels) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _warnings(result: FairnessResult) -> list[str]:
    warnings = []
    if result.without_face:
        warnings.append(
            f"{len(result.without_face)} of {result.photos} photos have no face that was found; the detector misses "
            "dark, turned and covered faces more often than others, so read the counts of the groups"
        )
    counts = result.counts()
    if few := result.few():
        names = ", ".join(f"{name} ({counts[name]})" for name in few)
        warnings.append(f"fewer than {result.fewest} faces, flagged and left out of the gaps: {names}")
    if len(counts) - len(few) < 2:
        warnings.append("fewer than two groups have enough faces, so there is no gap between groups")
    return warnings
