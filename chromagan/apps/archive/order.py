"""What an archive is to become, as plain data that goes to every machine."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass

from chromagan.errors import UsageError
from chromagan.files.suffixes import WRITTEN, is_photo_name
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.write import output_suffix
from chromagan.inference.request import Request

OWN = "_chromagan"
"""The folder below the output in which manifest, status and failures lie."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for of every photo of an archive.

    Attributes:
        out: URI or path of the folder of the outputs.
        model: a shipped network, or a weights file that every machine finds.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: photos of one shape that go through the network together. Above 1, a photo's last bits depend on
            which others it went with, and so on what was killed.
        processors: of each `Colorizer`; a cluster finds them by itself.
        request: of every photo.
        photo_format: of the outputs; that of the input unless given.
        quality: of lossy formats, 1 to 100.
        keep_metadata: carry EXIF, XMP, IPTC and resolution over.
        recolour: paint photos too that are in colour.
        overwrite: make anew what other options or weights made.
        status_seconds: between two files of status; what a killed worker has done since the last one is done again.

    Raises:
        UsageError: a value out of range, or a format that cannot be written here.
    """

    out: str
    model: str = "chromagan"
    device: str = "auto"
    batch_size: int = 1
    processors: int = 1
    request: Request = Request()
    photo_format: str | None = None
    quality: int = 95
    keep_metadata: bool = True
    recolour: bool = False
    overwrite: bool = False
    status_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.processors < 1:
            raise UsageError("a batch has at least 1 photo, and a colorizer at least 1 processor")
        if not 1 <= self.quality <= 100:
            raise UsageError(f"the quality must lie between 1 and 100, not {self.quality}")
        if self.request.variations:
            raise UsageError("an archive gets one picture of each photo; leave the variations out")
        if self.photo_format:
            output_suffix("png", self.photo_format, 8)

    def output_name(self, photo: str) -> str:
        """The output of a photo below `out`; it hangs on the photo's id alone, and no other has the same.

        An id with a right ending is kept, unless what stands before that ending is a photo's name, too: beside
        `a.png`, which stays, `a.bmp` becomes `a.bmp.png`, and `a.bmp.png`, `a.bmp.png.png`. An id that is no photo's
        name gets the ending twice.
        """
        stem, ending = os.path.splitext(photo)
        wanted = WRITTEN.get(f".{self.photo_format.lower().lstrip('.')}", self.photo_format) if self.photo_format else (
            WRITTEN.get(ending.lower(), "png"))  # fmt: skip
        if WRITTEN.get(ending.lower()) == wanted and not is_photo_name(stem):
            return photo
        return photo + output_suffix("png", wanted, 8) * (1 if is_photo_name(photo) else 2)

    def digest(self, mark: ProvenanceMark) -> str:
        """Twelve hexadecimal digits for all that changes an output: options, request and weights."""
        kept = ("photo_format", "quality", "keep_metadata", "recolour")
        asked = {name: value for name, value in asdict(self).items() if name in kept}
        words = json.dumps([asked, self.request.digest, mark.model, mark.sha256], sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:12]
