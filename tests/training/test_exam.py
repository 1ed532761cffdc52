"""The exam of a run on held-out photographs: its figures, the best state, and what it is chosen by."""

import pytest
import torch

from chromagan.apps.cli.main import main
from chromagan.errors import UsageError
from chromagan.training.checkpoint import load_state
from chromagan.training.config import from_preset
from chromagan.training.run_folder import read_stats
from chromagan.training.train import open_loop
from chromagan.training.trainer import Trainer


def config(photos, **given):
    plain = {
        "data": [str(photos)], "model": "tiny_for_training", "class_weight": 0.0, "size": 32, "batch_size": 4,
        "images": 16, "warmup": 0, "workers": 0, "precision": "float32", "no_pretrained": True, "ema": 0.9,
        "val": str(photos), "eval_every": 16, "eval_size": 32,
    }  # fmt: skip
    return from_preset("default", **{**plain, **given})


def train(config, out):
    trainer = Trainer(config, out, torch.device("cpu"))
    open_loop(trainer, 16).run()
    return trainer


def test_exam_and_preview_draw_no_random_numbers_of_the_run(photos, tmp_path):
    run = config(photos, eval_every=4, metrics=["psnr"], images=4)
    trainer = Trainer(run, tmp_path, torch.device("cpu"))
    before = torch.get_rng_state()
    loop = open_loop(trainer, 4)
    loop.exam.sit()
    loop.preview(tmp_path / "preview.jpg")
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_marks_the_best_state(photos, tmp_path):
    run = config(photos, metrics=["psnr", "colourfulness"], images=48)
    trainer = train(run, tmp_path)
    lines = [line for line in read_stats(tmp_path) if "val/psnr" in line]
    assert [line["images"] for line in lines] == [16, 32, 48]
    best = max(lines, key=lambda line: line["val/psnr"])
    assert trainer.best == {"images": best["images"], "metric": "psnr", "value": best["val/psnr"]}
    assert load_state(tmp_path, "best")["images"] == best["images"]


def test_a_metric_without_its_network_is_left_out_and_told(photos, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    (tmp_path / "networks").mkdir()
    run = config(photos, metrics=["psnr", "lpips_alex"], metric_networks=str(tmp_path / "networks"))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    train(run, tmp_path / "run")
    told = [line for line in caplog.messages if "lpips_alex" in line]
    assert len(told) == 1
    assert "--metric-networks" in told[0]
    assert "val/psnr" in read_stats(tmp_path / "run")[-1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"metrics": ["psnr", "lpips_alex"], "best_metric": "lpips_alex"}, "--best-metric: lpips_alex is left out"),
        ({"metrics": ["ssim"], "best_metric": "psnr"}, "--best-metric psnr is none of --metrics ssim; add it there"),
    ],
)
def test_the_best_metric_is_measured_or_the_run_does_not_begin(photos, tmp_path, monkeypatch, wrong, message):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    run = config(photos, **wrong)
    with pytest.raises(UsageError, match=message):
        train(run, tmp_path / "run")


def refuse(*_, **__):
    raise OSError("no network")


def test_the_best_metric_is_the_first_that_can_be_better_where_none_is_asked_for(photos, tmp_path):
    trainer = train(config(photos, metrics=["colourfulness", "ciede2000", "ssim"], images=32, lr=1e-2), tmp_path)
    lines = [line for line in read_stats(tmp_path) if "val/ciede2000" in line]
    assert len(lines) == 2
    best = min(lines, key=lambda line: line["val/ciede2000"])  # lower is better
    assert trainer.best == {"images": best["images"], "metric": "ciede2000", "value": best["val/ciede2000"]}
    assert load_state(tmp_path, "best")["images"] == best["images"]


def test_a_run_that_goes_on_by_another_metric_compares_no_figures_of_two(photos, tmp_path):
    """An SSIM is never above a PSNR."""
    assert train(config(photos, metrics=["psnr"]), tmp_path).best["value"] > 1
    trainer = Trainer(config(photos, metrics=["ssim"]), tmp_path, torch.device("cpu"))
    assert open_loop(trainer, 16).exam.sit()
    assert trainer.best["metric"] == "ssim"
    assert trainer.best["value"] <= 1


@pytest.mark.parametrize("words", [["--best-metric", "ssim"], ["--best-metric", "psmr"],
                                   ["--best-metric", "colourfulness"]])  # fmt: skip
def test_a_best_metric_that_cannot_be_leaves_no_trace(photos, tmp_path, capsys, words):
    out = tmp_path / "run"
    right = ["train", "--data", str(photos), "--val", str(photos), "--out", str(out), "--model", "tiny_for_training",
             "--size", "32", "--batch-size", "4", "--images", "16", "--workers", "0", "--eval-every", "8",
             "--eval-size", "32", "--metrics", "psnr", "colourfulness", "--class-weight", "0", "--device",
             "cpu"]  # fmt: skip
    # Neither a new folder, nor one that has a run.
    assert main([*right, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words[1] in line
    assert not out.exists()
    assert main([*right, "--stop-at", "8"]) == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main([*right, *words]) == 2
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert main(right) == 0
    assert load_state(out)["images"] == 16
