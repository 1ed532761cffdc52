"""The teacher of the class term: a whole pretrained classifier, frozen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chromagan.errors import WeightsError
from chromagan.models.efficientnet_lite import EfficientNetLite2, EfficientNetLite2Trunk
from chromagan.models.trunk import COUNTER, GrayInput, classifier_statistics, import_timm, timm_arguments


def _classifier(name: str, tensors: dict[str, Tensor], source: str) -> nn.Module:
    """A whole classifier with its weights; `WeightsError` where they are not those of `name`."""
    if name == EfficientNetLite2Trunk.name:
        try:
            return EfficientNetLite2(tensors)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"{source}: not the full weights of {name} ({str(error).splitlines()[-1]})") from error
    timm = import_timm()
    if name == "vgg16":
        from torchvision.models import vgg16

        net = vgg16()
    else:
        net = timm.create_model(name, pretrained=False, **timm_arguments(name))
    own = {key: value for key, value in net.state_dict().items() if not key.endswith(COUNTER)}
    wrong = [k for k, v in own.items() if k not in tensors or tensors[k].shape != v.shape]
    if wrong:
        raise WeightsError(f"{source}: not the full weights of {name}, {wrong[0]} is missing or of another shape")
    net.load_state_dict({k: tensors[k].to(v.dtype) for k, v in own.items()}, strict=False)
    return net


class Teacher(nn.Module):
    """The frozen classifier whose distribution the class head learns.

    Args:
        name: a timm classifier, `vgg16` included; see `timm_arguments`.
        tensors: its weights (timm's keys, torchvision's for vgg16), from `source`.
        raw_lightness: feed L / 100 three times without the classifier's preprocessing, as the 2020 release did. The
            classifier then sees a nearly black picture, and its answer is nearly the same for every photo.
        gray: show it the gray photo, as the 2020 paper did, and not the coloured one, which it knows better.
    """

    def __init__(
        self, name: str, tensors: dict[str, Tensor], raw_lightness: bool = False,
        source: str = "the teacher's weights", gray: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.net = _classifier(name, tensors, source)
        self.gray = GrayInput(*classifier_statistics(name))
        self.raw_lightness, self.sees_gray = raw_lightness, gray or raw_lightness
        self.eval().requires_grad_(False)  # before the first picture, which would change batch norm's statistics
        self.classes = int(self.net(torch.zeros(1, 3, 64, 64)).shape[1]) if name != "vgg16" else 1000

    @torch.no_grad()
    def forward(self, photo: Tensor) -> Tensor:
        """Class probabilities (N, classes), float32, of a photo; see `logits`."""
        return F.softmax(self.logits(photo), dim=1)

    def logits(self, photo: Tensor) -> Tensor:
        """Logits (N, classes), float32, of a photo, differentiable in it.

        Args:
            photo: L (N, 1, H, W) in [0, 100] for a teacher with `sees_gray`, else sRGB (N, 3, H, W) in [0, 1].
        """
        if self.raw_lightness:
            image = (photo / 100).expand(-1, 3, -1, -1)
        else:
            image = self.gray(photo) if self.sees_gray else (photo - self.gray.mean) / self.gray.std
        logits: Tensor = self.net(image).float()
        return logits

    def train(self, mode: bool = True) -> Teacher:
        """Stays in evaluation mode: the teacher is frozen."""
        return super().train(False)
