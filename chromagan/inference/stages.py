"""The stages that a photo walks through, and the one way to paint that is built on them.

`prepare` reduces its lightness, `predict` runs the network, `settle` makes ab of its answer, `enlarge` brings ab up
under the photo's own L, `guide` does what a person wishes, `join` gives the original pixels that chroma. Whatever
paints goes through this module: the `Colorizer`, a batch, held-out validation, previews and sheets show the same
colours of the same photo.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from chromagan.conditioning.condition import NOTHING, Condition, LocalHints
from chromagan.conditioning.variations import Doubt
from chromagan.images.enlarge_chroma import ChromaStep, bicubic_step, enlarge_chroma, plan_octaves
from chromagan.images.join import join_chroma as join
from chromagan.images.keep import put_back
from chromagan.images.resize import reduced_lightness, resize_antialiased
from chromagan.inference.draw import Adviser, doubt_of, drawn
from chromagan.inference.guide import Ground, guide
from chromagan.inference.predict import device_of, precision_for, predict
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look, settle

T = TypeVar("T")
LONGEST_ASPECT = 4
_NO_COLOUR = 0.01  # Lab units; a network that answers less everywhere has answered gray
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


def working_size(height: int, width: int, size: int, stride: int) -> tuple[int, int]:
    """The (rows, columns) at which a network sees a photo: the aspect is kept up to 4 to 1.

    Args:
        height: of the photo.
        width: of the photo.
        size: the short side that is asked for.
        stride: the network's `ab_stride`; both sides are multiples of it.
    """
    scale, limit = size / min(height, width), size * LONGEST_ASPECT
    rows, columns = (max(stride, round(min(side * scale, limit) / stride) * stride) for side in (height, width))
    return rows, columns


def prepare(pixels: NDArray[Any], size: int, network: ColorizationNetwork) -> Prepared:
    """Reduce a photo's lightness to the working size and to the guide's; runs on the CPU, in any thread.

    Args:
        pixels: (H, W) gray or (H, W, 3) RGB codes, uint8 or uint16; or (H, W) float32, L itself.
        size: working size, see `Look`.
        network: that will see it.
    """
    height, width = pixels.shape[:2]
    # What the network sees, the grid that it answers on, and the size that doublings of that grid come to.
    rows, columns = working_size(height, width, size, network.ab_stride)
    grid = (math.ceil(rows / network.ab_stride), math.ceil(columns / network.ab_stride))
    steps, grid_rows, grid_columns = plan_octaves(grid, (height, width), GUIDE_PIXELS)
    top = (grid_rows << steps, grid_columns << steps)
    # One pass over the photo: the guide, from which L is reduced further.
    if top[0] >= rows and top[1] >= columns:
        guide = reduced_lightness(pixels, top)
        L = resize_antialiased(guide, (rows, columns))
    else:
        # A small photo is enlarged, bicubically, to what the network was trained on.
        L = reduced_lightness(pixels, (min(height, rows), min(width, columns)))
        guide = L if steps == 0 else reduced_lightness(pixels, top)
        L = F.interpolate(L, size=(rows, columns), mode="bicubic", align_corners=False).clamp(0, 100)
    return Prepared(L, guide, (height, width))


@torch.no_grad()
def enlarge(ab: Tensor, prepared: Prepared, step: ChromaStep) -> Tensor:
    """Bring a predicted ab grid up, guided by the photo's L, to the photo's size or to `GUIDE_PIXELS`.

    Args:
        ab: (1, 2, h, w) in Lab units, from `predict`.
        prepared: the photo that it is of.
        step: one x2 enlargement.

    Returns:
        (1, 2, h', w') float32 on the device of `ab`; `join` does the rest.
    """
    guide = prepared.guide.to(ab.device)

    def lightness(size: tuple[int, int]) -> Tensor:
        factor = guide.shape[-2] // size[0]
        if (size[0] * factor, size[1] * factor) == tuple(guide.shape[-2:]):
            return guide if factor == 1 else F.avg_pool2d(guide, factor)
        return resize_antialiased(guide, size)

    with precision_for(ab.device):
        return enlarge_chroma(ab, lightness, prepared.size, step, GUIDE_PIXELS).float()


class Walk:
    """A photo on its way through the stages, which it takes in this order: `start`, `answer`, `end`.

    Args:
        pixels: of the photo, see `prepare`.
        look: that of the weights, with what the request asks for laid over it.
        request: what is asked for.
        condition: what of it a network is shown, at the working size, of kinds that the network accepts.

    Attributes:
        prepared: after `start`.
        ground: what guidance meets in this photo, after `start`.
        prediction: after `answer`.
        doubt: what variations are drawn from, once some were.
        painted: for each picture that is asked for, (1, 2, h, w) on the CPU, without saturation, after `answer`.
        turn: how the painting of a network that is shown wishes differs from the one without, where they are carried.
        free: the same with all that is wished, as if nothing stayed as it is.
        abs: the same with the photo's own colours where they stay.
        gray: whether the network answered no colour anywhere, after `answer`.
        wishes: colours at places that are carried on where the request has no strokes, of one photo, at any size.
    """

    prepared: Prepared
    ground: Ground
    prediction: Prediction
    doubt: Doubt | None = None
    painted: list[Tensor]
    turn: Tensor | None = None
    free: list[Tensor]
    abs: list[Tensor]
    gray: bool
    wishes: LocalHints | None = None

    def __init__(
        self, pixels: NDArray[Any], look: Look, request: Request | None = None, condition: Condition = NOTHING
    ) -> None:
        self.pixels, self.look, self.condition = pixels, look, condition
        self.request = request or Request()

    @property
    def ab(self) -> Tensor:
        """The colours of the first picture."""
        return self.abs[0]

    @property
    def carries(self) -> bool:
        """Whether colours that the network is shown at places are carried on as well; `painted` is then without."""
        guidance = self.request.guidance
        wished = guidance.strokes or guidance.layer or self.wishes is not None
        return self.condition.local is not None and bool(wished)

    def start(self, network: ColorizationNetwork) -> Walk:
        """The first stage; on the CPU, in any thread."""
        self.prepared = prepare(self.pixels, self.look.size, network)
        self.ground = Ground(self.prepared.guide, self.pixels)
        return self

    def again(self, request: Request, look: Look) -> Walk:
        """The same photo, from the network's answer on, as another request has it; see `guided`."""
        other = copy(self)
        other.request, other.look = request, look
        return other

    def coloured(self, saturation: float) -> Walk:
        """The same way with a further factor on its colours; a wish is met as it was."""
        return self.again(self.request, replace(self.look, saturation=self.look.saturation * saturation)).guided()

    def guided(self) -> Walk:
        """The stage after the network's: the look's saturation, and what a person wishes."""
        factor = self.look.saturation
        turn = None if self.turn is None else factor * self.turn
        self.free = [guide(factor * ab, self.ground, self.request, self.wishes, turn) for ab in self.painted]
        self.abs = [self.ground.keep(ab, self.request.guidance) for ab in self.free]
        return self

    def end(self, lightness: float | None = None, spend: bool = False, number: int = 0) -> NDArray[Any]:
        """The last stage; on the CPU, in any thread.

        Args:
            lightness: a constant L instead of the photo's own, for a colour layer.
            spend: the photo's own pixels are needed no more and may be written over.
            number: of the picture, where several are asked for.

        Returns:
            (H, W, 3) RGB at the photo's depth.
        """
        own = self.pixels if spend and self.pixels.ndim == 3 and self.pixels.flags.writeable else None
        kept = None if lightness is not None else self.ground.kept(self.request.guidance)
        if kept is None:
            return np.ascontiguousarray(join(self.pixels, self.abs[number], lightness, None, own))
        made = np.ascontiguousarray(join(self.pixels, self.free[number]))
        put_back(made, self.pixels, kept)
        return made


