import math

import pytest

from chromagan.errors import UsageError
from chromagan.evaluation.metric_names import (
    HELD_OUT_METRICS,
    HIGHER_IS_BETTER,
    better,
    check_best_metric,
    check_metric_names,
)


def test_each_direction():
    assert better("psnr", 24.0, 23.0)
    assert not better("psnr", 23.0, 24.0)
    assert better("fid_tf", 3.0, 4.0)
    assert not better("lpips_alex", 0.2, 0.1)
    assert not any(better(metric, 1.0, 1.0) for metric in HIGHER_IS_BETTER)


def test_nan_is_never_the_best():
    assert better("ssim", -1.0, math.nan)
    assert not better("ssim", math.nan, -1.0)
    assert not better("ssim", math.nan, math.nan)


def test_unknown_names_list_what_there_is():
    assert check_metric_names(["ssim", "psnr", "ssim"]) == ("ssim", "psnr")
    with pytest.raises(UsageError, match=r"'fid'.*fid_tf, fid_torchvision"):
        check_metric_names(["psnr", "fid"])
    for metric in ("colourfulness", "psmr"):
        with pytest.raises(UsageError, match=f"{metric}.*choose one of psnr"):
            better(metric, 1.0, 2.0)
    for metric in ("colourfulness", "accuracy"):
        with pytest.raises(UsageError, match=f"{metric}.*choose one of psnr"):
            check_best_metric(metric)
    assert set(HELD_OUT_METRICS) - set(HIGHER_IS_BETTER) == {"colourfulness"}
