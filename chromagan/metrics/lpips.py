"""LPIPS 0.1: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features", CVPR 2018.

The calibrated weights of the layers come with the `lpips` package; the classifier beneath them is torchvision's, and is
looked for by `chromagan.metrics.network_files`. The layers stand here because importing that package imports
torchvision and builds (and may download) whole classifiers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from chromagan.errors import MetricUnavailable, UsageError
from chromagan.metrics.metric import NetworkMetric, Resources
from chromagan.metrics.network_files import Networks, network_tensors, read_tensors, take_tensors
from chromagan.metrics.registry import register

SMALLEST_SIDE = 32  # pixels; AlexNet's last feature map is one pixel there
_MEAN, _STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in [-1, 1], as LPIPS was fitted


class _Fire(nn.Module):
    """SqueezeNet's module: 1 x 1 to few channels, then 1 x 1 and 3 x 3 side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1).relu()


def _alex() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for inputs, outputs in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers), (1, 4, 7, 9, 11)


def _vgg() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [nn.MaxPool2d(2)] if layers else []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers), (3, 8, 15, 22, 29)


def _squeeze() -> tuple[nn.Sequential, tuple[int, ...]]:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), _Fire(64, 16, 64), _Fire(128, 16, 64), pool()]
    layers += [_Fire(128, 32, 128), _Fire(256, 32, 128), pool(), _Fire(256, 48, 192), _Fire(384, 48, 192)]
    layers += [_Fire(384, 64, 256), _Fire(512, 64, 256)]
    return nn.Sequential(*layers), (1, 4, 7, 9, 10, 11, 12)


_BACKBONES = {"alex": _alex, "vgg": _vgg, "squeeze": _squeeze}


def calibration(backbone: str) -> list[Tensor]:
    """The weights of the feature maps' channels, from the `lpips` package: one (1, C, 1, 1) a map.

    Raises:
        MetricUnavailable: the package is not installed.
    """
    package = importlib.util.find_spec("lpips")
    if package is None or not package.submodule_search_locations:
        raise MetricUnavailable(
            f"lpips_{backbone} is left out: the package lpips is not installed; pip install 'chromagan[metrics]'"
        )
    tensors = read_tensors(Path(package.submodule_search_locations[0]) / "weights" / "v0.1" / f"{backbone}.pth")
    return [tensors[name] for name in sorted(tensors, key=lambda name: int(name.split(".")[0].removeprefix("lin")))]


class LPIPS(nn.Module):
    """Perceptual distance between pictures; frozen. `tensors` are torchvision's (`features.*`; its head is left out).

    Raises:
        MetricUnavailable: the `lpips` package is not installed.
        UsageError: no such backbone; there are "alex", "vgg" and "squeeze".
        WeightsError: the tensors are another network's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        if backbone not in _BACKBONES:
            raise UsageError(f"LPIPS has no backbone {backbone!r}; there are {', '.join(_BACKBONES)}")
        self.features, self.taps = _BACKBONES[backbone]()
        heads = calibration(backbone)
        own = {k.removeprefix("features."): v for k, v in tensors.items()}
        take_tensors(self.features, own, ("classifier.",), f"lpips_{backbone}")
        self.heads = nn.ParameterList(heads)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor, truth: Tensor) -> Tensor:
        """The distance of each pair: the features' squared differences, weighted, averaged over pixels, summed.

        Pictures are (N, 3, H, W) uint8, both sides at least 32. It is (N,) float32, 0 for identical ones; lower is
        better.

        Raises:
            ValueError: another type, different shapes, or sides under 32.
        """
        if pictures.shape != truth.shape or pictures.dtype != torch.uint8 or truth.dtype != torch.uint8:
            raise ValueError(f"LPIPS compares equal uint8 shapes, not {tuple(pictures.shape)} and {tuple(truth.shape)}")
        if min(pictures.shape[-2:]) < SMALLEST_SIDE:
            raise ValueError(f"LPIPS needs sides of at least {SMALLEST_SIDE} pixels, not {tuple(pictures.shape[-2:])}")
        with torch.autocast(pictures.device.type, enabled=False):
            total = torch.zeros(len(pictures), device=pictures.device)
            x, y = self._scaled(pictures), self._scaled(truth)
            heads = iter(self.heads)
            for index, layer in enumerate(self.features):
                x, y = layer(x), layer(y)
                if index in self.taps:
                    difference = (_unit(x) - _unit(y)).square()
                    total += (difference * next(heads)).sum(dim=1).mean(dim=(1, 2))
            return total

    def _scaled(self, pictures: Tensor) -> Tensor:
        return (pictures.float() / 127.5 - 1 - self.mean) / self.std


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def load_lpips(backbone: str, networks: Networks = None, download: bool = True) -> LPIPS:
    """Build LPIPS from its published weights; arguments and errors as for `network_tensors` and `LPIPS`."""
    if backbone not in _BACKBONES:
        raise UsageError(f"LPIPS has no backbone {backbone!r}; there are {', '.join(_BACKBONES)}")
    name = f"lpips_{backbone}"
    calibration(backbone)  # before anything is downloaded for nothing
    return LPIPS(backbone, network_tensors(name, name, networks, download))


def _open(backbone: str, resources: Resources) -> LPIPS:
    return load_lpips(backbone, resources.networks, resources.download).to(resources.device)


for _place, (_backbone, _title) in enumerate({"alex": "AlexNet", "vgg": "VGG", "squeeze": "SqueezeNet"}.items(), 100):
    register(NetworkMetric(
        name=f"lpips_{_backbone}", label=f"LPIPS, {_title}", digits=4, better="lower", place=_place,
        about=f"perceptual distance in the features of {_title}", needs=(f"lpips_{_backbone}",),
        open=partial(_open, _backbone), smallest_side=SMALLEST_SIDE,
    ))  # fmt: skip
