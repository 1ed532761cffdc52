import cv2
import numpy as np
import pytest
from skimage import color, data

from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.match_colourfulness import TOLERANCE, match_colourfulness


@pytest.fixture(scope="module")
def photo():
    return cv2.resize(data.chelsea(), (96, 64), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.2, 1.7])
def test_it_reaches_the_target_and_keeps_lightness_and_hue(photo, share):
    target = share * colourfulness(photo)
    found = match_colourfulness(photo, target)
    assert colourfulness(found) == pytest.approx(target, abs=TOLERANCE)
    before, after = color.rgb2lab(photo), color.rgb2lab(found)
    assert np.abs(after[..., 0] - before[..., 0]).max() < 0.7
    sure = (np.hypot(before[..., 1], before[..., 2]) > 12) & (np.hypot(after[..., 1], after[..., 2]) > 12)
    turn = np.arctan2(after[..., 2], after[..., 1]) - np.arctan2(before[..., 2], before[..., 1])
    if sure.any():
        assert np.abs((turn[sure] + np.pi) % (2 * np.pi) - np.pi).max() < 0.08


def test_one_factor_for_the_whole_picture(photo):
    found = match_colourfulness(photo, 0.5 * colourfulness(photo))
    before, after = (np.hypot(lab[..., 1], lab[..., 2]) for lab in map(color.rgb2lab, (photo, found)))
    ratio = after[before > 20] / before[before > 20]
    assert ratio.std() < 0.05


def test_what_needs_no_change_is_the_picture_itself(photo):
    assert match_colourfulness(photo, colourfulness(photo)) is photo
    gray = np.repeat(photo[..., :1], 3, axis=2)
    assert match_colourfulness(gray, 40) is gray


def test_out_of_reach_and_nothing(photo):
    most = match_colourfulness(photo, 300)
    assert colourfulness(photo) < colourfulness(most) < 300
    assert colourfulness(match_colourfulness(photo, 0)) < 0.5
    one = np.array([[[200, 100, 50]]], np.uint8)
    assert match_colourfulness(one, 20).shape == (1, 1, 3)
