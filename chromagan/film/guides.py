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
    """

    scenes: dict[int, tuple[Reference, ...]] = field(default_factory=dict)
    frames: dict[int, Guidance] = field(default_factory=dict)

    def of(self, scene: int, frame: int, common: Guidance) -> Guidance:
        """All that guides one frame, over what guides the whole film."""
        own = self.frames.get(frame, common)
        references = (*common.references, *self.scenes.get(scene, ()))
        return replace(own, palette=own.palette or common.palette, references=(*own.references, *references))


def guides_of(plan: Plan, reel: Reel, references: Iterable[TimedReference], hints: Path | None) -> Guides:
    """Find out which scene and frame each thing is of.

    Args:
        plan: of the film.
        reel: the film.
        references: colour photos, with or without a time.
        hints: a folder of what `--export-frames` wrote, with hints of the studio or colours painted in an editor.

    Raises:
        UsageError: a time outside of the film, a folder without any hints, or hints that cannot be read.
    """
    found = Guides()
    for reference in references:
        if reference.seconds is None:
            chosen: Sequence[int] = range(len(plan.scenes))
        else:
            chosen = [plan.scene_of(_frame(plan, reel, reference.seconds, f"--reference {reference.file}"))]
        for scene in chosen:
            found.scenes[scene] = (*found.scenes.get(scene, ()), Reference(reference.file))
    if hints is not None:
        named = timed_files(hints)
        if not named:
            raise UsageError(f"--hints {hints}: there are no hints for frames, such as 0h00m01.500s.hints.json; "
                             "--export-frames writes frames to correct")  # fmt: skip
        for file, seconds in named:
            frame = _frame(plan, reel, seconds, str(file))
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


def _frame(plan: Plan, reel: Reel, seconds: float, what: str) -> int:
    # Half a thousandth: names of frames are rounded to one.
    frame = plan.frame_at(reel.origin + (seconds + 0.0005) / float(reel.time_base))
    if frame is None:
        raise UsageError(f"{what}: {seconds:g} s lies outside of what is coloured")
    return frame


def _kind(file: Path) -> str:
    return next((ending for ending in _HINTS if file.name.endswith(ending)), "")


def timed_files(folder: Path) -> list[tuple[Path, float]]:
    """Hints and coloured frames in a folder, with the seconds that their names say; where a frame has hints, those."""
    if not folder.is_dir():
        raise UsageError(f"--hints {folder}: there is no such folder; name the one that --export-frames wrote")
    found: dict[float, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        match = _NAME.match(file.name)
        if match and (_kind(file) or is_photo_name(file)):
            hours, minutes, seconds, thousandths = map(int, match.groups())
            found.setdefault(hours * 3600 + minutes * 60 + seconds + thousandths / 1000, []).append(file)
    chosen = ((seconds, _chosen(files)) for seconds, files in found.items())
    return sorted(((file, seconds) for seconds, files in chosen for file in files), key=lambda pair: pair[1])


def _chosen(files: list[Path]) -> list[Path]:
    """Of what stands for one time: its hints, else a picture that has colours."""
    from chromagan.images.read import read_photo

    if hints := [file for file in files if _kind(file)]:
        return hints[:1]
    return [file for file in files if read_photo(file).pixels.ndim == 3][:1]
