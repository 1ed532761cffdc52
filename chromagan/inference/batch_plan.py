"""From what a person types to a list of jobs: which photo is written where, and what is refused before any work."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chromagan.errors import UsageError
from chromagan.files.suffixes import WRITTEN, is_photo_name
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.write import output_suffix
from chromagan.inference.job import Job
from chromagan.inference.request import Request
from chromagan.inference.sources import find_photos, read_mark


@dataclass
class Plan:
    """What to do, and what not.

    Attributes:
        jobs: photos to colorize.
        skipped: photos whose outputs are finished already.
        kept: photos whose outputs other options or weights made; they stay unless `overwrite` is asked for.
        refused: with the reason, one line each.
        passed: files of other kinds that were found among the photos.
        ours: outputs of earlier runs that were found among the photos.
    """

    jobs: list[Job] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    passed: list[Path] = field(default_factory=list)
    ours: list[Path] = field(default_factory=list)


def plan_jobs(
    inputs: Sequence[str],
    output: str | os.PathLike[str] | None,
    *,
    photo_format: str | None = None,
    compare: bool = False,
    layer: bool = False,
    overwrite: bool = False,
    request: Request | None = None,
    hints: Sequence[str | os.PathLike[str]] = (),
    firm: Collection[str] = (),
    masks: Callable[[list[Job]], list[Job]] | None = None,
    suffix: str = "",
    exclude: Sequence[str] = (),
    recursive: bool = True,
    weights: Callable[[], str] | None = None,
) -> Plan:
    """Decide what is read and what is written.

    Folders are walked, and their structure kept under the output folder. Patterns are expanded. A photo whose outputs
    all stand with this program's mark is finished. Photos that share all but the ending of their name keep it whole
    where that ending changes: beside `a.png`, `a.bmp` becomes `a.bmp.png`.

    Args:
        inputs: files, folders and patterns.
        output: the output folder; for one input file also the name of the output file; None for each photo's own.
        photo_format: what all outputs are written as; the input's own format unless given.
        compare: also write NAME-compare.
        layer: also write NAME-layer (PNG; TIFF for a TIFF, which may have pages).
        overwrite: write over outputs that exist. Never over an input.
        request: what is asked for, of every photo.
        hints: the file with the guidance of the one photo; or files NAME.hints.json,
            NAME.hints.png and NAME.json, and folders of such, for photos NAME.
        firm: fields of the request that go before what was set in the files of hints.
        masks: adds the regions of each photo.
        suffix: put behind the names of outputs, before the ending.
        exclude: patterns of names and paths below an input that are left out.
        recursive: look into the folders of a folder.
        weights: gives the digest that the mark of these weights has; asked where outputs stand.

    Raises:
        UsageError: the output is a file where a folder is needed, or the other way round; hints cannot be used.
    """
    # What there is, and where it would go.
    root = None if output is None else Path(output)
    single = root is not None and _single_output(inputs, os.fspath(output or ""), photo_format, suffix)
    found = find_photos(inputs, None if single else root, exclude, recursive)
    folders = [source.parent if root is None else root / relative.parent for source, relative in found.photos]
    stems = Counter(
        _name_identity(folder / source.stem) for folder, (source, _) in zip(folders, found.photos, strict=True)
    )
    jobs = []
    for folder, (source, relative) in zip(folders, found.photos, strict=True):
        shared = stems[_name_identity(folder / source.stem)] > 1
        target = root if single and root else folder / _output_name(source, photo_format, suffix, shared)
        jobs.append(_job(source, target, relative, compare, layer, shared))
    # What is asked for, and what of it is done.
    jobs = [job.with_request(request or Request()) for job in jobs]
    plan = Plan(refused=found.refused, passed=found.passed, ours=found.ours)
    if hints:
        from chromagan.inference.batch_hints import with_hints  # PyTorch comes with it

        jobs = with_hints(jobs, [Path(one) for one in hints], firm)
    return check_jobs(masks(jobs) if masks else jobs, overwrite, plan, weights)


def check_jobs(
    jobs: Iterable[Job], overwrite: bool, plan: Plan | None = None, weights: Callable[[], str] | None = None
) -> Plan:
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
            marks = {path: read_mark(path) for path in job.outputs if os.path.lexists(path)}
            foreign = next((path for path, mark in marks.items() if mark is None), None)
            if foreign is not None:
                reason = f"{foreign} exists and chromagan did not write it; use --overwrite or another -o"
            elif not all(_is_as_asked(mark, job.asked[path], weights) for path, mark in marks.items() if mark):
                plan.kept.append(job.source)
                continue
            elif len(marks) == len(job.outputs):
                plan.skipped.append(job.source)
                continue
        if reason is None:
            plan.jobs.append(job)
        else:
            plan.refused.append((job.source, reason))
    return plan


def _is_as_asked(mark: ProvenanceMark, request: Request, weights: Callable[[], str] | None) -> bool:
    """Whether a mark says what one of today would; what one of version 0.1 leaves open counts as the same."""
    digest = weights() if weights else ""
    return mark.request in ("", request.digest) and (not digest or mark.sha256 in ("", digest))


def _collision(job: Job, claims: dict[str, list[Path]], sources: set[tuple[int, int]]) -> str | None:
    for path in job.outputs:
        others = [source for source in claims[_name_identity(path)] if source != job.source]
        if others:
            return f"its output {path} would also be that of {others[0]}; colorize them into different folders"
        if _file_identity(path) in sources:
            return f"its output {path} would overwrite an input; name another folder with -o, or use --suffix"
    return None


def _job(source: Path, target: Path, name: Path, compare: bool, layer: bool, shared: bool) -> Job:
    whole = target.name if shared and target.suffix == source.suffix else target.stem
    layer_suffix = ".tif" if source.suffix.lower() in (".tif", ".tiff") else ".png"
    return Job(
        source,
        target,
        target.with_name(f"{target.stem}-compare{target.suffix}") if compare else None,
        target.with_name(f"{whole}-layer{layer_suffix}") if layer else None,
        name=name,
        shared=shared,
    )


def _single_output(inputs: Sequence[str], output: str, photo_format: str | None, suffix: str) -> bool:
    """Whether -o names the one output file rather than a folder."""
    path = Path(output)
    if os.path.isdir(path) or output.endswith(("/", os.sep)):
        return False
    ending = path.suffix.lower()
    if not is_photo_name(path) and ending not in WRITTEN:
        if os.path.exists(path):
            raise UsageError(f"the output folder {path} is a file; name another with -o")
        if re.fullmatch(r"\.[a-z][a-z0-9]{1,4}", ending) and not any(os.path.isdir(one) for one in inputs):
            raise UsageError(
                f"-o {path}: {ending} is no format that can be written; for a folder, write {path}{os.sep}"
            )
        return False
    if len(inputs) != 1 or not os.path.isfile(inputs[0]):
        raise UsageError(f"-o {path} names one photo, and one input file goes with it; name a folder for more")
    if photo_format or suffix:
        taken = "format" if photo_format else "suffix"
        raise UsageError(f"the output file {path} says its {taken} already; leave --{taken} out")
    output_suffix("png", ending, 8)  # or an error: what cannot be written is told before any work
    return True


def _output_name(source: Path, photo_format: str | None, suffix: str, shared: bool) -> str:
    """An output's name; an ending that stands for the right format is kept as it is written (.JPG, .jpeg)."""
    own = source.suffix.lower()
    own_format = "jpeg" if own == ".mpo" else WRITTEN.get(own, own[1:])
    ending = output_suffix(own_format, photo_format, 8)
    kept = WRITTEN.get(own) == WRITTEN[ending]
    stem = source.stem if kept or not shared else source.name
    return f"{stem}{suffix}{source.suffix if kept else ending}"


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file that exists: the same by whatever name, link or case it is called."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _name_identity(path: Path) -> str:
    """A name that two paths share if they would be one file."""
    folder = Path(os.path.realpath(path.parent))
    full = folder / path.name
    while not os.path.exists(folder):
        folder = folder.parent
    return str(full).casefold() if _ignores_case(folder) else str(full)


def _ignores_case(folder: Path) -> bool:
    swapped = Path(str(folder).swapcase())
    return str(swapped) != str(folder) and swapped.exists() and os.path.samefile(folder, swapped)


__all__ = ["Job", "Plan", "check_jobs", "plan_jobs"]
