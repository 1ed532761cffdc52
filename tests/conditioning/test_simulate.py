"""Simulated hints follow the paper's law, and reveal what they say they reveal."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.color import rgb2hsv, rgb2lab

from chromagan.color.ab_bins import authors_centres
from chromagan.conditioning import simulate
from chromagan.conditioning.simulate import (
    Patch,
    draw_patches,
    draw_squares,
    global_statistics,
    name_generator,
    photo_generators,
    reveal_squares,
    simulate_global_hints,
    simulate_hints,
)


def some_ab(n, rows=24, columns=32):
    return (torch.rand(n, 2, rows, columns, generator=torch.Generator().manual_seed(4)) - 0.5) * 180


def test_number_size_and_place_of_the_points():
    rng = np.random.default_rng(0)
    photos = [draw_patches(200, 400, rng) for _ in range(3000)]
    counts = Counter(map(len, photos))
    expected = [3000 * (1 / 8) * (7 / 8) ** k for k in range(20)]
    seen = [counts[k] for k in range(20)]
    tail = (sum(v for k, v in counts.items() if k >= 20), 3000 * (7 / 8) ** 20)
    assert stats.chisquare([*seen, tail[0]], [*expected, tail[1]]).pvalue > 1e-3
    patches = [patch for photo in photos for patch in photo]
    sides = Counter(patch.side for patch in patches)
    assert set(sides) == set(range(1, 10))
    assert stats.chisquare(list(sides.values())).pvalue > 1e-3
    for corner, length in (("top", 200), ("left", 400)):
        begins = np.array([getattr(patch, corner) for patch in patches])
        ends = begins + np.array([patch.side for patch in patches])
        assert begins.min() == 0
        assert ends.max() == length
        middles = (begins + ends) / 2
        inside = (begins > 0) & (ends < length)
        z = (middles - length / 2) / (length / 4)
        assert abs(z[inside].mean()) < 0.03
        # A normal law cut at its second standard deviation has this spread.
        assert z[inside].std() == pytest.approx(stats.truncnorm(-2, 2).std(), abs=0.02)
        assert 1 - inside.mean() == pytest.approx(2 * stats.norm.sf(2), abs=0.02)


def test_places_anywhere_are_even():
    rng = np.random.default_rng(0)
    patches = [patch for _ in range(2000) for patch in draw_patches(60, 90, rng, anywhere=True)]
    for corner, length in (("top", 60), ("left", 90)):
        shares = np.array([getattr(patch, corner) / (length - patch.side) for patch in patches])
        assert (shares.min(), shares.max()) == (0, 1)
        assert abs(shares.mean() - 1 / 2) < 0.01
        assert shares.std() == pytest.approx(np.sqrt(1 / 12), abs=0.01)


def test_squares_show_their_mean_and_later_ones_lie_on_top():
    ab = some_ab(12)
    ordinals = torch.arange(12)
    hints = simulate_hints(ab, photo_generators(ordinals, seed=3))
    expected, mask = torch.zeros_like(ab), torch.zeros(12, 1, 24, 32)
    overlaps = 0
    for photo, rng in enumerate(photo_generators(ordinals, seed=3)):
        assert rng.random() > 0.01
        for top, left, side in draw_patches(24, 32, rng):
            square = (slice(top, top + side), slice(left, left + side))
            overlaps += int(mask[(photo, 0, *square)].sum() > 0)
            expected[(photo, slice(None), *square)] = ab[(photo, slice(None), *square)].mean((1, 2))[:, None, None]
            mask[(photo, 0, *square)] = 1
    assert overlaps > 3
    assert torch.equal(hints.mask, mask)
    torch.testing.assert_close(hints.ab, expected, atol=1e-4, rtol=0)
    assert hints.ab.dtype == ab.dtype


def test_one_photo_in_a_hundred_shows_everything():
    ab = some_ab(3000, 16, 16)
    hints = simulate_hints(ab, photo_generators(torch.arange(3000), seed=0))
    everything = (hints.ab == ab).flatten(1).all(1)
    assert 12 <= everything.sum() <= 55  # binomial, mean 30: fewer or more once in ten thousand seeds
    assert hints.mask[everything].all()
    nothing = hints.mask.flatten(1).sum(1) == 0
    assert 280 <= nothing.sum() <= 470  # mean 371
    assert not hints.ab[nothing].any()


def test_hints_depend_on_seed_and_place_alone():
    ab, ordinals = some_ab(6), torch.tensor([7, 3, 2**40, 0, 11, 5])
    whole = simulate_hints(ab, photo_generators(ordinals, seed=1))
    parts = [simulate_hints(ab[i : i + 2], photo_generators(ordinals[i : i + 2], seed=1)) for i in (0, 2, 4)]
    assert torch.equal(whole.ab, torch.cat([part.ab for part in parts]))
    assert torch.equal(whole.mask, torch.cat([part.mask for part in parts]))
    other = simulate_hints(ab, photo_generators(ordinals, seed=-2))
    assert not torch.equal(whole.mask, other.mask)


@pytest.mark.parametrize("size", [(1, 1), (3, 50)])
def test_photos_smaller_than_a_square(size):
    hints = simulate_hints(some_ab(20, *size), photo_generators(torch.arange(20), seed=0))
    assert hints.ab.shape == (20, 2, *size)
    assert torch.isfinite(hints.ab).all()
    assert hints.mask.any()


def test_no_point_at_all(monkeypatch):
    monkeypatch.setattr(simulate, "STOP", 1.0)
    hints = simulate_hints(some_ab(2), photo_generators(torch.arange(2), seed=0))
    assert not hints.ab.any()
    assert not hints.mask.any()


def test_histogram_and_saturation_of_whole_photos():
    rng = np.random.default_rng(1)
    blocks = rng.random((2, 3, 5, 3))
    blocks[0, 0, 0] = 0  # black has no saturation
    photos = blocks.repeat(4, axis=1).repeat(4, axis=2)
    known = global_statistics(torch.from_numpy(photos).permute(0, 3, 1, 2).float())
    centres = authors_centres().numpy()
    for i in range(2):
        ab = rgb2lab(blocks[i])[..., 1:].reshape(-1, 2)
        closest = np.linalg.norm(ab[:, None] - centres, axis=2).argmin(1)
        np.testing.assert_allclose(known.histogram[i], np.bincount(closest, minlength=313) / 15, atol=1e-6)
        assert known.saturation[i].item() == pytest.approx(rgb2hsv(photos[i])[..., 1].mean(), abs=1e-5)
    assert known.given.tolist() == [[1, 1], [1, 1]]


def test_histogram_and_saturation_are_revealed_by_chance():
    rgb = torch.rand(600, 3, 4, 4)
    hints = simulate_global_hints(rgb, photo_generators(torch.arange(600), seed=0))
    pairs = Counter(map(tuple, hints.given.tolist()))
    assert set(pairs) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert min(pairs.values()) > 100


def test_squares_lie_anywhere_inside_with_equal_chance():
    squares = draw_squares(12, 9, 4, 9000, np.random.default_rng(0))
    assert {square.side for square in squares} == {4}
    for corner, places in (("top", 9), ("left", 6)):
        counts = Counter(getattr(square, corner) for square in squares)
        assert set(counts) == set(range(places))
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3
    assert draw_squares(3, 50, 4, 1, np.random.default_rng(0))[0].side == 3
    assert draw_squares(8, 8, 4, 0, np.random.default_rng(0)) == []


def test_fewer_squares_are_the_first_of_more():
    many = draw_squares(40, 60, 4, 50, name_generator("deep/a.png", 0))
    for count in (0, 1, 5, 20):
        assert draw_squares(40, 60, 4, count, name_generator("deep/a.png", 0)) == many[:count]


def test_seed_and_name_decide_where_they_are():
    def squares(name, seed):
        return draw_squares(40, 60, 4, 5, name_generator(name, seed))

    odd = "caf\udce9.jpg"  # as the system gives a name that is no Unicode
    drawn = [squares(name, seed) for name in ("a.png", "b.png", odd) for seed in (0, 1, -1)]
    assert drawn == [squares(name, seed) for name in ("a.png", "b.png", odd) for seed in (0, 1, -1)]
    assert all(drawn[i] != drawn[j] for i in range(9) for j in range(i))


def test_squares_of_any_size_show_their_mean():
    ab = some_ab(2, 40, 50).double()
    squares = [[Patch(3, 7, 25), Patch(20, 20, 1)], []]
    hints = reveal_squares(ab, squares)
    expected = torch.zeros_like(ab)
    expected[0, :, 3:28, 7:32] = ab[0, :, 3:28, 7:32].mean((1, 2))[:, None, None]
    expected[0, :, 20, 20] = ab[0, :, 20, 20]
    torch.testing.assert_close(hints.ab, expected)
    assert hints.mask[0].sum() == 25 * 25
    assert not hints.mask[1].any()
