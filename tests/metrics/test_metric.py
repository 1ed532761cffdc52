"""Figures of one picture against scikit-image, and where they are known in advance; the rows that cost nothing."""

import math

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from chromagan.color.curves import linear_to_srgb, srgb_to_linear
from chromagan.errors import UsageError
from chromagan.evaluation.baselines import as_rgb, constant_colour, gray_of_8bit
from chromagan.metrics.metric import MeanMetric, Pair, PictureMetric, Shown, measure_pair
from chromagan.metrics.registry import choose_metrics, get_metric

DEFAULT = choose_metrics()
BASES = [metric.of if isinstance(metric, MeanMetric) else metric for metric in DEFAULT]
FIGURES = {base.name: base for base in BASES if isinstance(base, PictureMetric)}


def noise(seed, height=40, width=33):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def measured(picture, truth):
    return measure_pair(Pair(Shown(picture), Shown(truth)), FIGURES.values())


def test_against_scikit_image():
    a, b = noise(0), noise(1)
    found = measured(a, b)
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-9)
    assert found["mse"] == pytest.approx(np.mean((a.astype(float) - b) ** 2))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    ssim = structural_similarity(a, b, channel_axis=2, data_range=255, **window)
    assert found["ssim"] == pytest.approx(ssim, abs=1e-4)
    assert found["ciede2000"] == pytest.approx(deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean(), abs=1e-3)
    assert found["ab_mse"] == pytest.approx(np.mean((rgb2lab(a) - rgb2lab(b))[..., 1:] ** 2), rel=1e-4)
    lightness = np.abs(rgb2lab(a)[..., 0] - rgb2lab(b)[..., 0]).max() * 2.55
    assert found["lightness_difference"] == pytest.approx(lightness, abs=1e-2)


@pytest.mark.parametrize("picture", [noise(0), np.full((20, 20, 3), 37, np.uint8), noise(1, 1, 1)])
def test_identical_pictures(picture):
    found = measured(picture, picture.copy())
    assert (found["psnr"], found["psnr_ab"], found["mse"], found["ab_mse"]) == (math.inf, math.inf, 0, 0)
    assert (found["ssim"], found["ciede2000"], found["auc_ab"]) == (1, 0, 1)
    assert found["delta_colourfulness_per_image"] == found["lightness_difference"] == 0


def test_constant_pictures_have_closed_forms():
    a, b = np.full((16, 16, 3), (90, 60, 30), np.uint8), np.full((16, 16, 3), 60, np.uint8)
    found = measured(a, b)
    assert found["mse"] == pytest.approx(600)
    assert found["psnr"] == pytest.approx(10 * math.log10(255**2 / 600))
    assert found["colourfulness"] == pytest.approx(0.3 * math.hypot(30, 45))  # no spread; the mean alone
    assert found["delta_colourfulness_per_image"] == pytest.approx(found["colourfulness"])


def test_lightness_that_is_off_in_one_pixel_shows():
    truth = noise(0)
    picture = as_rgb(gray_of_8bit(truth))
    gray = picture.copy()
    picture[3, 5] = picture[3, 5] - 10 if picture[3, 5, 0] > 127 else picture[3, 5] + 10
    pair = Pair(Shown(picture), Shown(truth), Shown(gray))
    found = measure_pair(pair, [FIGURES["lightness_difference"]])
    expected = abs(float(rgb2lab(picture)[3, 5, 0] - rgb2lab(gray)[3, 5, 0])) * 2.55
    assert found["lightness_difference"] == pytest.approx(expected, abs=1e-2)
    assert expected > 8


def test_one_pixel():
    found = measured(np.array([[[10, 20, 30]]], np.uint8), np.array([[[13, 20, 26]]], np.uint8))
    assert found["psnr"] == pytest.approx(10 * math.log10(255**2 * 3 / 25))
    assert all(map(math.isfinite, found.values()))


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="pixels"):
        measured(noise(0), noise(0)[1:])


def test_what_several_metrics_derive_is_made_once():
    calls = []

    def derive(of):
        calls.append(of)
        return len(calls)

    pair = Pair(Shown(noise(0)), Shown(noise(1)))
    for subject in (pair, pair.picture, pair.truth):
        assert subject.once(derive) == subject.once(derive)
    assert len(calls) == 3
    assert pair.gray is pair.truth


def test_names():
    assert [m.name for m in choose_metrics(["ssim", "fid_tf", "ssim"])] == ["ssim", "fid_tf"]
    with pytest.raises(UsageError, match="no metric 'psmr'; there are psnr, .*fid_tf"):
        choose_metrics(["psmr"])
    assert [m.name for m in DEFAULT] == [m.name for m in choose_metrics(["all"]) if not m.needs]
    assert [m.name for m in DEFAULT[:4]] == ["psnr", "psnr_pooled", "psnr_ab", "ssim"]
    assert not get_metric("colourfulness").needs_truth


def test_gray_is_the_nearest_code_of_the_same_luminance():
    picture = np.concatenate([noise(0, 60, 60), as_rgb(np.arange(240, dtype=np.uint8).reshape(4, 60))])
    linear = srgb_to_linear(torch.from_numpy(picture.astype(np.float64) / 255))
    luminance = linear @ torch.tensor((0.212671, 0.715160, 0.072169), dtype=torch.float64)
    expected = (linear_to_srgb(luminance) * 255).round().numpy()
    np.testing.assert_array_equal(gray_of_8bit(picture), expected)


def test_a_constant_colour_keeps_every_lightness():
    codes = as_rgb(np.arange(256, dtype=np.uint8)[None])
    for ab in ((0.0, 0.0), (12.0, 20.0), (60.0, -90.0)):
        colours = constant_colour(ab)[np.arange(256)][None]
        off = np.abs(rgb2lab(colours)[..., 0] - rgb2lab(codes)[..., 0])
        assert off.max() < 0.5
        assert np.ptp(colours.astype(int), axis=2).max() > 20 or ab == (0.0, 0.0)
    np.testing.assert_array_equal(constant_colour((0.0, 0.0))[None], codes)
    middle = rgb2lab(constant_colour((12.0, 20.0))[[150]][None])[0, 0]
    np.testing.assert_allclose(middle[1:], (12, 20), atol=1)
