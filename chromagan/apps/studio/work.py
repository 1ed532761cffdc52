"""The page's work, which comes from a stranger, as a request; and saved hints as work of the page."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import PurePath
from typing import Any

from chromagan.apps.studio.desk import Desk, Picture
from chromagan.apps.studio.studio import Studio
from chromagan.conditioning.guidance import VERSION, Guidance, Settings
from chromagan.errors import UsageError
from chromagan.inference.hint_files import read_hints
from chromagan.inference.request import Request

_KNOWN = {"guidance", "saturation", "warmth", "variations", "seed"}


def request_of(desk: Desk, work: Any) -> Request:
    """The request that the page's work is.

    Args:
        desk: whose photos it may name as references, by their keys.
        work: {"guidance": {...}, "saturation": ..., "warmth": ..., "variations": 0 or 1, "seed": ...}.

    Raises:
        UsageError: anything that is no such work.
    """
    given = work.get("guidance", {}) if isinstance(work, dict) else None
    if not isinstance(given, dict) or not work.keys() <= _KNOWN:
        raise UsageError(f"the work is an object with {', '.join(sorted(_KNOWN))}")
    guidance = Guidance.from_json(json.dumps({"version": VERSION, **given}), "the work")
    # A reference is the key of a photo here: a file that a stranger names is never opened, nor looked for.
    if _pictures(guidance):
        raise UsageError("pictures of regions and hints go with `chromagan sample` alone")
    references = tuple(replace(one, file=str(desk.picture(one.file).job.source)) for one in guidance.references)
    values = {name: value for name, value in work.items() if name != "guidance"}
    request = Request(guidance=replace(guidance, references=references), **values)
    if request.variations > 1:
        raise UsageError("one picture is painted at a time")
    return request


def hints_of(request: Request) -> Guidance:
    """All of a request that goes into a file of hints."""
    seed = request.seed if request.variations else None
    return replace(request.guidance, settings=Settings(request.saturation, request.warmth, seed))


def saved_guidance(studio: Studio, desk: Desk, picture: Picture) -> Guidance | None:
    """The hints that were saved of a photo."""
    if not picture.hints.exists():
        return None
    studio.check_inside(desk, picture.hints)
    return read_hints(picture.hints)


def work_of(desk: Desk, guidance: Guidance) -> dict[str, Any]:
    """Guidance as the page's work, with what was set beside it; references that this desk has not are left out, and
    said.

    Raises:
        UsageError: a setting out of range.
    """
    settings = asdict(guidance.settings) if guidance.settings else {}
    Request(**guidance.asked)
    keys = {str(one.job.source): key for key, one in desk.pictures.items()}
    kept = tuple(replace(one, file=keys[one.file]) for one in guidance.references if one.file in keys)
    missing = [PurePath(one.file).name for one in guidance.references if one.file not in keys]
    pictures: dict[str, Any] = dict.fromkeys(_pictures(guidance))
    missing += [f"the picture {name!r}" for name in pictures]
    values = json.loads(replace(guidance, references=kept, photo=None, settings=None, **pictures).to_json())
    values.pop("version")
    given = {name: value for name, value in settings.items() if value is not None}
    return {"guidance": values, **given, **({"missing": missing} if missing else {})}


def _pictures(guidance: Guidance) -> list[str]:
    """What of guidance is a picture in a file of its own."""
    parts = {name: getattr(guidance, name) for name in ("only", "keep", "vary", "layer")}
    return [name for name, part in parts.items() if part and part.file]
