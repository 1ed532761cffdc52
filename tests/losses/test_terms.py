"""Chroma and class terms against direct computations."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from chromagan.losses.chroma import ab_mse
from chromagan.losses.class_distribution import class_divergence
from chromagan.losses.objective import Objective


def test_ab_mse_is_in_the_given_unit():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 5)) * 30
    got = ab_mse(torch.from_numpy(a), torch.from_numpy(b), 255.0)
    assert got.item() == pytest.approx(np.mean(((a - b) / 255) ** 2), rel=1e-5)


def test_class_divergence_is_that_of_scipy():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    teacher = torch.softmax(torch.randn(5, 7, generator=torch.Generator().manual_seed(1)), 1)
    expected = np.mean([entropy(t, q) for t, q in zip(teacher.numpy(), logits.softmax(1).numpy(), strict=True)])
    assert class_divergence(logits, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_class_divergence_of_the_teacher_itself_is_zero():
    logits = torch.randn(5, 7)
    assert class_divergence(logits, logits.softmax(1)).item() == pytest.approx(0, abs=1e-6)


def test_objective_weighs_and_remembers():
    objective = Objective()
    x = torch.tensor(2.0, requires_grad=True)
    objective.add("a", x**2, 0.5)
    objective.add("silent", x * math.inf, 0.0)
    objective.total().backward()
    assert x.grad.item() == 2.0
    assert objective.terms["a"].item() == 4.0


def test_objective_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="weight 0"):
        Objective().total()
