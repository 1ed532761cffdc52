"""`gray` and `mean`: the two answers that cost nothing, which every table of colorizers needs beside the networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from chromagan.errors import ModelError
from chromagan.models.contract import ColorizationNetwork, Condition, Prediction
from chromagan.models.options import Within
from chromagan.models.registry import register_model

MEAN_AB = (2.35, 7.32)
"""Mean ab of 14,790 training photographs, every photo counting once (standard errors 0.07 and 0.10); none of them is
measured on. For comparison: the mean colour of ImageNet, (0.485, 0.456, 0.406) in sRGB, has ab (0.51, 8.07)."""


class _Constant(ColorizationNetwork):
    """The same ab for every pixel of every photo."""

    ab_stride = 4
    ab: Tensor

    def __init__(self, ab: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("ab", torch.tensor(ab, dtype=torch.float32).view(1, 2, 1, 1), persistent=False)

    def predict(self, L: Tensor, condition: Condition) -> Prediction:
        """(N, 1, H, W) of any size to the constant (N, 2, ceil(H / 4), ceil(W / 4))."""
        rows, columns = (-(-side // self.ab_stride) for side in L.shape[-2:])
        return Prediction(self.ab.expand(L.shape[0], 2, rows, columns))


@register_model(
    "gray",
    title="The gray photo itself",
    paper="none: the answer ab = 0",
    outputs="ab = 0",
    weights="none needed",
    weightless=True,
)
class Gray(_Constant):
    """ab = 0 everywhere: a row for tables.

    The photo stays as it is, so `chromagan sample` refuses to save it: a gray picture never passes for a colorized one.
    """

    def __init__(self) -> None:
        super().__init__((0.0, 0.0))
        self.config = {}


@register_model(
    "mean",
    title="One constant colour",
    paper="none: the mean ab of photographs, see `chromagan/models/baselines.py`",
    outputs="constant ab",
    weights="none needed",
    weightless=True,
)
class Mean(_Constant):
    """The same ab everywhere, the mean of photographs: what squared error asks of those who do not look.

    Args:
        ab: a and b in Lab units.

    Raises:
        ModelError: not two numbers.
    """

    def __init__(self, ab: Sequence[Annotated[float, Within(-128, 128)]] = MEAN_AB) -> None:
        values = [float(value) for value in ab]
        if len(values) != 2:
            raise ModelError(f"mean: ab={list(ab)}; give two numbers, a and b in Lab units")
        super().__init__(values)
        self.config = {"ab": values}