def answer(
    network: ColorizationNetwork,
    walks: Sequence[Walk],
    step: ChromaStep = bicubic_step,
    batch_size: int = 4,
    adviser: Adviser | None = None,
) -> None:
    """The stages between: colours of several photos, on the CPU, the look's saturation included.

    Args:
        network: in evaluation mode.
        walks: started ones; each gets its `abs`.
        step: one x2 enlargement of ab, on the network's device.
        batch_size: photos of one working shape that go through the network together.
        adviser: see `colour`.
    """
    lightness = [walk.prepared.L for walk in walks]
    conditions = [NOTHING if walk.carries else walk.condition for walk in walks]
    views = [walk.look.views for walk in walks]
    answers = predict(network, lightness, conditions, batch_size, views)
    for walk, prediction in zip(walks, answers, strict=True):
        walk.prediction, walk.doubt = prediction, None
        walk.ground.features, walk.ground.fine_features = prediction.features, prediction.fine_features
        colour(network, walk, step, adviser)
    show(network, walks, step, batch_size)


def show(
    network: ColorizationNetwork, walks: Sequence[Walk], step: ChromaStep = bicubic_step, batch_size: int = 4
) -> None:
    """Show the network what is wished of painted photos, see `Walk.turn`, and guide them; arguments as for `answer`."""
    asked = [walk for walk in walks if walk.carries]
    lightness, conditions = [walk.prepared.L for walk in asked], [walk.condition for walk in asked]
    shown = predict(network, lightness, conditions, batch_size, [walk.look.views for walk in asked])
    answers = dict(zip(map(id, asked), shown, strict=True))
    for walk in walks:
        walk.turn = None
        if id(walk) in answers:
            after, before = (
                enlarge(settle(one, walk.look, network.bins), walk.prepared, step)
                for one in (answers[id(walk)], walk.prediction)
            )
            walk.turn = (after - before).cpu()
        walk.guided()


