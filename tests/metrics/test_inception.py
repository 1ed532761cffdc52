import pytest
import torch
import torch.nn.functional as F

from chromagan.errors import WeightsError
from chromagan.metrics.inception import InceptionFeatures, resize_as_tensorflow
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: E402
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x  # noqa: E402
from torchvision.models import inception_v3  # noqa: E402


@pytest.fixture(scope="module")
def theirs():
    """torchvision's network with random weights that keep the features' scale, so that every layer counts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = inception_v3(weights=None, init_weights=False, transform_input=True).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.bias.data.normal_(0, 0.1)
                module.running_var.uniform_(0.7, 1.4)
                module.running_mean.normal_(0, 0.1)
    return network


@pytest.fixture(scope="module")
def tf_tensors(theirs):
    """The layout of the TensorFlow port: no auxiliary head, 1008 classes, no batch counts."""
    tensors = {k: v for k, v in theirs.state_dict().items() if not k.startswith(("AuxLogits.", "fc."))}
    tensors = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    return {**tensors, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


def pictures(height, width, count=1):
    generator = torch.Generator().manual_seed(height)
    coarse = torch.rand(count, 3, 9, 9, generator=generator) * 255
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255).byte()


def test_equals_torchvision(theirs):
    ours = InceptionFeatures("inception_torchvision", theirs.state_dict())
    found = {}
    handle = theirs.avgpool.register_forward_hook(lambda _m, _i, out: found.update(features=out.flatten(1)))
    images = pictures(120, 90, 2)
    resized = F.interpolate(images.float() / 255, (299, 299), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        theirs((resized - mean) / std)
    handle.remove()
    assert found["features"].std() > 0.01
    torch.testing.assert_close(ours(images), found["features"], rtol=1e-3, atol=1e-4 * float(found["features"].max()))


def test_the_port_of_tensorflow_equals_torch_fidelity(tf_tensors, tmp_path):
    torch.save(tf_tensors, tmp_path / "inception.pth")
    path = str(tmp_path / "inception.pth")
    reference = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=path)
    ours = InceptionFeatures("inception_tf", tf_tensors)
    for size in ((75, 140), (330, 310)):
        expected = reference(pictures(*size))[0]
        assert expected.std() > 0.01
        torch.testing.assert_close(ours(pictures(*size)), expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_the_two_networks_differ_and_refuse_each_others_weights(theirs, tf_tensors):
    tv, tf = theirs.state_dict(), tf_tensors
    for network, tensors in (("inception_tf", tv), ("inception_torchvision", tf)):
        with pytest.raises(WeightsError, match=f"{network}: another network"):
            InceptionFeatures(network, tensors)
    ours = [InceptionFeatures("inception_tf", tf), InceptionFeatures("inception_torchvision", tv)]
    same_input = torch.randn(1, 3, 107, 107, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = (network.net(same_input).mean(dim=(2, 3)) for network in ours)
    assert (a - b).abs().mean() > 0.05 * b.abs().mean()


def test_incomplete_weights_are_refused(tf_tensors):
    short = {k: v for k, v in tf_tensors.items() if not k.startswith("Mixed_6c.branch7x7_2")}
    with pytest.raises(WeightsError, match=r"Mixed_6c\.branch7x7_2"):
        InceptionFeatures("inception_tf", short)


@pytest.mark.parametrize("size", [(1, 1), (20, 33), (299, 299), (500, 420)])
def test_resize_equals_tensorflows(size):
    image = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0)) * 255
    expected = interpolate_bilinear_2d_like_tensorflow1x(image, size=(299, 299), align_corners=False)
    torch.testing.assert_close(resize_as_tensorflow(image, 299), expected, rtol=1e-5, atol=2e-3)


def test_takes_bytes_alone(tf_tensors):
    with pytest.raises(ValueError, match="uint8"):
        InceptionFeatures("inception_tf", tf_tensors)(torch.zeros(1, 3, 80, 80))
