"""From what a person types to a list of jobs: which photo is written where, and what is refused before any work."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chromagan.errors import ReadError, UsageError
from chromagan.files.find import walk_files
from chromagan.files.suffixes import WRITTEN, is_photo_name
from chromagan.images.metadata import read_provenance
from chromagan.images.read import Photo
from chromagan.images.write import output_suffix
from chromagan.inference.request import Request


@dataclass(frozen=True)
class Job:
    """One photo to colorize.

    Attributes:
        source: where it comes from; messages name it.
        output: where the colorized photo goes.
        compare: where the sheet before | after goes, if one is wanted.
        layer: where the colour layer goes, if one is wanted.
        load: gives the photo's pages; they are read from `source` unless given.
        request: what is asked for.
    """

    source: Path
    output: Path
    compare: Path | None = None
    layer: Path | None = None
    load: Callable[[], list[Photo]] | None = None
    request: Request = field(default_factory=Request)

    @property
    def outputs(self) -> list[Path]:
        """All files that the job writes; the colorized photo comes last."""
        return [path for path in (self.layer, self.compare, self.output) if path is not None]


@dataclass
class Plan:
    """What to do: jobs, photos that are finished already, and refusals with their reason (one line each)."""

    jobs: list[Job] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def plan_jobs(
    inputs: Sequence[str],
    output: str | os.PathLike[str],
    *,
    photo_format: str | None = None,
    compare: bool = False,
    layer: bool = False,
    overwrite: bool = False,
    request: Request | None = None,
) -> Plan:
    """Decide what is read and what is written.

    Folders are walked, and their structure kept under the output folder; hidden files and files that are no photos are
    passed over there. Patterns are expanded. A photo whose outputs all stand with this program's mark is finished.

    Args:
        inputs: files, folders and patterns.
        output: the output folder; for one input file also the name of the output file.
        photo_format: what all outputs are written as; the input's own format unless given.
        compare: also write NAME-compare.
        layer: also write NAME-layer (PNG; TIFF for a TIFF, which may have pages).
        overwrite: write over outputs that exist. Never over an input.
        request: what is asked for, of every photo.

    Raises:
        UsageError: the output is a file where a folder is needed.
    """
    plan = Plan()
    root = Path(output)
    single = _single_output(inputs, root)
    if single and photo_format:
        raise UsageError(f"the output file {root} says its format already; leave --format out")
    if not single and root.exists() and not root.is_dir():
        raise UsageError(f"the output folder {root} is a file; name another with -o")
    jobs = []
    for source, relative in _photos(inputs, root, plan.refused):
        target = root if single else root / relative.with_suffix(_suffix(relative, photo_format))
        jobs.append(replace(_job(source, target, compare, layer), request=request or Request()))
    return check_jobs(jobs, overwrite, plan)


def check_jobs(jobs: Iterable[Job], overwrite: bool, plan: Plan | None = None) -> Plan:
    """Sort jobs into those to do, finished ones, and refused ones (outputs that collide, or stand in the way)."""
    plan = plan or Plan()
    jobs = list(jobs)
    sources = {identity for job in jobs if (identity := _file_identity(job.source))}
    claims: dict[str, list[Path]] = defaultdict(list)
    for job in jobs:
        for path in job.outputs:
            claims[_name_identity(path)].append(job.source)
    for job in jobs:
        reason = _collision(job, claims, sources)
        if reason is None and not overwrite:
            standing = [path for path in job.outputs if os.path.lexists(path)]
            foreign = next((path for path in standing if not _is_ours(path)), None)
            if foreign is not None:
                reason = f"{foreign} exists and chromagan did not write it; use --overwrite or another -o"
            elif len(standing) == len(job.outputs):
                plan.skipped.append(job.source)
                continue
        if reason is None:
            plan.jobs.append(job)
        else:
            plan.refused.append((job.source, reason))
    return plan


def _collision(job: Job, claims: dict[str, list[Path]], sources: set[tuple[int, int]]) -> str | None:
    for path in job.outputs:
        others = [source for source in claims[_name_identity(path)] if source != job.source]
        if others:
            return f"its output {path} would also be that of {others[0]}; colorize them into different folders"
        if _file_identity(path) in sources:
            return f"its output {path} would overwrite an input; name another folder with -o"
    return None


def _job(source: Path, target: Path, compare: bool, layer: bool) -> Job:
    layer_suffix = ".tif" if source.suffix.lower() in (".tif", ".tiff") else ".png"
    return Job(
        source,
        target,
        target.with_name(f"{target.stem}-compare{target.suffix}") if compare else None,
        target.with_name(f"{target.stem}-layer{layer_suffix}") if layer else None,
    )


def _single_output(inputs: Sequence[str], output: Path) -> bool:
    """Whether -o names the one output file rather than a folder."""
    return len(inputs) == 1 and os.path.isfile(inputs[0]) and is_photo_name(output) and not output.is_dir()


def _suffix(name: Path, requested: str | None) -> str:
    """The output's ending; an ending that stands for the right format is kept as it is written (.JPG, .jpeg)."""
    own = name.suffix.lower()
    photo_format = "jpeg" if own == ".mpo" else WRITTEN.get(own, own[1:])
    suffix = output_suffix(photo_format, requested, 8)
    return name.suffix if WRITTEN.get(own) == WRITTEN[suffix] else suffix


def _photos(inputs: Sequence[str], output: Path, refused: list[tuple[Path, str]]) -> list[tuple[Path, Path]]:
    """(file, name under the output folder) for every photo, each file once."""
    found: dict[str, tuple[Path, Path]] = {}
    for text in inputs:
        for path in _expand(text):
            if path.is_dir():
                photos = list(_walk(path, output))
                if not photos:
                    refused.append((path, "there are no photos in this folder"))
            elif not path.exists():
                photos = []
                refused.append((path, "there is no such file or folder; check the name"))
            elif not is_photo_name(path):
                photos = []
                refused.append((path, "is not a photo by the ending of its name; rename it, or leave it out"))
            else:
                photos = [(path, Path(path.name))]
            for source, relative in photos:
                found.setdefault(os.path.abspath(source), (source, relative))
    return list(found.values())


def _expand(text: str) -> list[Path]:
    """Patterns that the shell left alone (always, on Windows)."""
    if os.path.exists(text) or not glob.has_magic(text):
        return [Path(text)]
    return [Path(match) for match in sorted(glob.glob(text, recursive=True))] or [Path(text)]


def _walk(folder: Path, output: Path) -> Iterable[tuple[Path, Path]]:
    """The photos under a folder, less hidden ones and what an earlier run wrote."""
    written, root = output.resolve(), folder.resolve()
    among_outputs = written == root or written in root.parents
    for path in walk_files(folder, leave_out=lambda inner: inner.resolve() == written):
        if not (among_outputs and _is_ours(path)):
            yield path, path.relative_to(folder)


def _is_ours(path: Path) -> bool:
    """Whether a file carries this program's mark; one that cannot be read does not."""
    try:
        return read_provenance(path) is not None
    except ReadError:
        return False


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file that exists: the same by whatever name, link or case it is called."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _name_identity(path: Path) -> str:
    """A name that two paths share if they would be one file."""
    folder = path.parent.resolve()
    full = folder / path.name
    while not folder.exists():
        folder = folder.parent
    return str(full).casefold() if _ignores_case(folder) else str(full)


def _ignores_case(folder: Path) -> bool:
    swapped = Path(str(folder).swapcase())
    return str(swapped) != str(folder) and swapped.exists() and os.path.samefile(folder, swapped)
