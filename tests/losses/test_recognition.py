"""The recognition term against the teacher's own answers, and what it asks of wrong colours."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from skimage.color import lab2rgb

from chromagan.benchmark.training import random_teacher
from chromagan.errors import UsageError
from chromagan.losses.recognition import Recognition
from chromagan.training.config import from_preset
from chromagan.training.step import Adversaries, prepare_truth


@pytest.fixture(scope="module")
def players():
    torch.manual_seed(0)
    run = from_preset("lite", no_pretrained=True, bin_weight=0.0, hints=False, recognition_weight=1.0)
    teacher = random_teacher("tf_efficientnet_lite2")
    for module in teacher.modules():  # random weights see hardly anything; these see colours
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.2)
    return Adversaries(torch.nn.Identity(), None, teacher, (None, None), run)


@pytest.fixture(scope="module")
def truth():
    random = torch.Generator().manual_seed(1)
    coarse = torch.randint(40, 216, (3, 3, 4, 4), generator=random).float()
    photos = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear").round().byte()
    return prepare_truth(photos, 1)


def term(players, truth, ab):
    class Answer:
        bin_logits = class_logits = None

    Answer.ab = ab
    return Recognition(recognition_weight=1.0)(players.sight(truth, Answer))


def test_it_is_the_divergence_of_what_the_teacher_says(players, truth):
    ab = truth.small_ab.flip(0) * 0.5
    painted = np.concatenate((truth.L, ab), axis=1).transpose(0, 2, 3, 1).astype(np.float64)
    shown = torch.from_numpy(np.clip(lab2rgb(painted), 0, 1).transpose(0, 3, 1, 2)).float()
    said, true = players.teacher(shown).double(), players.teacher(truth.rgb).double()
    expected = entropy(true.numpy(), said.numpy(), axis=1).mean()
    assert expected > 0.01
    assert term(players, truth, ab).item() == pytest.approx(expected, rel=1e-2)


def test_true_colours_cost_nothing(players, truth):
    assert term(players, truth, truth.small_ab).item() == pytest.approx(0, abs=1e-3)


def test_a_step_against_the_gradient_is_recognised_better(players, truth):
    ab = torch.zeros_like(truth.small_ab).requires_grad_(True)
    before = term(players, truth, ab)
    before.backward()
    assert torch.isfinite(ab.grad).all()
    moved = ab.detach() - 50 * ab.grad / ab.grad.norm()
    assert term(players, truth, moved) < before
    assert all(parameter.grad is None for parameter in players.teacher.parameters())


@pytest.mark.parametrize("blind", ["teacher_gray", "teacher_raw_lightness"])
def test_a_teacher_that_sees_gray_is_refused(blind):
    with pytest.raises(UsageError, match="--recognition-weight"):
        from_preset("lite", recognition_weight=0.1, **{blind: True})
