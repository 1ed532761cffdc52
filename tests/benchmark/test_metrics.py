"""The benchmark of the metrics: that it times what it says; how long it takes is no test's business."""

import cv2
import numpy as np
import pytest

from chromagan.benchmark.metrics import METRICS, make_pairs, time_metrics
from chromagan.images.read import read_photo


def test_pairs_and_agreement_with_scikit_image(tmp_path):
    pairs = make_pairs(tmp_path, [], 3, 48)
    assert len({path for pair in pairs for path in pair}) == 6
    picture, truth = (read_photo(path).pixels for path in pairs[0])
    assert picture.shape == truth.shape == (48, 48, 3)
    assert not np.array_equal(picture, truth)
    threads = cv2.getNumThreads()
    timings = time_metrics(pairs, runs=1, workers=2)
    assert cv2.getNumThreads() == threads
    assert set(timings.differences) == set(METRICS)
    assert max(timings.differences.values()) < 1e-3
    assert timings.differences["psnr"] == pytest.approx(0, abs=1e-9)
    assert all(value > 0 for value in timings.milliseconds.values())
    assert timings.ratio == timings.milliseconds["chromagan"] / timings.milliseconds["scikit-image"]
    assert (timings.pairs, timings.workers) == (3, 2)
