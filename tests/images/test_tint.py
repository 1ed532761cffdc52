"""Scans of one tint are told from colour photos and from neutral ones."""

import cv2
import numpy as np
import pytest
import skimage.data

from chromagan.images.tint import is_tinted

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
SEPIA = ((60, 35, 20), (250, 235, 205))
CYAN = ((20, 30, 60), (225, 238, 250))


@pytest.mark.parametrize("name", PHOTOS)
def test_a_tint_is_told_from_colours_and_from_none(name):
    photo = getattr(skimage.data, name)()
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    assert not is_tinted(photo)
    assert not is_tinted(gray)
    assert not is_tinted(np.repeat(gray[..., None], 3, 2))
    for dark, light in (SEPIA, CYAN):
        share = gray[..., None] / 255
        toned = (1 - share) * dark + share * light + np.random.default_rng(0).normal(0, 2, photo.shape)
        assert is_tinted(toned.clip(0, 255).astype(np.uint8))
        assert is_tinted((toned.clip(0, 255) * 257).astype(np.uint16))
