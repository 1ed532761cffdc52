"""A classifier of photographs as a measuring instrument: does it still know what a colorized picture shows?

Zhang, Isola and Efros, "Colorful image colorization" (ECCV 2016), section 3.1, ask this of a VGG16 trained on real
photographs ("semantic interpretability").
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.errors import MetricUnavailable, UsageError, WeightsError
from chromagan.metrics.network_files import OPTION, Networks, read_tensors
from chromagan.models.trunk import IMAGENET_MEAN, IMAGENET_STD, classifier_statistics, import_timm, timm_arguments

DEFAULT_CLASSIFIER = "mobilenetv2_100"
SHORT_SIDE, CROP = 256, 224
_SUFFIXES = (".safetensors", ".pth")


class Classifier(nn.Module):
    """Pictures to log-probabilities of classes; frozen.

    Every picture is brought to a short side of 256 (bilinear, antialiased; at 256 it stays as it is), its middle
    224 x 224 is cut out, and that is normalised as the classifier expects: torchvision's usual test of a classifier.

    Args:
        net: normalised RGB (N, 3, 224, 224) to (N, classes).
        mean: of the normalisation, three numbers for RGB in [0, 1].
        std: likewise.
        digest: SHA-256 of the weights, for reports.
        name: of the classifier, for reports.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, net: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], digest: str = "", name: str = ""
    ) -> None:
        super().__init__()
        self.net, self.digest, self.name = net, digest, name
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 sRGB to log-probabilities (N, classes), float32."""
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures are (N, 3, H, W) uint8, not {tuple(pictures.shape)} {pictures.dtype}")
        with torch.autocast(pictures.device.type, enabled=False):
            return F.log_softmax(self.net((_middle(pictures.float() / 255) - self.mean) / self.std).float(), dim=1)


def _middle(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    short = min(height, width)
    if short != SHORT_SIDE:
        height, width = (SHORT_SIDE * side // short for side in (height, width))
        images = F.interpolate(images, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
    top, left = round((height - CROP) / 2), round((width - CROP) / 2)
    return images[..., top : top + CROP, left : left + CROP]


def load_classifier(
    name: str = DEFAULT_CLASSIFIER,
    weights: str | Path | None = None,
    networks: Networks = None,
    download: bool = True,
    metric: str = "accuracy",
) -> Classifier:
    """A classifier with its weights.

    Looked for in this order: the file `weights`; `NAME.safetensors` or `NAME.pth` in the folder `networks`; the library
    that owns it (timm), which downloads it once. A local `mobilenetv2_100` is taken to be the file converted from
    TensorFlow, which the class term's teacher uses too (it pads as TensorFlow does and normalises by 0.5); timm's own
    weights of that name pad and normalise otherwise. The digests in reports tell them apart.

    Args:
        name: a timm classifier, `vgg16` included.
        weights: a local file of all its tensors.
        networks: a folder; a mapping of single files has no classifier.
        download: whether timm may be asked.
        metric: what it is for, for messages.

    Raises:
        MetricUnavailable: it is in none of these places, or timm is not installed.
        UsageError: `weights` or the folder `networks` does not exist.
        WeightsError: a file was found and is damaged, or another network's.
    """
    path = _local(name, weights, networks)
    try:
        timm = import_timm()
    except Exception as error:  # noqa: BLE001 (timm or torchvision missing, or broken: the message says which)
        raise MetricUnavailable(f"{metric} is left out: {error}") from error
    if path is not None:
        net = _filled(name, path)
        return Classifier(net, *classifier_statistics(name), _digest(net), name)
    reason = "not downloaded, as asked"
    if download:
        try:
            net = timm.create_model(name, pretrained=True)
            record = timm.get_pretrained_cfg(name)
            mean, std = tuple(record.mean or IMAGENET_MEAN), tuple(record.std or IMAGENET_STD)
            return Classifier(net, mean, std, _digest(net), name)
        except Exception as error:  # noqa: BLE001 (timm raises whatever its download layer raises)
            reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    raise MetricUnavailable(
        f"{metric} is left out: the classifier {name} could not be had ({reason}); put {name}.safetensors into a "
        f"folder and name that with {OPTION} DIR"
    )


def _local(name: str, weights: str | Path | None, networks: Networks) -> Path | None:
    if weights is not None:
        if not Path(weights).is_file():
            raise UsageError(f"{weights}: there is no such file for the classifier {name}; check the name")
        return Path(weights)
    if isinstance(networks, (str, Path)):
        if not Path(networks).is_dir():
            raise UsageError(f"{networks}: not a folder; {OPTION} takes the folder that holds the metrics' networks")
        return next((p for suffix in _SUFFIXES if (p := Path(networks) / f"{name}{suffix}").is_file()), None)
    return None


def _filled(name: str, path: Path) -> nn.Module:
    """A classifier with the tensors of a local file, as `chromagan.models.teacher.Teacher` reads it."""
    if name == "vgg16":
        from torchvision.models import vgg16

        net: nn.Module = vgg16()
    else:
        net = import_timm().create_model(name, pretrained=False, **timm_arguments(name))
    tensors, own = read_tensors(path), net.state_dict()
    wrong = [key for key, value in own.items() if key not in tensors or tensors[key].shape != value.shape]
    if wrong:
        raise WeightsError(f"{path}: not the full weights of {name}, {wrong[0]} is missing or of another shape")
    net.load_state_dict({key: tensors[key].to(value.dtype) for key, value in own.items()})
    return net


def _digest(net: nn.Module) -> str:
    sha = hashlib.sha256()
    for key, tensor in sorted(net.state_dict().items()):
        sha.update(f"{key} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def imagenet_class(name: str, wnids: dict[str, int]) -> int | None:
    """The class that a name with its folders carries: `n01440764/x.JPEG`, or `x_n01440764.JPEG`; None for none.

    `wnids` are WordNet identifiers to numbers of classes; see `imagenet_wnids`.
    """
    parts = name.replace("\\", "/").split("/")
    stem = parts[-1].partition(".")[0]
    for candidate in (stem.rpartition("_")[2], stem.partition("_")[0], *reversed(parts[:-1])):
        if candidate in wnids:
            return wnids[candidate]
    return None


def imagenet_wnids() -> dict[str, int]:
    """WordNet identifiers of ImageNet's 1,000 classes to their numbers from 0, by timm's record."""
    timm = import_timm()
    return {wnid: number for number, wnid in enumerate(timm.data.ImageNetInfo("imagenet-1k").label_names())}
