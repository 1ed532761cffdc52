import numpy as np
import pytest
import torch
from skimage import data
from skimage.filters import sobel

from chromagan.errors import DataError
from chromagan.evaluation.chroma_edges import (
    edge_chroma_rmse,
    lightness_gradient,
    measure_chroma_edges,
    plain_enlarger,
    stepwise_enlarger,
)
from chromagan.images.enlarge_chroma import bicubic_step


def astronaut():
    return torch.from_numpy(data.astronaut()[:203, 100:300].copy()).permute(2, 0, 1).float() / 255


def test_gradient_is_that_of_scikit_image():
    L = torch.rand(1, 1, 40, 30) * 100
    ours = lightness_gradient(L)[0, 0, 1:-1, 1:-1].numpy()
    # scikit-image divides each slope by 4 and the magnitude by sqrt(2).
    np.testing.assert_allclose(ours, 4 * np.sqrt(2) * sobel(L[0, 0].numpy())[1:-1, 1:-1], rtol=1e-4, atol=1e-3)


def test_rmse_against_numpy():
    generator = torch.Generator().manual_seed(0)
    true_ab, ab = (20 * torch.randn(1, 2, 30, 40, generator=generator) for _ in range(2))
    L = 100 * torch.rand(1, 1, 30, 40, generator=generator)
    strength = lightness_gradient(L)[0, 0].numpy()
    chosen = np.argsort(strength, axis=None)[-60:]
    difference = (true_ab - ab)[0].numpy().reshape(2, -1)[:, chosen]
    expected = np.sqrt((difference**2).sum(0).mean())
    assert edge_chroma_rmse(true_ab, ab, L, share=0.05) == pytest.approx(expected, rel=1e-5)


def test_only_edges_count():
    L = torch.zeros(1, 1, 20, 20)
    L[..., 10:] = 100
    ab = torch.zeros(1, 2, 20, 20)
    wrong = ab.clone()
    wrong[:, 0, :, :5] = 50
    assert edge_chroma_rmse(ab, wrong, L, share=0.1) == 0
    wrong[:, 0, :, 9:11] = 3
    assert edge_chroma_rmse(ab, wrong, L, share=0.1) == pytest.approx(3)
    with pytest.raises(ValueError, match="share"):
        edge_chroma_rmse(ab, wrong, L, share=0)


def test_protocol_ranks_plain_interpolations():
    enlargers = {
        "nearest": lambda ab, L: torch.nn.functional.interpolate(ab, size=L.shape[-2:], mode="nearest"),
        "bilinear": plain_enlarger("bilinear"),
        "bicubic": plain_enlarger("bicubic"),
        "octaves": stepwise_enlarger(bicubic_step),
    }
    figures = measure_chroma_edges([astronaut()], enlargers)
    assert figures["nearest"] > figures["bilinear"] > figures["bicubic"] > 1
    assert figures["octaves"] == pytest.approx(figures["bicubic"], rel=0.02)


def test_no_photograph_is_an_error():
    with pytest.raises(DataError):
        measure_chroma_edges([], {"bilinear": plain_enlarger("bilinear")})
