"""What the page asks for, as plain functions: a studio, a desk and values in, values or a picture out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.apps.studio.batch import Batch
from chromagan.apps.studio.desk import Desk, Picture
from chromagan.apps.studio.studio import Studio
from chromagan.apps.studio.work import hints_of, request_of, saved_guidance, work_of
from chromagan.conditioning.guidance import Guidance
from chromagan.conditioning.palette import palette_of
from chromagan.errors import ChromaganError, UsageError, WriteError
from chromagan.images.read import read_photo
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import Job, check_jobs
from chromagan.inference.hint_files import lightness_of, moved_colours, write_hints
from chromagan.inference.kept import has_own_colours, reduced_lab

Values = dict[str, Any]
QUALITY = 92  # of what is shown; what is saved never passes through it
GALLERY_SIDE = 480
MOST_SHOWN = 9


def listing(studio: Studio, desk: Desk) -> Values:
    """The photos of a desk, and what there is to work with."""
    return {
        "desk": desk.key,
        "photos": [shown(one) for one in desk.pictures.values() if not one.reference],
        "limits": {"bytes": studio.limits.upload_bytes, "photos": studio.limits.photos},
    }


def shown(picture: Picture) -> Values:
    """A photo as the page knows it."""
    return {"key": picture.key, "name": picture.name, "uploaded": picture.uploaded}


def open_photo(studio: Studio, desk: Desk, values: Values) -> Values:
    """Read a photo and answer its size in pixels, and with its saved work where there is some.

    `asked` says whether the network is shown strokes, `coloured` whether the photo has colours of its own.
    """
    picture = desk.picture(values.get("photo"))
    with studio.painting:
        pixels = studio.session(desk, picture).photo.pixels
    asked = "local" in studio.colorizer.network.accepts
    size = {"height": pixels.shape[0], "width": pixels.shape[1]}
    answer = {**shown(picture), **size, "asked": asked, "coloured": has_own_colours(pixels)}
    guidance = saved_guidance(studio, desk, picture)
    if guidance is None:
        return answer
    if guidance.photo not in (None, lightness_of(pixels)):
        return {**answer, "note": f"{picture.hints.name} was made for another photo, and is left alone"}
    return {**answer, "saved": work_of(desk, guidance)}


def before(studio: Studio, desk: Desk, values: Values) -> bytes:
    """The photo as it came, as a JPEG of the page's size."""
    picture = desk.picture(values.get("photo"))
    with studio.painting:
        return jpeg(studio.session(desk, picture).proxy())


def paint(studio: Studio, desk: Desk, values: Values) -> bytes:
    """The photo as the work has it, as a JPEG of the page's size; `quick` as in `Session.preview`."""
    picture, request = desk.picture(values.get("photo")), request_of(desk, values.get("work"))
    with studio.painting:
        pixels = studio.session(desk, picture).preview(request, quick=values.get("quick") is True)[0]
    studio.look_ahead(desk, picture)
    return jpeg(pixels)


def told(studio: Studio, desk: Desk, values: Values) -> Values:
    """What each reference did to the photo as it was painted last."""
    picture = desk.picture(values.get("photo"))
    with studio.painting:
        found = studio.session(desk, picture).influences
    return {"references": [{"score": one.score, "share": one.share} for one in found]}


def suggest(studio: Studio, desk: Desk, values: Values) -> Values:
    """Colours that one place could have."""
    picture = desk.picture(values.get("photo"))
    x, y = (_share(values, name) for name in ("x", "y"))
    with studio.painting:
        session = studio.session(desk, picture)
        colours = session.suggest(x, y)
    return {"colours": [_hex(one) for one in colours]}


def variations(studio: Studio, desk: Desk, values: Values) -> Values:
    """Some variations of the work, small, each with the seed that draws it again."""
    picture, request = desk.picture(values.get("photo")), request_of(desk, values.get("work"))
    count = values.get("count", 6)
    if not isinstance(count, int) or not 1 <= count <= MOST_SHOWN:
        raise UsageError(f"1 to {MOST_SHOWN} variations are shown at once")
    asked = replace(request, variations=count)
    with studio.painting:
        made = studio.session(desk, picture).preview(asked, GALLERY_SIDE)
    pictures = [f"data:image/jpeg;base64,{base64.b64encode(jpeg(one)).decode()}" for one in made]
    seeds = [one.seed for one in asked.each]
    return {"variations": [{"seed": seed, "picture": one} for seed, one in zip(seeds, pictures, strict=True)]}


def palette(studio: Studio, desk: Desk, values: Values) -> Values:
    """The main colours of a photo that was brought."""
    picture = desk.picture(values.get("photo"))
    studio.check_inside(desk, picture.job.source)
    found = palette_of(reduced_lab(read_photo(picture.job.source, studio.limits.pixels).pixels))
    return {"colours": [_hex(one) for one in found.colours], "shares": list(found.shares)}


