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


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("strength", [1, 2, 3])
def test_a_strong_sepia_that_runs_into_white_is_told(name, strength):
    # The matrix of image editors and of CSS, and more of it: red and green are clipped long before blue.
    photo = getattr(skimage.data, name)().astype(float)
    toned = photo @ [[0.393, 0.349, 0.272], [0.769, 0.686, 0.534], [0.189, 0.168, 0.131]]
    mixed = photo @ [0.299, 0.587, 0.114] * (1 - strength)
    codes = (mixed[..., None] + strength * toned).clip(0, 255).round().astype(np.uint8)
    assert is_tinted(codes)
    assert is_tinted(codes.astype(np.uint16) * 257)
    _, file = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert is_tinted(cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
