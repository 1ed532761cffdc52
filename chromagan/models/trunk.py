"""Pretrained classifiers as semantic branches: VGG and EfficientNet-Lite2 in plain torch, any other one from timm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from chromagan.color.curves import lab_uncurve, lightness_to_f, linear_to_srgb
from chromagan.errors import ModelError, WeightsError
from chromagan.models.contract import Trunk
from chromagan.models.efficientnet_lite import EfficientNetLite2Trunk

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNTER = "num_batches_tracked"  # batch norm's count of batches
_TORCHVISION_SCHEMAS: list[torch.library.Library] = []


def import_timm() -> ModuleType:
    """Import timm, also where torchvision's compiled operators do not match the installed torch.

    timm imports torchvision, whose import registers fake kernels for its operators and fails when its compiled library
    could not be loaded (a torchvision built for CUDA beside a CPU torch). No network here uses those operators, so
    the missing schemas are declared and the import repeated.

    Raises:
        ModelError: timm is not installed.
    """
    for _ in range(10):
        try:
            import timm

            return timm
        except ModuleNotFoundError as error:
            raise ModelError(f"this needs {error.name}, not installed: pip install 'chromagan[train]'") from error
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise
            # torch forgets a schema when the library object is collected
            _TORCHVISION_SCHEMAS.append(torch.library.Library("torchvision", "FRAGMENT"))
            _TORCHVISION_SCHEMAS[-1].define(f"{missing[1]}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    raise ModelError("torchvision cannot be imported: install the build that matches your torch")


class GrayInput(nn.Module):
    """Turns L into what an RGB classifier expects: three equal channels, normalised with its own mean and deviation.

    The gray photo of lightness L has the sRGB value of `lightness_to_srgb`; buffers are not saved with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, L: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 100] to (N, 3, H, W), normalised."""
        return (lightness_to_srgb(L) - self.mean) / self.std


def lightness_to_srgb(L: Tensor) -> Tensor:
    """The sRGB value in [0, 1] of a gray pixel of lightness L in [0, 100]; any shape, float32."""
    with torch.autocast(L.device.type, enabled=False):
        return linear_to_srgb(lab_uncurve(lightness_to_f(L.float())).clamp_min(0)).clamp(0, 1)


class VGGTrunk(Trunk):
    """The convolutions of a VGG (Simonyan and Zisserman 2015) up to a block of its five; torchvision's keys.

    Attributes:
        widths, strides: of the feature maps that `forward` returns, one a block (ReLU of its last convolution).
    """

    layout: tuple[tuple[int, ...], ...]

    def __init__(self, blocks: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self._taps: list[int] = []
        channels = 3
        for index, block in enumerate(self.layout[:blocks]):
            if index:
                layers.append(nn.MaxPool2d(2))
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            self._taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self.widths = tuple(block[-1] for block in self.layout[:blocks])
        self.strides = tuple(2**octave for octave in range(blocks))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Normalised RGB (N, 3, H, W) to the last feature map of each block, finest first."""
        maps = []
        for index, layer in enumerate(self.features):
            image = layer(image)
            if index in self._taps:
                maps.append(image)
        return maps

    def key_of(self, name: str) -> str:
        """See `Trunk`; with or without `features.`."""
        return f"features.{name.removeprefix('features.')}"

    def stages(self) -> list[list[nn.Parameter]]:
        """Parameters block by block, finest first: what a trainer freezes or slows down."""
        ends = [tap + 1 for tap in self._taps]
        return [list(self.features[start:end].parameters()) for start, end in pairwise((0, *ends))]


class VGG16Trunk(VGGTrunk):
    """The 13 convolutions of VGG16."""

    name = "vgg16"
    layout = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)


class VGG19Trunk(VGGTrunk):
    """The 16 convolutions of VGG19; with all five blocks the last map is relu5_4."""

    name = "vgg19"
    layout = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)


class TimmTrunk(Trunk):
    """Any timm backbone with `features_only`, on photographs of any size.

    Args:
        name: as in `timm.list_models()`, also with the tag of pretrained weights behind a dot; see `timm_arguments`.

    Attributes:
        widths, strides: of the feature maps that `forward` returns. Plain transformers give several of one stride.

    Raises:
        ModelError: no such backbone, one without feature maps, or one that takes a single size.
    """

    net: Any

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.net = _timm_features(name)
        self.widths = tuple(self.net.feature_info.channels())
        self.strides = tuple(self.net.feature_info.reduction())
        odd = sorted({stride for stride in self.strides if stride & (stride - 1)})
        if odd:
            raise ModelError(f"timm's {name} has its maps at 1/{odd[0]}, no power of two; choose another backbone")
        wrapper = re.compile(r"^net\.(model\.)?")  # transformers have one more
        self._keys = {wrapper.sub("", key, count=1).replace("_", "."): key for key in self.state_dict()}
        self._channels_last = str(getattr(self.net, "output_fmt", "")).endswith("NHWC")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Normalised RGB (N, 3, H, W) to feature maps (N, C, h, w), finest first."""
        maps = self.net(image)
        return [m.permute(0, 3, 1, 2) for m in maps] if self._channels_last else list(maps)

    def key_of(self, name: str) -> str | None:
        """See `Trunk`: a feature extractor has modules `stages_0` where its classifier has `stages.0`."""
        return self._keys.get(name.replace("_", "."))

    def train(self, mode: bool = True) -> TimmTrunk:
        """Stays in evaluation mode where nothing of it is trained: batch norm's statistics are frozen with the rest."""
        return super().train(mode and any(p.requires_grad for p in self.parameters()))


