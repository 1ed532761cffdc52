import math

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from sklearn.neighbors import NearestNeighbors

from chromagan.color.ab_bins import AbBins, authors_centres, grid_centres


@pytest.fixture(scope="module")
def bins():
    return AbBins()


def some_ab(*shape, seed=0, scale=110.0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * scale


def test_the_authors_bins_are_313_distinct_grid_points_in_order():
    centres = authors_centres()
    assert centres.shape == (313, 2)
    assert len({tuple(c) for c in centres.tolist()}) == 313
    assert torch.equal(centres % 10, torch.zeros_like(centres))
    assert centres.tolist() == sorted(centres.tolist())
    assert centres[0].tolist() == [-90, 50]
    assert centres[-1].tolist() == [100, 0]


def test_the_whole_grid_has_529_points_in_the_order_of_2017():
    # There the bin of (a, b) is 23 * round((a + 110) / 10) + round((b + 110) / 10).
    centres = grid_centres()
    assert centres.shape == (529, 2)
    numbers = 23 * ((centres[:, 0] + 110) / 10) + (centres[:, 1] + 110) / 10
    assert numbers.tolist() == list(range(529))


def gamut_corners():
    """The grid points around each colour of sRGB; every ab of the solid is also one of its surface, by skimage."""
    ramp = np.linspace(0, 1, 256)
    x, y = np.meshgrid(ramp, ramp, indexing="ij")
    faces = [np.roll(np.stack((np.full_like(x, end), x, y), -1), axis, -1) for axis in range(3) for end in (0, 1)]
    cells = np.unique(np.floor(rgb2lab(np.stack(faces))[..., 1:] / 10).reshape(-1, 2), axis=0)
    return {(10 * (a + i), 10 * (b + j)) for a, b in cells for i in (0, 1) for j in (0, 1)}


def test_corners_of_the_gamut_are_the_authors_bins_but_for_four_at_the_rim():
    corners = gamut_corners()
    authors = {tuple(c) for c in authors_centres().tolist()}
    assert corners <= authors
    assert authors - corners == {(40, 90), (100, -90), (100, -10), (100, 0)}


def test_every_colour_of_srgb_lies_among_four_bins():
    ramp = np.linspace(0, 1, 18)
    lab = rgb2lab(np.stack(np.meshgrid(ramp, ramp, ramp, indexing="ij"), -1).reshape(1, -1, 3))[0]
    authors = {tuple(c) for c in authors_centres().tolist()}
    for a, b in np.floor(lab[:, 1:] / 10) * 10:
        assert {(a, b), (a + 10, b), (a, b + 10), (a + 10, b + 10)} <= authors


def test_soft_encoding_agrees_with_a_tree_of_neighbours(bins):
    ab = some_ab(2, 2, 9, 7)
    points = ab.permute(0, 2, 3, 1).reshape(-1, 2).double().numpy()
    distance, index = NearestNeighbors(n_neighbors=5).fit(bins.centres.double().numpy()).kneighbors(points)
    # Points far out, where every Gaussian underflows, are the next test's.
    near = distance[:, 0] < 20
    weight = np.exp(-(distance**2) / 50)
    expected = np.zeros((len(points), 313))
    np.put_along_axis(expected, index, weight / weight.sum(1, keepdims=True), 1)
    encoded = bins.soft_encode(ab)
    assert encoded.shape == (2, 313, 9, 7)
    found = encoded.permute(0, 2, 3, 1).reshape(-1, 313).numpy()
    assert near.sum() > 50
    np.testing.assert_allclose(found[near], expected[near], atol=2e-5)
    nearest = bins.nearest(ab).reshape(-1).numpy()
    np.testing.assert_array_equal(nearest, index[:, 0])


def test_soft_encoding_of_a_centre_peaks_there_and_sums_to_one_everywhere(bins):
    centres = bins.centres.T.reshape(1, 2, 1, -1)
    encoded = bins.soft_encode(centres)[0, :, 0]
    assert torch.equal(encoded.argmax(0), torch.arange(313))
    far = bins.soft_encode(torch.tensor([127.0, -128.0]).reshape(1, 2, 1, 1))
    assert torch.isfinite(far).all()
    torch.testing.assert_close(far.sum(1), torch.ones(1, 1, 1))


def test_many_pixels_are_encoded_in_chunks_as_one_by_one(bins):
    ab = some_ab(1, 2, 150, 150)
    whole = bins.nearest(ab)
    assert torch.equal(whole[:, 140:], bins.nearest(ab[:, :, 140:]))


def test_annealed_mean_between_mean_and_mode(bins):
    logits = torch.randn(1, 313, 2, 3, generator=torch.Generator().manual_seed(1)) * 3
    p = torch.softmax(logits.double(), 1)
    mean = torch.einsum("nqhw,qc->nchw", p, bins.centres.double())
    torch.testing.assert_close(bins.annealed_mean(logits, 1.0), mean.float(), atol=1e-4, rtol=1e-5)
    power = p ** (1 / 0.38)  # the paper's own form
    annealed = torch.einsum("nqhw,qc->nchw", power / power.sum(1, keepdim=True), bins.centres.double())
    torch.testing.assert_close(bins.annealed_mean(logits), annealed.float(), atol=1e-4, rtol=1e-5)
    mode = bins.centres[logits.argmax(1)].permute(0, 3, 1, 2)
    torch.testing.assert_close(bins.annealed_mean(logits, 1e-3), mode, atol=1e-2, rtol=0)


def test_encoding_then_mean_returns_the_colour(bins):
    ab = some_ab(1, 2, 20, 20, scale=40)
    back = bins.annealed_mean(bins.soft_encode(ab).clamp_min(1e-12).log(), 1.0)
    assert (back - ab).abs().max() < 5.0
    assert (back - ab).abs().mean() < 2.0


def test_annealed_mean_leaves_autocast(bins):
    logits = torch.randn(1, 313, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        inside = bins.annealed_mean(logits)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, bins.annealed_mean(logits))


def test_prior_counts_pixels(bins):
    gray, red = torch.zeros(1, 2, 3, 4), torch.tensor([60.0, 40.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    prior = bins.count_prior([gray, red])
    assert prior.sum() == 1
    assert prior[bins.nearest(gray)[0, 0, 0]] == pytest.approx(12 / 16)
    assert prior[bins.nearest(red)[0, 0, 0]] == pytest.approx(4 / 16)
    with pytest.raises(ValueError):
        bins.count_prior([])


def test_rebalancing_has_mean_one_and_lifts_rare_colours(bins):
    prior = bins.count_prior([some_ab(1, 2, 64, 64, scale=25)])
    weights = bins.rebalancing_weights(prior, sigma=0.0).double()
    torch.testing.assert_close((weights * prior).sum(), torch.tensor(1.0, dtype=torch.float64), atol=1e-6, rtol=0)
    by_hand = 1 / (0.5 * prior + 0.5 / 313)
    torch.testing.assert_close(weights, by_hand / (by_hand * prior).sum(), atol=1e-5, rtol=1e-5)
    smooth = bins.rebalancing_weights(prior)
    gray, red = bins.nearest(torch.tensor([[0.0, 0.0], [80.0, 60.0]]).T.reshape(1, 2, 1, 2)).flatten()
    assert smooth[red] > 5 * smooth[gray]
    uniform = bins.rebalancing_weights(prior, lam=1.0)
    torch.testing.assert_close(uniform, torch.ones(313))


def test_smoothing_spreads_a_single_bin_over_its_neighbours_by_the_gaussian(bins):
    middle = int((bins.centres == 0).all(1).nonzero())
    prior = torch.zeros(313, dtype=torch.float64)
    prior[middle] = 1
    lam = 0.5
    weights = bins.rebalancing_weights(prior, lam=lam, sigma=5.0).double()
    far, near = int((bins.centres == torch.tensor([80.0, 60.0])).all(1).nonzero()), middle + 1
    # On a grid of 10 with sigma 5 a neighbour holds exp(-2) of the middle, and a row's sum squared is the total.
    row = sum(math.exp(-((10 * i) ** 2) / 50) for i in range(-4, 5))
    share = {middle: 1 / row**2, near: math.exp(-2) / row**2, far: 0.0}
    inverse = {q: 1 / ((1 - lam) * s + lam / 313) for q, s in share.items()}
    assert weights[near] / weights[middle] == pytest.approx(inverse[near] / inverse[middle], rel=1e-4)
    assert weights[far] / weights[middle] == pytest.approx(inverse[far] / inverse[middle], rel=1e-4)
