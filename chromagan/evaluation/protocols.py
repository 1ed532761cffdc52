"""Protocols: which images, cropped and resized how, compared with what. A figure means something only beside its own.

`docs/protocols.md` tells where each comes from and what its source leaves open. Once published, a protocol does not
change: another choice is another version, and figures of two versions never stand under one name.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import DataError, UsageError
from chromagan.metrics.metric import Picture

LIST_OPTION = "--list"
_SAME = "the same images, prepared in the same way"


# What protocols do to a picture before it is measured: each exactly as its source does it.


def as_it_is(picture: Picture) -> Picture:
    """The picture itself."""
    return picture


def middle_square_256(picture: Picture) -> Picture:
    """The largest square in the middle, then 256 x 256 by Pillow's bilinear filter, which averages when it reduces."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = round((height - side) / 2), round((width - side) / 2)  # halves go to the even number, as in Python
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((256, 256), Image.Resampling.BILINEAR))


def squash_256(picture: Picture) -> Picture:
    """256 x 256 without regard to the aspect: OpenCV's bilinear filter on floats, no antialiasing, then 8 bits."""
    resized = cv2.resize(picture.astype(np.float32), (256, 256), interpolation=cv2.INTER_LINEAR)
    return np.rint(resized).clip(0, 255).astype(np.uint8)


def release_of_2020(picture: Picture) -> Picture:
    """224 x 224 without regard to the aspect (OpenCV, bilinear on 8 bits), then through OpenCV's 8-bit Lab and back."""
    bgr = cv2.resize(np.ascontiguousarray(picture[..., ::-1]), (224, 224), interpolation=cv2.INTER_LINEAR)
    joined = cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2Lab), cv2.COLOR_Lab2BGR)
    return np.ascontiguousarray(joined[..., ::-1], dtype=np.uint8)


