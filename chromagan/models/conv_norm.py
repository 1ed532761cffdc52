"""A convolution with its batch norm as one module, which can be folded into one convolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.models.keras_layers import same_padding

Rectifier = Callable[[Tensor], Tensor]


def conv_norm_relu(channels: int, width: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size but for its stride, batch norm and ReLU: plain modules, nothing to fold."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(channels, width, kernel, stride, padding, dilation, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


class ConvNorm(nn.Module):
    """Convolution, batch norm, and a rectifier where one is asked for.

    Args:
        channels: of the input.
        width: of the output.
        kernel: side of the kernel; padding keeps the size (TensorFlow's, at a stride of 2, if `tf_padding`).
        stride: of the convolution.
        groups: of the convolution.
        rectifier: applied last, such as `F.relu`; None for none.
        folded: build the convolution alone, with a bias: what `fold` leaves.
        frozen_statistics: use the running statistics in training too. The norm is then a fixed scale of the kernel,
            and is computed as such: one convolution forward and backward, and nothing else of the map's size.
        epsilon: of the batch norm.
        tf_padding: at a stride of 2 pad as TensorFlow does ("same"): less above and left than below and right.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        groups: int = 1,
        rectifier: Rectifier | None = None,
        folded: bool = False,
        frozen_statistics: bool = False,
        epsilon: float = 1e-5,
        tf_padding: bool = False,
    ) -> None:
        super().__init__()
        self._same = tf_padding and stride > 1
        padding = 0 if self._same else kernel // 2
        self.conv = nn.Conv2d(channels, width, kernel, stride, padding, groups=groups, bias=folded)
        self.norm = None if folded else nn.BatchNorm2d(width, eps=epsilon)
        self.rectifier, self.frozen_statistics = rectifier, frozen_statistics

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, width, ceil(H / stride), ceil(W / stride))."""
        if self.conv.groups > 1 and torch.is_grad_enabled() and x.device.type == "cpu":
            # CPUs that are fast in bfloat16 are so in matrix products; depthwise convolutions train faster in float32.
            with torch.autocast("cpu", enabled=False):
                return self._convolve(x.float())
        return self._convolve(x)

    def _convolve(self, x: Tensor) -> Tensor:
        if self._same:
            kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
            x = F.pad(x, [*same_padding(x.shape[-1], kernel, stride), *same_padding(x.shape[-2], kernel, stride)])
        if self.norm is None:
            x = self.conv(x)
        elif self.frozen_statistics or not self.training:
            weight, bias = self.folded_tensors()
            x = F.conv2d(x, weight, bias, self.conv.stride, self.conv.padding, groups=self.conv.groups)
        else:
            x = self.norm(self.conv(x))
        return x if self.rectifier is None else self.rectifier(x)

    def folded_tensors(self) -> tuple[Tensor, Tensor]:
        """Kernel and bias of the one convolution that equals this one and its norm's running statistics."""
        norm = self.norm
        assert norm is not None
        assert norm.running_var is not None
        assert norm.running_mean is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return self.conv.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale

    @staticmethod
    def unfold(weight: Tensor, bias: Tensor, epsilon: float) -> dict[str, Tensor]:
        """State of a convolution with frozen statistics that equals a folded one, by the names that it has here."""
        ones = torch.ones_like(bias)
        return {
            "conv.weight": weight, "norm.weight": ones, "norm.bias": bias, "norm.running_mean": torch.zeros_like(bias),
            "norm.running_var": ones - epsilon, "norm.num_batches_tracked": torch.tensor(0),
        }  # fmt: skip

    @torch.no_grad()
    def fold(self) -> None:
        """Become the one convolution that this is in evaluation mode; in place, once."""
        if self.norm is None:
            return
        weight, bias = self.folded_tensors()
        self.conv.weight.copy_(weight)
        self.conv.bias = nn.Parameter(bias.clone())
        self.norm = None


def unfold_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict whose folded convolutions are given back the norms that a network has in their place.

    The norms are those that change nothing, so that a network with folded norms can be trained on.
    """
    state = dict(tensors)
    for name, module in network.named_modules():
        if isinstance(module, ConvNorm) and module.norm is not None and f"{name}.conv.bias" in state:
            weight, bias = state.pop(f"{name}.conv.weight"), state.pop(f"{name}.conv.bias")
            unfolded = ConvNorm.unfold(weight, bias.float(), module.norm.eps)
            state |= {f"{name}.{key}": value for key, value in unfolded.items()}
    return state


def learn_statistics(network: nn.Module) -> None:
    """Let frozen norms take the statistics of their batches, where there are no pretrained ones to keep; in place."""
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.frozen_statistics = False


def fold_frozen_norms(network: nn.Module) -> bool:
    """Fold every `ConvNorm` of frozen statistics, in place; no answer changes. Says whether there was one."""
    found = [one for one in network.modules() if isinstance(one, ConvNorm) and one.frozen_statistics]
    for one in found:
        one.fold()
    return bool(found)