def _timm_features(name: str) -> nn.Module:
    timm = import_timm()
    if not (timm.is_model_pretrained(name) if "." in name else timm.is_model(name)):
        raise ModelError(f"timm has no backbone {name!r}; see timm.list_models()")
    record = timm.get_pretrained_cfg(name)
    fixed = record is not None and record.fixed_input_size
    # Transformers are built for one size; timm names what lifts that by family.
    ways: list[dict[str, Any]] = [{"dynamic_img_size": True}, {"strict_img_size": False}] if fixed else [{}]
    for way in ways:
        try:
            net: nn.Module = timm.create_model(
                name, pretrained=False, features_only=True, **way, **timm_arguments(name)
            )
            return net
        except TypeError as error:
            if next(iter(way), "") not in str(error):
                raise
        except (RuntimeError, AttributeError) as error:
            raise ModelError(f"timm's {name} gives no feature maps ({error}); choose another backbone") from error
    raise ModelError(f"timm's {name} takes photographs of one size only; choose another backbone")


def timm_arguments(name: str) -> dict[str, Any]:
    """How timm builds a network: a plain `mobilenetv2_100` is the one converted from TensorFlow and pads like that.

    timm's own weights of that architecture have a tag in their name (`mobilenetv2_100.ra_in1k`); they pad otherwise
    and have another normalisation.
    """
    return {"pad_type": "same"} if name == "mobilenetv2_100" else {}


def downloaded_name(name: str) -> str:
    """The name of the weights that the owning library downloads for a backbone: with timm's tag where that matters."""
    return f"{name}.{import_timm().get_pretrained_cfg(name).tag}" if timm_arguments(name) else name


def classifier_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that a backbone's weights expect, by timm's record of it; see `timm_arguments`."""
    if name in ("vgg16", "vgg19"):
        return IMAGENET_MEAN, IMAGENET_STD
    if timm_arguments(name) or name == EfficientNetLite2Trunk.name:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    try:
        record = import_timm().get_pretrained_cfg(name)
    except RuntimeError:  # a tag that this architecture does not have
        record = None
    if record is None:
        raise ModelError(f"timm has no backbone {name!r}; see timm.list_models(pretrained=True)")
    return tuple(record.mean), tuple(record.std)


def build_trunk(name: str, folded: bool = False) -> Any:
    """A semantic branch: `vgg16` and `tf_efficientnet_lite2` (`folded`: no norms) in plain torch, others from timm."""
    if name == VGG16Trunk.name:
        return VGG16Trunk()
    return EfficientNetLite2Trunk(folded) if name == EfficientNetLite2Trunk.name else TimmTrunk(name)


def trunks_of(network: nn.Module) -> list[Trunk]:
    """The pretrained classifiers inside a network, in its order; none where it has none."""
    return [module for module in network.modules() if isinstance(module, Trunk)]


def fill_trunk(trunk: Trunk, tensors: dict[str, Tensor], source: str) -> None:
    """Copy a classifier's tensors into a trunk, strictly; what lies above the trunk (its head) is left out.

    Args:
        trunk: what `build_trunk` gives, or a `VGGTrunk`.
        tensors: a state dict with torchvision's VGG keys (with or without `features.`) or with timm's keys.
        source: name of the file, for the error.

    Raises:
        WeightsError: a tensor of the trunk is missing or has another shape.
    """
    named = {trunk.key_of(key): value for key, value in tensors.items()}
    chosen = {}
    for key, value in trunk.state_dict().items():
        found = named.get(key)
        if key.endswith(COUNTER):  # some files leave it out, and nothing here reads it
            found = value if found is None else found
        if found is None or found.shape != value.shape:
            have = "is missing" if found is None else f"has shape {tuple(found.shape)}, not {tuple(value.shape)}"
            raise WeightsError(f"{source}: {key} {have}; give the weights of the backbone that --backbone names")
        chosen[key] = found.to(value.dtype)
    trunk.load_state_dict(chosen)


def published_backbone(name: str) -> dict[str, Tensor]:
    """ImageNet weights through the library that owns them (torchvision for vgg16, timm otherwise), downloaded once.

    They fit networks that are built with `downloaded_name(name)`.

    Raises:
        WeightsError: no connection or no such weights; the message names the option that takes a local file.
    """
    timm = import_timm()
    try:
        if name == "vgg16":
            from torchvision.models import VGG16_Weights

            return dict(VGG16_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True))
        return dict(timm.create_model(downloaded_name(name), pretrained=True).state_dict())
    except Exception as error:  # the two libraries raise whatever their download layer raises
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise WeightsError(
            f"the pretrained weights of {name} cannot be had ({reason}); give a local file with --backbone-weights, "
            "or --no-pretrained to start from nothing"
        ) from error
