"""Pretrained trunks and the teacher: keys, features, files, preprocessing."""

import pytest
import torch

from chromagan.errors import ModelError, WeightsError
from chromagan.models.registry import build_network
from chromagan.models.teacher import Teacher
from chromagan.models.trunk import (
    GrayInput,
    TimmTrunk,
    VGG16Trunk,
    downloaded_name,
    fill_trunk,
    import_timm,
    lightness_to_srgb,
    trunks_of,
)


def test_gray_input_is_the_classifiers_own_preprocessing():
    gray = GrayInput((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    L = torch.tensor([0.0, 100.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(gray(L).flatten(1)[:, 0], torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)


def test_lightness_to_srgb_is_that_of_scikit_image():
    from skimage.color import lab2rgb

    L = torch.linspace(0, 100, 101)
    lab = torch.stack((L, torch.zeros_like(L), torch.zeros_like(L)), -1).view(1, -1, 3)
    expected = lab2rgb(lab.double().numpy())[0].mean(1)
    assert abs(lightness_to_srgb(L).numpy() - expected).max() < 1e-3


def test_trunk_has_torchvisions_keys_and_features():
    import_timm()
    from torchvision.models import vgg16

    torch.manual_seed(0)
    theirs = vgg16(weights=None).eval()
    trunk = VGG16Trunk()
    fill_trunk(trunk, theirs.state_dict(), "vgg16")
    image = torch.randn(1, 3, 32, 32)
    expected, maps = image, {}
    for index, layer in enumerate(theirs.features):
        expected = layer(expected)
        maps[index] = expected
    got = trunk(image)
    for index, tap in zip((3, 8, 15, 22, 29), got, strict=True):
        torch.testing.assert_close(tap, maps[index])
    sizes = [sum(p.numel() for p in stage) for stage in trunk.stages()]
    assert sum(sizes) == 14_714_688


def test_fill_trunk_names_what_is_missing():
    tensors = VGG16Trunk().state_dict()
    del tensors["features.10.weight"]
    with pytest.raises(WeightsError, match="10.weight is missing"):
        fill_trunk(VGG16Trunk(), tensors, "file.safetensors")
    tensors["features.10.weight"] = torch.zeros(3)
    with pytest.raises(WeightsError, match="has shape"):
        fill_trunk(VGG16Trunk(), tensors, "file.safetensors")


def test_timm_backbone_and_teacher_take_one_file():
    timm = import_timm()
    torch.manual_seed(0)
    tensors = timm.create_model("mobilenetv2_100", pad_type="same").state_dict()
    network = build_network("chromagan", backbone="mobilenetv2_100", classes=0)
    fill_trunk(network.trunks[0], tensors, "file")
    assert network(torch.rand(1, 1, 40, 40) * 100).ab.shape == (1, 2, 10, 10)
    teacher = Teacher("mobilenetv2_100", tensors, gray=True)
    shares = teacher.train()(torch.rand(2, 1, 64, 64) * 100)
    assert teacher.classes == 1000
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert not any(p.requires_grad for p in teacher.parameters())
    for name, value in teacher.net.state_dict().items():  # batch norm's statistics among them
        assert torch.equal(value, tensors[name]), name


def test_a_downloaded_mobilenet_is_not_the_converted_one():
    tensors = import_timm().create_model("mobilenetv2_100").state_dict()
    assert downloaded_name("mobilenetv2_100") == "mobilenetv2_100.ra_in1k"
    assert downloaded_name("resnet18") == "resnet18"
    local, published = (Teacher(name, tensors) for name in ("mobilenetv2_100", "mobilenetv2_100.ra_in1k"))
    assert local.gray.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    torch.testing.assert_close(published.gray.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    picture = torch.rand(1, 3, 64, 64)
    assert (local.net(picture) - published.net(picture)).abs().max() > 1e-6  # padding


def test_backbones_that_timm_renames_are_filled_too():
    timm = import_timm()
    tensors = timm.create_model("convnext_atto").state_dict()
    network = build_network("chromagan", backbone="convnext_atto", classes=0)
    fill_trunk(network.trunks[0], tensors, "file")
    torch.testing.assert_close(network.trunks[0].net.stem_0.weight, tensors["stem.0.weight"])


def test_raw_lightness_shows_the_teacher_another_picture():
    timm = import_timm()
    torch.manual_seed(0)
    tensors = timm.create_model("mobilenetv2_100", pad_type="same").state_dict()
    seen = []
    for raw in (False, True):
        teacher = Teacher("mobilenetv2_100", tensors, raw_lightness=raw, gray=True)
        teacher.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        teacher(torch.full((1, 1, 64, 64), 50.0))
    torch.testing.assert_close(seen[1], torch.full((1, 3, 64, 64), 0.5))
    torch.testing.assert_close(seen[0], torch.full((1, 3, 64, 64), (0.4663 - 0.5) / 0.5), atol=1e-3, rtol=0)


def test_unknown_backbone():
    with pytest.raises(ModelError, match="no_such_net"):
        build_network("chromagan", backbone="no_such_net")


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit3_small_patch16_224", "eva02_base_patch16_clip_224", "resnet18"]
)
def test_every_tensor_of_a_backbone_has_its_place_in_the_classifiers_file(name):
    timm = import_timm()
    with torch.device("meta"):  # names and shapes alone
        theirs = timm.create_model(name).state_dict()
        trunk = TimmTrunk(name)
    named = {trunk.key_of(key): tensor.shape for key, tensor in theirs.items()}
    assert {key: tensor.shape for key, tensor in trunk.state_dict().items()}.items() <= named.items()


@torch.no_grad()
def test_a_transformers_maps_are_those_of_its_classifier():
    timm = import_timm()
    theirs = timm.create_model("vit_tiny_patch16_224", dynamic_img_size=True).eval()
    for network in (
        build_network("chromagan", backbone="vit_tiny_patch16_224", classes=0),
        build_network("unet", backbone="vit_tiny_patch16_224", width=4),
    ):
        trunk = next(iter(trunks_of(network)))
        fill_trunk(trunk.eval(), theirs.state_dict(), "file")
        image = torch.randn(1, 3, 32, 48)
        expected = theirs.forward_intermediates(image, indices=3, intermediates_only=True)
        torch.testing.assert_close(trunk(image)[-1], expected[-1])
        assert network.eval()(torch.rand(1, 1, 40, 52) * 100).ab.shape == (1, 2, 10, 13)


def test_a_backbone_whose_maps_fit_no_octave_is_told_in_one_line():
    with torch.device("meta"), pytest.raises(ModelError, match="eva02_tiny_patch14_224 has its maps at 1/14"):
        TimmTrunk("eva02_tiny_patch14_224")
