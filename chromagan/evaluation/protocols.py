"""Protocols: which images, cropped and resized how, compared with what. A figure means something only beside its own.

`docs/protocols.md` tells where each comes from and what its source leaves open. Once published, a protocol does not
change: another choice is another version, and figures of two versions never stand under one name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from chromagan.errors import DataError, UsageError
from chromagan.metrics.metric import Picture

LIST_OPTION = "--list"
_SAME = "the same images, prepared in the same way"
_IMAGENET = r"ILSVRC2012_val_(\d{8})(?:_n\d{8})?"
_IMAGENET_EXAMPLE = "ILSVRC2012_val_00000001"
_RECENT = ("fid_torchvision", "colourfulness_absolute", "delta_colourfulness_absolute", "psnr")


# What protocols do to a picture before it is measured: each exactly as its source does it.


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
    _prepare: Callable[[Picture], Picture] = lambda picture: picture  # noqa: E731

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


_SQUARE: dict[str, Any] = {
    "crop": "the largest square in the middle of the original, before resizing",
    "resampling": "Pillow, BILINEAR (its filter widens when it reduces, so this is antialiased), on 8 bits",
    "size": (256, 256),
    "_prepare": middle_square_256,
}
_SQUASH: dict[str, Any] = {
    "crop": "none: both sides become 256, so the aspect changes",
    "resampling": "OpenCV, INTER_LINEAR on float32, not antialiased, rounded to 8 bits after",
    "size": (256, 256),
    "_prepare": squash_256,
}

_ALL = (
    Protocol(
        "imagenet-val5k", 1, "The first 5,000 images of ImageNet's validation set, by name; middle square; 256 x 256.",
        "ColTran (2021), CT2 (2022), DDColor (2023; piddnad/DDColor issue 9 confirms images and crop); crop and filter "
        "as in CT2's released data set (PIL images through torchvision's CenterCrop, then Resize)",
        metrics=_RECENT, images=5000, pattern=_IMAGENET, example=_IMAGENET_EXAMPLE, numbered=True,
        open_questions="ColTran compares with the truths of other images (fid_*_disjoint is that idea within the "
        "5,000), and its crop is TensorFlow's; the file format of the answers is never stated: PNG here.",
        **_SQUARE,
    ),
    Protocol(
        "imagenet-ctest10k", 1,
        "10,000 images of ImageNet's validation set (a published list); middle square; 256 x 256.",
        "Larsson, Maire, Shakhnarovich, ECCV 2016 (list ctest10k.txt); Zhang, Isola, Efros, ECCV 2016; Palette 2022; "
        "iColoriT 2023",
        metrics=("auc_ab", "accuracy", "fid_tf", "psnr"), images=10_000, pattern=_IMAGENET, example=_IMAGENET_EXAMPLE,
        needs_list=True,
        open_questions="the papers share the list and not the geometry, and most do not state theirs: the middle "
        "square at 256 x 256 is this protocol's choice. Palette compares with all 50,000 truths; here it "
        "is the same images.",
        **_SQUARE,
    ),
    Protocol(
        "imagenet-val50k", 1, "All 50,000 images of ImageNet's validation set, squashed to 256 x 256.",
        "ColorFormer (2022), DDColor (2023; piddnad/DDColor issue 9: 'resized into 256 x 256'); filter as in DDColor's "
        "released data set (cv2.resize on float)",
        metrics=_RECENT, images=50_000, pattern=_IMAGENET, example=_IMAGENET_EXAMPLE, numbered=True,
        open_questions="the filter is that of the released training code; the authors do not say which one measured.",
        **_SQUASH,
    ),
    Protocol(
        "coco-stuff-5k", 1, "The 5,000 images of COCO val2017 (COCO-Stuff), squashed to 256 x 256.",
        "ColorFormer (2022), DDColor (2023; piddnad/DDColor issue 9)",
        metrics=_RECENT, images=5000, pattern=r"\d{12}", example="000000000139",
        open_questions="filter as for imagenet-val50k.", **_SQUASH,
    ),
    Protocol(
        "ade20k-2k", 1, "The 2,000 validation images of ADE20K, squashed to 256 x 256.",
        "ColorFormer (2022), DDColor (2023; piddnad/DDColor issue 9)",
        metrics=_RECENT, images=2000, pattern=r"ADE_val_(\d{8})", example="ADE_val_00000001", numbered=True,
        open_questions="filter as for imagenet-val50k; 2,000 images are fewer than FID's 2,048 dimensions.", **_SQUASH,
    ),
    Protocol(
        "chromagan-2020", 1, "1,000 images of ImageNet's validation set, squashed to 224 x 224, in OpenCV's 8-bit Lab.",
        "Vitoria, Raad, Ballester, WACV 2020, and its release's evaluation script: cv2.imread (BGR), cv2.resize, "
        "cv2.cvtColor to 8-bit Lab, PSNR over the three channels of both pictures brought back from 8-bit Lab",
        crop="none: both sides become 224, so the aspect changes",
        resampling="OpenCV, INTER_LINEAR on 8 bits, not antialiased; then to 8-bit Lab and back",
        metrics=("psnr",), images=1000, pattern=_IMAGENET, example=_IMAGENET_EXAMPLE, size=(224, 224),
        open_questions="which 1,000 images is not published, and they are not the first 1,000 (an example of the "
        "release is number 49,397): a figure cannot be expected to agree with the paper's in its last digits.",
        _prepare=release_of_2020,
    ),
    Protocol(
        "folder", 1, "Any pictures, as they are.", "this package",
        crop="none", resampling="none: answer and truth must have the same size", metrics=("psnr", "ssim", "ciede2000"),
    ),
)  # fmt: skip
_BY_NAME = {each.name: each for each in _ALL}


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
