"""The face detector, against photographs of faces and of none that scikit-image ships."""

import sys

import cv2
import numpy as np
import pytest

from chromagan.errors import DataError
from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.evaluation.fairness.faces import FaceFinder
from chromagan.evaluation.fairness.skin import skin_in_box

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


def as_picture(gray, side=75):
    large = cv2.resize((gray * 255).round().astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.repeat(large[..., None], 3, 2)


def test_faces_are_found_and_other_things_are_not(finder):
    # Labeled Faces in the Wild: the first hundred are faces, the others are cuts without one.
    patches = data.lfw_subset()
    faces = [len(finder(as_picture(patch))) > 0 for patch in patches[:100:4]]
    others = [len(finder(as_picture(patch))) > 0 for patch in patches[100::4]]
    assert np.mean(faces) > 0.8
    assert np.mean(others) < 0.1


def test_the_astronaut_and_her_skin(finder):
    picture = data.astronaut()
    boxes = finder(picture)
    assert len(boxes) == 1
    # Her face spans rows 60 to 190 and columns 165 to 275.
    box = boxes[0]
    assert 90 < box.height < 150
    assert abs(box.top + box.height / 2 - 120) < 15
    assert abs(box.left + box.width / 2 - 222) < 15
    region = skin_in_box(picture, box)
    L, a, b = region.lab(picture).mean(0)
    assert 70 < L < 85
    assert 5 < a < 15
    assert 10 < b < 22


def test_the_detector_sees_no_colour(finder):
    picture = data.astronaut()[:256, 80:336]
    assert finder(np.ascontiguousarray(np.repeat(gray_of_8bit(picture)[..., None], 3, 2))) == finder(picture)


def test_boxes_are_in_pixels_of_a_large_photo(finder):
    picture = data.astronaut()
    (small,), (large,) = finder(picture), finder(cv2.resize(picture, None, fx=2.5, fy=2.5))
    np.testing.assert_allclose(np.array(large) / 2.5, small, atol=10)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (20, 20), (300, 8)])
def test_small_and_narrow_photos_have_no_face(finder, shape):
    assert finder(np.full((*shape, 3), 90, np.uint8)) == []


def test_without_scikit_image_the_message_names_the_extra_and_the_masks(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(DataError, match=r"chromagan\[demo\].*--masks"):
        FaceFinder()
