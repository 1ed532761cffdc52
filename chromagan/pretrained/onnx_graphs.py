"""What becomes an ONNX graph: the painting at working size, and the chroma step; as modules that can be traced.

Sizes are free in both, so that whatever depends on them is arithmetic of the graph. It has no negative numbers in it:
ONNX divides integers towards zero, Python downwards.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.models.contract import NOTHING, ColorizationNetwork, Prediction
from chromagan.models.look import Look, balance, mixture, settle
from chromagan.models.views import merged, views_of

Shapes = tuple[dict[int, torch.export.Dim], ...]


class Graph(nn.Module):
    """A module with what its file says of it.

    Attributes:
        inputs, output: names of the tensors.
        free: for the sides of each input that may have any length, what they are called.
        sides: what the last two sides of the output are called.
        facts: further entries of the metadata.
    """

    inputs: ClassVar[tuple[str, ...]]
    output: ClassVar[str]
    free: Shapes
    sides: tuple[str, str]
    facts: dict[str, str]

    def example(self, count: int, rows: int, columns: int) -> tuple[Tensor, ...]:
        """Inputs of random numbers for so many photographs, with an L of so many pixels; the same every time."""
        raise NotImplementedError

    def expected(self, *inputs: Tensor) -> Tensor:
        """What the graph has to answer, by the way that a photo goes in this program."""
        raise NotImplementedError


class Painting(Graph):
    """From L to the colours that these weights give a photo, before they are brought up to its size.

    Mixture with the bins, calm and typical chroma are inside; the look's saturation is a factor that follows the chroma
    step, as in `chromagan.inference.stages`.

    Args:
        network: in evaluation mode.
        look: that of the weights.
    """

    inputs, output = ("L",), "ab"

    def __init__(self, network: ColorizationNetwork, look: Look) -> None:
        super().__init__()
        self.network, self.look = network, look
        self.free = ({0: torch.export.Dim("N"), 2: torch.export.Dim("H"), 3: torch.export.Dim("W")},)
        step = network.ab_stride
        self.sides = ("H", "W") if step == 1 else ("h", "w")
        self.facts = {
            "ab_stride": str(step),
            "stride": str(network.stride),
            "input": "L: float32 (N, 1, H, W), CIE L* (D65) in [0, 100], any size; the graph pads to the stride itself",
            "output": f"ab: float32 (N, 2, ceil(H / {step}), ceil(W / {step})), CIE a* and b* in Lab units; of the "
            "look, views, typical chroma, annealed share and calm are inside; size and saturation (after the chroma "
            "step) not",
        }

    def example(self, count: int, rows: int, columns: int) -> tuple[Tensor, ...]:
        """See the base."""
        return (torch.rand(count, 1, rows, columns, generator=torch.Generator().manual_seed(0)) * 100,)

    def forward(self, L: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 2, h, w)."""
        views = views_of(self.look.views)
        prediction = merged([self._answer(view.of(L, pad)) for view in views], views)
        return balance(mixture(prediction, self.network.bins, self.look), self.look.typical_chroma)

    def _answer(self, L: Tensor) -> Prediction:
        """As the network answers, whose own padding and cropping are not for graphs."""
        height, width = L.shape[-2:]
        found = self.network.predict(pad(L, self.network.stride), NOTHING)

        def cropped(grid: Tensor, step: int) -> Tensor:
            return grid[..., : (height + step - 1) // step, : (width + step - 1) // step]

        bins, step = found.bin_logits, self.network.ab_stride
        bins = None if bins is None else cropped(bins, self.network.bin_stride or step)
        return Prediction(cropped(found.ab, step), bins)

    def expected(self, *inputs: Tensor) -> Tensor:
        """See the base."""
        (L,), views = inputs, views_of(self.look.views)
        prediction = merged([self.network(view.of(L)) for view in views], views)
        return settle(prediction, self.look, self.network.bins)


class ChromaStep(Graph):
    """The x2 step that sharpens ab along the edges of L, in float32 whatever the machine is fast in.

    Args:
        step: in evaluation mode.
    """

    inputs, output = ("ab", "L"), "finer_ab"

    def __init__(self, step: ChromaUpsampler) -> None:
        super().__init__()
        self.step = step
        step.precise = True
        count, height, width = (torch.export.Dim(name) for name in "Nhw")
        self.free = ({0: count, 2: height, 3: width}, {0: count, 2: 2 * height, 3: 2 * width})
        self.sides = ("2*h", "2*w")
        self.facts = {
            "input": "ab: float32 (N, 2, h, w) in Lab units; L: float32 (N, 1, 2h, 2w), CIE L* (D65) in [0, 100]",
            "output": "finer_ab: float32 (N, 2, 2h, 2w) in Lab units",
        }

    def example(self, count: int, rows: int, columns: int) -> tuple[Tensor, ...]:
        """See the base; an odd side of L is rounded up."""
        random = torch.Generator().manual_seed(0)
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
        ab = torch.randn(count, 2, rows, columns, generator=random) * 20
        return ab, torch.rand(count, 1, 2 * rows, 2 * columns, generator=random) * 100

    def forward(self, ab: Tensor, L: Tensor) -> Tensor:
        """(N, 2, h, w) and (N, 1, 2h, 2w) to (N, 2, 2h, 2w)."""
        answer: Tensor = self.step(ab, L)
        return answer

    def expected(self, *inputs: Tensor) -> Tensor:
        """See the base."""
        return self(*inputs)


def pad(image: Tensor, stride: int) -> Tensor:
    """What `pad_to_stride` does, as a gather of rows and columns: the choice of its mode depends on the size."""
    if stride == 1:
        return image
    height, width = image.shape[-2:]
    rows, columns = (torch.full((), side, dtype=torch.int64, device=image.device) for side in (height, width))
    reflects = ((-rows) % stride < rows) & ((-columns) % stride < columns)

    def indices(padded: int, side: Tensor) -> Tensor:
        index, last = torch.arange(padded, device=image.device), side - 1
        # The clamp only keeps the branch that is not taken inside the image.
        return torch.where(reflects, last - (index - last).abs(), torch.minimum(index, last)).clamp(min=0)

    padded_height = (height + stride - 1) // stride * stride
    padded_width = (width + stride - 1) // stride * stride
    return image.index_select(2, indices(padded_height, rows)).index_select(3, indices(padded_width, columns))
