"""The command's measurement as a function: figures by masks, and refusals."""

import cv2
import numpy as np
import pytest

from chromagan.errors import UsageError
from chromagan.evaluation.fairness.evaluate import evaluate_fairness
from chromagan.evaluation.fairness.options import FairnessOptions


def test_by_masks(tmp_path):
    random = np.random.default_rng(0)
    for name in ("truth", "made", "masks"):
        (tmp_path / name).mkdir()
    for number, lightness in enumerate((60, 60, 120, 120, 190, 190)):
        skin = np.clip(np.array([0.55, 0.75, 1.0]) * lightness + random.normal(0, 2, (24, 24, 3)), 0, 255)  # BGR
        cv2.imwrite(str(tmp_path / "truth" / f"{number}.png"), skin.astype(np.uint8))
        cv2.imwrite(str(tmp_path / "made" / f"{number}.png"), skin.astype(np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{number}.png"), np.full((24, 24), 255, np.uint8))
    result = evaluate_fairness(
        pred=[f"copy={tmp_path / 'made'}"], truth=tmp_path / "truth", masks=tmp_path / "masks", min_faces=2,
        out=tmp_path / "out",
    )  # fmt: skip
    assert result.photos == len(result.faces) == 6
    assert result.methods == ["copy", "gray", "mean ab"]
    assert all(face.shifts["copy"].ciede2000 == 0 < face.shifts["gray"].ciede2000 for face in result.faces)
    assert (tmp_path / "out" / "fairness.json").exists()


def test_options_are_checked():
    with pytest.raises(UsageError, match="give either --pred"):
        FairnessOptions(pred=["a"])
    with pytest.raises(UsageError, match="--min-faces must be at least 2"):
        FairnessOptions(model="chromagan", data="photos", min_faces=1)
