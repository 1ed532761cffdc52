"""One photo of a batch: where it comes from, what is asked for, and where each of its files goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chromagan.images.read import MAX_PIXELS, Photo
from chromagan.inference.request import Request


@dataclass(frozen=True)
class Job:
    """One photo to colorize.

    Attributes:
        source: where it comes from; messages name it.
        output: where the colorized photo goes.
        compare: where the sheet before | after goes, if one is wanted.
        layer: where the colour layer goes, if one is wanted.
        sheet: where the contact sheet of several variations goes, if one is wanted.
        load: gives the photo's pages; they are read from `source` unless given.
        accept_truncated: a photo whose end is missing is colorized as far as it goes.
        most_pixels: a photo with more, all its pages together, is refused.
        request: what is asked for.
        shared: another photo beside it has the same name up to its ending.
        name: the photo's name, with the folders below its input; that of the source unless given.
        told: what is to be told of the photo when it is done, by name, as plain values; filled on its way.
    """

    source: Path
    output: Path
    compare: Path | None = None
    layer: Path | None = None
    sheet: Path | None = None
    load: Callable[[], list[Photo]] | None = None
    accept_truncated: bool = False
    most_pixels: int = MAX_PIXELS
    request: Request = field(default_factory=Request)
    name: Path = Path()
    shared: bool = False
    told: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def outputs(self) -> list[Path]:
        """All files that the job writes; the colorized photo comes last."""
        return list(self.asked)

    @property
    def asked(self) -> dict[Path, Request]:
        """Each of the `outputs` with the request that it is of."""
        files = {self.sheet: self.request} if self.sheet else {}
        for one in self.pictures:
            files |= {path: one.request for path in (one.layer, one.compare, one.output) if path is not None}
        return files

    @property
    def pictures(self) -> list[Job]:
        """A job for every picture alone: itself, or one variation, NAME.v1 and on."""
        if not self.request.variations:
            return [self]
        pictures = []
        for number, one in enumerate(self.request.each, 1):
            output, compare, layer = (_numbered(path, number) for path in (self.output, self.compare, self.layer))
            pictures.append(replace(self, output=output, compare=compare, layer=layer, sheet=None, request=one))
        return pictures

    def with_request(self, request: Request) -> Job:
        """The job of a request; several variations bring a contact sheet."""
        name = self.output.name if self.shared else self.output.stem
        sheet = self.output.with_name(f"{name}-variations.jpg") if request.variations > 1 else None
        return replace(self, request=request, sheet=sheet)


def _numbered(path: Any, number: int) -> Any:
    return path and path.with_name(f"{path.stem}.v{number}{path.suffix}")
