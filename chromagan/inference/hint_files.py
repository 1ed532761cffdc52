"""Files of a person's guidance: NAME.hints.json, and pictures with an alpha whose opaque pixels are wishes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.color.gamut import nearest_in_gamut
from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.conditioning.encode import cover
from chromagan.conditioning.guidance import RGB, Guidance, Layer, Lightness, Stroke
from chromagan.errors import ReadError, UsageError
from chromagan.files.atomic import write_text
from chromagan.images.read import Photo, read_photo
from chromagan.images.resize import reduced_lightness
from chromagan.inference.masks import REGIONS

log = logging.getLogger(__name__)
PICTURES = (".png",)
_SEEN_SIDE = 512  # pixels of the short side at which a stroke's lightness is looked at
_MOVED = 3.0  # units of ab from which a colour counts as moved: 8 bits are coarse where a photo is dark
_ASPECT = 1.03


def read_hints(file: Path) -> Guidance:
    """Read a file of guidance.

    Args:
        file: JSON, or a PNG with an alpha whose opaque pixels are the hints. What a JSON file names lies beside it.

    Raises:
        UsageError: it cannot be read, or is not what it should be.
    """
    if file.suffix.lower() in PICTURES:
        return Guidance(layer=_layer(file))
    try:
        guidance = Guidance.from_json(file.read_text(encoding="utf-8-sig"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--hints {file}: cannot be read: {error}") from error
    # Files that it names lie where they do as seen from it.
    near: dict[str, Any] = {"references": tuple(_beside(one, file) for one in guidance.references)}
    regions = {name: getattr(guidance, name) for name in REGIONS}
    near |= {name: _beside(region, file) for name, region in regions.items() if region and region.file}
    layer = guidance.layer and _layer(file.parent / guidance.layer.file)
    return replace(guidance, layer=layer, **near)


def _beside(named: Any, file: Path) -> Any:
    return replace(named, file=str(file.parent / named.file))


def write_hints(guidance: Guidance, photo: Photo, file: str | os.PathLike[str]) -> Guidance:
    """Write a file of guidance, NAME.hints.json by custom, that says which photo it is for and what colours come to.

    Args:
        guidance: to write.
        photo: that it is for, upright.
        file: where to; a file that stands is replaced.

    Returns:
        What was written: see `applied_guidance`.

    Raises:
        WriteError: it cannot be written.
    """
    written = replace(applied_guidance(guidance, photo), photo=lightness_of(photo.pixels))
    write_text(Path(file), json.dumps(json.loads(written.to_json()), indent=1) + "\n")
    return written


def applied_guidance(guidance: Guidance, photo: Photo) -> Guidance:
    """Guidance whose colour strokes say what they come to at the photo's lightness under them.

    A colour that sRGB cannot show there is moved as little as possible in ab; `Stroke.rgb` stays the wish.
    """
    if not any(stroke.kind == "colour" for stroke in guidance.strokes):
        return guidance
    height, width = photo.pixels.shape[:2]
    scale = min(1.0, _SEEN_SIDE / min(height, width))
    L = reduced_lightness(photo.pixels, (max(1, round(height * scale)), max(1, round(width * scale))))[0, 0]
    coloured = [stroke for stroke in guidance.strokes if stroke.rgb is not None]
    applied = iter(_applied(coloured, L))
    strokes = (stroke if stroke.rgb is None else replace(stroke, applied=next(applied)) for stroke in guidance.strokes)
    return replace(guidance, strokes=tuple(strokes))


def moved_colours(guidance: Guidance) -> list[tuple[RGB, RGB]]:
    """The wishes of `applied_guidance` that were moved into the gamut, and what they became."""
    pairs = [(one.rgb, one.applied) for one in guidance.strokes if one.rgb and one.applied]
    if not pairs:
        return []
    ab = rgb_to_lab(torch.tensor(pairs, dtype=torch.float32).permute(1, 2, 0)[..., None] / 255)[:, 1:, :, 0]
    moved = (ab[0] - ab[1]).norm(dim=0) > _MOVED
    return [pair for pair, far in zip(pairs, moved.tolist(), strict=True) if far]


def tell(guidance: Guidance, photo: Photo) -> None:
    """Log, in a line each, that guidance was made for another photo, and which colours had to be moved."""
    name = photo.path or "a picture"
    if guidance.photo is not None:
        own = lightness_of(photo.pixels)
        if own != guidance.photo:
            other, same_shape = guidance.photo, abs(np.log(_aspect(own) / _aspect(guidance.photo))) < np.log(_ASPECT)
            log.warning("%s: its hints were made for another photo, of %d x %d pixels%s", name, other.width,
                        other.height, " or for another size of it" if same_shape else "")  # fmt: skip
    moved = moved_colours(applied_guidance(guidance, photo))
    if moved:
        wish, found = (f"#{bytes(one).hex()}" for one in moved[0])
        more = f", and {len(moved) - 1} more" if len(moved) > 1 else ""
        log.warning("%s: %s cannot be shown at the lightness there, and is taken as %s%s", name, wish, found, more)


def lightness_of(pixels: NDArray[Any]) -> Lightness:
    """Which photo this is: its size, and the SHA-256 of its luma in 8 bits.

    Luma (Rec. 601) is worked out in whole numbers, so that it is the same on every machine; gray codes are their own.
    """
    codes = _in_8_bits(pixels)
    if codes.ndim == 3:
        red, green, blue = (codes[..., channel].astype(np.uint32) for channel in range(3))
        codes = ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)
    digest = hashlib.sha256(np.ascontiguousarray(codes).data).hexdigest()
    return Lightness(pixels.shape[1], pixels.shape[0], digest)


def layer_pixels(guidance: Guidance) -> NDArray[np.uint8] | None:
    """The picture of a guidance's layer, (H, W, 4) uint8, if it has one; `UsageError` where it cannot be used."""
    return None if guidance.layer is None else _read_layer(guidance.layer)


