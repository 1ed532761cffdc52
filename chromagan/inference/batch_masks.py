"""Which mask belongs to which photo of a batch."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chromagan.conditioning.guidance import Region
from chromagan.errors import UsageError
from chromagan.files.suffixes import is_photo_name
from chromagan.inference.job import Job

log = logging.getLogger(__name__)


def with_masks(jobs: list[Job], masks: Mapping[str, Path]) -> list[Job]:
    """Jobs with the regions that pictures give.

    Args:
        jobs: of photos.
        masks: by the region's name ("only", "keep", "vary") the picture for the one photo, or a folder with pictures
            called like their photos. A photo without one in the folder has no such region, and that is told.

    Raises:
        UsageError: there is no such file or folder, one picture is given for several photos, or a folder holds none
            for any of them.
        ReadError: a picture that cannot be opened.
    """
    for name, place in masks.items():
        if not os.path.exists(place):
            raise UsageError(f"--{name} {place}: there is no such picture or folder; check the name")
        if not place.is_dir() and len(jobs) > 1:
            said = f"--{name} {place} is of one photo, and there are {len(jobs)}"
            raise UsageError(f"{said}; give a folder with pictures called like the photos")
        files = {job.source: _mask_of(job, place) for job in jobs}
        without = [source for source, file in files.items() if file is None]
        if jobs and len(without) == len(jobs):
            raise UsageError(f"--{name} {place}: none of its pictures is called like a photo; call it NAME.png")
        if without:
            log.warning("--%s %s has no picture for %d photos, such as %s", name, place, len(without), without[0])
        jobs = [job if files[job.source] is None else _with(job, name, str(files[job.source])) for job in jobs]
    return jobs


def _mask_of(job: Job, place: Path) -> Path | None:
    """By the photo's whole name or its stem, in a folder as its own or in the uppermost one."""
    if not place.is_dir():
        return place
    for folder in (place / job.name.parent, place):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for whole in (True, False):
            for file in inside:
                named = file.name == job.name.name or file.stem == (job.name.name if whole else job.name.stem)
                if named and is_photo_name(file):
                    return file
    return None


def _with(job: Job, name: str, file: str) -> Job:
    region: dict[str, Any] = {name: Region(file=file)}
    guidance = replace(job.request.guidance, **region)
    return replace(job, request=replace(job.request, guidance=guidance))
