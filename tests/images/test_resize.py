"""Reduction against exact area means and against other programs."""

import cv2
import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from chromagan.images.resize import reduced_lightness, resize_antialiased


def picture(shape, dtype=np.uint8):
    rng = np.random.default_rng(2)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def exact_lightness(pixels):
    rgb = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    return rgb2lab(rgb / np.iinfo(pixels.dtype).max)[..., 0]


@pytest.mark.parametrize("size", [(10, 12), (7, 5), (1, 1), (30, 36), (13, 36)])
def test_reduction_is_the_area_mean(size):
    image = np.random.default_rng(0).random((30, 36))
    mine = resize_antialiased(torch.from_numpy(image)[None, None], size)[0, 0].numpy()
    wanted = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(mine, wanted, atol=1e-6)


def test_whole_factors_are_block_means_and_the_mean_stays():
    image = torch.rand(2, 3, 24, 30, dtype=torch.float64)
    blocks = image.reshape(2, 3, 6, 4, 10, 3).mean((3, 5))
    torch.testing.assert_close(resize_antialiased(image, (6, 10)), blocks)
    torch.testing.assert_close(resize_antialiased(image, (7, 11)).mean(), image.mean())


def test_growth_is_bilinear_and_gradients_pass():
    image = torch.rand(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    wanted = torch.nn.functional.interpolate(image, (11, 17), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_antialiased(image, (11, 17)), wanted)
    assert torch.autograd.gradcheck(lambda x: resize_antialiased(x, (3, 9)), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(61, 83), (61, 83, 3)])
@pytest.mark.parametrize("size", [(16, 20), (61, 83), (61, 40), (1, 1)])
def test_reduced_lightness_is_the_mean_of_lightness(dtype, shape, size):
    pixels = picture(shape, dtype)
    L = reduced_lightness(pixels, size)
    assert L.shape == (1, 1, *size)
    assert L.dtype == torch.float32
    exact = torch.from_numpy(exact_lightness(pixels))[None, None]
    # 0.02: L is rounded to 0.0015, and the luminance of colours to 1/65535 (0.014 L at black) on the way
    assert (L - resize_antialiased(exact, size)).abs().max() < 0.02


def test_black_and_white_points_average_in_lightness():
    board = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    assert reduced_lightness(board.astype(np.uint8), (8, 8)).mean().item() == pytest.approx(50, abs=0.01)


def test_small_photos_grow():
    pixels = picture((5, 9))
    for size in ((10, 18), (10, 4), (5, 9), (2, 30)):
        L = reduced_lightness(pixels, size)
        exact = torch.from_numpy(exact_lightness(pixels))[None, None]
        assert (L - resize_antialiased(exact, size)).abs().max() < 0.05
    assert reduced_lightness(np.full((1, 1), 255, np.uint8), (16, 16)).min().item() == pytest.approx(100, abs=0.01)


def test_bands_do_not_show():
    pixels = np.broadcast_to(np.arange(2000, dtype=np.uint16)[:, None, None] * 32, (2000, 1400, 3)).astype(np.uint16)
    L = reduced_lightness(np.ascontiguousarray(pixels), (200, 3))[0, 0, :, 0].numpy()
    exact = exact_lightness(pixels[:, :1]).reshape(200, 10).mean(1)
    np.testing.assert_allclose(L, exact, atol=0.02)
