"""From configuration to networks: local weights, frozen blocks, what is missing."""

import pytest
import torch
from safetensors.torch import save_file

from chromagan.errors import ModelError, UsageError, WeightsError
from chromagan.models.registry import build_network
from chromagan.models.trunk import VGG16Trunk, import_timm, trunks_of
from chromagan.pretrained.catalog import weights_folder
from chromagan.pretrained.create import create_model
from chromagan.pretrained.store import save_weights
from chromagan.training.build import ancestors_of, build_generator, build_teacher, trunk_stages
from chromagan.training.config import NetworkOptions, from_preset


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vgg16_conv.safetensors"
    torch.manual_seed(1)
    save_file({k: v.half() for k, v in VGG16Trunk().state_dict().items()}, path)
    return path


def test_local_backbone_weights_fill_the_trunk_as_float32(vgg_file):
    from safetensors.torch import load_file

    network = build_generator(from_preset("default", backbone_weights=str(vgg_file)))
    weight = network.trunks[0].features[0].weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight.half(), load_file(vgg_file)["features.0.weight"])


@pytest.mark.parametrize(("frozen", "expected"), [(0, 0), (3, 1_735_488), (5, 14_714_688)])
def test_frozen_blocks(frozen, expected):
    options = NetworkOptions(trunk_frozen=frozen)
    kept, tuned = trunk_stages(build_network("chromagan", classes=0), options)
    assert sum(p.numel() for p in kept) == expected
    assert sum(p.numel() for p in (*kept, *tuned)) == 14_714_688


@pytest.mark.parametrize(("preset", "expected"), [("default", 1_735_488), ("chromagan_paper", 0)])
def test_the_blocks_of_the_2020_network_freeze_alike_and_its_recipe_trains_all(preset, expected):
    config = from_preset(preset, model="chromagan_paper")
    kept, _ = trunk_stages(build_network("chromagan_paper", classes=0), config.network)
    assert sum(p.numel() for p in kept) == expected


def test_a_timm_trunk_is_frozen_whole_or_not_at_all():
    network = build_network("chromagan", backbone="mobilenetv2_100", classes=0)
    assert trunk_stages(network, NetworkOptions(trunk_frozen=3))[0] == []
    assert trunk_stages(network, NetworkOptions(trunk_frozen=5))[1] == []


def test_no_pretrained_drops_the_class_term_and_says_so(caplog):
    assert build_teacher(from_preset("default", no_pretrained=True)) is None
    assert "no class term" in caplog.text


def test_missing_pickled_and_wrong_files_are_named(tmp_path, vgg_file):
    with pytest.raises(WeightsError, match="no weights file .*absent.safetensors"):
        build_generator(from_preset("default", backbone_weights=str(tmp_path / "absent.safetensors")))
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "pickled.pth")
    with pytest.raises(WeightsError, match="not a readable safetensors"):
        build_generator(from_preset("default", backbone_weights=str(tmp_path / "pickled.pth")))
    with pytest.raises(WeightsError, match="not the full weights of mobilenetv2_100"):
        build_teacher(from_preset("default", teacher="mobilenetv2_100", teacher_weights=str(vgg_file)))


@pytest.mark.parametrize("preset", ["released", "cpu"])
def test_backbone_is_an_option_of_two_models(preset):
    model = "chromagan_paper" if preset == "released" else "cunet"
    with pytest.raises(UsageError, match="--backbone goes with --model chromagan or unet"):
        build_generator(from_preset(preset, model=model, backbone="resnet18"))
    with pytest.raises(UsageError, match="--no-semantic"):
        build_generator(from_preset(preset, model=model, no_semantic=True))


def test_unet_has_a_plain_encoder_unless_one_is_named():
    plain = build_generator(from_preset("default", model="unet", no_pretrained=True))
    assert not hasattr(plain, "trunk")
    assert trunk_stages(plain, NetworkOptions(model="unet")) == ([], [])
    named = build_generator(from_preset("default", model="unet", backbone="vgg16", no_pretrained=True))
    assert (named.trunk.name, named.ab_stride) == ("vgg16", 1)
    assert sum(p.numel() for p in trunk_stages(named, NetworkOptions())[1]) == 14_714_688


def test_a_backbone_file_without_a_backbone_is_refused(vgg_file):
    with pytest.raises(UsageError, match="unet has no pretrained part"):
        build_generator(from_preset("default", model="unet", backbone_weights=str(vgg_file)))


def test_a_chosen_backbone_is_what_a_run_says_of_itself():
    assert from_preset("default").flat()["backbone"] == ["vgg16"]
    assert from_preset("default", backbone="resnet18").flat()["backbone"] == ["resnet18"]
    assert from_preset("default", model="unet").flat()["backbone"] == []
    assert from_preset("mobile").flat()["backbone"] == ["mobilenetv2_100"]


