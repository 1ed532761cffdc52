"""Which photos a person means: files, folders and patterns, and what is passed over among them."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chromagan.errors import ChromaganError
from chromagan.files.find import is_system_folder, walk_files
from chromagan.files.suffixes import SUFFIXES, UNREAD, is_photo_name
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read_header import open_file, read_header


@dataclass
class Found:
    """What inputs come to.

    Attributes:
        photos: each with its name under the output folder.
        refused: what cannot be looked at, with the reason in one line.
        passed: files of other kinds in folders and patterns.
        ours: outputs of earlier runs, which are never coloured again.
    """

    photos: list[tuple[Path, Path]] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    passed: list[Path] = field(default_factory=list)
    ours: list[Path] = field(default_factory=list)


def find_photos(
    inputs: Sequence[str], output: Path | None = None, exclude: Sequence[str] = (), recursive: bool = True
) -> Found:
    """The photos of files, folders and patterns, each file once.

    Args:
        inputs: as a person types them. In folders, hidden files and folders of file servers are passed over.
        output: a folder below an input in which nothing is looked for.
        exclude: patterns; what one of them matches, by its name or by its path below the input, is left out, a folder
            with all that is in it.
        recursive: look into the folders of a folder.
    """
    found, seen = Found(), set[str]()
    for text in inputs:
        matches = _expand(text)
        for path in matches:
            if os.path.isdir(path) and is_system_folder(path.name) and len(inputs) + len(matches) > 2:
                continue  # what a star stands for; by itself, such a folder is meant
            if os.path.isdir(path):
                files = list(_walk(path, output, exclude, recursive, found))
                if not any(is_photo_name(source) for source, _ in files) and not _is_refused(path, found):
                    found.refused.append((path, "there are no photos in this folder"))
            elif matches == [Path(text)] and (reason := _no_photo(path)):
                files = []
                found.refused.append((path, reason))
            else:
                files = [] if _matches(Path(path.name), exclude) else [(path, Path(path.name))]
            for source, relative in files:
                if os.path.abspath(source) not in seen:
                    seen.add(os.path.abspath(source))
                    _sort(source, relative, found)
    return found


def named_by_content(path: Path) -> Path:
    """Rename a file that came without a name, so that its ending is that of the photo in it; its new path."""
    try:
        with open_file(path) as file:
            kind = read_header(file, path.name).format
    except ChromaganError:
        kind = "png"  # reading it says what is wrong
    ending = next((ending for ending, row in SUFFIXES.items() if row.format == kind), ".png")
    return path.rename(path.with_suffix(ending))


def read_mark(path: Path) -> ProvenanceMark | None:
    """This program's mark in a file; None for any other file, and for one that cannot be read."""
    try:
        return read_provenance(path)
    except Exception:  # reading the photo says what is wrong with it
        return None


def _sort(source: Path, relative: Path, found: Found) -> None:
    if not is_photo_name(source):
        found.passed.append(source)
    elif read_mark(source) is not None:
        found.ours.append(source)
    else:
        found.photos.append((source, relative))


def _no_photo(path: Path) -> str | None:
    if not os.path.lexists(path):
        return "there is no such file or folder; check the name"
    if not is_photo_name(path):
        return UNREAD.get(path.suffix.lower(), "is not a photo by the ending of its name; rename it, or leave it out")
    return None if os.path.exists(path) else "is a link to a file that is not there; mend the link"


def _expand(text: str) -> list[Path]:
    """Patterns that the shell left alone (always, on Windows); folders that stand there under that name are no part."""
    if os.path.lexists(text) or not glob.has_magic(text):
        return [Path(text)]
    folder, pattern = Path(Path(text).anchor), Path(text)
    while len(folder.parts) < len(pattern.parts) - 1 and os.path.lexists(folder / pattern.parts[len(folder.parts)]):
        folder /= pattern.parts[len(folder.parts)]
    rest = str(pattern.relative_to(folder))
    # What is found nowhere as a pattern may be one but for its brackets: `*/album [1920]/*.jpg`.
    matches = glob.glob(rest, root_dir=folder, recursive=True)
    matches = matches or glob.glob(rest.replace("[", "[[]"), root_dir=folder, recursive=True)
    return [folder / match for match in sorted(matches)] or [pattern]


def _walk(
    folder: Path, output: Path | None, exclude: Sequence[str], recursive: bool, found: Found
) -> Iterator[tuple[Path, Path]]:
    """The files under a folder, each with its path below it."""
    written = output and os.path.realpath(output)

    def leave_out(inner: Path) -> bool:
        return not recursive or os.path.realpath(inner) == written or _matches(inner.relative_to(folder), exclude)

    def unreadable(error: OSError) -> None:
        reason = f"this folder cannot be looked into ({error.strerror or error}); change its permissions"
        found.refused.append((Path(error.filename or folder), reason))

    for path in walk_files(folder, lambda name: True, leave_out, unreadable=unreadable):
        relative = path.relative_to(folder)
        if not _matches(relative, exclude):
            yield path, relative


def _is_refused(folder: Path, found: Found) -> bool:
    return any(path == folder or folder in path.parents for path, _ in found.refused)


def _matches(relative: Path, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns means a file or folder below an input, by its name or by its path."""
    names = relative.name, relative.as_posix()
    return any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in patterns for name in names)
