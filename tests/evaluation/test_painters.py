"""Models in a comparison: one run of the network a photo, whatever the number of saturations."""

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.evaluation.baselines import as_rgb, gray_of_8bit
from chromagan.evaluation.comparison import Unpainted
from chromagan.evaluation.painters import ModelPainter, SimulatedHints
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.eight_bit import lab_of_8bit
from chromagan.metrics.lightness_difference import largest_lightness_difference
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


def paint(painter, gray, truth, image):
    (answers,) = painter.paint([Unpainted(gray, truth, image)])
    return answers


class Tinted(ColorizationNetwork):
    """The same ab everywhere, counting its calls."""

    ab_stride = 4

    def __init__(self, a=20.0, b=10.0):
        super().__init__()
        self.config = {}
        self.ab = nn.Parameter(torch.tensor([a, b]))
        self.calls = 0

    def predict(self, L, hints):
        self.calls += 1
        ab = self.ab.reshape(1, 2, 1, 1).expand(L.shape[0], 2, -(-L.shape[2] // 4), -(-L.shape[3] // 4))
        return Prediction(ab)


def gray(seed):
    small = np.random.default_rng(seed).integers(60, 200, (5, 7), np.uint8)
    return np.kron(small, np.ones((8, 8), np.uint8))


def test_the_network_runs_once_a_photo():
    network = Tinted()
    painter = ModelPainter("tinted", Colorizer(network, look=Look(size=32), device="cpu", sha256="ab"), (0.0, 0.5, 1.0))
    assert painter.names == ("tinted x0", "tinted x0.5", "tinted x1")
    assert [settings["saturation"] for settings in painter.settings.values()] == [0.0, 0.5, 1.0]
    assert {settings["weights_sha256"] for settings in painter.settings.values()} == {"ab"}
    for seed in (0, 3):
        plane = gray(seed)
        answers = paint(painter, plane, as_rgb(plane), "a.png")
        np.testing.assert_array_equal(answers[0], as_rgb(plane))
        assert 0 == colourfulness(answers[0]) < colourfulness(answers[1]) < colourfulness(answers[2])
        for answer in answers:
            assert answer.dtype == np.uint8
            assert largest_lightness_difference(lab_of_8bit(answer), lab_of_8bit(as_rgb(plane))) < 1
    assert network.calls == 2


def test_one_saturation_has_the_plain_name():
    assert ModelPainter("tinted", Colorizer(Tinted(), look=Look(size=32), device="cpu")).names == ("tinted",)


class Copier(ColorizationNetwork):
    """Keeps to its hints, and is gray elsewhere; remembers them."""

    accepts = frozenset({"local"})

    def __init__(self):
        super().__init__()
        self.config = {}
        self.seen = []

    def predict(self, L, condition):
        hints = condition.local
        self.seen.append(hints)
        return Prediction(L.new_zeros(len(L), 2, *L.shape[2:]) if hints is None else hints.ab * hints.mask)


def truth(seed, rows=5, columns=7, scale=8):
    small = np.random.default_rng(seed).integers(90, 160, (rows, columns, 3), np.uint8)
    return np.kron(small, np.ones((scale, scale, 1), np.uint8))


def copying(counts, size=4, seed=0, factors=(1.0,), working=40, spread=True):
    return ModelPainter("copier", Colorizer(Copier(), look=Look(size=working), device="cpu"), factors,
                        SimulatedHints(counts, size, seed, spread))  # fmt: skip


@pytest.mark.parametrize("spread", [True, False])
def test_the_error_at_hinted_places_is_nothing(spread):
    colour = truth(0)
    painter = copying((0, 1, 60), size=1, spread=spread)
    answers = paint(painter, gray_of_8bit(colour), colour, "a.png")
    assert len(answers) == 3
    np.testing.assert_array_equal(answers[0], as_rgb(gray_of_8bit(colour)))
    nothing, one, many = painter.colorizer.network.seen
    assert nothing is None
    assert (one.mask.sum(), 50 < many.mask.sum() <= 60) == (1, True)
    true = np.stack(lab_of_8bit(colour)[1:])
    for hints, answer in zip((one, many), answers[1:], strict=True):
        shown = hints.mask[0, 0].numpy() > 0
        np.testing.assert_allclose(hints.ab[0].numpy()[:, shown], true[:, shown], atol=1e-5)
        assert not hints.ab[0].numpy()[:, ~shown].any()
        # The gray picture's lightness is rounded to 8 bits: one level or two of the colours.
        assert np.abs(answer.astype(int) - colour)[shown].max() <= 2
        if not spread:
            np.testing.assert_array_equal(answer[~shown], answers[0][~shown])


def test_a_square_shows_the_mean_of_the_truth_at_the_working_size():
    colour = truth(1)  # 40 x 56, blocks of 8: at half the size blocks of 4
    painter = copying((1, 8), size=3, working=20)
    paint(painter, gray_of_8bit(colour), colour, "a.png")
    one, many = painter.colorizer.network.seen[1:]  # after the painting without hints
    true = np.stack(lab_of_8bit(colour[::8, ::8])[1:])
    half = np.kron(true, np.ones((1, 4, 4)))
    assert one.ab.shape == (1, 2, 20, 28)
    assert one.mask.sum() == 9
    top, left = (int(side.min()) for side in np.nonzero(one.mask[0, 0].numpy()))
    expected = half[:, top : top + 3, left : left + 3].mean((1, 2))
    np.testing.assert_allclose(one.ab[0, :, top + 1, left + 1], expected, atol=1e-4)
    covered = one.mask > 0
    assert many.mask[covered].all()


def test_hints_depend_on_name_and_seed_alone():
    def shown(order, counts=(5,), seed=0, size=4):
        painter = copying(counts, size, seed)
        found = {}
        for index in order:
            paint(painter, gray_of_8bit(truth(index)), truth(index), f"{index}.png")
            found[index] = painter.colorizer.network.seen[-1]
        return found

    first, second = shown([0, 1, 2]), shown([2, 0, 1], counts=(0, 3, 5))
    for index in range(3):
        assert torch.equal(first[index].ab, second[index].ab)
        assert torch.equal(first[index].mask, second[index].mask)
    assert not torch.equal(first[0].mask, first[1].mask)
    assert not torch.equal(first[0].mask, shown([0], seed=1)[0].mask)
    assert shown([0], counts=(1,), size=1000)[0].mask.sum() == 40 * 40  # as large as the photo allows


def test_rows_of_hints_and_saturations():
    painter = copying((0, 1, 5), factors=(0.5, 1.0))
    assert painter.names == (
        "copier, 0 hints x0.5", "copier, 0 hints x1", "copier, 1 hint x0.5", "copier, 1 hint x1",
        "copier, 5 hints x0.5", "copier, 5 hints x1",
    )  # fmt: skip
    settings = [painter.settings[name] for name in painter.names]
    assert [one["simulated_hints"] for one in settings] == [0, 0, 1, 1, 5, 5]
    assert [one["saturation"] for one in settings] == [0.5, 1.0] * 3
    assert {(one["hint_size"], one["hint_seed"]) for one in settings} == {(4, 0)}
    answers = paint(painter, gray_of_8bit(truth(0)), truth(0), "a.png")
    assert len(answers) == 6
    assert len(painter.colorizer.network.seen) == 3
    np.testing.assert_array_equal(answers[0], answers[1])
    painter = ModelPainter("copier", painter.colorizer, (0.5, 1.0), SimulatedHints((5,), spread=False))
    answers = paint(painter, gray_of_8bit(truth(0)), truth(0), "a.png")
    assert colourfulness(answers[0]) < colourfulness(answers[1])
    assert copying((5,)).names == ("copier, 5 hints",)


def test_a_network_without_hints_is_corrected_and_without_spread_left_as_it_is():
    colour = truth(2)
    for spread, name in ((True, "tinted, 60 hints"), (False, "tinted, 60 hints, not spread")):
        hints = SimulatedHints((0, 60), spread=spread)
        painter = ModelPainter("tinted", Colorizer(Tinted(), look=Look(size=40), device="cpu"), hints=hints)
        assert painter.names[1] == name
        plain, hinted = (to_ab(one) for one in paint(painter, gray_of_8bit(colour), colour, "a.png"))
        before, after = (np.abs(one - to_ab(colour)).mean() for one in (plain, hinted))
        assert after < 0.7 * before if spread else after == before


def to_ab(picture):
    return np.stack(lab_of_8bit(picture)[1:])