def colour(
    network: ColorizationNetwork, walk: Walk, step: ChromaStep = bicubic_step, adviser: Adviser | None = None
) -> Walk:
    """From a walk's prediction to its `painted`: one picture, or the variations that are asked for.

    Args:
        network: that has predicted.
        walk: with its prediction.
        step: one x2 enlargement of ab.
        adviser: of (1, 1, h, w) L gives what variations are drawn from, where the network predicts no bins.

    Raises:
        ModelError: variations are asked for, and there are no bins.
    """
    plain = settle(walk.prediction, walk.look, network.bins)
    walk.gray = float(plain.abs().max()) < _NO_COLOUR
    changes, vary = [torch.zeros_like(plain)], walk.request.guidance.vary
    if walk.request.variations:
        walk.doubt = walk.doubt or doubt_of(walk.prediction, network.bins, walk.prepared.L, adviser)
        changes = drawn(walk.doubt, walk.request, plain)
    walk.painted = [enlarge(plain + change, walk.prepared, step).cpu() for change in changes]
    if walk.request.variations and vary is not None:
        same = enlarge(plain, walk.prepared, step).cpu()
        share = walk.ground.share(vary, (same.shape[2], same.shape[3]))
        walk.painted = [torch.lerp(same, ab, share) for ab in walk.painted]
    return walk


def paint(
    network: ColorizationNetwork,
    L: Tensor,
    *,
    condition: Condition = NOTHING,
    look: Look | None = None,
    step: ChromaStep = bicubic_step,
) -> Tensor:
    """Paint photos of one size by their lightness: the colours that a `Colorizer` with this look gives them.

    Args:
        network: in evaluation mode.
        L: (N, 1, H, W) in [0, 100].
        condition: of the N photos at the working size, of kinds that the network accepts.
        look: how the weights want to be used; `Look()` unless given.
        step: one x2 enlargement of ab.

    Returns:
        (N, 3, H, W) uint8 sRGB on the device of `L`, with its lightness.

    Raises:
        ModelError: see `predict`.
    """
    walks = paint_walks(network, L, condition=condition, look=look, step=step)
    pictures = np.stack([walk.end() for walk in walks])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).to(L.device)


def paint_walks(
    network: ColorizationNetwork,
    L: Tensor,
    *,
    condition: Condition = NOTHING,
    look: Look | None = None,
    step: ChromaStep = bicubic_step,
) -> list[Walk]:
    """`paint` up to its last stage, for whoever wants the colours themselves."""
    planes = [np.ascontiguousarray(one, np.float32) for one in L[:, 0].cpu().numpy()]
    parts = zip(planes, condition.chunk(len(planes)), strict=True)
    walks = [Walk(plane, look or Look(), condition=one).start(network) for plane, one in parts]
    answer(network, walks, step, max(1, len(walks)))
    return walks


def stage_seconds(
    network: ColorizationNetwork, pixels: NDArray[Any], look: Look, step: ChromaStep
) -> tuple[dict[str, float], NDArray[Any]]:
    """The seconds of each stage for one photo, by name, and the picture: what benchmarks divide the whole into."""
    seconds: dict[str, float] = {}

    def timed(name: str, stage: Callable[[], T]) -> T:
        start = time.perf_counter()
        made = stage()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds[name] = time.perf_counter() - start
        return made

    device = device_of(network)
    prepared = timed("prepare", lambda: prepare(pixels, look.size, network))
    ab = timed("forward", lambda: settle(predict(network, [prepared.L], views=[look.views])[0], look, network.bins))
    grid = timed("enlarge", lambda: (look.saturation * enlarge(ab, prepared, step)).cpu())
    return seconds, timed("join", lambda: np.ascontiguousarray(join(pixels, grid)))


__all__ = [
    "Prepared", "Walk", "answer", "device_of", "enlarge", "join", "paint", "paint_walks", "predict", "prepare",
    "show", "stage_seconds", "working_size",
]  # fmt: skip
