"""EfficientNet-Lite2 in plain torch against timm's; batch norm of frozen statistics."""

import copy

import pytest
import torch
import torch.nn.functional as F

from chromagan.errors import WeightsError
from chromagan.models.conv_norm import ConvNorm
from chromagan.models.efficientnet_lite import EfficientNetLite2, EfficientNetLite2Trunk
from chromagan.models.teacher import Teacher
from chromagan.models.trunk import fill_trunk, import_timm

NAME = "tf_efficientnet_lite2"


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    network = import_timm().create_model(NAME).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # fresh ones would hide a wrong order
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    return network


@pytest.mark.parametrize("size", [(112, 112), (37, 50), (96, 128), (1, 1)])
def test_maps_are_timms(theirs, size):
    features = import_timm().create_model(NAME, features_only=True).eval()
    features.load_state_dict(theirs.state_dict(), strict=False)
    ours = EfficientNetLite2Trunk().eval()
    fill_trunk(ours, theirs.state_dict(), "timm")
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        for got, expected in zip(ours(image), features(image), strict=True):
            assert (got - expected).abs().max() <= 1e-4 * expected.abs().max().clamp_min(1)
    assert ours.widths == tuple(features.feature_info.channels())
    assert ours.strides == tuple(features.feature_info.reduction())


def test_classifier_is_timms(theirs):
    image = torch.randn(2, 3, 96, 80)
    with torch.no_grad():
        torch.testing.assert_close(
            EfficientNetLite2(theirs.state_dict()).eval()(image), theirs(image), rtol=1e-4, atol=1e-4
        )


def test_every_tensor_of_timms_has_its_place(theirs):
    trunk = EfficientNetLite2Trunk()
    inside = {trunk.key_of(key): value for key, value in theirs.state_dict().items() if trunk.key_of(key)}
    assert inside.keys() == trunk.state_dict().keys()
    assert all(inside[key].shape == value.shape for key, value in trunk.state_dict().items())
    outside = {key.split(".")[0] for key in theirs.state_dict() if trunk.key_of(key) is None}
    assert outside == {"conv_head", "bn2", "classifier"}


def test_stages_hold_every_parameter_once():
    trunk = EfficientNetLite2Trunk()
    staged = [p for stage in trunk.stages() for p in stage]
    assert len(trunk.stages()) == 5
    assert {id(p) for p in staged} == {id(p) for p in trunk.parameters()}
    assert len(staged) == len(list(trunk.parameters()))


def test_teacher_sees_colour_unless_told(theirs):
    teacher = Teacher(NAME, theirs.state_dict())
    rgb = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = F.softmax(theirs((rgb - 0.5) / 0.5), dim=1)
    torch.testing.assert_close(teacher(rgb), expected, rtol=1e-3, atol=1e-5)
    gray = Teacher(NAME, theirs.state_dict(), gray=True)
    assert gray.sees_gray
    assert gray(torch.rand(2, 1, 64, 64) * 100).shape == (2, 1000)
    assert teacher.classes == 1000


def test_weights_of_another_network_are_refused():
    other = import_timm().create_model("mobilenetv2_100").state_dict()
    with pytest.raises(WeightsError, match="not the full weights"):
        Teacher(NAME, other)
    with pytest.raises(WeightsError, match="is missing"):
        fill_trunk(EfficientNetLite2Trunk(), other, "file")


def test_frozen_statistics_are_batch_norm_in_evaluation_mode():
    torch.manual_seed(0)
    layer = ConvNorm(3, 8, 3, stride=2, frozen_statistics=True, rectifier=F.relu6, tf_padding=True)
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    image = torch.randn(2, 3, 9, 12)
    plain = copy.deepcopy(layer)
    padded = F.pad(image, (0, 1, 1, 1))  # 9 rows: one above and one below; 12 columns: one at the right
    expected = F.relu6(plain.norm.eval()(plain.conv(padded)))
    got = layer.train()(image)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    expected.square().sum().backward()
    got.square().sum().backward()
    for (name, ours), (_, theirs) in zip(layer.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4, msg=name)
    assert layer.norm.num_batches_tracked == 0


def test_depthwise_convolutions_train_in_float32_on_cpus():
    layer = ConvNorm(8, 8, 5, groups=8, frozen_statistics=True)
    dense = ConvNorm(8, 8, 1, frozen_statistics=True)
    with torch.autocast("cpu", torch.bfloat16):
        inner = dense(torch.randn(1, 8, 6, 6))
        assert inner.dtype == torch.bfloat16
        assert layer(inner).dtype == torch.float32
        with torch.no_grad():
            assert layer(inner).dtype == torch.bfloat16
    torch.testing.assert_close(layer(inner.float()), layer(inner.float()))


def test_free_statistics_follow_the_batch():
    layer = ConvNorm(3, 8).train()
    layer(torch.randn(4, 3, 8, 8) + 3)
    assert layer.norm.num_batches_tracked == 1
    assert layer.norm.running_mean.abs().sum() > 0
