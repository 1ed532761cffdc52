"""The three nodes. An IMAGE is (B, H, W, C) float in [0, 1]; a MASK is (B, H, W) or (H, W) float, 1 where it holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

MODEL = ("STRING", {"default": "chromagan", "tooltip": "chromagan, chromagan@small, or a .safetensors file"})
SATURATION = ("FLOAT", {"default": 1.0, "min": 0.0, "max": 3.0, "step": 0.05, "tooltip": "1 leaves the colours"})
WARMTH = ("FLOAT", {"default": 0.0, "min": -1.0, "max": 1.0, "step": 0.05, "tooltip": "from colder to warmer"})
SIZE = ("INT", {"default": 0, "min": 0, "max": 2048, "step": 16, "tooltip": "working size; 0: what suits the weights"})
COLOUR = ("STRING", {"default": "#a03c28", "tooltip": "under the mask, where no picture of hints is given"})


@lru_cache(maxsize=1)
def _colorizer(model: str, version: str) -> Any:
    """The one that is kept; `version` changes with the file of the weights."""
    from chromagan import Colorizer

    return Colorizer.from_pretrained(model)


def _version(model: str) -> str:
    """Of a file of weights, so that new ones under an old name are seen; empty for a name."""
    path = Path(model)
    return f"{path.stat().st_mtime_ns} {path.stat().st_size}" if path.is_file() else ""


def _pictures(batch: Any) -> list[Any]:
    """The float arrays of a batch; what samplers leave a hair outside of [0, 1] is cut off."""
    return list(batch.detach().cpu().float().clamp(0, 1).numpy())


def _rgb(picture: Any) -> Any:
    return picture[..., :3] if picture.shape[2] >= 3 else picture[..., :1].repeat(3, axis=2)


def _image(pictures: list[Any]) -> tuple[Any]:
    import torch

    return (torch.stack([torch.from_numpy(picture).float() for picture in pictures]),)


def _together(**batches: list[Any]) -> Iterator[tuple[Any, ...]]:
    """What belongs together of several batches, each as long as the longest, or one for all; of one shape."""
    count = max(map(len, batches.values()))
    if any(len(batch) not in (1, count) for batch in batches.values()):
        counts = ", ".join(f"{len(batch)} of {name}" for name, batch in batches.items())
        raise ValueError(f"{counts}: give as many of each, or one")
    for row in zip(*(batch * (count // len(batch)) for batch in batches.values()), strict=True):
        (height, width), *others = (one.shape[:2] for one in row)
        for name, (rows, columns) in zip(list(batches)[1:], others, strict=True):
            if abs(rows / height * width / columns - 1) > 0.05:  # sizes that were rounded to a multiple of 8 pass
                raise ValueError(f"{name} is {columns} x {rows} and the photo {width} x {height}: of another shape")
        yield row


class _Node:
    CATEGORY, FUNCTION = "image/colorize", "run"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def IS_CHANGED(cls, model: str | None = None, **_: Any) -> str:  # noqa: N802 (ComfyUI's name)
        """Equal inputs give equal pictures, unless the file of the weights is another one."""
        return _version(model or "")  # None: another node says it, once it has run


class Colorize(_Node):
    """Colours for photos, whose lightness stays."""

    DESCRIPTION = "Colorizes photos. Their lightness stays; where they have colours, these are replaced."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Sockets and widgets."""
        widgets = {"model": MODEL, "saturation": SATURATION, "warmth": WARMTH, "size": SIZE}
        return {"required": {"image": ("IMAGE",), **widgets}}

    def run(self, image: Any, model: str, saturation: float, warmth: float, size: int) -> tuple[Any]:
        """An IMAGE of the same size."""
        colorizer = _colorizer(model, _version(model))
        asked = {"saturation": saturation, "warmth": warmth, "size": size or None}
        parts = image.split(colorizer.batch_size)  # of a long batch, no more than these are held as photos
        return _image([picture for part in parts for picture in colorizer(_pictures(part), **asked)])


class KeepLightness(_Node):
    """The colours of any picture on a photo's own lightness; where it cannot show one, chroma gives way."""

    DESCRIPTION = (
        "Puts the colours of any picture, whatever made it and at whatever size, on the photo's own lightness."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Sockets and widgets."""
        return {"required": {"photo": ("IMAGE",), "colours": ("IMAGE",), "saturation": SATURATION}}

    def run(self, photo: Any, colours: Any, saturation: float) -> tuple[Any]:
        """An IMAGE of the photo's size, with its alpha."""
        import numpy as np
        import torch

        from chromagan.color.lab import rgb_to_lab
        from chromagan.images.join import join_chroma
        from chromagan.images.read import to_photo

        done = []
        for own, picture in _together(photo=_pictures(photo), colours=_pictures(colours)):
            ab = rgb_to_lab(torch.from_numpy(_rgb(picture)).permute(2, 0, 1)[None])[:, 1:] * saturation
            kept = to_photo(own)
            planes = [join_chroma(kept.pixels, ab), *([] if kept.alpha is None else [kept.alpha])]
            done.append(np.dstack(planes) / 65535)
        return _image(done)


class ApplyHints(_Node):
    """Colours that a person gives, at places that a mask says."""

    DESCRIPTION = "Colorizes with your colours: the mask says where, and what is like it beside it takes them too."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """Sockets and widgets."""
        widgets = {"colour": COLOUR, "model": MODEL, "saturation": SATURATION}
        return {"required": {"image": ("IMAGE",), "mask": ("MASK",), **widgets}, "optional": {"hints": ("IMAGE",)}}

    def run(self, image: Any, mask: Any, colour: str, model: str, saturation: float, hints: Any = None) -> tuple[Any]:
        """An IMAGE of the same size."""
        from PIL import Image, ImageColor

        from chromagan.inference.hint_files import read_hints

        colorizer, done = _colorizer(model, _version(model)), []
        batches = {"image": _pictures(image), "mask": _pictures(mask.reshape(-1, *mask.shape[-2:]))}
        for own, where, *painted in _together(**batches, **({} if hints is None else {"hints": _pictures(hints)})):
            alpha = Image.fromarray((where * 255).round().astype("uint8"))
            if alpha.getextrema() in ((0, 0), (255, 255)):
                raise ValueError("the mask is the same everywhere; let it be 1 at the places of the hints alone")
            layer = Image.new("RGB", alpha.size, ImageColor.getrgb(colour)[:3])
            if painted:
                layer = Image.fromarray((_rgb(painted[0]) * 255).round().astype("uint8")).resize(alpha.size, 0)
            layer.putalpha(alpha)
            with tempfile.TemporaryDirectory() as folder:
                layer.save(file := Path(folder, "hints.png"))
                done.append(colorizer(own, guidance=read_hints(file), saturation=saturation))
        return _image(done)
