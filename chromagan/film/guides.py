"""Guidance in time: colour photos and hand-corrected frames that guide the scene which they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chromagan.conditioning.guidance import Guidance, Reference
from chromagan.errors import UsageError
from chromagan.files.suffixes import is_photo_name
from chromagan.film.plan import Plan
from chromagan.film.reel import Reel
from chromagan.inference.hint_files import read_hints

_HINTS = (".hints.json", ".hints.png", ".json")
_NAME = re.compile(r"(\d+)h(\d\d)m(\d\d)\.(\d{3})s")
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class TimedReference:
    """A colour photo, of a film's scene at a time in seconds, or of all of them."""

    file: str
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> TimedReference:
        """Read `PHOTO` or `TIME=PHOTO`; a file of that whole name comes first."""
        time, equals, file = text.partition("=")
        if equals and not Path(text).exists() and _TIME.fullmatch(time):
            found = cls(file, seconds_of(time))
        else:
            found = cls(text)
        if not Path(found.file).is_file():
            raise UsageError(f"--reference {text}: there is no such file; name a colour photo, or TIME=PHOTO")
        return found


@dataclass
class Guides:
    """What guides each frame.

    Attributes:
        scenes: references by the number of their scene.
        frames: guidance of single frames by their number, whose colours then lead in their scene.
        left_out: what is of frames beyond the stretch that is coloured.
    """

    scenes: dict[int, tuple[Reference, ...]] = field(default_factory=dict)
    frames: dict[int, Guidance] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def of(self, scene: int, frame: int, common: Guidance) -> Guidance:
        """All that guides one frame, over what guides the whole film."""
        own = self.frames.get(frame, common)
        references = (*common.references, *self.scenes.get(scene, ()))
        return replace(own, palette=own.palette or common.palette, references=(*own.references, *references))


def check_guides(references: Iterable[TimedReference], hints: Path | None) -> None:
    """Read what guides a film, before hours are spent on it.

    Raises:
        UsageError: a reference without colours, a folder without any hints, or hints that cannot be read.
        ReadError: a reference that is no photo.
    """
    from chromagan.images.read import read_photo

    for reference in references:
        if read_photo(reference.file).pixels.ndim == 2:
            raise UsageError(f"reference {reference.file}: it has no colours to take; name a colour photo")
    for file, _ in timed_files(hints) if hints else []:
        if _kind(file):
            read_hints(file)


def guides_of(plan: Plan, reel: Reel, references: Iterable[TimedReference], hints: Path | None) -> Guides:
    """Find out which scene and frame each thing is of.

    Args:
        plan: of the film.
        reel: the film.
        references: colour photos, with or without a time.
        hints: a folder of what `--export-frames` wrote, with hints of the studio or colours painted in an editor.

    Raises:
        UsageError: a time outside of the film, and what `check_guides` raises.
    """
    found = Guides()
    for reference in references:
        chosen: Sequence[int] = range(len(plan.scenes))
        if reference.seconds is not None:
            frame = _frame(plan, reel, reference.seconds, f"--reference {reference.file}", found)
            chosen = [] if frame is None else [plan.scene_of(frame)]
        for scene in chosen:
            found.scenes[scene] = (*found.scenes.get(scene, ()), Reference(reference.file))
    if hints is not None:
        found.left_out += [f"{file}: its name is no time such as 0h00m01.500s; left out" for file in _untimed(hints)]
        for file, seconds in timed_files(hints):
            frame = _frame(plan, reel, seconds, str(file), found)
            if frame is None:
                continue
            if _kind(file):
                found.frames[frame] = read_hints(file)
            else:  # a frame coloured by hand guides its whole scene
                scene = plan.scene_of(frame)
                found.scenes[scene] = (*found.scenes.get(scene, ()), Reference(str(file)))
                found.frames.setdefault(frame, Guidance())
    return found


def time_name(seconds: float) -> str:
    """A time as the name of a file has it: 0h01m23.456s."""
    thousandths = round(seconds * 1000)
    minutes, left = divmod(thousandths, 60_000)
    return f"{minutes // 60}h{minutes % 60:02}m{left // 1000:02}.{left % 1000:03}s"


def seconds_of(time: str | float | None) -> float | None:
    """Seconds of `SS`, `MM:SS` or `HH:MM:SS`, each with a fraction; None and numbers are what they are.

    Raises:
        UsageError: another form.
    """
    if not isinstance(time, str):
        return time
    match = _TIME.fullmatch(time.strip())
    if match is None:
        raise UsageError(f"{time!r} is no time; write seconds, MM:SS or HH:MM:SS, such as 1:23.5")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def _frame(plan: Plan, reel: Reel, seconds: float, what: str, found: Guides) -> int | None:
    """The frame at a time; None, and a word in `found`, where that lies in the film beyond the stretch of it."""
    # Half a thousandth: names of frames are rounded to one.
    ticks = reel.origin + (seconds + 0.0005) / float(reel.time_base)
    begin, end = reel.span
    if begin is not None and begin <= ticks < plan.pts[0]:
        ticks = plan.pts[0]  # the stretch begins between two frames
    frame = plan.frame_at(ticks)
    if frame is not None and (end is None or ticks < end):
        return frame
    beyond = reel.seconds is None or seconds <= reel.seconds
    if reel.span == (None, None) or not beyond:
        raise UsageError(f"{what}: {seconds:g} s lies outside of the film")
    found.left_out.append(f"{what}: {seconds:g} s lies outside of what is coloured; left out")
    return None


def _kind(file: Path) -> str:
    return next((ending for ending in _HINTS if file.name.endswith(ending)), "")


def timed_files(folder: Path) -> list[tuple[Path, float]]:
    """Hints and coloured frames in a folder, with the seconds that their names say; where a frame has hints, those.

    `UsageError` where there is none.
    """
    if not folder.is_dir():
        raise UsageError(f"--hints {folder}: there is no such folder; name the one that --export-frames wrote")
    found: dict[float, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _NAME.match(file.name)
        if match and (_kind(file) or is_photo_name(file)):
            hours, minutes, seconds, thousandths = map(int, match.groups())
            found.setdefault(hours * 3600 + minutes * 60 + seconds + thousandths / 1000, []).append(file)
    chosen = [(file, seconds) for seconds, files in found.items() for file in _chosen(files)]
    if not chosen:
        raise UsageError(f"--hints {folder}: there are no hints for frames, such as 0h00m01.500s.hints.json; "
                         "--export-frames writes frames to correct")  # fmt: skip
    return sorted(chosen, key=lambda pair: pair[1])


def _untimed(folder: Path) -> list[Path]:
    """Hints in a folder whose names say no time."""
    return [one for one in sorted(folder.iterdir()) if one.name.endswith(_HINTS[:2]) and not _NAME.match(one.name)]


def _chosen(files: list[Path]) -> list[Path]:
    """Of what stands for one time: its hints, else a picture that has colours."""
    from chromagan.images.read import read_photo

    if hints := [file for file in files if _kind(file)]:
        return hints[:1]
    return [file for file in files if read_photo(file).pixels.ndim == 3][:1]
