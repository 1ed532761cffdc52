"""Why a request is answered without a photo, and the status that says so."""

from __future__ import annotations

from chromagan.apps.web.uploads import NoPhoto, TooLarge
from chromagan.errors import ChromaganError, DeviceError, ModelError, ReadError, UsageError


class Malformed(UsageError):
    """A request whose parts cannot be told apart."""


class Slow(ChromaganError):
    """A request that took too long to arrive."""


class Busy(ChromaganError):
    """As many photos as there may be are waiting; `seconds` says when to come again."""

    seconds = 1


class Unavailable(ChromaganError):
    """The service ends, has failed, or came to no end of what waited before; `seconds` says when to come again."""

    seconds = 5


class Late(ChromaganError):
    """A photo that took too long to colour."""


class Gone(ChromaganError):
    """The client went away."""


STATUS: dict[type[Exception], int] = {
    Malformed: 400, Slow: 408, TooLarge: 413, NoPhoto: 415, Busy: 429, Gone: 499, Unavailable: 503, Late: 504,
    DeviceError: 503, ReadError: 422, UsageError: 422, ModelError: 422,
}  # fmt: skip
"""By cause, the nearest first; whatever stands not here is the service's own fault, 500."""

TOLD = {
    400: "the parts of the request cannot be told apart",
    408: "the request took too long to arrive",
    413: "more bytes or pixels than are taken",
    415: "no photo, or none of a format that is read here",
    422: "a photo that cannot be coloured, or a wish that cannot be",
    429: "as many photos as there may be are waiting; Retry-After says when to come again",
    500: "the service failed; its log says why",
    503: "the service ends, or too much waited before; Retry-After says when to come again",
    504: "the photo took too long",
}
"""What each status means, for the description."""


def status_of(error: BaseException) -> int:
    """The status that stands for an error."""
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