@pytest.mark.parametrize(("model", "backbone"), [("residual_vgg19", "vgg19"), ("mobilenet_unet", "mobilenetv2_100")])
def test_every_network_with_a_trunk_takes_the_file_of_its_backbone(model, backbone, tmp_path):
    torch.manual_seed(2)
    network = build_network(model)
    inner = network.trunk.features if model == "residual_vgg19" else network.trunk.net
    file = tmp_path / "backbone.safetensors"
    save_file(inner.state_dict(), file)
    built = build_generator(from_preset("default", model=model, backbone_weights=str(file)))
    for key, value in network.trunk.state_dict().items():
        assert torch.equal(built.trunk.state_dict()[key], value)


def test_a_trunk_that_is_always_frozen_is_never_trained(monkeypatch):
    from chromagan.models import koalarization

    monkeypatch.setattr(koalarization, "_CLASSIFIER", "test_resnet")
    network = build_network("koalarization")
    for options in ({"trunk_frozen": 0}, {"no_pretrained": True}):
        kept, tuned = trunk_stages(network, NetworkOptions(model="koalarization", **options))
        assert tuned == []
        assert len(kept) == len(list(network.trunk.parameters()))


def test_a_frozen_classifier_takes_its_own_file(monkeypatch, tmp_path):
    from chromagan.models import koalarization

    monkeypatch.setattr(koalarization, "_CLASSIFIER", "test_resnet")
    monkeypatch.setattr(koalarization.FrozenClassifier, "name", "test_resnet")
    torch.manual_seed(3)
    whole = import_timm().create_model("test_resnet")
    save_file(whole.state_dict(), tmp_path / "own.safetensors")
    config = from_preset("default", model="koalarization", backbone_weights=str(tmp_path / "own.safetensors"))
    built = build_generator(config).trunk.net.state_dict()
    assert all(torch.equal(built[key], value) for key, value in whole.state_dict().items())


@pytest.mark.parametrize("options", [{"preset": "mobile"}, {"preset": "default", "model": "mobilenet_unet"}])
def test_a_downloaded_mobilenet_is_built_as_its_owner_builds_it(options, monkeypatch, tmp_path):
    timm = import_timm()
    torch.manual_seed(0)
    own = timm.create_model("mobilenetv2_100.ra_in1k").eval()
    monkeypatch.setattr("chromagan.training.build.published_backbone", lambda name: own.state_dict())
    network = build_generator(from_preset(**options)).eval()
    gray = network.gray if hasattr(network, "gray") else network.grays[0]
    torch.testing.assert_close(gray.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    picture = torch.rand(1, 3, 64, 64)
    features = timm.create_model("mobilenetv2_100", features_only=True).eval()
    features.load_state_dict(own.state_dict(), strict=False)
    for ours, theirs in zip(trunks_of(network)[0](picture), features(picture), strict=True):
        torch.testing.assert_close(ours, theirs)
    # Sampling and fine-tuning find the same network again, by whatever name it is asked for.
    file, name = tmp_path / "weights.safetensors", from_preset(**options).network.model
    save_weights(file, network, model=name, config=network.config, command="a test")
    again = build_generator(from_preset(**options, init=str(file), no_pretrained=True)).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    torch.testing.assert_close(again(L).ab, network(L).ab, atol=0.1, rtol=0.01)  # half precision
    assert trunks_of(again)[0].name == trunks_of(network)[0].name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("chromagan@small", {"backbone": ["tf_efficientnet_lite2"]}),
        ("small.safetensors", {"backbone": ["tf_efficientnet_lite2"]}),
        ("chromagan", {"backbone": ["tf_efficientnet_lite2", "vgg16"]}),
    ],
)
def test_a_run_starts_from_weights_of_the_catalogue(name, options):
    init = name if name.startswith("chromagan") else str(weights_folder() / name)
    run = from_preset("default", init=init, class_weight=0.0, **options)
    network = build_generator(run).eval()
    shipped = create_model("chromagan@small" if init != "chromagan" else init, pretrained=True).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    torch.testing.assert_close(network(L).ab, shipped(L).ab, atol=1e-3, rtol=1e-3)
    assert len(ancestors_of(run.network)) >= 1


def test_a_network_without_a_class_head_asks_for_no_teacher(monkeypatch, caplog):
    monkeypatch.setattr("chromagan.training.build.published_backbone", lambda name: pytest.fail(name))
    run = from_preset("default", model="unet", class_weight=0.1)
    assert not run.wants_teacher
    assert build_teacher(run) is None
    assert "no class head" in caplog.text


def test_a_tag_that_timm_does_not_know_is_told():
    with pytest.raises(ModelError, match="timm has no backbone 'resnet18.nothing'"):
        build_network("chromagan", backbone="resnet18.nothing")
    assert build_network("chromagan", backbone="resnet18.a1_in1k", classes=0).config["backbone"] == ["resnet18.a1_in1k"]


def test_a_download_that_fails_names_the_backbone_of_the_network(monkeypatch):
    asked = []

    def offline(name, *_, **__):
        asked.append(name)
        raise WeightsError(f"no {name}")

    monkeypatch.setattr("chromagan.training.build.published_backbone", offline)
    for model in ("densenet_unet", "residual_vgg19"):
        with pytest.raises(WeightsError):
            build_generator(from_preset("default", model=model))
    assert asked == ["densenet121", "vgg19"]
