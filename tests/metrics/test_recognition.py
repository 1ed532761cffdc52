import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from chromagan.metrics.classifier import RECOGNITION, Recognition
from chromagan.metrics.registry import directions


def classify(pictures):
    """Three classes: which channel is brightest."""
    return F.log_softmax(pictures.double().mean(dim=(2, 3)) / 20, dim=1).float()


def plain(red, green, blue, size=4):
    return np.full((size, size, 3), (red, green, blue), np.uint8)


TRUTHS = [plain(200, 10, 10), plain(10, 200, 10, 5), plain(10, 10, 200), plain(90, 80, 70)]
MADE = [plain(150, 60, 10), plain(90, 60, 10, 5), plain(10, 10, 200), plain(70, 80, 90)]
LABELS = [0, 1, 0, 2]


def fed(order=range(4), block=2, **options):
    metric = Recognition(RECOGNITION, classify, LABELS, **options)
    for place, index in enumerate(order):
        metric.update(index, "m", MADE[index], TRUTHS[index])
        metric.update(index, "truth", TRUTHS[index], TRUTHS[index])
        if place % block == block - 1:
            metric.flush()
    return metric


def test_figures_against_hand_and_scipy():
    metric = fed()
    figures = metric.compute("m")
    assert figures["accuracy"].value == 0.5  # red right, green taken for red, blue is labelled red, the last is blue
    assert figures["agreement"].value == 0.5
    p, q = (
        [torch.softmax(torch.tensor(x.mean(axis=(0, 1)) / 20), 0).numpy() for x in pictures]
        for pictures in (TRUTHS, MADE)
    )
    assert figures["class_kl"].value == pytest.approx(np.mean(list(map(stats.entropy, p, q))))
    for figure in figures.values():
        assert figure.low <= figure.value <= figure.high
        assert figure.count == 4


def test_the_truth_knows_itself():
    figures = fed().compute("truth")
    assert figures["agreement"].value == 1
    assert figures["class_kl"].value == 0
    assert figures["accuracy"].value == 0.5


def test_order_blocks_and_ranks_change_nothing():
    expected = fed().compute("m")
    assert fed(order=[3, 1, 0, 2], block=1).compute("m") == expected
    merged = fed(order=[])
    merged.merge([fed(order=[1, 3]).state(), fed(order=[0, 2]).state()])
    assert merged.compute("m") == expected
    assert fed(order=[0, 1, 2, 3, 0, 1]).compute("m") == expected


def test_state_survives_a_file_read_without_pickles(tmp_path):
    torch.save(fed().state(), tmp_path / "state.pt")
    other = fed(order=[])
    other.merge([torch.load(tmp_path / "state.pt", weights_only=True)])
    assert other.compute("m") == fed().compute("m")


def test_without_labels():
    metric = Recognition(("agreement",), classify)
    metric.update(0, "m", MADE[0], TRUTHS[0])
    assert metric.compute("m")["agreement"].value == 1
    assert math.isnan(metric.compute("nobody")["agreement"].value)
    with pytest.raises(ValueError, match="needs labels"):
        Recognition(("accuracy",), classify)
    with pytest.raises(ValueError, match="row named truth"):
        metric.update(1, "truth", MADE[1], TRUTHS[1])


def test_directions():
    assert directions(fed().names) == {"accuracy": True, "agreement": True, "class_kl": False}
