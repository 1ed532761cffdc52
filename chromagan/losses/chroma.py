"""Losses on the predicted ab."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ab_mse(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean squared error of ab in units of `ab_unit` Lab units (255: the scale of the 2020 paper).

    Args:
        predicted: (N, 2, h, w) in Lab units.
        target: (N, 2, h, w) in Lab units.
        ab_unit: Lab units that count as one.
    """
    with torch.autocast(predicted.device.type, enabled=False):
        precise = torch.promote_types(predicted.dtype, torch.float32)
        return ((predicted.to(precise) - target.to(precise)) / ab_unit).square().mean()


def ab_l1(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean absolute error of ab in units of `ab_unit` Lab units; arguments as for `ab_mse`."""
    with torch.autocast(predicted.device.type, enabled=False):
        precise = torch.promote_types(predicted.dtype, torch.float32)
        return ((predicted.to(precise) - target.to(precise)) / ab_unit).abs().mean()


def ab_huber(predicted: Tensor, target: Tensor, ab_unit: float) -> Tensor:
    """Mean Huber loss of ab, squared up to one `ab_unit` and linear beyond (Zhang et al. 2017); as for `ab_mse`."""
    with torch.autocast(predicted.device.type, enabled=False):
        precise = torch.promote_types(predicted.dtype, torch.float32)
        return F.huber_loss(predicted.to(precise) / ab_unit, target.to(precise) / ab_unit)
