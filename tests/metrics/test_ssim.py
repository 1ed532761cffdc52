import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import structural_similarity

from chromagan.metrics.ssim import ssim
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchmetrics.functional.image import structural_similarity_index_measure  # noqa: E402


def scikit(image, truth):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return structural_similarity(image, truth, channel_axis=2, **options)


def noisy(truth, deviation, seed=0):
    noise = np.random.default_rng(seed).normal(0, deviation, truth.shape)
    return np.clip(truth + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("deviation", [0.6, 8, 60])
@pytest.mark.parametrize("level", [2, 128, 253])
def test_equals_scikit_image_on_flat_pictures(level, deviation):
    truth = np.full((40, 23, 3), level, np.uint8)
    assert ssim(noisy(truth, deviation), truth) == pytest.approx(scikit(noisy(truth, deviation), truth), abs=1e-4)


def test_equals_scikit_image_on_a_photograph():
    truth = astronaut()[:200, :160]
    gray = np.repeat(truth.mean(axis=2).round().astype(np.uint8)[..., None], 3, axis=2)
    for image in (noisy(truth, 5), noisy(truth, 40), gray, truth[:, ::-1], 255 - truth):
        assert ssim(image, truth) == pytest.approx(scikit(image, truth), abs=1e-4)
        assert ssim(truth, image) == pytest.approx(ssim(image, truth), abs=1e-7)


def test_equals_scikit_image_where_one_window_fits():
    rng = np.random.default_rng(1)
    image, truth = rng.integers(0, 256, (2, 11, 11, 3), dtype=np.uint8)
    assert ssim(image, truth) == pytest.approx(scikit(image, truth), abs=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 10), (64, 64)])
def test_identical_pictures_score_one(size):
    picture = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert ssim(picture, picture) == 1


def test_a_small_picture_is_continued_by_its_mirror_image():
    rng = np.random.default_rng(3)
    image, truth = rng.integers(0, 256, (2, 7, 30, 3), dtype=np.uint8)
    # tiled so that the seven rows stand between their mirror images, and only their windows count
    big = [np.pad(x, ((5, 5), (0, 0), (0, 0)), mode="symmetric") for x in (image, truth)]
    assert ssim(image, truth) == pytest.approx(scikit(*big), abs=1e-4)


def test_one_pixel_has_the_closed_form():
    image, truth = np.full((1, 1, 3), 40, np.uint8), np.full((1, 1, 3), 200, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(image, truth) == pytest.approx((2 * 40 * 200 + c1) / (40**2 + 200**2 + c1), abs=5e-5)


def test_refuses_other_sizes():
    with pytest.raises(ValueError, match="no SSIM"):
        ssim(np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8))


def test_torchmetrics_averages_the_padded_border_too():
    """What docs/metrics.md says of the difference: without the border its map has our mean."""
    truth = np.kron(np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8), np.ones((6, 6, 1), np.uint8))
    image = noisy(truth, 20)
    sides = [torch.from_numpy(side).permute(2, 0, 1)[None].double() for side in (image, truth)]
    theirs, whole = structural_similarity_index_measure(
        *sides, sigma=1.5, kernel_size=11, data_range=255.0, return_full_image=True
    )
    inside = whole[..., 5:-5, 5:-5]
    assert float(theirs) != pytest.approx(ssim(image, truth), abs=1e-4)
    assert float(theirs) == pytest.approx(float(whole.mean()), abs=1e-6)
    assert float(inside.mean()) == pytest.approx(ssim(image, truth), abs=1e-4)
