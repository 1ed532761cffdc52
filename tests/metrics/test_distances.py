import math

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.metrics import distances
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.distances import KINDS, FeatureDistances, distance_names
from chromagan.metrics.feature_store import ReferenceCache
from chromagan.metrics.kernel_distance import kernel_distance, polynomial_mmd
from chromagan.metrics.match_colourfulness import match_colourfulness
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: E402
from torchmetrics.image.kid import KernelInceptionDistance  # noqa: E402

ALL = distance_names("tf")


class TinyFeatures(nn.Module):
    """Deterministic features of uint8 pictures, in place of Inception."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.weight = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.batches = []

    def forward(self, pictures):
        assert pictures.dtype == torch.uint8
        self.batches.append(len(pictures))
        return (nn.functional.adaptive_avg_pool2d(pictures.double() / 255, 2).flatten(1) @ self.weight).sin()


def photos(count, seed=0, size=8):
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (size, size + i % 2, 3), dtype=np.uint8) for i in range(count)]


def names(count):
    return [f"photo{i}.png" for i in range(count)]


def fed(truths, methods, block=7, order=None, **options):
    """The metric after all pictures, in blocks as the comparison deals them."""
    options = {"names": ALL, "images": names(len(truths)), **options}
    kinds = {name: KINDS[distance_names("tf").index(name)] for name in options.pop("names")}
    metric = FeatureDistances(kinds, features=options.pop("features", TinyFeatures()), dimensions=6, **options)
    for place, index in enumerate(order if order is not None else range(len(truths))):
        for method, pictures in methods.items():
            metric.update(index, method, pictures[index], truths[index])
        if place % block == block - 1:
            metric.flush()
    metric.flush()
    return metric


def features_of(pictures):
    return torch.cat([TinyFeatures()(torch.from_numpy(p).permute(2, 0, 1)[None]) for p in pictures]).float()


def test_equals_torchmetrics_on_the_same_pictures():
    truths, made = photos(40, 1, 9), [p // 2 for p in photos(40, 2, 9)]
    figures = fed(truths, {"half": made}).compute("half")
    fid = FrechetInceptionDistance(feature=TinyFeatures(), normalize=False)
    fid.set_dtype(torch.float64)
    kid = KernelInceptionDistance(feature=TinyFeatures(), subsets=1, subset_size=40)
    for true, ours in zip(truths, made, strict=True):
        for metric in (fid, kid):
            metric.update(torch.from_numpy(true).permute(2, 0, 1)[None], real=True)
            metric.update(torch.from_numpy(ours).permute(2, 0, 1)[None], real=False)
    assert figures["fid_tf"].value == pytest.approx(float(fid.compute()), rel=1e-4)
    assert figures["kid_tf"].value == pytest.approx(float(kid.compute()[0]), rel=1e-4)
    assert figures["fid_tf"].value > 0.01
    assert figures["fid_tf"].count == 40


def test_identical_sets():
    truths = photos(24)
    metric = fed(truths, {"copy": [t.copy() for t in truths], "truth": truths})
    for method in ("copy", "truth"):
        figures = metric.compute(method)
        assert figures["fid_tf"].value == pytest.approx(0, abs=1e-6)
        assert figures["fid_tf_matched"].value == pytest.approx(0, abs=1e-6)
        assert figures["kid_tf"].value < 0  # unbiased for independent sets, and these are not
        # What other images alone cost: the floor of the disjoint figure.
        assert figures["fid_tf_disjoint"].value > 0.001
        assert figures["fid_tf_disjoint"].count == 12


def test_the_halves_are_disjoint_and_do_not_depend_on_order_or_format():
    truths, made = photos(30, 1), photos(30, 2)
    value = fed(truths, {"m": made}).compute("m")["fid_tf_disjoint"].value
    order = np.random.default_rng(5).permutation(30)
    other = fed([truths[i] for i in order], {"m": [made[i] for i in order]},
                images=[f"folder/photo{i}.jpg" for i in order])  # fmt: skip
    assert other.compute("m")["fid_tf_disjoint"].value == pytest.approx(value, rel=1e-9)
    assert fed(truths, {"m": made}, seed=1).compute("m")["fid_tf_disjoint"].value != pytest.approx(value, rel=1e-3)
    # The definition, by hand: pictures of one half, truths of the other.
    metric = fed(truths, {"m": made})
    half, rest = metric._order[:15], metric._order[15:]
    assert not set(half) & set(rest)
    by_hand = distances.frechet_distance_of_features(
        features_of([made[i] for i in half]), features_of([truths[i] for i in rest])
    )
    assert value == pytest.approx(by_hand, rel=1e-9)


def test_matched_is_the_distance_after_scaling_each_picture():
    truths = photos(20, 1, 16)
    made = [np.asarray(p // 3 + 80, np.uint8) for p in photos(20, 2, 16)]
    metric = fed(truths, {"pale": made})
    scaled = [match_colourfulness(ours, colourfulness(true)) for ours, true in zip(made, truths, strict=True)]
    expected = distances.frechet_distance_of_features(features_of(scaled), features_of(truths))
    figures = metric.compute("pale")
    assert figures["fid_tf_matched"].value == pytest.approx(expected, rel=1e-6)
    assert figures["fid_tf_matched"].value != pytest.approx(figures["fid_tf"].value, rel=1e-2)


def test_order_blocks_and_ranks_change_no_figure():
    truths, methods = photos(33, 1), {"a": photos(33, 2), "b": photos(33, 3)}
    whole = fed(truths, methods, block=33)
    backwards = fed(truths, methods, block=2, order=range(32, -1, -1))
    ranks = [fed(truths, methods, order=range(rank, 33, 3)) for rank in range(3)]
    merged = fed(truths, methods, order=[])
    merged.merge([rank.state() for rank in reversed(ranks)])
    again = fed(truths, methods, order=[*range(33), 4, 5])  # a block that comes twice is held once
    for method in methods:
        expected = whole.compute(method)
        for other in (backwards, merged, again):
            for name, figure in other.compute(method).items():
                assert figure.value == pytest.approx(expected[name].value, rel=1e-6, abs=1e-9)
                assert figure.count == expected[name].count
        assert merged.compute(method) == again.compute(method)


def test_state_survives_a_file_read_without_pickles(tmp_path):
    metric = fed(photos(6), {"m": photos(6, 1)}, cache=None)
    torch.save(metric.state(), tmp_path / "state.pt")
    other = FeatureDistances(dict(zip(ALL, KINDS, strict=True)), TinyFeatures(), 6, names(6))
    other.merge([torch.load(tmp_path / "state.pt", weights_only=True)])
    assert other.compute("m")["fid_tf"] == metric.compute("m")["fid_tf"]


def test_batches_are_bounded():
    network = TinyFeatures()
    fed(photos(90), {"m": photos(90, 1)}, block=90, features=network)
    assert max(network.batches) == 32
    assert len(network.batches) < 20


def test_large_sets_go_through_running_sums(monkeypatch):
    truths, made = photos(60, 1), photos(60, 2)
    expected = fed(truths, {"m": made}).compute("m")
    monkeypatch.setattr(distances, "_IN_MEMORY", 10)
    found = fed(truths, {"m": made}).compute("m")
    for name in ("fid_tf", "fid_tf_disjoint", "fid_tf_matched"):
        assert found[name].value == pytest.approx(expected[name].value, rel=1e-5)


def test_kid_of_large_sets_equals_the_function_on_all_features(monkeypatch):
    monkeypatch.setattr(distances, "KID_SUBSET_SIZE", 20)
    truths, made = photos(50, 1), photos(50, 2)
    figure = fed(truths, {"m": made}, names=("kid_tf",)).compute("m")["kid_tf"]
    expected = kernel_distance(features_of(made), features_of(truths), subset_size=20)[0]
    assert figure.value == pytest.approx(expected, rel=1e-9)


def test_intervals_and_warnings():
    truths, made = photos(100, 1), [p // 2 for p in photos(100, 2)]
    metric = fed(truths, {"m": made})
    figures = metric.compute("m")
    for name in ("fid_tf", "kid_tf", "fid_tf_matched", "fid_tf_disjoint"):
        assert figures[name].low <= figures[name].value < figures[name].high
    assert figures["fid_tf"].low > 0
    assert len(metric.warnings) == 1
    assert "2,048" in metric.warnings[0]
    assert "fid_tf (100)" in metric.warnings[0]
    assert "fid_tf_disjoint (50)" in metric.warnings[0]
    metric.compute("m")
    assert len(metric.warnings) == 1
    few = fed(truths[:29], {"m": made[:29]}).compute("m")["fid_tf"]
    assert math.isfinite(few.value)
    assert math.isnan(few.low)


def test_one_picture_and_no_pictures():
    metric = fed(photos(1), {"m": photos(1, 1)})
    for method, count in (("m", 1), ("nobody", 0)):
        for figure in metric.compute(method).values():
            assert math.isnan(figure.value)
            assert figure.count == count
    with pytest.raises(ValueError, match="row named truth"):
        fed(photos(2), {"truth": photos(2, 1)})


def test_the_truths_run_once_however_many_methods_and_runs(tmp_path):
    truths, made = photos(20, 1), photos(20, 2)

    def cache():
        return ReferenceCache(tmp_path, "tiny 123", "folder/1", names(20), 6)

    def run(truths, methods):
        network = TinyFeatures()
        metric = fed(truths, {m: made for m in methods}, features=network, cache=cache(), names=("fid_tf",))
        return metric.compute("a"), sum(network.batches)

    fresh, ran = run(truths, "ab")
    assert ran == 60
    cached, ran = run(truths, "ab")
    assert ran == 40
    assert cached == fresh
    # A truth with other pixels is not taken from the file, whatever its name.
    changed = [truths[0] // 2, *truths[1:]]
    other, ran = run(changed, "a")
    assert ran == 21
    assert other == fed(changed, {"a": made}, names=("fid_tf",)).compute("a")
    assert len(cache()) == 20


def test_a_cache_that_cannot_be_written_costs_a_warning_only(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ReferenceCache(tmp_path / "file" / "cache", "tiny 123", "folder/1", names(6), 6)
    metric = fed(photos(6), {"m": photos(6, 1)}, cache=cache)
    assert math.isfinite(metric.compute("m")["fid_tf"].value)
    assert any("not kept for the next run" in warning for warning in metric.warnings)


def test_polynomial_mmd_of_halves_is_what_disjoint_kid_says():
    truths, made = photos(12, 1), photos(12, 2)
    metric = fed(truths, {"m": made})
    half, rest = metric._order[:6], metric._order[6:]
    expected = polynomial_mmd(features_of([made[i] for i in half]), features_of([truths[i] for i in rest]))
    assert metric.compute("m")["kid_tf_disjoint"].value == pytest.approx(expected, rel=1e-9)
