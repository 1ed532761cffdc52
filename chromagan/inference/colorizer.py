"""Photo in, photo out: the `Colorizer`.

A photo walks through five stages, each a method, so that a batch can overlap them: `prepare` reduces its lightness,
`predict` runs the network, `enlarge` brings ab up under the guidance of the photo's own L, `finish` joins it with the
original pixels.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.compute.device import Module, choose_device, place
from chromagan.compute.precision import has_fast_bfloat16
from chromagan.errors import ModelError, UsageError
from chromagan.images.enlarge_chroma import ChromaStep, bicubic_step, enlarge_chroma, plan_octaves
from chromagan.images.join import join_chroma
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, to_photo
from chromagan.images.resize import reduced_lightness, resize_antialiased
from chromagan.inference.picture import from_photo
from chromagan.models.contract import ColorizationNetwork, GlobalHints, Hints
from chromagan.models.look import balance, settle
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.create import load_upsampler
from chromagan.pretrained.hub import HubColorizer, card_of, load_pretrained
from chromagan.version import __version__

DEFAULT_SIZE = 256
SIZES = (16, 4096)
LONGEST_ASPECT = 4
GUIDE_PIXELS = 400_000  # of the learned steps; a larger photo gets its last octaves bicubically


@dataclass(frozen=True)
class Prepared:
    """What the network stages need of a photo.

    Attributes:
        L: (1, 1, h, w) float32 in [0, 100] at the working size.
        guide: (1, 1, h', w') L at the size that ab is brought up to.
        size: the photo's (H, W).
    """

    L: Tensor
    guide: Tensor
    size: tuple[int, int]


class Colorizer(HubColorizer):
    """Colorizes photographs of any size, depth and aspect with one network.

    The output has the input's size, depth, alpha and lightness; only chroma is new.

    Args:
        network: any registered network.
        upsampler: the x2 step that enlarges ab (`ChromaUpsampler`); plain bicubic unless given.
        size: working size: the short side, in pixels, of what the network sees. The aspect is kept up to 4 to 1.
        saturation: base factor on the network's ab.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: photos of one working shape that go through the network together.
        sha256: digest of the weights, for the provenance mark.
        model: name for the provenance mark.
        typical_chroma: mean chroma that photos are drawn towards, see `balance`; 0 leaves the answers as they are.
        annealed_share: share of the bins' annealed mean in the colours, for networks that predict bins; see `settle`.
    """

    def __init__(
        self,
        network: ColorizationNetwork,
        *,
        upsampler: ChromaStep | None = None,
        size: int = DEFAULT_SIZE,
        saturation: float = 1.0,
        device: str = "auto",
        batch_size: int = 4,
        sha256: str = "",
        model: str = "",
        typical_chroma: float = 0.0,
        annealed_share: float = 0.0,
    ) -> None:
        _check_options(size, saturation, batch_size, annealed_share)
        self.size, self.saturation, self.batch_size = size, saturation, batch_size
        self.typical_chroma, self.annealed_share = typical_chroma, annealed_share
        self.device = choose_device(device)
        self._bfloat16 = has_fast_bfloat16(self.device)
        self.network = _settle(network, self.device)
        if isinstance(upsampler, nn.Module):
            upsampler = _settle(upsampler, self.device)
        self._step: ChromaStep = upsampler or bicubic_step
        self._card: WeightsCard | None = None
        self.mark = ProvenanceMark(model or type(network).__name__, sha256, f"chromagan {__version__}")

    @classmethod
    def from_pretrained(
        cls,
        name_or_file: str | os.PathLike[str] = "chromagan",
        device: str = "auto",
        size: int | None = None,
        saturation: float | None = None,
        batch_size: int = 4,
    ) -> Colorizer:
        """A colorizer with shipped or given weights.

        Args:
            name_or_file: a name whose weights are shipped, a .safetensors file, a state dict or Keras file that the
                authors of a registered network publish (read as tensors only), a folder that `save_pretrained`
                wrote, or OWNER/NAME of the Hugging Face Hub (extra `hub`); see `find_weights` for the order.
            device: "auto", "cpu", "cuda" or "mps".
            size: working size; what suits the weights unless given.
            saturation: base factor on ab; what suits the weights unless given.
            batch_size: photos of one working shape that go through the network together.

        Raises:
            ModelError: there is no such model.
            WeightsError: the weights are missing, damaged, or a pickle of anything else.
            DeviceError: the device is not there.
        """
        choose_device(device)  # told before seconds of loading
        network, card = load_pretrained(name_or_file)
        colorizer = cls(
            network,
            upsampler=load_upsampler(),
            size=int(card.inference.get("size", DEFAULT_SIZE)) if size is None else size,
            saturation=float(card.inference.get("saturation", 1.0)) if saturation is None else saturation,
            device=device,
            batch_size=batch_size,
            sha256=card.sha256,
            model=card.model,
            typical_chroma=float(card.inference.get("typical_chroma", 0.0)),
            annealed_share=float(card.inference.get("annealed_share", 0.0)),
        )
        colorizer._card = card
        return colorizer

    def pretrained_card(self) -> WeightsCard:
        """What the weights say of themselves, with this colorizer's settings as defaults for sampling."""
        settings = {"size": float(self.size), "saturation": self.saturation, "typical_chroma": self.typical_chroma}
        if self.annealed_share:
            settings["annealed_share"] = self.annealed_share
        return replace(self._card or card_of(self.network), inference=settings)

    def __call__(self, image: Any, saturation: float = 1.0) -> Any:
        """Colorize a picture, or a list of pictures.

        Args:
            image: a path, a PIL image, or an array (H, W), (H, W, 1 to 4): uint8, uint16, bool, or float in [0, 1]; or
                a list of such. Of a colour picture the lightness alone is used.
            saturation: factor on the chroma, over that of the colorizer.

        Returns:
            A PIL image for a path or PIL image (8 bits a channel; a 16-bit file keeps its depth through
            `colorize_photo`, and a warning says so here), an array of the same type for an array, a list for a list;
            RGB, or RGBA where the picture has an alpha.
        """
        if isinstance(image, list | tuple):
            photos = [to_photo(one) for one in image]
            done = self.colorize_photos(photos, saturation)
            return [from_photo(photo, one) for photo, one in zip(done, image, strict=True)]
        return from_photo(self.colorize_photo(to_photo(image), saturation), image)

    def colorize_photo(self, photo: Photo, saturation: float = 1.0) -> Photo:
        """Colorize one photo, at its own depth."""
        return self.colorize_photos([photo], saturation)[0]

    def colorize_photos(self, photos: Sequence[Photo], saturation: float = 1.0) -> list[Photo]:
        """Colorize several photos; those of one working shape share a batch."""
        prepared = [self.prepare(photo) for photo in photos]
        small = self.predict([one.L for one in prepared])
        grids = [self.enlarge(ab, one) for ab, one in zip(small, prepared, strict=True)]
        return [self.finish(photo, ab, saturation) for photo, ab in zip(photos, grids, strict=True)]

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """The (rows, columns) at which the network sees a photo of a size."""
        stride = self.network.ab_stride
        short = min(height, width)
        scale = self.size / short
        limit = self.size * LONGEST_ASPECT
        rows, columns = (max(stride, round(min(side * scale, limit) / stride) * stride) for side in (height, width))
        return rows, columns

    def prepare(self, photo: Photo) -> Prepared:
        """Reduce a photo's lightness to the working size and to the guide's; runs on the CPU, in any thread."""
        height, width = photo.pixels.shape[:2]
        rows, columns = self.working_size(height, width)
        grid = (math.ceil(rows / self.network.ab_stride), math.ceil(columns / self.network.ab_stride))
        steps, grid_rows, grid_columns = plan_octaves(grid, (height, width), GUIDE_PIXELS)
        top = (grid_rows << steps, grid_columns << steps)
        if top[0] >= rows and top[1] >= columns:
            guide = reduced_lightness(photo.pixels, top)
            L = resize_antialiased(guide, (rows, columns))
        else:
            # A small photo is enlarged, bicubically, to what the network was trained on.
            L = reduced_lightness(photo.pixels, (min(height, rows), min(width, columns)))
            guide = L if steps == 0 else reduced_lightness(photo.pixels, top)
            L = F.interpolate(L, size=(rows, columns), mode="bicubic", align_corners=False).clamp(0, 100)
        return Prepared(L, guide, (height, width))

    @torch.inference_mode()
    def predict(self, lightness: Sequence[Tensor], hints: Sequence[Hints | None] | None = None) -> list[Tensor]:
        """Run the network.

        Args:
            lightness: (1, 1, h, w) float32 in [0, 100] each; those of one shape share a batch.
            hints: for each, colours that a person gives, at the size of `lightness`, or None; for networks that take
                hints. Photos with hints share no batch with those without.

        Returns:
            For each, (1, 2, h / ab_stride, w / ab_stride) float32 ab on the colorizer's device.

        Raises:
            ModelError: the network's answer is not finite, or it takes no hints.
        """
        given = [None] * len(lightness) if hints is None else hints
        answers: dict[int, Tensor] = {}
        alike: dict[tuple[Any, ...], list[int]] = {}
        for index, (L, hint) in enumerate(zip(lightness, given, strict=True)):
            kind = hint is None, hint is None or hint.overall is None
            alike.setdefault((*L.shape, *kind), []).append(index)
        for indices in alike.values():
            for start in range(0, len(indices), self.batch_size):
                chosen = indices[start : start + self.batch_size]
                batch = torch.cat([lightness[i] for i in chosen]).to(self.device)
                shown = _batch_of_hints([hint for i in chosen if (hint := given[i]) is not None], self.device)
                with self._autocast():
                    prediction = self.network(batch.contiguous(memory_format=torch.channels_last), shown)
                bins = getattr(self.network, "bins", None)
                ab = settle(prediction, bins, self.annealed_share, self.typical_chroma)
                if not torch.isfinite(ab).all():
                    raise ModelError(
                        f"model {self.mark.model} gave values that are not finite; its weights do not suit it"
                    )
                answers.update(zip(chosen, ab.split(1), strict=True))
        return [answers[index] for index in range(len(lightness))]

    @torch.inference_mode()
    def enlarge(self, ab: Tensor, prepared: Prepared) -> Tensor:
        """Bring a predicted ab grid up, guided by the photo's L, to the photo's size or about a megapixel."""
        guide = prepared.guide.to(self.device)

        def lightness(size: tuple[int, int]) -> Tensor:
            factor = guide.shape[-2] // size[0]
            if (size[0] * factor, size[1] * factor) == tuple(guide.shape[-2:]):
                return guide if factor == 1 else F.avg_pool2d(guide, factor)
            return resize_antialiased(guide, size)

        with self._autocast():
            return enlarge_chroma(ab, lightness, prepared.size, self._step, GUIDE_PIXELS).float()

    def finish(
        self,
        photo: Photo,
        ab: Tensor,
        saturation: float = 1.0,
        lightness: float | None = None,
        threads: int | None = None,
    ) -> Photo:
        """Join an ab grid with the original pixels; runs on the CPU, in any thread.

        Args:
            photo: the photo.
            ab: (1, 2, h, w) from `enlarge`.
            saturation: factor over that of the colorizer.
            lightness: a constant L instead of the photo's own, for a colour layer.
            threads: threads that share the work.
        """
        if saturation < 0 or not math.isfinite(saturation):
            raise UsageError(f"saturation must be 0 or more, not {saturation}")
        pixels = join_chroma(photo.pixels, ab, self.saturation * saturation, lightness, threads)
        return replace(photo, pixels=np.ascontiguousarray(pixels))

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self._bfloat16 else nullcontext()