def _layer(file: Path) -> Layer:
    try:
        layer = Layer(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
    except OSError as error:
        raise UsageError(f"--hints {file}: cannot be read: {error.strerror or error}") from error
    _read_layer(layer)
    return layer


@lru_cache(maxsize=4)
def _read_layer(layer: Layer) -> NDArray[np.uint8]:
    try:
        photo = read_photo(layer.file)
    except ReadError as error:
        raise UsageError(f"--hints {error}") from error
    if photo.alpha is None:
        raise UsageError(f"--hints {layer.file}: it has no alpha; paint on a transparent layer, and save that alone")
    rgba = np.dstack([photo.pixels if photo.pixels.ndim == 3 else cv2.merge([photo.pixels] * 3), photo.alpha])
    rgba = _in_8_bits(rgba)
    if not rgba[..., 3].any():
        raise UsageError(f"--hints {layer.file}: nothing is painted on it; paint the hints, opaque")
    if rgba[..., 3].all():
        raise UsageError(f"--hints {layer.file}: it is opaque everywhere; paint on a transparent layer")
    return rgba


def _in_8_bits(codes: NDArray[Any]) -> NDArray[np.uint8]:
    return codes if codes.dtype == np.uint8 else ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _applied(strokes: Sequence[Stroke], L: torch.Tensor) -> list[RGB]:
    """What the colours of strokes come to at the median lightness under each; all together, as each is little work."""
    under = [L[torch.from_numpy(cover([stroke], (L.shape[0], L.shape[1]))) > 0].median() for stroke in strokes]
    lightness = torch.stack(under).float()
    rgb = torch.tensor([stroke.rgb for stroke in strokes], dtype=torch.float32)
    ab = rgb_to_lab((rgb / 255).T[None, :, :, None])[0, 1:, :, 0]
    lab = torch.cat([lightness[None], nearest_in_gamut(lightness, ab)])
    codes = (lab_to_rgb(lab[None, ..., None])[0, ..., 0].T.double() * 255).round()
    return [(red, green, blue) for red, green, blue in codes.int().tolist()]


def _aspect(photo: Lightness) -> float:
    return photo.width / photo.height
