"""A classifier of photographs as a measuring instrument: does it still know what a colorized picture shows?

Zhang, Isola and Efros, "Colorful image colorization" (ECCV 2016), section 3.1, ask this of a VGG16 trained on real
photographs ("semantic interpretability").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.errors import MetricUnavailable, UsageError, WeightsError
from chromagan.metrics.distances import TRUTH
from chromagan.metrics.figure import Figure, mean_figure
from chromagan.metrics.metric import Picture, Resources, SetMetric
from chromagan.metrics.network_files import OPTION, Networks, read_tensors
from chromagan.metrics.registry import register
from chromagan.models.trunk import IMAGENET_MEAN, IMAGENET_STD, classifier_statistics, import_timm, timm_arguments

DEFAULT_CLASSIFIER = "mobilenetv2_100"
SHORT_SIDE, CROP = 256, 224
_SUFFIXES = (".safetensors", ".pth")
RECOGNITION = ("accuracy", "agreement", "class_kl")
_BATCH = 32


class Classifier(nn.Module):
    """Pictures to log-probabilities of classes; frozen.

    Every picture is brought to a short side of 256 (bilinear, antialiased; at 256 it stays as it is), its middle 224 x
    224 is cut out, and that is normalised as the classifier expects, by mean and deviation of RGB in [0, 1]:
    torchvision's usual test of a classifier. `net` takes that, (N, 3, 224, 224), to (N, classes). Reports show name and
    digest (SHA-256 of the weights).
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
        with torch.autocast(pictures.device.type, enabled=False):
            return F.log_softmax(self.net(self.prepared(pictures)).float(), dim=1)

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 sRGB to what the last layer reads, (N, dimensions), float32; of timm's networks."""
        with torch.autocast(pictures.device.type, enabled=False):
            net: Any = self.net
            found: Tensor = net.forward_head(net.forward_features(self.prepared(pictures)), pre_logits=True)
            return found.float()

    def prepared(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 sRGB to `net`'s input."""
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures are (N, 3, H, W) uint8, not {tuple(pictures.shape)} {pictures.dtype}")
        return (_middle(pictures.float() / 255) - self.mean) / self.std


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


class Recognition:
    """Answers of one classifier, as a `chromagan.metrics.metric.Collector`; all three are means over images.

    - `accuracy`: share of pictures whose likeliest class is the image's label, by index. - `agreement`: share of
    pictures whose likeliest class is that of the truth; it needs no labels. The truth has 1. - `class_kl`: sum over
    classes of p(truth) (log p(truth) - log p(picture)), in nats. The truth has 0.

    `classify` takes (N, 3, H, W) uint8 on `device` to log-probabilities (N, classes). Reports show the settings, and
    the seed is that of the bootstrap intervals.
    """

    def __init__(
        self,
        names: Sequence[str],
        classify: Callable[[Tensor], Tensor],
        labels: Sequence[int] | None = None,
        device: torch.device | str = "cpu",
        settings: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        if "accuracy" in names and labels is None:
            raise ValueError("accuracy needs labels")
        self.names = tuple(names)
        self.settings: dict[str, Any] = {**(settings or {}), "bootstrap_seed": seed}
        self.warnings: list[str] = []
        self.missing: dict[str, str] = {}
        self._classify, self._labels, self._device, self._seed = classify, labels, torch.device(device), seed
        self._queues: dict[tuple[str, tuple[int, ...]], list[tuple[int, Picture]]] = {}
        self._answers: dict[tuple[str, int], Tensor] = {}  # of the block at hand
        self._in_block: set[int] = set()
        self._found: dict[str, dict[int, tuple[float, ...]]] = {}

    def update(self, index: int, method: str, picture: Picture, truth: Picture) -> None:
        """Take one picture of a method; see `Collector`."""
        if index not in self._in_block:
            self._in_block.add(index)
            self._enqueue(TRUTH, index, truth)
        if method != TRUTH:
            self._enqueue(method, index, picture)
        elif picture is not truth and not np.array_equal(picture, truth):
            raise ValueError("the row named truth must show the truth")

    def _enqueue(self, method: str, index: int, picture: Picture) -> None:
        place = method, picture.shape
        self._queues.setdefault(place, []).append((index, picture))
        if len(self._queues[place]) == _BATCH:
            self._run(place)

    def _run(self, place: tuple[str, tuple[int, ...]]) -> None:
        queue = self._queues.pop(place)
        batch = torch.from_numpy(np.stack([picture for _, picture in queue])).permute(0, 3, 1, 2).contiguous()
        for (index, _), answer in zip(queue, self._classify(batch.to(self._device)).double().cpu(), strict=True):
            self._answers[place[0], index] = answer

    def flush(self) -> None:
        """Run what waits, and keep three numbers a picture; see `Collector`."""
        for place in list(self._queues):
            self._run(place)
        for (method, index), answer in self._answers.items():
            truth = self._answers[TRUTH, index]
            best = int(answer.argmax())
            right = float(self._labels is not None and best == self._labels[index])
            kl = float((truth.exp() * (truth - answer)).sum()) if method != TRUTH else 0.0
            figures = {"accuracy": right, "agreement": float(best == int(truth.argmax())), "class_kl": kl}
            self._found.setdefault(method, {})[index] = tuple(figures[name] for name in self.names)
        self._answers.clear()
        self._in_block.clear()

    def state(self) -> dict[str, Any]:
        """By method: `indices` (n,) and `values` (n, names); see `Collector`."""
        self.flush()
        return {
            method: {"indices": torch.tensor(sorted(found)),
                     "values": torch.tensor([found[i] for i in sorted(found)], dtype=torch.float64)}
            for method, found in self._found.items()
        }  # fmt: skip

    def merge(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over what others hold; see `Collector`."""
        for state in states:
            for method, part in state.items():
                rows = (tuple(row) for row in part["values"].tolist())
                self._found.setdefault(method, {}).update(zip(part["indices"].tolist(), rows, strict=True))

    def compute(self, method: str) -> dict[str, Figure]:
        """The figures of a method; see `Collector`."""
        self.flush()
        found = self._found.get(method, {})
        figures = {}
        for place, name in enumerate(self.names):
            values = [found[index][place] for index in sorted(found)]
            figures[name] = mean_figure(values, seed=self._seed)
        return figures


def open_recognition(names: Sequence[str], resources: Resources) -> Recognition:
    """The classifier, for those of `RECOGNITION` that are asked for; `accuracy` is missing where images carry no class.

    Raises:
        MetricUnavailable: the classifier cannot be had.
    """
    judge = load_classifier(
        resources.classifier or DEFAULT_CLASSIFIER, resources.classifier_weights, resources.networks,
        resources.download, names[0],
    ).to(resources.device)  # fmt: skip
    labels, missing = None, {}
    if "accuracy" in names:
        try:
            labels = _labels(resources.images, judge)
        except MetricUnavailable as error:
            missing["accuracy"] = str(error)
    settings = {"classifier": judge.name, "sha256": judge.digest, "picture": "short side 256, middle 224 x 224"}
    kept = [name for name in names if name not in missing]
    found = Recognition(kept, judge, labels, resources.device, settings)
    found.missing = missing
    return found


def _labels(images: Sequence[str], judge: Classifier) -> list[int]:
    wnids = imagenet_wnids()
    classes = int(judge(torch.zeros(1, 3, 224, 224, dtype=torch.uint8, device=judge.mean.device)).shape[1])
    if classes != len(wnids):
        raise MetricUnavailable(
            f"accuracy is left out: the classifier {judge.name} has {classes} classes, not ImageNet's {len(wnids)}; "
            "take another, or the metric agreement"
        )
    labels = [imagenet_class(name, wnids) for name in images]
    without = [name for name, label in zip(images, labels, strict=True) if label is None]
    if without or not images:
        example = without[0] if without else "nothing"
        raise MetricUnavailable(
            f"accuracy is left out: {len(without)} of {len(images)} images carry no class ({example}); sort the truth "
            "into folders by ImageNet's classes (n01440764/...), or take the metric agreement"
        )
    return [label for label in labels if label is not None]


for _name, _label, _better, _place, _about in (
    ("accuracy", "Classified right", "higher", 130, "share of answers that a classifier gives the photo's label"),
    (
        "agreement",
        "Classified as the truth is",
        "higher",
        131,
        "share of answers that a classifier gives the class of the truth",
    ),
    (
        "class_kl",
        "KL of class distributions",
        "lower",
        132,
        "divergence of a classifier's answer from its answer to the truth",
    ),
):
    register(SetMetric(
        name=_name, label=_label, digits=4, better=_better, place=_place, about=_about,  # type: ignore[arg-type]
        needs=("classifier",), open=open_recognition,
    ))  # fmt: skip
