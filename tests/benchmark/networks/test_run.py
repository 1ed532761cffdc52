"""The zoo's benchmark from the command line to table and sheet, and that a kill costs no finished work."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.benchmark.networks import run
from chromagan.benchmark.networks.matrix import Entry, Matrix, parse_options
from chromagan.benchmark.networks.report import ranking_markdown
from chromagan.benchmark.networks.run import NetworkBenchmark, Results, Row
from chromagan.benchmark.networks.sheet import ContactSheet
from chromagan.errors import ModelError, TrainingError, UsageError
from chromagan.evaluation.held_out import HeldOut
from chromagan.models.contract import ColorizationNetwork, Prediction, Trunk
from chromagan.models.registry import register_model
from chromagan.pretrained.create import create_model
from chromagan.training.loop import Loop
from chromagan.training.trainer import Trainer


class _Small(ColorizationNetwork):
    ab_stride = 4

    def __init__(self, width=4):
        super().__init__()
        self.config = {}
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=4, padding=2), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2, 3, 1, 1)
        )

    def predict(self, L, hints):
        return Prediction(self.body(L / 50 - 1) * 50)


@register_model("zoo_test_small", paper="a test", recipe={"objective": "ab_l1", "lr": 0.25, "adversarial_weight": 0.0})
class Small(_Small):
    pass


@register_model("zoo_test_trunk", paper="a test", recipe={"class_weight": 0.0, "adversarial_weight": 0.0})
class WithTrunk(_Small):
    """Has something that could be pretrained."""

    def __init__(self):
        super().__init__(8)
        self.trunk = Trunk()
        self.trunk.name = "some_backbone"


MODELS = ("zoo_test_small", "zoo_test_trunk", "mean")


@pytest.fixture(autouse=True)
def _light(monkeypatch):
    """Small networks leave nothing to collect, and TensorBoard would take seconds of every start."""
    monkeypatch.setattr(run.gc, "collect", lambda: 0)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(12):
        mask = cv2.resize(rng.random((5, 5)), (64, 48), interpolation=cv2.INTER_CUBIC)[..., None] > 0.5
        cv2.imwrite(str(folder / f"{i:02d}.png"), np.where(mask, (60, 170, 240), (150, 60, 20)).astype(np.uint8))
    return folder


COMMON = {"size": 32, "batch_size": 4, "workers": 0, "warmup": 0, "precision": "float32", "ema": 0.9, "lr": 0.01}


def matrix(photos, **given):
    return Matrix([str(photos)], str(photos), **{"images": 40, "common": COMMON, "no_pretrained": True,
                                                 "eval_size": 32, "eval_limit": 3, **given})  # fmt: skip


def benchmark(photos, out, **given):
    sheet = ContactSheet([cv2.imread(str(photos / "00.png"))], 32)
    return NetworkBenchmark(matrix(photos, **given), out, torch.device("cpu"), sheet)


def figures_of(rows):
    keep = ("psnr", "ssim", "colourfulness", "parameters")
    return {(row.label, row.seed): {name: row.figures[name] for name in keep} for row in rows}


def test_the_command_makes_table_sheet_and_weights(photos, tmp_path, capsys):
    words = ["benchmark", "networks", "--models", *MODELS, "zoo_test_small:adversarial-weight=0.01,seed=5", "--data"]
    words += [str(photos), "--val", str(photos), "--out", str(tmp_path), "--images", "40", "--no-pretrained", "--set"]
    words += [f"{name}={value}" for name, value in COMMON.items()]
    assert main([*words, "--eval-size", "32", "--eval-limit", "3", "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert table.rstrip() == (tmp_path / "zoo.md").read_text().rstrip()
    assert "zoo_test_trunk †" in table
    assert "zoo_test_small †" not in table
    assert "| seeds |" in " ".join(table.split())
    assert "PSNR at colourfulness 20" in table
    assert "LPIPS" not in table.upper().replace("NOT LPIPS", "")
    content = json.loads((tmp_path / "zoo.json").read_text())
    rows = {(row["label"], row["seed"]): row for row in content["rows"]}
    assert len(rows) == 7  # two seeds of three, and one of the constant colour
    small = rows["zoo_test_small", 1]
    assert (small["objective"], small["start"], small["images"]) == ("ab_l1", "no backbone", 40)
    assert small["figures"]["parameters"] == 26 * 4 + 2 * 4 + 4 * 2 * 9 + 2
    assert small["config"]["lr"] == 0.01, "the optimiser is common, the objective the recipe's"
    assert small["figures"]["train_images_per_second"] > 0
    assert rows["zoo_test_small:adversarial-weight=0.01,seed=5", 0]["objective"] == "ab_l1 + adversary"
    assert rows["mean", 0]["start"] == "not trained"
    cells, header = (4, 22)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == (2 + 4) * 224
    assert sheet.shape[0] > header + cells * 100
    network = create_model("zoo_test_small", weights=tmp_path / "runs" / "zoo_test_small-1" / "weights.safetensors")
    again = HeldOut(photos, 32, ("psnr",), limit=3).evaluate(network.eval())["psnr"]
    assert again == pytest.approx(small["figures"]["psnr"], abs=0.05)  # half precision
    assert not list(tmp_path.rglob("state-*.pt"))


@pytest.mark.parametrize("name", ["networks", "zoo"])
def test_the_old_name_of_the_command_stays(name, capsys):
    assert main(["benchmark", name, "--data", "d", "--val", "v", "--out", "o", "--seeds", "0"]) == 2
    assert "--seeds is at least 1" in capsys.readouterr().err


def test_a_kill_costs_no_finished_row_and_changes_no_figure(photos, tmp_path, monkeypatch):
    whole = benchmark(photos, tmp_path / "whole").run(MODELS[:2], 1)
    assert not whole.failures
    assert not whole.stopped

    plain, trained = Trainer.train_batch, []

    def dies(self, batch):
        trained.append(self.folder.path.name)
        if len(trained) == 17:  # in the second network, after a checkpoint
            raise KeyboardInterrupt
        return plain(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_batch", dies)
        with pytest.raises(KeyboardInterrupt):
            benchmark(photos, tmp_path / "parts").run(MODELS[:2], 1)
    assert trained.count("zoo_test_small-0") == 10

    def counts(self, batch):
        trained.append(self.folder.path.name)
        return plain(self, batch)

    trained.clear()
    monkeypatch.setattr(Trainer, "train_batch", counts)
    parts = benchmark(photos, tmp_path / "parts").run(MODELS[:2], 1)
    assert "zoo_test_small-0" not in trained
    assert 0 < trained.count("zoo_test_trunk-0") < 10, "the run under way goes on from its checkpoint"
    assert figures_of(parts.rows) == figures_of(whole.rows)
    trained.clear()
    benchmark(photos, tmp_path / "parts").run(MODELS[:2], 1)
    assert not trained


def test_the_time_limit_stops_cleanly_and_is_told(photos, tmp_path):
    results = benchmark(photos, tmp_path).run(MODELS[:2], 1, max_minutes=1e-6)
    assert results.stopped == "the time limit"
    assert "the same command goes on" in ranking_markdown(results, matrix(photos), "cpu")
    results = benchmark(photos, tmp_path).run(MODELS[:2], 1)
    assert len(results.rows) == 2
    named = matrix(photos, common={"teacher_weights": "home/of/somebody/teacher.safetensors"})
    table = ranking_markdown(results, named, "cpu")
    assert "teacher.safetensors" in table
    assert "somebody" not in table


def test_the_table_ranks_at_equal_colourfulness_and_counts_seeds(photos):
    def row(label, seed, psnr, equal=None):
        figures = {"psnr": psnr, "parameters": 1.0, "photos": 3.0, "left_out": 0.0, "gray_psnr": 22.0,
                   "true_colourfulness": 43.0, "train_images_per_second": 5.0}  # fmt: skip
        figures |= {} if equal is None else {"psnr_at_equal_colourfulness": equal}
        return Row(label, label, seed, 40, "no backbone", "ab_mse", figures)

    rows = [row("pale", 0, 25.0, 21.0), row("gray", 0, 30.0), row("bold", 0, 23.0, 22.0), row("bold", 1, 23.0, 23.0)]
    table = ranking_markdown(Results(rows), matrix(photos), "cpu").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[:5]]
    column = {name: [line[i] for line in cells[2:]] for i, name in enumerate(cells[0])}
    assert column["network"] == ["bold", "pale", "gray"]
    assert column["seeds"] == ["2", "1", "1"]
    assert column["PSNR at colourfulness 20"] == ["22.50 ± 0.50", "21.00", "-"]


def test_other_settings_are_refused_with_the_difference(photos, tmp_path):
    benchmark(photos, tmp_path).run(["mean"], 1)
    with pytest.raises(TrainingError, match="eval_limit: 3 there, 2 now"):
        benchmark(photos, tmp_path, eval_limit=2)
    (tmp_path / "zoo.json").write_text("{}")
    with pytest.raises(TrainingError, match="not the results of such a benchmark"):
        benchmark(photos, tmp_path)


def test_one_network_that_fails_is_told_and_the_others_stand(photos, tmp_path, monkeypatch):
    plain = Loop.run

    def diverges(self):
        if self.trained.config.network.model == "zoo_test_small":
            raise TrainingError("the chroma term is nan")
        return plain(self)

    monkeypatch.setattr(Loop, "run", diverges)
    results = benchmark(photos, tmp_path).run(MODELS[:2], 1)
    assert [row.label for row in results.rows] == ["zoo_test_trunk"]
    assert results.failures == {"zoo_test_small, seed 0": "the chroma term is nan"}
    assert "failed: zoo_test_small, seed 0: the chroma term is nan" in ranking_markdown(results, matrix(photos), "cpu")


def test_minutes_become_photographs_once(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_PACE_SECONDS", 0.0)
    first = benchmark(photos, tmp_path, images=0, minutes=0.001)
    first.run(["zoo_test_small"], 1)
    (length,) = first.lengths.values()
    assert length % 4 == 0
    assert first.rows[0].images == length
    monkeypatch.setattr(run, "_measure_pace", lambda *_: pytest.fail("measured again"))
    again = benchmark(photos, tmp_path, images=0, minutes=0.001)
    assert again.run(["zoo_test_small"], 2).rows[1].images == length


def test_local_weights_and_recipes_decide_a_runs_configuration(photos):
    entry = Entry.parse("zoo_test_trunk")
    config, start = matrix(photos).config(entry, 3, 40)
    assert (config.network.no_pretrained, config.seed, start) == (True, 3, "not pretrained")
    config, start = matrix(photos, weights={"some_backbone": "x.safetensors"}).config(entry, 0, 40)
    files = ["some_backbone=x.safetensors"]
    assert (config.network.no_pretrained, config.network.backbone_weights, start) == (False, files, "pretrained")
    config, start = matrix(photos, no_pretrained=False).config(Entry.parse("zoo_test_small"), 0, 40)
    assert (config.network.no_pretrained, config.network.backbone_weights, start) == (False, [], "no backbone")
    recipe = matrix(photos, recipes=True, common={}).config(Entry.parse("zoo_test_small"), 0, 40)[0]
    assert (recipe.optimizer.lr, recipe.flat()["objective"]) == (0.25, "ab_l1")
    shared = matrix(photos, common={}).config(Entry.parse("zoo_test_small:size=48"), 0, 40)[0]
    assert (shared.optimizer.lr, shared.flat()["objective"], shared.photos.size) == (3e-4, "ab_l1", 48)


def test_what_makes_no_sense_is_told_before_training(photos, tmp_path):
    with pytest.raises(ModelError, match="there is no model 'zoo_test_smal'"):
        benchmark(photos, tmp_path).run(["mean", "zoo_test_smal"], 1)
    with pytest.raises(UsageError, match="same name"):
        benchmark(photos, tmp_path).run(["mean", "mean"], 1)
    for wrong in ("no_such=1", "size", "size=x", "hints=perhaps"):
        with pytest.raises(UsageError, match=wrong):
            parse_options([wrong])
    assert parse_options(["hints=yes", "min-chroma=2", "rate_steps=0.5:0.1+0.7:0.01"]) == {
        "hints": True, "min_chroma": 2.0, "rate_steps": ["0.5:0.1", "0.7:0.01"],
    }  # fmt: skip
    for budget in ({"images": 0}, {"images": 5, "minutes": 1.0}):
        with pytest.raises(UsageError, match="--images or by --minutes"):
            matrix(photos, **budget)
    assert not (tmp_path / "runs").exists()
