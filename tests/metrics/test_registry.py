import math
import subprocess
import sys
from pathlib import Path

import pytest

from chromagan.errors import UsageError
from chromagan.evaluation.held_out import check_best_metric, choose_best_metric
from chromagan.metrics.registry import better, choose_metrics, describe, list_metrics

DIRECTED = {metric.name for metric in list_metrics() if metric.higher_is_better is not None}


def test_each_direction():
    assert better("psnr", 24.0, 23.0)
    assert not better("psnr", 23.0, 24.0)
    assert better("fid_tf", 3.0, 4.0)
    assert not better("lpips_alex", 0.2, 0.1)
    assert not any(better(metric, 1.0, 1.0) for metric in DIRECTED)


def test_nan_is_never_the_best():
    assert better("ssim", -1.0, math.nan)
    assert not better("ssim", math.nan, -1.0)
    assert not better("ssim", math.nan, math.nan)


def test_unknown_names_list_what_there_is():
    assert [metric.name for metric in choose_metrics(["ssim", "psnr", "ssim"])] == ["ssim", "psnr"]
    with pytest.raises(UsageError, match=r"'fid'.*fid_tf, fid_tf_disjoint"):
        choose_metrics(["psnr", "fid"])
    with pytest.raises(UsageError, match="'colourfulness'.*choose one of psnr"):
        better("colourfulness", 1.0, 2.0)
    with pytest.raises(UsageError, match="'psmr'; there are psnr"):
        better("psmr", 1.0, 2.0)
    for metric in ("colourfulness", "psmr"):
        with pytest.raises(UsageError, match=f"{metric}.*choose one of psnr"):
            check_best_metric(metric)
    check_best_metric("accuracy")
    check_best_metric("ssim", ["psnr", "ssim"])
    check_best_metric("ssim", ["all"])
    with pytest.raises(UsageError, match="no metric 'nope'"):
        check_best_metric("ssim", ["nope"])
    with pytest.raises(UsageError, match="--best-metric ssim is none of --metrics psnr colourfulness; add it there"):
        check_best_metric("ssim", ["psnr", "colourfulness"])


@pytest.mark.parametrize(("asked", "measured", "chosen"), [
    ("", ["ssim", "psnr"], "psnr"), ("", ["ssim"], "ssim"), ("", ["colourfulness", "ciede2000", "ssim"], "ciede2000"),
    ("ssim", ["psnr", "ssim"], "ssim"), ("", ["all"], "psnr"),
])  # fmt: skip
def test_the_best_checkpoint_is_chosen_by_what_is_measured(asked, measured, chosen):
    assert choose_best_metric(asked, measured) == chosen


def test_the_best_checkpoint_needs_a_metric_with_a_direction():
    with pytest.raises(UsageError, match="--metrics colourfulness: .*; add another, such as psnr"):
        choose_best_metric("", ["colourfulness"])
    with pytest.raises(UsageError, match="--best-metric psnr is none of --metrics ssim; add it there"):
        choose_best_metric("psnr", ["ssim"])


def test_labels():
    labels = [metric.label for metric in list_metrics()]
    assert len(set(labels)) == len(labels)
    assert describe("fid_tf_disjoint").label == "FID, TF Inception, disjoint"
    assert describe("my_own").label == "my own"
    assert describe("my_own").higher_is_better is None


@pytest.mark.process
def test_a_metric_is_found_without_loading_the_others():
    program = (
        "import sys; from chromagan.metrics.registry import get_metric; assert get_metric('ssim').digits == 4\n"
        "print([name for name in ('torch', 'scipy', 'chromagan.metrics.psnr') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert answer.stdout.strip() == "[]", answer.stderr
