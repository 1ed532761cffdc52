"""What references are worth: a copy much, and the table says so."""

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from chromagan.benchmark.guidance.references import KINDS, measure, mirrored_part, table
from chromagan.errors import UsageError
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Gray(ColorizationNetwork):
    """Next to no colours."""

    stride = ab_stride = 4
    config = {}

    def predict(self, L, condition):
        return Prediction(torch.nn.functional.avg_pool2d(L, 4).expand(-1, 2, -1, -1) * 0 + 0.1)


@pytest.fixture
def photos(tmp_path):
    for name in ("chelsea", "coffee", "astronaut"):
        picture = cv2.resize(getattr(data, name)(), (120, 96), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    cv2.imwrite(str(tmp_path / "camera.png"), cv2.resize(data.camera(), (96, 96), interpolation=cv2.INTER_AREA))
    return sorted(tmp_path.glob("*.png"))


def test_a_copy_is_worth_much_and_photos_without_colours_take_no_part(photos):
    colorizer = Colorizer(Gray(), look=Look(size=64), device="cpu")
    found = measure(colorizer, photos)
    assert found.photos == 3
    assert found.mean["copy"] > 6
    assert found.score["copy"] > 0.9 > 0.3 > found.score["random"]
    assert found.mean["copy"] >= found.worst_tenth["copy"]
    lines = table({"gray": found}).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == list(KINDS)
    with pytest.raises(UsageError, match="three photos or more"):
        measure(colorizer, photos[:2])


def test_a_mirrored_part_is_one():
    picture = np.arange(300).astype(np.uint8).reshape(10, 10, 3)
    part = mirrored_part(picture, np.random.default_rng(0))
    assert part.shape == (9, 9, 3)
    assert any(np.array_equal(part[:, ::-1], picture[y : y + 9, x : x + 9]) for y in (0, 1) for x in (0, 1))
