"""Borders of prints stay neutral, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from skimage.color import rgb2lab

from chromagan.conditioning.borders import calm_border, find_border

PHOTOS = ("astronaut", "camera", "chelsea", "coffee", "rocket")


def gray(name):
    pixels = getattr(skimage.data, name)()
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def lightness(pixels):
    return rgb2lab(np.repeat(pixels[..., None], 3, 2))[..., 0].astype(np.float32)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("tone", [250, 228, 12])
def test_a_border_is_found_where_one_was_made_and_loses_its_colours(name, tone):
    photo = gray(name)
    page = cv2.copyMakeBorder(photo, 12, 20, 9, 15, cv2.BORDER_CONSTANT, value=tone).astype(float)
    page += np.random.default_rng(0).normal(0, 1.5, page.shape)
    L = lightness(page.clip(0, 255).astype(np.uint8))
    rows, columns = photo.shape
    found = find_border(L)
    assert np.abs(np.subtract(found, (12, 12 + rows, 9, 9 + columns))).max() <= 3
    calm = calm_border(torch.full((1, 2, *L.shape), 30.0), torch.from_numpy(L)[None, None])[0]
    outside = torch.ones(L.shape, dtype=bool)
    outside[12 : 12 + rows, 9 : 9 + columns] = False
    assert calm[:, outside].norm(dim=0).mean() < 2
    assert calm[:, 20:-28, 17:-23].min() == 30


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_without_a_border_are_left_alone(name):
    L = torch.from_numpy(lightness(gray(name)))[None, None]
    ab = torch.randn(1, 2, *L.shape[2:])
    assert calm_border(ab, L) is ab


def sky(rows=90, columns=120):
    L = np.full((rows, columns), 97.0, np.float32)
    L[50:] = np.random.default_rng(0).uniform(10, 60, (rows - 50, columns))
    return L


def test_a_white_sky_a_flat_picture_and_a_thing_on_white_are_no_border():
    thing = np.full((90, 120), 97.0, np.float32)
    cv2.circle(thing, (60, 45), 30, 40.0, -1)
    for L in (
        sky(),
        np.full((90, 120), 60, np.float32),
        thing,
        np.zeros((1, 1), np.float32),
        np.full((4, 3), 97.0, np.float32),
    ):
        assert find_border(L) is None
