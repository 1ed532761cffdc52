"""Metrics of films against closed forms, and CDC against a second implementation."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from skimage.color import rgb2lab

from chromagan.errors import UsageError
from chromagan.metrics.cdc import js_divergence
from chromagan.metrics.film import LONGEST, FilmFrame, Since, reduced
from chromagan.metrics.metric import Pair, Shown
from chromagan.metrics.registry import choose_metrics, get_metric


def measured(name, pictures, truths=None, since=None):
    gauge = get_metric(name).open()
    for i, picture in enumerate(pictures):
        truth = Shown(picture if truths is None else truths[i])
        moved = None if i == 0 or since is None else since(i)
        gauge.see(FilmFrame(Pair(Shown(picture), truth), moved))
    return gauge.figure()


def films(count=7, size=(24, 32), seed=0):
    """Frames that drift and jump."""
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (*size, 3))
    steps = random.integers(-9, 10, (count, 1, 1, 3)).cumsum(0)
    return list((first + steps).clip(0, 255).astype(np.uint8))


def flat(colour, size=(8, 8)):
    return np.full((*size, 3), colour, np.uint8)


def still(size=(8, 8)):
    return Since(np.zeros((*size, 2), np.float32), np.ones(size, bool), np.ones(size, bool))


def published_cdc(pictures):
    """Counted code by code with `math.log`, as the formula is written: another way than the package's."""
    means = []
    for apart in (1, 2, 4):
        found = []
        for first, second in zip(pictures, pictures[apart:], strict=False):
            for channel in range(3):
                p, q = (Counter(frame[..., channel].ravel().tolist()) for frame in (first, second))
                pixels, divergence = first[..., 0].size, 0.0
                for code in set(p) | set(q):
                    middle = (p[code] + q[code]) / 2
                    divergence += sum(one / pixels / 2 * math.log(one / middle) for one in (p[code], q[code]) if one)
                found.append(divergence)
        means.append(sum(found) / len(found))
    return sum(means) / 3


@pytest.mark.parametrize("seed", range(3))
def test_cdc_is_the_published_one(seed):
    pictures = films(seed=seed)
    assert published_cdc(pictures) > 0.01
    assert measured("cdc", pictures) == pytest.approx(published_cdc(pictures), rel=1e-9)


def test_the_divergence_is_that_of_scipy():
    p, q = np.random.default_rng(0).dirichlet(np.ones(256), (2, 3))
    p[:, :100] = 0
    p /= p.sum(-1, keepdims=True)
    np.testing.assert_allclose(js_divergence(p, q), [jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])
    assert js_divergence(p, p).max() == 0


def test_cdc_in_closed_form():
    """Two flat colours in turn: frames 1 apart have nothing in common, those 2 and 4 apart are equal."""
    turns = [flat((10, 20, 30)), flat((200, 210, 220))] * 3
    assert measured("cdc", turns) == pytest.approx(math.log(2) / 3)
    assert measured("cdc", [turns[0]] * 6) == 0
    green = [flat((10, 20, 30)), flat((10, 210, 30))] * 3  # one channel of three
    assert measured("cdc", green) == pytest.approx(math.log(2) / 9)
    assert math.isnan(measured("cdc", turns[:4]))  # no two are four apart
    # Of the truth beside: each film's own.
    assert measured("delta_cdc", turns, [turns[0]] * 6) == pytest.approx(math.log(2) / 3)
    assert measured("delta_cdc", [turns[0]] * 6, turns) == pytest.approx(math.log(2) / 3)
    assert measured("delta_cdc", turns, turns) == 0


def test_order_in_space_is_nothing_to_cdc():
    pictures = films()
    mixed = [np.random.default_rng(i).permutation(frame.reshape(-1, 3)).reshape(frame.shape)
             for i, frame in enumerate(pictures)]  # fmt: skip
    for name in ("cdc", "cdc_ab"):
        assert measured(name, mixed) == measured(name, pictures)


def test_chroma_alone_does_not_see_light():
    light = [flat((level,) * 3) for level in (10, 90, 20, 200, 30, 100)]
    assert measured("cdc", light) > 0.6
    assert measured("cdc_ab", light) == 0
    colour = [flat((120, 40, 60)), flat((40, 90, 120))] * 3
    assert measured("cdc_ab", colour) == pytest.approx(math.log(2) / 3)
    assert measured("delta_cdc_ab", colour, light) == pytest.approx(math.log(2) / 3)


def ab(colour):
    return rgb2lab(np.array(colour, np.float64)[None, None] / 255)[0, 0, 1:]


def test_flicker_in_closed_form():
    one, other = (120, 40, 60), (40, 90, 120)
    apart = float(np.hypot(*(ab(one) - ab(other))))
    turns = [flat(one), flat(other)] * 2
    assert measured("flicker", turns, since=lambda i: still()) == pytest.approx(apart, abs=1e-3)
    assert measured("flicker", [flat(one), flat(one), flat(other)], since=lambda i: still()) == pytest.approx(
        apart / 2, abs=1e-3
    )
    # Only what stands still counts, and each pixel of it once.
    half = np.zeros((8, 8), bool)
    half[:, :2] = True
    mixed = flat(one)
    mixed[:, :1] = other
    moved = Since(still().flow, still().followed, half)
    assert measured("flicker", [flat(one), mixed], since=lambda i: moved) == pytest.approx(apart / 2, abs=1e-3)
    nothing = Since(still().flow, still().followed, np.zeros((8, 8), bool))
    assert math.isnan(measured("flicker", turns, since=lambda i: nothing))
    assert math.isnan(measured("flicker", turns))


def test_colours_that_go_with_the_motion_have_no_warped_error():
    wide = np.random.default_rng(0).integers(0, 256, (16, 60, 3)).astype(np.uint8)
    pan = [wide[:, 3 * i : 3 * i + 40] for i in range(4)]  # what is at x was at x + 3
    seen = np.ones((16, 40), bool)
    seen[:, -3:] = False
    moved = Since(np.float32([3, 0]) * np.ones((16, 40, 2), np.float32), seen, ~seen)
    assert measured("warped_ab", pan, since=lambda i: moved) == pytest.approx(0, abs=1e-4)
    # Colours that stay in their places while the picture moves: the mean distance of colours three pixels apart.
    planes = rgb2lab(pan[0])[..., 1:]
    expected = np.linalg.norm(planes[:, :-3] - planes[:, 3:], axis=-1).mean()
    assert measured("warped_ab", [pan[0]] * 4, since=lambda i: moved) == pytest.approx(expected, rel=1e-3)
    assert math.isnan(measured("warped_ab", pan))


def test_large_frames_are_measured_at_640_pixels():
    planes = tuple(np.random.default_rng(i).normal(size=(720, 1280)).astype(np.float32) for i in range(3))
    small = reduced(planes)
    assert small[0].shape == (360, LONGEST)
    np.testing.assert_allclose(small[1], planes[1].reshape(360, 2, 640, 2).mean((1, 3)), atol=1e-5)
    assert reduced(small) is small
    assert reduced((np.zeros((3, 2000), np.float32),) * 3)[0].shape == (1, 640)


def test_photos_have_no_figure_of_films():
    assert not {metric.level for metric in choose_metrics() + choose_metrics(["all"])} & {"film"}
    with pytest.raises(UsageError, match="cdc is of films: add --protocol film"):
        choose_metrics(["psnr", "cdc"])
