"""Colours of reference photos: a copy gives its own, something else gives none, and nothing leaks in between."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import rgb2lab
from skimage.transform import resize

from chromagan.conditioning.matching import match, resized
from chromagan.conditioning.references import Seen, tell, transfer
from chromagan.conditioning.same_scene import find_same_scene


def lab(picture, rows=160):
    small = resize(picture, (rows, round(picture.shape[1] * rows / picture.shape[0])), anti_aliasing=True)
    return torch.from_numpy(rgb2lab(small).astype(np.float32)).permute(2, 0, 1)[None]


def seen(picture):
    """Through maps made of lightness alone: its means, gradients and texture at two scales, around a common vector."""
    L, maps = picture[:, :1], []
    for stride in (16, 8):
        parts = [torch.nn.functional.avg_pool2d(L.roll(shift, 3) - L.roll(-shift, 3), stride) for shift in (1, 2, 4, 8)]
        parts += [torch.nn.functional.avg_pool2d((L.roll(shift, 2) - L).abs(), stride) for shift in (1, 4)]
        maps.append(torch.cat([torch.nn.functional.avg_pool2d(L, stride), torch.full_like(parts[0], 60.0), *parts], 1))
    return Seen(L, maps[0], maps[1], picture[:, 1:])


@pytest.fixture(scope="module")
def cat():
    return lab(data.chelsea())


@pytest.fixture(scope="module")
def coffee():
    return lab(data.coffee())


def error(ab, truth):
    return float((ab - truth[:, 1:]).norm(dim=1).mean())


def as_mirrored_copy(picture):
    rows, columns = picture.shape[2:]
    return picture[..., rows // 10 :, columns // 12 :].flip(3).contiguous()


def test_the_photo_itself_brings_its_colours(cat):
    gray = torch.zeros_like(cat[:, 1:])
    ab, (did,) = transfer(gray, cat[:, :1], [tell(seen(cat), seen(cat))], [1.0])
    assert error(ab, cat) < 1.5 < error(gray, cat)
    assert did.score > 0.9
    assert did.share == pytest.approx(1)


def test_a_mirrored_part_is_found_and_carried_on_to_what_it_lacks(cat):
    gray = torch.zeros_like(cat[:, 1:])
    copy = as_mirrored_copy(cat)
    ab, (did,) = transfer(gray, cat[:, :1], [tell(seen(cat), seen(copy))], [1.0])
    assert 0.6 < did.same_scene < 0.95
    inside = (slice(None), slice(None), slice(24, None), slice(20, None))
    assert error(ab[inside], cat[inside]) < 1.5
    assert error(ab, cat) < 0.5 * error(gray, cat)


def test_colours_of_the_same_scene_come_to_their_places(cat):
    rows, columns = cat.shape[2:]
    copy = as_mirrored_copy(cat)
    # Colours that tell their place: a is the column in the copy, b its row.
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in copy.shape[2:]), indexing="ij")
    places, agreed = find_same_scene(cat[:, :1], copy[:, :1], torch.stack((x, y))[None])
    y, x = torch.meshgrid(torch.arange(rows) - rows // 10, columns - 1 - torch.arange(columns), indexing="ij")
    sure = agreed[0, 0] > 0.5
    assert sure[20:, 20:].float().mean() > 0.9
    assert (places[0, 0] - x)[sure].abs().mean() < 0.5
    assert (places[0, 1] - y)[sure].abs().mean() < 0.5


def test_two_scenes_are_not_one(cat, coffee):
    assert find_same_scene(cat[:, :1], coffee[:, :1], coffee[:, 1:]) is None
    flat = torch.full_like(cat[:, :1], 50.0)
    assert find_same_scene(flat, cat[:, :1], cat[:, 1:]) is None


def test_what_is_like_nothing_there_is_left_alone(cat):
    torch.manual_seed(0)
    strange = Seen(cat[:, :1], torch.randn(1, 200, 10, 15), torch.randn(1, 200, 20, 30))
    other = Seen(cat[:, :1], torch.randn(1, 200, 10, 15), torch.randn(1, 200, 20, 30), cat[:, 1:])
    found = match(strange, other)
    assert found.trust.max() < 0.01


def test_references_do_not_depend_on_their_order_nor_a_poor_one_on_a_good_one(cat, coffee):
    gray, L = torch.zeros_like(cat[:, 1:]), cat[:, :1]
    good, poor = tell(seen(cat), seen(as_mirrored_copy(cat))), tell(seen(cat), seen(coffee))
    ab, did = transfer(gray, L, [good, poor], [1.0, 0.7])
    turned, done = transfer(gray, L, [poor, good], [0.7, 1.0])
    assert torch.allclose(ab, turned, atol=1e-3)
    assert [one.score for one in did] == pytest.approx([one.score for one in done[::-1]], abs=1e-5)
    assert sum(one.share for one in did) == pytest.approx(1)
    alone, _ = transfer(gray, L, [good], [1.0])
    assert error(ab, cat) < error(alone, cat) + 0.5
    # Each place goes by the better one.
    scores = torch.cat([one.where for one in did])
    assert (scores[0] > scores[1]).float().mean() > 0.7


@pytest.mark.parametrize("strength", [1e-6, 0.5])
def test_strength_scales(cat, strength):
    gray, L = torch.zeros_like(cat[:, 1:]), cat[:, :1]
    told = [tell(seen(cat), seen(cat))]
    whole, part = transfer(gray, L, told, [1.0])[0], transfer(gray, L, told, [strength])[0]
    assert float((part - strength * whole).norm(dim=1).mean()) < 0.1 * strength * float(whole.norm(dim=1).mean()) + 1e-3


def test_sizes_of_all_kinds(cat):
    gray, reference = torch.zeros(1, 2, 41, 67), seen(cat[..., :97, :131])
    ab, (did,) = transfer(gray, resized(cat[:, :1], (41, 67)), [tell(seen(cat), reference)], [1.0])
    assert ab.shape == gray.shape
    assert torch.isfinite(ab).all()
    assert 0 <= did.score <= 1
