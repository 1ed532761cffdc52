"""PSNR at equal colourfulness: what comes out is what the held-out metrics say of the scaled network."""

import math

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from chromagan.evaluation.equal_colourfulness import psnr_at_colourfulness
from chromagan.evaluation.held_out import HeldOut, load_held_out
from chromagan.models.baselines import Gray
from chromagan.models.contract import ColorizationNetwork, Prediction


class Guess(ColorizationNetwork):
    """Bright is warm and dark is cold, `factor` times."""

    stride = ab_stride = 2

    def __init__(self, factor=1.0):
        super().__init__()
        self.config, self.factor = {}, factor
        self.pool = nn.AvgPool2d(2)

    def predict(self, L, hints):
        small = self.pool(L) - 50
        return Prediction(self.factor * torch.cat((small * 0.3, small * 0.5), 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(5):
        small = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        size = (64, 48) if i % 2 else (48, 48)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))
    return folder


def photos_of(folder):
    return [torch.from_numpy(photo).permute(2, 0, 1) for photo in load_held_out(folder, 48)[1]]


@pytest.mark.parametrize("target", [5.0, 20.0, 40.0])
def test_the_factor_gives_the_colourfulness_and_the_psnr_of_the_scaled_network(folder, target):
    decibels, factor = psnr_at_colourfulness(Guess().eval(), photos_of(folder), target)
    figures = HeldOut(folder, 48, ("psnr", "colourfulness")).evaluate(Guess(factor).eval())
    assert figures["colourfulness"] == pytest.approx(target, abs=0.05)
    assert decibels == pytest.approx(figures["psnr"], abs=1e-3)


def test_a_bold_and_a_shy_twin_score_the_same(folder):
    photos = photos_of(folder)
    bold, shy = (psnr_at_colourfulness(Guess(scale).eval(), photos, 20.0) for scale in (1.5, 0.5))
    assert bold[0] == pytest.approx(shy[0], abs=0.01)
    assert bold[1] * 3 == pytest.approx(shy[1], rel=0.01)


def test_gray_never_gets_there(folder):
    assert all(map(math.isnan, psnr_at_colourfulness(Gray().eval(), photos_of(folder), 20.0)))


def test_nothing_to_compare(folder):
    with pytest.raises(ValueError, match="give photos"):
        psnr_at_colourfulness(Gray().eval(), [], 20.0)
    with pytest.raises(ValueError, match="above 0"):
        psnr_at_colourfulness(Gray().eval(), photos_of(folder), 0.0)
