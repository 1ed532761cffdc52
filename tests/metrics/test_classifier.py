import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from chromagan.errors import MetricUnavailable, UsageError, WeightsError
from chromagan.metrics import classifier as module
from chromagan.metrics.classifier import Classifier, imagenet_class, imagenet_wnids, load_classifier
from chromagan.models.trunk import import_timm

timm = import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchvision import transforms  # noqa: E402

SMALL = "test_byobnet"  # timm's own network for tests: half a million parameters


class Seen(nn.Module):
    """Remembers what it is shown."""

    def forward(self, x):
        self.x = x
        return x.flatten(1)[:, :5] * 10


@pytest.fixture
def offline(monkeypatch):
    def fail(*_args, pretrained=False, **_options):
        if pretrained:
            raise OSError("no route to host")
        return original(*_args, **_options)

    original = timm.create_model
    monkeypatch.setattr(timm, "create_model", fail)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model(SMALL, pretrained=False)
    path = tmp_path_factory.mktemp("networks") / f"{SMALL}.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(("height", "width"), [(256, 256), (300, 520), (90, 64), (256, 300)])
def test_pictures_are_prepared_as_classifiers_are_tested(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    seen = Seen()
    judge = Classifier(seen, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    answer = judge(torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None])
    assert answer.exp().sum() == pytest.approx(1, abs=1e-5)
    steps = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Resize(256, antialias=True),
            transforms.CenterCrop(224),
            transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
        ]
    )
    assert seen.x.shape == (1, 3, 224, 224)
    torch.testing.assert_close(seen.x[0], steps(photo), rtol=0, atol=0.05)


def test_a_local_file_gives_timms_answer(small_file, offline):
    judge = load_classifier(SMALL, networks=small_file.parent)
    net = timm.create_model(SMALL, pretrained=False).eval()
    judge_too = load_classifier(SMALL, weights=small_file)
    assert judge.digest == judge_too.digest
    assert len(judge.digest) == 64
    from safetensors.torch import load_file

    net.load_state_dict(load_file(small_file))
    pictures = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    record = timm.get_pretrained_cfg(SMALL)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (record.mean, record.std))
    with torch.no_grad():
        expected = net((pictures[..., 16:240, 16:240] / 255 - mean) / std).log_softmax(1)
    torch.testing.assert_close(judge(pictures), expected, rtol=1e-4, atol=1e-5)


def test_what_is_missing_or_wrong(small_file, tmp_path, offline):
    with pytest.raises(MetricUnavailable, match=r"accuracy is left out.*no route to host.*--metric-networks") as caught:
        load_classifier(SMALL, networks=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(MetricUnavailable, match="class_kl is left out.*as asked"):
        load_classifier(SMALL, download=False, metric="class_kl")
    with pytest.raises(UsageError, match="no such file"):
        load_classifier(SMALL, weights=tmp_path / "no.safetensors")
    with pytest.raises(UsageError, match="not a folder"):
        load_classifier(SMALL, networks=tmp_path / "no")
    with pytest.raises(WeightsError, match="not the full weights"):
        load_classifier("test_vit", weights=small_file)


def test_only_8_bit_pictures():
    with pytest.raises(ValueError, match="uint8"):
        Classifier(Seen(), (0, 0, 0), (1, 1, 1))(torch.zeros(1, 3, 8, 8))


def test_classes_from_names():
    wnids = imagenet_wnids()
    assert len(wnids) == 1000
    assert wnids["n01440764"] == 0  # tench
    assert wnids["n15075141"] == 999  # toilet tissue
    for name in (
        "n01440764/ILSVRC2012_val_00000293.JPEG",
        "val/n01440764/a.png",
        "ILSVRC2012_val_00000293_n01440764.JPEG",
        "n01440764_36.JPEG",
    ):
        assert imagenet_class(name, wnids) == 0
    for name in ("ILSVRC2012_val_00000293.JPEG", "n99999999/a.png", "dog.png"):
        assert imagenet_class(name, wnids) is None
    assert module.DEFAULT_CLASSIFIER == "mobilenetv2_100"
