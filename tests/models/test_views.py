"""Views of a photo: each brings its answer back to where it belongs, and the mean is that of probabilities."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import UsageError
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.predict import predict
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look
from chromagan.models.views import merged, views_of
from chromagan.pretrained.hub import load_pretrained


class Where(ColorizationNetwork):
    """Answers with the mean lightness of each of its cells, and says by its bins whether a cell is light."""

    stride, ab_stride, accepts = 16, 4, frozenset({"local"})

    def __init__(self):
        super().__init__()
        self.asked = []

    def predict(self, L, condition):
        self.asked.append((tuple(L.shape), condition))
        mean = torch.nn.functional.avg_pool2d(L, 4)
        logits = torch.cat([mean / 10, 5 - mean / 10], 1)
        return Prediction(mean.repeat(1, 2, 1, 1), logits)


@pytest.fixture
def light():
    """(1, 1, 48, 80), a smooth slope that differs from its mirror image."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 80), indexing="ij")
    return (100 * (0.7 * x + 0.3 * y))[None, None]


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("size", [(48, 80), (44, 68), (4, 4), (20, 36)])
def test_answers_come_back_to_their_places(light, count, size):
    """What is linear in the photo is the same, halved, mirrored and brought back, but at the edges."""
    L = light[..., : size[0], : size[1]].contiguous()
    (once,) = predict(Where(), [L])
    (found,) = predict(Where(), [L], views=[count])
    assert found.ab.shape == once.ab.shape
    assert found.bin_logits.shape == once.bin_logits.shape
    inner = (found.ab - once.ab)[..., 2:-2, 2:-2]
    assert inner.numel() == 0 or inner.abs().max() < 0.1


def test_probabilities_are_averaged_and_not_their_logarithms():
    one = Prediction(torch.zeros(1, 2, 1, 1), torch.tensor([0.9, 0.1]).log().view(1, 2, 1, 1))
    other = Prediction(torch.ones(1, 2, 1, 1), torch.tensor([0.2, 0.8]).log().view(1, 2, 1, 1) + 7)
    found = merged([one, other], [views_of(4)[0], views_of(4)[2]])
    assert found.bin_logits.exp().flatten().tolist() == pytest.approx([0.55, 0.45])
    assert found.ab.flatten().tolist() == [0.5, 0.5]


def test_photos_of_several_counts_and_sizes_get_their_own(light):
    photos = [light, light[..., :32].contiguous(), light.flip(3)]
    together = predict(Where(), photos, views=[2, 1, 4], batch_size=2)
    for L, count, found in zip(photos, [2, 1, 4], together, strict=True):
        (alone,) = predict(Where(), [L], views=[count])
        assert torch.allclose(alone.ab, found.ab)


def test_hints_are_halved_and_mirrored_with_the_photo(light):
    ab, mask = torch.zeros(1, 2, 48, 80), torch.zeros(1, 1, 48, 80)
    ab[..., 10:12, 20:23], mask[..., 10:12, 20:23] = 30, 1  # three columns: one cell holds half a hint
    network = Where()
    predict(network, [light], [Condition(LocalHints(ab, mask))], views=[4])
    shown = [(shape[2:], one.local) for shape, told in network.asked for one in told.chunk(shape[0])]
    told = {(size, bool(local.mask[..., : size[1] // 2].any())): local for size, local in shown}
    assert len(told) == 4  # both sizes, the hint on the left and on the right
    halved = told[(32, 48), True]  # padded to the stride
    assert halved.mask[0, 0, 5, 10:12].tolist() == [1, 1]
    assert halved.mask.sum() == 2
    assert halved.ab[0, :, 5, 10:12].tolist() == [[30, 30], [30, 30]]
    assert torch.equal(told[(48, 80), False].mask, mask.flip(3))


def test_four_views_of_a_mirrored_photo_are_mirrored():
    """Of the shipped network too, up to rounding."""
    network, _ = load_pretrained("chromagan@small")
    L = torch.rand(1, 1, 8, 12, generator=torch.Generator().manual_seed(0)).mul(100).repeat_interleave(8, 2)
    L = L.repeat_interleave(8, 3)
    for count, low, high in ((1, 0.1, 100), (4, 0, 0.01)):
        one, other = (answer.ab for answer in predict(network, [L, L.flip(3)], views=[count] * 2))
        assert low <= float((one - other.flip(3)).abs().max()) < high


def test_a_look_and_a_request_say_how_many():
    assert Look.from_dict(Look(views=2).as_dict()) == Look(views=2)
    assert "views" not in Look().as_dict()  # older versions know none
    assert Request().over(Look(views=2)).views == 2
    assert Request(views=1).over(Look(views=2)).views == 1
    assert Request(views=4).digest != Request().digest == Request(views=None).digest
    for wrong in (0, 3, 8):
        with pytest.raises(UsageError, match="the views must be 1, 2, 4"):
            Request(views=wrong)
    with pytest.raises(ValueError, match="out of range"):
        Look.from_dict({"views": 3})


def test_a_session_paints_anew_with_other_views():
    colorizer = Colorizer.from_pretrained("chromagan@small", "cpu", size=32)
    gray = np.random.default_rng(1).integers(0, 255, (6, 6), np.uint8).repeat(8, 0).repeat(8, 1)
    session = colorizer.open(gray)
    pictures = [session.paint(Request(views=count))[0].photo.pixels for count in (1, 2, 1)]
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])
    alone = replace(colorizer.look, views=2)
    assert np.array_equal(pictures[1], Colorizer(colorizer.network, look=alone, upsampler=colorizer.step)
                          .colorize([gray])[0][0].photo.pixels)  # fmt: skip
