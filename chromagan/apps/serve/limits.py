"""What the service takes, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, fields

from chromagan.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """Bounds, each above 0.

    Attributes:
        upload_bytes: of one request, with all that comes beside the photo.
        pixels: of each picture in it, by its header; all pages of a TIFF together.
        photos: accepted and not yet answered; one more is refused with 429.
        seconds: from the whole photo's arrival to its colours; after them 503 where it still waits, 504 otherwise.
        transfer_seconds: in which a request must arrive, and its answer be taken.

    Raises:
        UsageError: one is not above 0.
    """

    upload_bytes: int = 100_000_000
    pixels: int = 120_000_000
    photos: int = 32
    seconds: float = 120.0
    transfer_seconds: float = 120.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            value = getattr(self, bound.name)
            if not value > 0:
                raise UsageError(f"{bound.name.replace('_', ' ')} must be above 0, not {value}")
