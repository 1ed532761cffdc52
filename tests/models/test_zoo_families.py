"""Each family against a plain network written down from its paper, and what makes each one itself."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from chromagan.errors import ModelError
from chromagan.models import koalarization
from chromagan.models.iizuka import VectorFusion
from chromagan.models.registry import build_network
from chromagan.models.trunk import VGG16Trunk, VGG19Trunk, fill_trunk, import_timm, lightness_to_srgb


def lightness(count, height, width):
    return torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(3)) * 100


def copy_by_order(target, source):
    """Give a plain network the weights of ours, layer after layer; every shape must agree."""
    theirs = [t for k, t in source.state_dict().items() if "num_batches" not in k]
    ours = [t for k, t in target.state_dict().items() if "num_batches" not in k]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        mine.copy_(other)
    return target.eval()


def shake_statistics(network):
    """Running statistics as after training, so that a forgotten normalisation is seen."""
    generator = torch.Generator().manual_seed(4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


@pytest.fixture
def small_classifier(monkeypatch):
    """A classifier of timm's own tests in place of Inception-ResNet-v2."""
    monkeypatch.setattr(koalarization, "_CLASSIFIER", "test_resnet")
    monkeypatch.setattr(koalarization, "_CLASSIFIER_SIDE", 64)


@torch.no_grad()
def test_fusion_is_a_convolution_of_map_and_repeated_vector():
    torch.manual_seed(0)
    fusion = VectorFusion(5, 7, 3)
    image, vector = torch.randn(2, 5, 4, 6), torch.randn(2, 7)
    both = torch.cat((image, vector[:, :, None, None].expand(-1, -1, 4, 6)), dim=1)
    torch.testing.assert_close(fusion(image, vector), F.conv2d(both, fusion.weight, fusion.bias))


@torch.no_grad()
def test_vgg19_reads_torchvisions_file_and_gives_its_maps():
    import_timm()
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    theirs = make_layers(cfgs["E"])
    trunk = VGG19Trunk()
    fill_trunk(trunk, {f"features.{k}": v for k, v in theirs.state_dict().items()}, "vgg19")
    image, expected = torch.randn(1, 3, 32, 32), []
    x = image
    for layer in theirs:
        if isinstance(layer, nn.MaxPool2d):
            expected.append(x)
        x = layer(x)
    for got, wanted in zip(trunk(image), expected, strict=True):
        torch.testing.assert_close(got, wanted)
    assert sum(p.numel() for stage in trunk.stages() for p in stage) == 20_024_384
    assert VGG16Trunk().widths == trunk.widths


@torch.no_grad()
def test_residual_vgg19_adds_to_the_pooled_maps_without_non_linearity():
    torch.manual_seed(0)
    network = build_network("residual_vgg19").eval()
    nn.init.normal_(network.to_pool4.bias)
    L = lightness(1, 48, 64)
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    x = (lightness_to_srgb(L) - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    pooled = []
    for layer in network.trunk.features:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            pooled.append(x)
    state = network.state_dict()
    _, _, pool3, pool4 = pooled
    x = F.conv_transpose2d(x, state["to_pool4.weight"], state["to_pool4.bias"], padding=1) + pool4
    for name, skip in (("to_pool3", pool3), ("to_ab", None)):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)
        x = x if skip is None else x + skip
    torch.testing.assert_close(network(L).ab, x * 100, rtol=1e-4, atol=1e-4)


def convolutions(*layers):
    """3x3 convolutions of (inputs, outputs, stride), each with ReLU."""
    modules = []
    for inputs, outputs, stride in layers:
        modules += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU()]
    return modules