def save(studio: Studio, desk: Desk, values: Values) -> Values:
    """Colour the photo's file at its full size and depth into a file, as `chromagan sample` does."""
    picture, request = desk.picture(values.get("photo")), request_of(desk, values.get("work"))
    if picture.reference:
        raise UsageError(f"{picture.name} is a reference; open it as a photo to colour it")
    job = writable(studio, desk, picture.job.with_request(request))
    failed: list[Exception] = []

    def report(job: Job, error: Exception | None) -> None:
        failed.extend([error] if error else [])

    colorize_files([job], lambda: studio.colorizer, report, studio.files)
    if failed:
        raise failed[0]
    save_hints(studio, desk, values)
    desk.saved[picture.key] = output = job.pictures[0].output
    return {"file": output.name, "path": "" if picture.uploaded else str(output)}


def writable(studio: Studio, desk: Desk, job: Job) -> Job:
    """The job, if its file may be written; `WriteError` where one stands that is not this program's."""
    studio.check_inside(desk, job.source)
    for path in job.outputs:
        studio.check_inside(desk, path)
    plan = check_jobs([job], studio.overwrite)
    if plan.refused:
        raise WriteError(plan.refused[0][1])
    return job


def save_hints(studio: Studio, desk: Desk, values: Values) -> Values:
    """Write the work beside the coloured photo, and hand it over."""
    picture, request = desk.picture(values.get("photo")), request_of(desk, values.get("work"))
    studio.check_inside(desk, picture.hints)
    with studio.painting:
        photo = studio.session(desk, picture).photo
    picture.hints.parent.mkdir(parents=True, exist_ok=True)
    written = write_hints(hints_of(request), photo, picture.hints)
    answer = {"file": picture.hints.name, "path": str(picture.hints), "moved": len(moved_colours(written))}
    return {**answer, "path": "", "text": picture.hints.read_text(encoding="utf-8")} if picture.uploaded else answer


def open_hints(studio: Studio, desk: Desk, values: Values) -> Values:
    """A file of hints that a person opens, checked, as the page's work."""
    text = values.get("text")
    if not isinstance(text, str):
        raise UsageError("hints are text in JSON")
    return {"work": work_of(desk, Guidance.from_json(text, str(values.get("name", "hints"))[:80]))}


def close_photo(studio: Studio, desk: Desk, values: Values) -> Values:
    """Take a photo off the desk."""
    studio.drop(desk, desk.picture(values.get("photo")))
    return listing(studio, desk)


def start_batch(studio: Studio, desk: Desk, values: Values) -> Values:
    """Begin to colour all photos of the desk that are not coloured yet, each with its saved hints."""
    if desk.batch and desk.batch.running:
        raise UsageError("a batch is running; stop it first")
    request = request_of(desk, values.get("work"))
    jobs, refused = [], []
    for picture in (one for one in desk.pictures.values() if not one.reference):
        try:
            studio.check_inside(desk, picture.job.source)
            studio.check_inside(desk, picture.job.output)
            saved = saved_guidance(studio, desk, picture) or Guidance()
            jobs.append(picture.job.with_request(replace(request, guidance=saved, **saved.asked)))
        except ChromaganError as error:
            refused.append(f"{picture.name}: {error}")
    plan = check_jobs(jobs, studio.overwrite)
    refused += [f"{source.name}: {reason}" for source, reason in plan.refused]
    desk.batch = Batch(plan.jobs, refused).begin(lambda: studio.colorizer, studio.files)
    return {**desk.batch.state(), "skipped": len(plan.skipped) + len(plan.kept)}


def batch_state(studio: Studio, desk: Desk, values: Values) -> Values:
    """How far the batch is."""
    return desk.batch.state() if desk.batch else {}


def stop_batch(studio: Studio, desk: Desk, values: Values) -> Values:
    """Begin no further photo."""
    if desk.batch:
        desk.batch.stop()
    return batch_state(studio, desk, values)


HANDLERS: dict[str, Callable[[Studio, Desk, Values], Values | bytes]] = {
    "open": open_photo, "before": before, "paint": paint, "told": told, "suggest": suggest, "variations": variations,
    "palette": palette,     "save": save, "save-hints": save_hints, "read-hints": open_hints, "close": close_photo,
    "batch": start_batch, "batch-state": batch_state, "batch-stop": stop_batch,
}  # fmt: skip
"""By what the page calls them."""


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """(h, w) gray or (h, w, 3) RGB as a JPEG without chroma subsampling."""
    order = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY,
               cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip
    return cv2.imencode(".jpg", order, options)[1].tobytes()


def _share(values: Values, name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{name} is a share of the photo's side, 0 to 1")
    return float(value)


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
