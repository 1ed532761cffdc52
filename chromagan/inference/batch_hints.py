"""Which hints belong to which photo of a batch, and what was set beside them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from chromagan.conditioning.guidance import Guidance
from chromagan.errors import UsageError
from chromagan.files.find import special_kind
from chromagan.inference.hint_files import read_hints
from chromagan.inference.job import Job

log = logging.getLogger(__name__)


def with_hints(jobs: list[Job], hints: list[Path], firm: Collection[str] = ()) -> list[Job]:
    """The jobs with what a person says of their colours, beside what is asked for all.

    Args:
        jobs: of photos.
        hints: the file of the one photo; or files called like their photos, and folders of such.
        firm: fields of the jobs' requests that go before what was set in the files; a line tells of it.

    Raises:
        UsageError: a file that is not there, that no photo is called like, or that is not what it should be.
    """
    for place in hints:
        kind = special_kind(place)
        if kind is not None:
            raise UsageError(f"--hints {place} is {kind}, which is never opened; name a JSON file or a PNG")
        if not os.path.exists(place):
            raise UsageError(f"--hints {place}: there is no such file or folder; check the name")
    # A picture of hints that lies among the photos is none of them.
    jobs = [job for job in jobs if not job.source.name.lower().endswith(".hints.png")]
    files = _files(jobs, hints)
    told = {source: read_hints(file) for source, file in files.items()}
    _tell([(files[job.source], told[job.source].asked, job) for job in jobs if job.source in told], firm)
    return [_with(job, told[job.source], files[job.source], firm) if job.source in told else job for job in jobs]


def _files(jobs: list[Job], hints: list[Path]) -> dict[Path, Path]:
    """The file of each photo that has one."""
    files = [place for place in hints if not place.is_dir()]
    # One file is of one photo, however it is called.
    if files == hints and len(hints) == 1:
        if len(jobs) > 1:
            said = f"--hints {files[0]} is of one photo, and there are {len(jobs)}"
            raise UsageError(f"{said}; give a folder with NAME.hints.json")
        return {job.source: files[0] for job in jobs}
    # Others are called like their photo, and each is of one.
    found: dict[Path, Job] = {}
    for job in jobs:
        file = next((file for place in hints for file in _named_like(job, place) if file.is_file()), None)
        if file in found:
            said = f"--hints {file} could be of {found[file].source} and {job.source}"
            raise UsageError(f"{said}; call it {job.source.name}.hints.json, in a folder as theirs")
        if file is not None:
            found[file] = job
    stray = next((file for file in files if file not in found), None)
    if stray is not None:
        raise UsageError(f"--hints {stray} is called like none of the photos; call it NAME.hints.json")
    return {job.source: file for file, job in found.items()}


def _named_like(job: Job, place: Path) -> list[Path]:
    """Files that could be of a photo: by its whole name or its stem, in a folder as its own or in the uppermost one."""
    endings = (".hints.json", ".hints.png", ".json")
    names = [f"{name}{ending}" for name in (job.source.name, job.source.stem) for ending in endings]
    if place.is_dir():
        return [place / folder / name for name in names for folder in (job.name.parent, "")]
    return [place] if place.name in names else []


def _with(job: Job, guidance: Guidance, file: Path, firm: Collection[str]) -> Job:
    references = (*job.request.guidance.references, *guidance.references)
    palette = guidance.palette or job.request.guidance.palette
    settings = {name: value for name, value in guidance.asked.items() if name not in firm}
    try:
        request = replace(job.request, guidance=replace(guidance, references=references, palette=palette), **settings)
    except UsageError as error:
        raise UsageError(f"--hints {file}: {error}") from error
    return job.with_request(request)


def _tell(given: list[tuple[Path, dict[str, Any], Job]], firm: Collection[str]) -> None:
    """Say in one line where files are not followed."""
    over = []
    for file, settings, job in given:
        names = [name for name in firm if settings.get(name, ours := getattr(job.request, name)) != ours]
        if names:
            over.append((file, [(name, settings[name], getattr(job.request, name)) for name in names]))
    if over:
        file, pairs = over[0]
        theirs = ", ".join(f"{name} {value}" for name, value, _ in pairs)
        ours = ", ".join(f"{name} {value}" for name, _, value in pairs)
        more = f" (and {len(over) - 1} more files)" if len(over) > 1 else ""
        log.warning("%s says %s%s; the options go before: %s", file, theirs, more, ours)