class PlainKoalarization(nn.Module):
    """The paper's Table 1, with the repeated vector."""

    def __init__(self, vector):
        super().__init__()
        self.encoder = nn.Sequential(
            *convolutions((1, 64, 2), (64, 128, 1), (128, 128, 2), (128, 256, 1), (256, 256, 2), (256, 512, 1)),
            *convolutions((512, 512, 1), (512, 256, 1)),
        )
        self.fusion = nn.Conv2d(256 + vector, 256, 1)
        self.decoder = nn.Sequential(
            *convolutions((256, 128, 1)), nn.UpsamplingNearest2d(scale_factor=2),
            *convolutions((128, 64, 1), (64, 64, 1)), nn.UpsamplingNearest2d(scale_factor=2),
            *convolutions((64, 32, 1)), nn.Conv2d(32, 2, 3, 1, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, L, vector):
        x = self.encoder(L / 50 - 1)
        whole = vector[:, :, None, None].repeat(1, 1, *x.shape[-2:])
        return self.decoder(F.relu(self.fusion(torch.cat((x, whole), 1)))) * 128


@torch.no_grad()
def test_koalarization_is_the_papers_table(small_classifier):
    torch.manual_seed(0)
    network = build_network("koalarization").eval()
    plain = PlainKoalarization(1000)
    own = nn.ModuleList((network.encoder, network.fusion, network.decoder))
    copy_by_order(plain, own)
    L = lightness(2, 40, 56)
    small = F.interpolate(L, (64, 64), mode="bilinear", antialias=True)
    record = import_timm().get_pretrained_cfg("test_resnet")
    image = lightness_to_srgb(small) - torch.tensor(record.mean).view(1, 3, 1, 1)
    vector = network.trunk.net(image / torch.tensor(record.std).view(1, 3, 1, 1))
    torch.testing.assert_close(network(L).ab, plain(L, vector), rtol=1e-4, atol=1e-4)


def test_the_classifier_of_koalarization_stays_frozen(small_classifier):
    network = build_network("koalarization").train()
    assert network.encoder.training
    assert not any(module.training for module in network.trunk.modules())
    assert not any(p.requires_grad for p in network.trunk.parameters())
    assert all(name.startswith("trunk.") for name, p in network.named_parameters() if not p.requires_grad)


def test_koalarization_can_fuse_the_embedding():
    with torch.device("meta"):
        network = build_network("koalarization", embedding=True)
    assert network.fusion.weight.shape == (256, 256 + 1536, 1, 1)
    assert network.trunk.net.num_features == 1536
    assert network.trunk.net.default_cfg["input_size"][1] == koalarization._CLASSIFIER_SIDE


def normalised(*layers):
    modules = []
    for inputs, outputs, stride in layers:
        modules += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*modules)


class PlainIizuka(nn.Module):
    """Table 1 of the paper and its classification network, with the repeated vector."""

    def __init__(self):
        super().__init__()
        self.low = normalised((1, 64, 2), (64, 128, 1), (128, 128, 2), (128, 256, 1), (256, 256, 2), (256, 512, 1))
        self.mid = normalised((512, 512, 1), (512, 256, 1))
        self.whole = normalised((512, 512, 2), (512, 512, 1), (512, 512, 2), (512, 512, 1))
        self.dense = nn.ModuleList((nn.Linear(25_088, 1024), nn.Linear(1024, 512), nn.Linear(512, 256)))
        self.classes = nn.ModuleList((nn.Linear(512, 256), nn.Linear(256, 10)))
        self.fusion = nn.Conv2d(512, 256, 1)
        self.first, self.second = normalised((256, 128, 1)), normalised((128, 64, 1), (64, 64, 1))
        self.third, self.last = normalised((64, 32, 1)), nn.Conv2d(32, 2, 3, 1, 1)

    def forward(self, L, at_224):
        vector = self.whole(self.low(at_224 / 100)).flatten(1)
        for layer in self.dense[:2]:
            vector = F.relu(layer(vector))
        classes = self.classes[1](F.relu(self.classes[0](vector)))
        mid = self.mid(self.low(L / 100))
        whole = F.relu(self.dense[2](vector))[:, :, None, None].repeat(1, 1, *mid.shape[-2:])
        x = self.first(F.relu(self.fusion(torch.cat((mid, whole), 1))))
        x = self.second(F.interpolate(x, scale_factor=2))
        x = self.third(F.interpolate(x, scale_factor=2))
        return self.last(x).sigmoid() * 220 - 110, classes