@dataclass(frozen=True)
class Protocol:
    """A way of measuring, with all its choices."""

    name: str  # what figures are reported under
    version: int
    description: str  # in one sentence
    source: str  # who measures so, and where that is written
    crop: str  # what is cut off, and when
    resampling: str  # library, filter, antialiasing
    metrics: tuple[str, ...]  # those that papers report under it (others may be computed too)
    images: int | None = None  # how many there must be; None for any number
    # Of file names without folder and extension, as a regular expression; None for any. Its first group, if any, is the
    # image's number in the data set.
    pattern: str | None = None
    example: str = ""  # a name that fits
    size: tuple[int, int] | None = None  # (height, width) of prepared pictures; None where they keep theirs
    reference: str = _SAME  # what sets of pictures are compared with
    open_questions: str = ""  # what the source does not say, and what was chosen; empty where nothing is open
    numbered: bool = False  # the images are those with the numbers 1 to `images`
    # Names (without folder and extension) of a published list; None where none was given.
    listed: frozenset[str] | None = None
    needs_list: bool = False  # the images are those of a published list that is not shipped
    films: bool = False  # it is over films, not photos
    _prepare: Callable[[Picture], Picture] = as_it_is

    @property
    def label(self) -> str:
        """Name and version, such as `imagenet-val5k/1`."""
        return f"{self.name}/{self.version}"

    def prepare(self, picture: Picture) -> Picture:
        """Bring a picture - a truth, or a colorizer's answer of any size - to the pixels that are measured.

        Both are (H, W, 3) uint8 sRGB. A picture that has the protocol's size already keeps its pixels (under
        `chromagan-2020` it still goes through 8-bit Lab, as both pictures did in the release).

        Raises:
            ValueError: another shape or type.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise ValueError(f"a picture is (H, W, 3) uint8 and not empty, not {picture.shape} {picture.dtype}")
        return self._prepare(picture)

    def with_list(self, file: str | Path) -> Protocol:
        """The protocol over the images of a published list: a text file, one image a line.

        Of a line only the first word counts, without folders and extension (lists of ImageNet often have folders in
        front and a class behind).

        Raises:
            UsageError: this protocol takes no list.
            DataError: the file cannot be read, names an image twice, another number of images, or other names.
        """
        if not self.needs_list:
            raise UsageError(f"the protocol {self.name} takes no {LIST_OPTION}: its images are known by their names")
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise DataError(f"{file}: the list cannot be read ({reason}); {LIST_OPTION} takes a text file") from error
        stems = [_stem(line.split()[0]) for line in lines if line.strip()]
        self._check_stems(stems, f"{file}: the list")
        return replace(self, listed=frozenset(_number_part(stem) for stem in stems))

    def check(self, names: Sequence[str]) -> None:
        """Refuse names of files, with or without folders and extensions, that are not this protocol's.

        Raises:
            UsageError: the protocol needs its published list and has none.
            DataError: another number of images, a name twice, or names of other images; the message says which.
        """
        if self.needs_list and self.listed is None:
            raise UsageError(
                f"the protocol {self.name} is over {self.images:,} images of a published list, which is not shipped; "
                f"give it with {LIST_OPTION} FILE (docs/protocols.md says where it is from)"
            )
        stems = [_stem(name) for name in names]
        self._check_stems(stems, f"protocol {self.name}: the data")
        if self.listed is not None:
            foreign = [stem for stem in stems if _number_part(stem) not in self.listed]
            if foreign:
                raise DataError(
                    f"protocol {self.name}: {_some(foreign)} not in the list; measure the images of the list alone"
                )

    def select(self, names: Sequence[str]) -> list[str]:
        """Those of the names that belong to the protocol, in their order: val5k out of a folder with all 50,000.

        `check` says whether they are complete.
        """
        return [name for name in names if self._belongs(_stem(name))]

    def chosen(self, names: Sequence[str]) -> list[str]:
        """`select`, complete: see `check` for what is refused."""
        found = self.select(names)
        if names and not found:
            raise DataError(
                f"protocol {self.name}: none of the {len(names):,} photos has a name of its images, such as "
                f"{self.example} (there is {names[0]}); keep the data set's file names, or use the protocol folder"
            )
        self.check(found)
        return found

    def _belongs(self, stem: str) -> bool:
        match = re.fullmatch(self.pattern, stem) if self.pattern else None
        if self.pattern and match is None:
            return False
        if self.listed is not None:
            return _number_part(stem) in self.listed
        return not self.numbered or match is None or 1 <= int(match[1]) <= (self.images or 0)

    def _check_stems(self, stems: Sequence[str], what: str) -> None:
        if not stems:
            raise DataError(f"{what} has no images; name a folder of pictures")
        if self.pattern is None:
            return
        foreign = [stem for stem in stems if re.fullmatch(self.pattern, stem) is None]
        if foreign:
            raise DataError(f"{what} has other names than {self.example}: {_some(foreign)}; keep the data set's file "
                            "names, or use the protocol folder")  # fmt: skip
        double = [key for key, count in Counter(map(_number_part, stems)).items() if count > 1]
        if double:
            raise DataError(f"{what} has {_some(double)} twice; keep one file an image")
        if self.numbered and self.images is not None:
            _check_numbers([int(re.findall(r"\d{8}", stem)[0]) for stem in stems], self.images, what)
        if self.images is not None and len(stems) != self.images:
            raise DataError(f"{what} has {len(stems):,} images, not {self.images:,}; complete it or take away what is "
                            "too much, or use the protocol folder")  # fmt: skip


def _check_numbers(numbers: Sequence[int], last: int, what: str) -> None:
    beyond = sorted(number for number in numbers if not 1 <= number <= last)
    if beyond:
        raise DataError(f"{what} has image {beyond[0]}, beyond 1 to {last:,}; take away the {len(beyond)} too many")
    absent = sorted(set(range(1, last + 1)) - set(numbers))
    if absent:
        raise DataError(f"{what} lacks {len(absent):,} of the images 1 to {last:,}, {absent[0]} first; complete it, or "
                        "use the protocol folder")  # fmt: skip


def _stem(name: str) -> str:
    """File name without folders and extension; no name of a protocol has a dot in it."""
    return name.replace("\\", "/").rpartition("/")[2].partition(".")[0]


def _number_part(stem: str) -> str:
    """The name without the class that some copies of ImageNet append to it."""
    return re.sub(r"_n\d{8}$", "", stem)


def _some(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _read(words: dict[str, Any]) -> Protocol:
    """A protocol from its entry in `protocols.json`, which writes lists for tuples and names for functions."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in words.items()}
    prepare = _PREPARE[values.pop("prepare", "as_it_is")]
    return Protocol(**values, _prepare=prepare)


_PREPARE = {each.__name__: each for each in (as_it_is, middle_square_256, squash_256, release_of_2020)}
_TABLE = files("chromagan.evaluation").joinpath("protocols.json").read_text(encoding="utf-8")
_BY_NAME = {words["name"]: _read(words) for words in json.loads(_TABLE)}


def list_protocols() -> list[str]:
    """The names of all protocols."""
    return list(_BY_NAME)


def protocol(name: str) -> Protocol:
    """A protocol by its name, or by name and version (`imagenet-val5k/1`).

    Raises:
        UsageError: there is none of that name, or it has another version.
    """
    plain, _, version = name.partition("/")
    if plain not in _BY_NAME:
        raise UsageError(f"there is no protocol {name!r}; there are {', '.join(_BY_NAME)}")
    found = _BY_NAME[plain]
    if version and version != str(found.version):
        raise UsageError(f"the protocol {plain} has version {found.version} here, not {version}; install its release")
    return found