def _batch_of_hints(hints: Sequence[Hints], device: torch.device) -> Hints | None:
    """Hints of several photos, all with `overall` or none, as those of one batch; None for no hints."""
    if not hints:
        return None
    ab, mask = (torch.cat([getattr(one, name) for one in hints]).to(device) for name in ("ab", "mask"))
    overall = [one.overall for one in hints if one.overall is not None]
    if not overall:
        return Hints(ab, mask)
    known = ([getattr(one, name) for one in overall] for name in ("histogram", "saturation", "given"))
    return Hints(ab, mask, GlobalHints(*(torch.cat(parts).to(device) for parts in known)))


def _settle(module: Module, device: torch.device) -> Module:
    """For inference on a device, with the layout that its convolutions are fastest in."""
    return place(module.eval().requires_grad_(False), device)


def _check_options(size: int, saturation: float, batch_size: int, annealed_share: float) -> None:
    if not SIZES[0] <= size <= SIZES[1]:
        raise UsageError(f"the working size must lie between {SIZES[0]} and {SIZES[1]} pixels, not {size}")
    if not (saturation >= 0 and math.isfinite(saturation)):
        raise UsageError(f"saturation must be 0 or more, not {saturation}")
    if not 0 <= annealed_share <= 1:
        raise UsageError(f"the share of the annealed mean must lie between 0 and 1, not {annealed_share}")
    if batch_size < 1:
        raise UsageError(f"the batch size must be at least 1, not {batch_size}")


__all__ = ["Colorizer", "Prepared", "balance"]