@pytest.mark.parametrize(("size", "passes"), [((224, 224), 1), ((64, 48), 2)])
@torch.no_grad()
def test_iizuka_is_the_papers_table_and_shares_the_low_level_at_224(size, passes):
    torch.manual_seed(0)
    network = shake_statistics(build_network("iizuka", classes=10))
    plain = copy_by_order(PlainIizuka(), network)
    seen = []
    handle = network.low_level.register_forward_hook(lambda *_: seen.append(1))
    L = lightness(1, *size)
    got = network(L)
    handle.remove()
    assert len(seen) == passes
    ab, classes = plain(L, F.interpolate(L, (224, 224), mode="bilinear", antialias=True))
    torch.testing.assert_close(got.ab, ab, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(got.class_logits, classes, rtol=1e-4, atol=1e-4)


def test_iizuka_refuses_a_negative_number_of_classes():
    with pytest.raises(ModelError, match="classes=-1"):
        build_network("iizuka", classes=-1)


@torch.no_grad()
def test_unet_is_the_papers_figure():
    torch.manual_seed(0)
    network = shake_statistics(build_network("unet", width=4))
    state = network.state_dict()

    def twice(x, name):
        for conv, norm in ((0, 1), (3, 4)):
            x = F.conv2d(x, state[f"{name}.{conv}.weight"], padding=1)
            statistics = (state[f"{name}.{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
            x = F.relu(F.batch_norm(x, *statistics))
        return x

    L = lightness(2, 32, 48)
    x, skips = twice(L / 50 - 1, "encoder.levels.0"), []
    for level in range(1, 5):
        skips.append(x)
        x = twice(F.max_pool2d(x, 2), f"encoder.levels.{level}")
    assert x.shape == (2, 64, 2, 3)
    for step, skip in enumerate(reversed(skips)):
        name = f"decoder.steps.{step}"
        x = F.conv_transpose2d(x, state[f"{name}.enlarge.weight"], state[f"{name}.enlarge.bias"], stride=2)
        x = twice(torch.cat((skip, x), 1), f"{name}.mix")
    ab = F.conv2d(x, state["to_ab.weight"], state["to_ab.bias"]) * 110
    torch.testing.assert_close(network(L).ab, ab, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "stride", "ab_stride"),
    [("resnet18", 32, 2), ("test_convnext", 32, 4), ("test_vit", 16, 4), ("swin_s3_tiny_224", 32, 4)],
)
@torch.no_grad()
def test_any_timm_encoder(backbone, stride, ab_stride):
    network = build_network("unet", backbone=backbone, width=4).eval()
    assert (network.stride, network.ab_stride) == (stride, ab_stride)
    assert network(lightness(1, 70, 33)).ab.shape == (1, 2, -(-70 // ab_stride), -(-33 // ab_stride))


@torch.no_grad()
def test_an_encoder_that_loses_border_pixels_still_answers_on_the_grid():
    network = build_network("unet", backbone="inception_v3", width=4).eval()
    assert network(lightness(1, 96, 128)).ab.shape == (1, 2, 48, 64)


def test_backbones_that_cannot_serve_are_named():
    with pytest.raises(ModelError, match="no_such_net"):
        build_network("unet", backbone="no_such_net")
    with pytest.raises(ModelError, match="mixer_s32_224 takes photographs of one size only"):
        build_network("unet", backbone="mixer_s32_224")


@pytest.mark.parametrize("name", ["unet", "cunet", "densenet_unet", "mobilenet_unet"])
def test_a_width_of_nothing_is_refused(name):
    with pytest.raises(ModelError, match="width=0"):
        build_network(name, width=0)


@pytest.mark.parametrize(
    ("name", "backbone"), [("densenet_unet", "densenet121"), ("mobilenet_unet", "mobilenetv2_100")]
)
@torch.no_grad()
def test_encoders_take_the_whole_classifiers_file(name, backbone):
    torch.manual_seed(1)
    arguments = {"pad_type": "same"} if backbone == "mobilenetv2_100" else {}
    classifier = shake_statistics(import_timm().create_model(backbone, **arguments))
    network = build_network(name, width=4).eval()
    fill_trunk(network.trunk, classifier.state_dict(), "file")
    image = torch.randn(1, 3, 64, 64)
    deepest = network.trunk(image)[-1]
    features = classifier.forward_features(image)
    if backbone == "mobilenetv2_100":  # the last 1x1 convolution is the classifier's alone
        features = classifier.blocks(classifier.bn1(classifier.conv_stem(image)))
    torch.testing.assert_close(deepest, features, rtol=1e-4, atol=1e-4)


def test_cunet_never_goes_below_an_eighth():
    network = build_network("cunet", width=4).eval()
    sides = []
    dilations = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, answer: sides.append(answer.shape[-1]))
            dilations.setdefault(module.dilation[0], []).append(name)
    network(lightness(1, 64, 64))
    assert min(sides) == 64 // 8
    assert len(dilations[2]) == 4
    assert len(dilations[4]) == 2
    assert network.stride == 8
