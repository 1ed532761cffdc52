"""Which film belongs to which true film: files or folders of frames, matched by name, and their frames together."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from chromagan.errors import DataError
from chromagan.evaluation.engine import read_picture
from chromagan.evaluation.pairs import listed, without_suffix
from chromagan.files.find import walk_files
from chromagan.files.suffixes import is_film_name, is_photo_name
from chromagan.metrics.metric import Picture


@dataclass(frozen=True)
class ClipFrame:
    """One frame: when it is shown, where the clip says so, and (H, W, 3) uint8 sRGB."""

    seconds: Fraction | None
    pixels: Picture


class Clip:
    """A film, or a folder of frames.

    Attributes:
        path: the file or folder.
        notes: what a reader must know of it; more may come as its frames are read.
    """

    def __init__(self, path: Path, files: Sequence[Path] = ()) -> None:
        self.path, self._files = path, files
        self.notes: list[str] = []

    def frames(self) -> Iterator[ClipFrame]:
        """All frames, in the order of showing, or of their names; numbers in names count as numbers.

        Raises:
            ReadError: a film or a photo that cannot be read.
        """
        if self._files:
            for file in sorted(self._files, key=lambda file: _natural(file.name)):
                yield ClipFrame(None, read_picture(file))
            return
        from chromagan.film.reel import open_reel
        from chromagan.film.shown import shown_frames

        reel, damaged = open_reel(self.path), 0
        self.notes = list(reel.notes)
        for frame in shown_frames(reel):
            damaged += frame.damaged
            yield ClipFrame(frame.seconds, frame.pixels)
        if damaged:
            self.notes.append(f"{self.path}: {damaged} damaged frames, measured as they decode")


def find_clips(place: Path) -> dict[str, Clip]:
    """The clips at a place by name: one film, one folder of frames, or a folder of many of either.

    A folder below that holds photos is a clip of its own, called by its path; a film is called by its path without the
    extension.

    Raises:
        DataError: there is none, there are films beside photos, or two films have one name.
    """
    if place.is_file():
        return {place.stem: Clip(place)}
    found = list(walk_files(place, lambda name: is_film_name(name) or is_photo_name(name), follow_links=True))
    films = [file for file in found if is_film_name(file)]
    if not found:
        raise DataError(f"{place}: there are neither films nor frames in it; give a film, or a folder of either")
    if films and len(films) < len(found):
        photo = next(file for file in found if not is_film_name(file))
        raise DataError(f"{place}: films and photos ({photo.name}) are in it; give a folder of films or of frames")
    clips: dict[str, Clip] = {}
    for file in films:
        name = without_suffix(file.relative_to(place).as_posix())
        if name in clips:
            raise DataError(f"{place}: two films are called {name}; rename or remove one")
        clips[name] = Clip(file)
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in found if not films else ():
        folders[file.parent].append(file)
    for folder, files in folders.items():
        name = place.resolve().name if folder == place else folder.relative_to(place).as_posix()
        clips[name] = Clip(folder, files)
    return dict(sorted(clips.items()))


def match_clips(truth: Mapping[str, Clip], methods: Mapping[str, Mapping[str, Clip]]) -> dict[str, dict[str, Clip]]:
    """By name of a true clip, each method's clip of it. Where each side has one clip their names do not matter.

    Raises:
        DataError: missing or extra clips, all in one message.
    """
    problems: list[str] = []
    matched: dict[str, dict[str, Clip]] = {name: {} for name in truth}
    for method, clips in methods.items():
        if len(clips) == len(truth) == 1:
            matched[next(iter(truth))][method] = next(iter(clips.values()))
            continue
        by_key = {_key(name): clip for name, clip in clips.items()}
        missing = [name for name in truth if _key(name) not in by_key]
        extra = [name for name in clips if _key(name) not in set(map(_key, truth))]
        for names, what in ((missing, "missing"), (extra, "extra")):
            problems += [f"{method}: {len(names)} {what} ({listed(names)})"] if names else []
        if not missing:
            for name in truth:
                matched[name][method] = by_key[_key(name)]
    if problems:
        raise DataError(f"films and truths do not match: {'; '.join(problems)}; mend the folders and run again")
    return matched


def frames_together(truth: Clip, methods: Mapping[str, Clip]) -> Iterator[tuple[Picture, dict[str, Picture]]]:
    """Every frame of the truth with that of each method, which is shown at the same time after the film's begin.

    Frames of folders have no time and are matched by order.

    Raises:
        DataError: another number of frames, another time, or another size.
        ReadError: see `Clip.frames`.
    """
    others = {name: clip.frames() for name, clip in methods.items()}
    began: dict[str, Fraction | None] = {}
    before, count = None, 0
    for count, frame in enumerate(truth.frames(), 1):
        began.setdefault("", frame.seconds)
        together: dict[str, Picture] = {}
        for name, clip in others.items():
            what = f"{methods[name].path}: frame {count} of {name}"
            other = next(clip, None)
            if other is None:
                raise DataError(f"{methods[name].path}: {name} has {count - 1} frames and {truth.path} has more; "
                                "give films of one length")  # fmt: skip
            if other.pixels.shape != frame.pixels.shape:
                sizes = [f"{one.shape[1]} x {one.shape[0]}" for one in (other.pixels, frame.pixels)]
                raise DataError(f"{what} is {sizes[0]} pixels and the truth {sizes[1]}; give films of one size")
            start = began.setdefault(name, other.seconds)
            if before is not None and None not in (frame.seconds, other.seconds):
                due, shown = _since(frame.seconds, began[""]), _since(other.seconds, start)
                if abs(shown - due) > max((due - before) / 2, Fraction(1, 500)):
                    raise DataError(f"{what} is shown {float(shown):.3f} s after the first and the truth's "
                                    f"{float(due):.3f} s; give films whose frames go together")  # fmt: skip
            together[name] = other.pixels
        before = None if frame.seconds is None else _since(frame.seconds, began[""])
        yield frame.pixels, together
    for name, clip in others.items():
        if next(clip, None) is not None:
            raise DataError(f"{methods[name].path}: {name} has more frames than {truth.path}, which has {count}; "
                            "give films of one length")  # fmt: skip


def _since(seconds: Any, start: Any) -> Fraction:
    return Fraction(seconds) - Fraction(start)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _natural(name: str) -> tuple[Any, ...]:
    """What names are sorted by: 2 before 10."""
    stem = PurePosixPath(name).stem
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", stem) if part)
