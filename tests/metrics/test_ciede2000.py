import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000

from chromagan.metrics.ciede2000 import ciede2000


def columns(*colours):
    return torch.tensor(colours, dtype=torch.float64).T[..., None]


def test_equals_scikit_image_over_all_of_lab():
    rng = np.random.default_rng(0)
    pairs = rng.uniform([0, -110, -110], [100, 110, 110], (2, 20_000, 3))
    pairs[1, :5000] = pairs[0, :5000] + rng.normal(0, 2, (5000, 3))  # near pairs
    pairs[0, 5000:5100, 1:] = 0  # gray against colour
    pairs[:, 5100:5200, 1:] = 0  # gray against gray
    pairs[1, 5200:5300, 1:] = -pairs[0, 5200:5300, 1:]  # opposite hues
    pairs[:, 5300:5400] += 1e-9
    found = ciede2000(*(torch.from_numpy(p.T[..., None].copy()) for p in pairs))[:, 0].numpy()
    expected = deltaE_ciede2000(pairs[0], pairs[1])
    opposite = slice(5200, 5300)  # there the mean hue is either of two: both readings are right
    far = np.abs(found - expected)
    far[opposite] = 0
    assert far.max() < 1e-6


def test_published_pairs():
    # Sharma, Wu, Dalal (2005), table 1: pairs 1, 7, 13, 17 and 25
    first = columns((50, 2.6772, -79.7751), (50, 0, 0), (50, 2.49, -0.001), (50, 2.5, 0), (60.2574, -34.0099, 36.2677))
    second = columns((50, 0, -82.7485), (50, -1, 2), (50, -2.49, 0.0011), (73, 25, -18), (60.4626, -34.1751, 39.4387))
    expected = [2.0425, 2.3669, 7.2195, 27.1492, 1.2644]
    assert ciede2000(first, second)[:, 0].tolist() == pytest.approx(expected, abs=5e-5)
    assert ciede2000(second, first)[:, 0].tolist() == pytest.approx(expected, abs=5e-5)


def test_ends_of_the_scale_and_float32():
    black, white = torch.zeros(1, 3, 2, 2), torch.tensor([100.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert ciede2000(black, white).flatten().tolist() == pytest.approx([100] * 4, abs=1e-4)
    assert not ciede2000(white, white).any()
    lab = torch.rand(2, 2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 80
    assert ciede2000(*lab.float()) == pytest.approx(ciede2000(*lab).numpy(), abs=1e-3)


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="cannot be compared"):
        ciede2000(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5))
