import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from chromagan.errors import MetricUnavailable, UsageError
from chromagan.metrics import distances
from chromagan.metrics.metric import Resources, SetMetric
from chromagan.metrics.registry import choose_metrics, list_metrics, open_metrics
from chromagan.models.trunk import import_timm

SMALL = "test_byobnet"  # timm's own network for tests
IMAGES = [f"n0144{i % 3 * 1000 + 764:04d}/{i}.png" for i in range(4)]


class Tiny(nn.Module):
    """Stands where Inception stands; its weights decide what it answers."""

    def __init__(self, network, tensors):
        super().__init__()
        self.weight = tensors["w"]

    def forward(self, pictures):
        return pictures.float().flatten(2).mean(dim=2) @ self.weight


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A folder with a classifier, and stand-ins for Inception that are found too."""
    timm = import_timm()
    folder = tmp_path / "networks"
    folder.mkdir()
    net = timm.create_model(SMALL, pretrained=False)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / f"{SMALL}.safetensors")

    def tensors(network, metric, networks, download):
        if networks is None:
            raise MetricUnavailable(f"{metric} is left out: {network} is missing; use --metric-networks DIR")
        return {"w": torch.full((3, 2048), 1.0 if network == "inception_tf" else 2.0)}

    monkeypatch.setattr(distances, "network_tensors", tensors)
    monkeypatch.setattr(distances, "InceptionFeatures", Tiny)
    monkeypatch.setenv("CHROMAGAN_CACHE", str(tmp_path / "cache"))
    return folder


SETS = [metric.name for metric in list_metrics() if isinstance(metric, SetMetric)]


def opened(names, networks=None, **options):
    found = open_metrics(choose_metrics(names), Resources(**{"images": IMAGES, "networks": networks, **options}))
    return found.collectors, found.missing


def run(made):
    generator = np.random.default_rng(0)
    for index in range(4):
        truth = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        for method, picture in (("m", truth // 2), ("truth", truth)):
            for metric in made:
                metric.update(index, method, picture, truth)
    for metric in made:
        metric.flush()
    return {name: figure for metric in made for name, figure in metric.compute("m").items()}


def test_all_by_name(networks):
    made, missing = opened(["psnr", *SETS], networks, download=False, protocol="folder/1", classifier=SMALL)
    assert [name for metric in made for name in metric.names] + list(missing) == SETS or missing
    figures = run(made)
    assert set(figures) | set(missing) == set(SETS)
    assert not set(figures) & set(missing)
    # Two networks, two names, two figures, and their digests are told.
    assert figures["fid_tf"].value != figures["fid_torchvision"].value
    digests = [metric.settings["sha256"] for metric in made]
    assert len(set(digests)) == 3
    assert all(len(digest) == 64 for digest in digests)


def test_only_what_was_asked_for(networks):
    made, missing = opened(["kid_tf", "kid_tf", "ssim"], networks)
    assert [metric.names for metric in made] == [("kid_tf",)]
    assert missing == {}
    assert opened(["psnr"]) == ([], {})


def test_what_cannot_be_had_is_told_by_name_and_the_rest_is_computed(networks):
    made, missing = opened(
        ["fid_tf", "fid_tf_matched", "agreement"], classifier=SMALL,
        classifier_weights=networks / f"{SMALL}.safetensors",
    )  # fmt: skip
    assert set(missing) == {"fid_tf", "fid_tf_matched"}
    for name, why in missing.items():
        assert why.startswith(f"{name} is left out")
        assert "--metric-networks" in why
    assert list(run(made)) == ["agreement"]


def test_accuracy_needs_labels_and_its_neighbours_do_not(networks):
    names = ["accuracy", "agreement", "class_kl"]
    made, missing = opened(names, networks, images=["a.png", "b.png"], classifier=SMALL)
    assert list(missing) == ["accuracy"]
    assert "2 of 2 images carry no class (a.png)" in missing["accuracy"]
    assert made[0].names == ("agreement", "class_kl")


def test_classes_come_from_folders(networks):
    images = ["n01440764/1.png", "n01443537/2.png"]
    made, missing = opened(["accuracy"], networks, images=images, classifier=SMALL)
    assert missing == {}
    assert made[0]._labels == [0, 1]


def test_a_distance_needs_two_images(networks):
    made, missing = opened(["fid_tf"], networks, images=["one.png"])
    assert made == []
    assert "compares sets" in missing["fid_tf"]


def test_truths_are_cached_where_asked(networks, tmp_path):
    def files():
        return list(tmp_path.rglob("*inception_tf*.safetensors"))

    run(opened(["fid_tf"], networks, cache=None)[0])
    assert files() == []
    run(opened(["fid_tf"], networks)[0])
    assert [path.parent for path in files()] == [tmp_path / "cache" / "reference"]
    run(opened(["fid_tf"], networks, cache=tmp_path / "own")[0])
    assert len(files()) == 2


def test_a_folder_that_is_not_there(networks):
    with pytest.raises(UsageError, match="not a folder"):
        opened(["agreement"], networks / "nowhere", classifier=SMALL)
