import importlib.util
import warnings

import pytest
import torch

from chromagan.errors import MetricUnavailable, UsageError, WeightsError
from chromagan.metrics.lpips import LPIPS, load_lpips
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

import lpips as package  # noqa: E402
import torchvision  # noqa: E402

LAYOUTS = {"alex": torchvision.models.alexnet, "squeeze": torchvision.models.squeezenet1_1}


def pair(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, 256, (2, 3, height, width), generator=generator, dtype=torch.uint8) for _ in range(2))


def reference(backbone):
    """The package's own network over a random classifier, and that classifier's tensors as torchvision names them."""
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        network = package.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    tensors = {f"features.{name.split('.', 1)[1]}": t for name, t in network.net.state_dict().items()}
    return network, {**tensors, "classifier.6.weight": torch.zeros(1)}


@pytest.mark.parametrize("backbone", ["alex", "squeeze", "vgg"])
def test_equals_the_package(backbone):
    network, tensors = reference(backbone)
    ours = LPIPS(backbone, tensors)
    for size in ((32, 32), (75, 64)):
        images, truth = pair(*size)
        with torch.no_grad():
            expected = network(images / 127.5 - 1, truth / 127.5 - 1).flatten()
        torch.testing.assert_close(ours(images, truth), expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(ours(images[1:], truth[1:]), expected[1:], rtol=1e-4, atol=1e-6)
        assert not ours(truth, truth).any()


@pytest.mark.parametrize("backbone", LAYOUTS)
def test_reads_torchvisions_whole_state_dict_from_a_file(backbone, tmp_path):
    torch.save(LAYOUTS[backbone](weights=None).state_dict(), tmp_path / "net.pth")
    measure = load_lpips(backbone, {f"lpips_{backbone}": tmp_path / "net.pth"})
    assert (measure(*pair(40, 40)) > 0).all()
    other = next(name for name in LAYOUTS if name != backbone)
    with pytest.raises(WeightsError, match=f"lpips_{other}: another network"):
        load_lpips(other, {f"lpips_{other}": tmp_path / "net.pth"})


def test_refuses_what_it_cannot_measure():
    measure = LPIPS("alex", reference("alex")[1])
    with pytest.raises(ValueError, match="32 pixels"):
        measure(*pair(31, 64))
    with pytest.raises(ValueError, match="equal uint8 shapes"):
        measure(pair(40, 40)[0], pair(40, 41)[0])
    with pytest.raises(UsageError, match="alex, vgg, squeeze"):
        load_lpips("resnet")


def test_without_the_package_it_is_unavailable(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match=r"lpips_alex .*chromagan\[metrics\]"):
        load_lpips("alex")
