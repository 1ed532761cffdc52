"""A studio with a network that paints at once, and photographs that are generated."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from chromagan.apps.studio.studio import Studio
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Copier(ColorizationNetwork):
    """Paints what it is shown where it is shown it, and a little by lightness elsewhere."""

    stride = ab_stride = 4
    accepts = frozenset({"local"})
    config = {}

    def predict(self, L, condition):
        low = F.avg_pool2d(L, 4)
        ab = torch.cat((low * 0.1, 12 - low * 0.1), 1)
        if condition.local is not None:
            local = condition.local
            mask, shown = (F.avg_pool2d(one, 4) for one in (local.mask, local.ab * local.mask))
            ab = torch.where(mask > 0, shown / mask.clamp_min(1e-6), ab)
        return Prediction(ab)


def make_colorizer():
    return Colorizer(Copier(), look=Look(size=64), device="cpu", model="copier", sha256="ab" * 32)


def gray_photo(path, seed=0, size=(96, 128)):
    noise = np.random.default_rng(seed).integers(50, 200, (6, 8), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC))
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        gray_photo(folder / f"{number}.png", number)
    return folder


@pytest.fixture
def make_studio(tmp_path):
    """A studio of some inputs, whose out folder is `out`."""
    made = []

    def make(*inputs, **options):
        made.append(Studio(make_colorizer, [str(one) for one in inputs], tmp_path / "out", **options))
        return made[-1]

    yield make
    for studio in made:
        studio.close()
