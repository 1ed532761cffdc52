"""The consistency term: by loops, on networks that answer alike by construction, and in a step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from torch import nn

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.losses.consistency import Consistency
from chromagan.losses.registry import Sight
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.training.config import from_preset
from chromagan.training.step import Adversaries, prepare_truth

TERM = Consistency(consistency_weight=1.0)


class Pointwise(ColorizationNetwork):
    """What it answers at a pixel depends on that pixel's L alone, or on where it lies."""

    def __init__(self, by_place=0.0):
        super().__init__()
        self.config, self.by_place = {}, by_place
        self.body = nn.Conv2d(1, 2, 1)

    def predict(self, L, condition):
        columns = torch.linspace(-1, 1, L.shape[3]).expand_as(L)
        return Prediction(self.body(L / 50 - 1) * 20 + self.by_place * columns)


@pytest.fixture(scope="module")
def truth():
    random = torch.Generator().manual_seed(1)
    return prepare_truth(torch.randint(0, 256, (3, 3, 32, 48), generator=random).byte(), 1)


def players(network):
    run = from_preset(
        "default", no_pretrained=True, bin_weight=0.0, hints=False, class_weight=0.0, consistency_weight=1.0
    )
    return Adversaries(network, None, None, (torch.optim.SGD(network.parameters(), lr=1e-3), None), run)


def value(network, truth):
    one = players(network)
    return TERM(one.sight(truth, network(truth.L)))


def test_it_is_the_distance_of_both_looks():
    random = np.random.default_rng(0)
    large, small = random.normal(0, 20, (2, 2, 8, 6)), random.normal(0, 20, (2, 2, 4, 3))
    shares, few = (softmax(random.normal(0, 3, (2, 9, *size)), axis=1) for size in ((8, 6), (4, 3)))
    squares, apart = [], []
    for photo, row, column in np.ndindex(2, 4, 3):
        area = np.s_[photo, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        there = np.s_[photo, :, row, 2 - column]
        squares.append((large[area].mean((1, 2)) - small[there]) ** 2)
        apart.append(jensenshannon(shares[area].mean((1, 2)), few[there]) ** 2)  # scipy's is its root
    given = [torch.from_numpy(one).float() for one in (large, small, np.log(shares), np.log(few))]
    sight = Sight(given[0], given[0], given[0][:, :1], ab_unit=50.0, look_again=lambda *seen: (given[1], given[3]))
    assert TERM(sight).item() == pytest.approx(np.mean(squares) / 50**2, rel=1e-5)
    sight = replace(sight, bin_logits=given[2])
    assert TERM(sight).item() == pytest.approx(np.mean(squares) / 50**2 + 0.02 * np.mean(apart), rel=1e-5)


def test_a_network_that_goes_by_the_pixel_costs_nothing(truth):
    torch.manual_seed(0)
    assert value(Pointwise(), truth).item() == pytest.approx(0, abs=1e-9)


def test_one_that_goes_by_the_place_pays_for_the_mirror(truth):
    torch.manual_seed(0)
    columns = np.linspace(-1, 1, 48).reshape(-1, 2).mean(1) * 20
    mirrored = np.linspace(-1, 1, 24)[::-1] * 20
    expected = np.mean((columns - mirrored) ** 2) / 50**2
    assert value(Pointwise(by_place=20.0), truth).item() == pytest.approx(expected, rel=1e-4)


def test_hints_go_with_the_photo(truth):
    """What a person gave is halved and mirrored too, so that it stays where it was."""

    class Obeys(Pointwise):
        accepts = frozenset({"local"})

        def predict(self, L, condition):
            return Prediction(self.body(L / 50 - 1) * 0 + condition.local.ab * condition.local.mask)

    run = from_preset("default", no_pretrained=True, bin_weight=0.0, class_weight=0.0)
    rgb = torch.zeros(1, 3, 32, 48, dtype=torch.uint8)
    rgb[..., 8:16, 4:12], rgb[:, 0, 8:16, 4:12] = 60, 200
    hinted = prepare_truth(rgb, 1)
    mask = (hinted.small_ab.abs().sum(1, keepdim=True) > 5).float()
    assert 0 < mask.mean() < 0.2
    hinted.condition = Condition(LocalHints(hinted.small_ab * mask, mask))
    network = Obeys()
    one = Adversaries(network, None, None, (None, None), run)
    assert TERM(one.sight(hinted, network(hinted.L, hinted.condition))).item() == pytest.approx(0, abs=1e-9)
    assert network(hinted.L, hinted.condition).ab.abs().max() > 20


def test_steps_draw_the_looks_together(truth):
    torch.manual_seed(0)

    class Turns(Pointwise):
        def __init__(self):
            super().__init__()
            self.turn = nn.Parameter(torch.tensor(20.0))

        def predict(self, L, condition):
            return Prediction(super().predict(L, condition).ab + self.turn * torch.linspace(-1, 1, L.shape[3]))

    network = Turns()
    one = players(network)
    one.optimizer = torch.optim.Adam(network.parameters(), lr=0.5)
    terms = [one.generator_step(truth, 0.0)[0]["consistency"].item() for _ in range(30)]
    assert terms[-1] < 0.3 * terms[0]
    assert abs(network.turn) < 12
