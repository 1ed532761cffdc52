"""One offline web page that runs a study: pictures, schedules and program in a single file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path

from tqdm import tqdm

from chromagan.errors import DataError, UsageError, WriteError
from chromagan.evaluation.study.design import (
    ATTENTION,
    EXPOSURE_MS,
    TOLERANCE_MS,
    PhotoRoles,
    StudyOptions,
    Trial,
    assign_roles,
    design_sessions,
)
from chromagan.evaluation.study.pictures import (
    BLATANT,
    ENCODINGS,
    MatchedPhoto,
    encode,
    false_colours,
    lightness_gap,
    match_photos,
    read_shown,
)
from chromagan.files.atomic import write_texts
from chromagan.reports.render import render
from chromagan.version import __version__

MAX_PAGE_BYTES = 100_000_000
"""Larger pages load slowly on phones, and no mail takes them."""
LIGHTNESS_GAP = 3.0
"""Mean difference in L* above which a colorized picture differs from its photo in more than colour."""
CONSENT = (
    "Taking part is voluntary. You may stop at any time without giving a reason, and nobody will know that you began. "
    "Your answers are used to measure how convincing the colours of computer programs are."
)


@dataclass(frozen=True)
class PageText:
    """What the page says besides the task; plain text, line breaks of `consent` are kept.

    `contact` is whom to ask and to hand the result file to, such as a mail address; it may be empty.
    """

    title: str = "Real colours, or a computer's?"
    contact: str = ""
    consent: str = CONSENT


@dataclass
class StudyPage:
    """What was written: the page, its identity (a digest of pictures and schedules), and how much is in it."""

    path: Path
    study: str
    photos: int
    pictures: int
    size_bytes: int
    warnings: list[str]


def write_study(
    real: str | os.PathLike[str],
    colorized: Mapping[str, str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: StudyOptions | None = None,
    text: PageText | None = None,
    encoding: str = "png",
    photos: int = 0,
    overwrite: bool = False,
) -> StudyPage:
    """Write `index.html`, the page, and `study.json`, what it shows, into a folder that is made where it is missing.

    Args:
        real: folder of real colour photos.
        colorized: by method, folder of their colorized versions, matched by name.
        out: the folder.
        options: the protocol.
        text: what the page says.
        encoding: "png", or "jpeg" for a page of about a third of the size.
        photos: take so many of the photos, drawn by the seed; 0 for all.
        overwrite: replace a study that stands there.

    Raises:
        DataError: folders that do not match, too few photos, a page above `MAX_PAGE_BYTES`.
        ReadError: a picture cannot be read.
        UsageError: no method, options out of range.
        WriteError: a study stands there already, or the folder cannot be written.
    """
    options, text, out = options or StudyOptions(), text or PageText(), Path(out)
    if not colorized or encoding not in ENCODINGS:
        raise UsageError("a study needs at least one NAME=DIR of colorized pictures, embedded as png or jpeg")
    page = out / "index.html"
    if page.exists() and not overwrite:
        raise WriteError(f"{page}: a study stands there; choose another folder, or --overwrite to replace it")
    # 1. Who sees what.
    matched = _chosen(match_photos(real, colorized), photos, options.seed)
    roles = assign_roles(options, _blatant_first(matched, options), len(matched))
    sessions = design_sessions(options, roles, len(colorized))
    used = {(trial.photo, version) for trials in sessions for trial in trials for version in _versions(trial)}
    warnings: list[str] = []
    pictures = _embed(matched, sorted(used), list(colorized), options, encoding, warnings)
    # 2. The page.
    content = {
        "chromagan": __version__,
        "title": text.title,
        "mode": options.mode,
        "presentation": options.presentation if options.mode == "pairs" else None,
        "seed": options.seed,
        "size": options.size,
        "exposure_ms": EXPOSURE_MS,
        "tolerance_ms": TOLERANCE_MS,
        "methods": list(colorized),
        "photos": [photo.name for photo in matched],
        "sessions": [[list(asdict(trial).values()) for trial in trials] for trials in sessions],
    }
    digest = hashlib.sha256(json.dumps([content, pictures], sort_keys=True).encode()).hexdigest()[:16]
    study = {**content, "id": digest, "pictures": pictures}
    document = render("study.html", **asdict(text), study=study)
    size = len(document.encode())
    if size > MAX_PAGE_BYTES:
        raise DataError(
            f"{page}: the page would have {size / 1e6:.0f} MB, more than {MAX_PAGE_BYTES / 1e6:.0f}; "
            "take --encoding jpeg, fewer --photos or a smaller --size"
        )
    warnings += _balance_warnings(options, roles, len(colorized))
    # 3. The files.
    summary = {**content, "id": digest, "attention_photos": [matched[i].name for i in roles.attention],
               "practice_photos": [matched[i].name for i in roles.practice], "warnings": warnings,
               "options": asdict(options), "encoding": encoding}  # fmt: skip
    write_texts(out, {page.name: document, "study.json": json.dumps(summary) + "\n"}, "-o")
    return StudyPage(page, digest, len({photo for photo, _ in used}), len(pictures), size, warnings)


def _chosen(matched: list[MatchedPhoto], photos: int, seed: int) -> list[MatchedPhoto]:
    if photos < 0 or photos > len(matched):
        raise UsageError(f"--photos {photos}: there are {len(matched)}; 0 takes all")
    if not photos:
        return matched
    return sorted(random.Random(f"photos {seed}").sample(matched, photos), key=lambda photo: photo.name)


def _blatant_first(matched: Sequence[MatchedPhoto], options: StudyOptions) -> list[int]:
    """As many photos as there are checks, drawn by the seed from those whose false colours nobody can miss."""
    order = list(range(len(matched)))
    random.Random(f"checks {options.seed}").shuffle(order)

    def blatant(index: int) -> bool:
        real, _ = read_shown(MatchedPhoto(matched[index].name, matched[index].real, {}), options.size)
        return false_colours(real, _colour_seed(options, index))[1] >= BLATANT

    return list(islice(filter(blatant, order), options.checks))


def _colour_seed(options: StudyOptions, photo: int) -> int:
    return options.seed * 100_003 + photo


def _versions(trial: Trial) -> set[str]:
    made = "false" if trial.kind == ATTENTION else str(trial.method)
    if trial.shows_real is None:
        return {"real", made}
    return {"real"} if trial.shows_real else {made}


def _embed(
    matched: Sequence[MatchedPhoto], used: Sequence[tuple[int, str]], methods: list[str], options: StudyOptions,
    encoding: str, warnings: list[str],
) -> dict[str, str]:  # fmt: skip
    """Data URIs of the pictures that some schedule shows, by "photo/version"; one photo in memory at a time."""
    by_photo = {photo: [version for _, version in pairs] for photo, pairs in groupby(used, lambda pair: pair[0])}
    pictures: dict[str, str] = {}
    gaps: Counter[str] = Counter()
    for photo, versions in tqdm(by_photo.items(), unit="photo", disable=None, leave=False):
        real, made = read_shown(matched[photo], options.size)
        gaps.update(method for method, picture in made.items() if lightness_gap(real, picture) > LIGHTNESS_GAP)
        shown = {"real": real, **{str(index): made[method] for index, method in enumerate(methods)}}
        for version in versions:
            picture = shown[version] if version in shown else false_colours(real, _colour_seed(options, photo))[0]
            data = base64.b64encode(encode(picture, encoding)).decode()
            pictures[f"{photo}/{version}"] = f"data:image/{encoding};base64,{data}"
    warnings += [
        f"{method}: {count} of {len(by_photo)} pictures differ from the photo in lightness too, by more than "
        f"{LIGHTNESS_GAP:g} L* on average; participants may judge that instead of the colours"
        for method, count in sorted(gaps.items(), key=lambda item: methods.index(item[0]))
    ]
    return pictures


def _balance_warnings(options: StudyOptions, roles: PhotoRoles, methods: int) -> list[str]:
    block = 2 * methods
    found = {
        f"{options.participants} schedules are no multiple of {block} (2 x methods): photos, methods and sides are "
        "then balanced up to a rest": options.participants % block,
        f"{options.measured} measured trials are no multiple of {methods} methods: within one participant the methods' "
        "counts differ by 1": options.measured % methods,
        "without attention checks nobody can be excluded for not looking": options.checks == 0,
        f"only {len(roles.test)} photos are measured; the fool rate will say little about others": len(roles.test) < 10,
    }
    return [text for text, holds in found.items() if holds]
