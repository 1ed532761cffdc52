"""Names of version 0.1 that still work, with a word about what replaces them; they go with version 0.3."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from chromagan.images.read import Photo
from chromagan.inference.request import Request
from chromagan.models.look import Look

LOOKS = ("size", "saturation", "typical_chroma", "annealed_share")


def deprecated(name: str, instead: str) -> None:
    """Warn the caller's caller that a name goes."""
    warnings.warn(f"{name} goes with version 0.3; use {instead}", DeprecationWarning, stacklevel=3)


def look_of(look: Look | None, old: dict[str, Any]) -> Look:
    """The look of a constructor's arguments, of today or of version 0.1; `TypeError` for any other."""
    unknown = old.keys() - set(LOOKS)
    if unknown:
        raise TypeError(f"Colorizer() has no argument {', '.join(sorted(unknown))}")
    if old:
        deprecated(f"Colorizer({', '.join(old)}=...)", "look=Look(...)")
    return replace(look or Look(), **old)


class OldNames:
    """What a `Colorizer` of version 0.1 had beside what it has now."""

    look: Look
    colorize: Callable[..., list[list[Any]]]

    def __getattr__(self, name: str) -> Any:
        if name not in LOOKS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        deprecated(f"Colorizer.{name}", f"Colorizer.look.{name}")
        return getattr(self.look, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in LOOKS:
            deprecated(f"Colorizer.{name} = ...", "Colorizer.look = replace(colorizer.look, ...)")
            name, value = "look", replace(self.look, **{name: value})
        super().__setattr__(name, value)

    def colorize_photo(self, photo: Photo, saturation: float = 1.0) -> Photo:
        """Deprecated: `colorize`."""
        deprecated("Colorizer.colorize_photo", "Colorizer.colorize")
        return self.colorize([photo], Request(saturation=saturation))[0][0].photo

    def colorize_photos(self, photos: Sequence[Photo], saturation: float = 1.0) -> list[Photo]:
        """Deprecated: `colorize`."""
        deprecated("Colorizer.colorize_photos", "Colorizer.colorize")
        return [pictures[0].photo for pictures in self.colorize(photos, Request(saturation=saturation))]
