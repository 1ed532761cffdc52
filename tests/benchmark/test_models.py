"""The benchmark of networks: what it counts, says and leaves out; no time is asserted."""

import json

import numpy as np
import pytest
import torch

from chromagan.apps.cli.main import main
from chromagan.benchmark import contender, models
from chromagan.benchmark.contender import inference_network, load_contenders
from chromagan.benchmark.models import Settings, precision_refusal, time_models
from chromagan.benchmark.photos import make_photo
from chromagan.benchmark.report import CellFigures, PhotoFigures, SpeedReport, as_json, as_markdown
from chromagan.benchmark.roofline import Roof, Work
from chromagan.conditioning.condition import NOTHING
from chromagan.errors import DeviceError, ModelError, UsageError
from chromagan.models.baselines import MEAN_AB

CPU = torch.device("cpu")


def cell(model, seconds, precision="float32", **more):
    figures = {"work": Work(4000, 100), "batch_seconds": [2.0, 4.0, 3.0], "batch_size": 6}
    return CellFigures(model, 64, precision, seconds=seconds, **{**figures, **more})


@pytest.fixture
def report():
    roofs = {"float32": Roof(100.0, 200.0, 10.0), "bfloat16": Roof(400.0, 200.0, 10.0)}
    cells = [
        cell("first", [40.0, 60.0, 50.0], peak_bytes=300_000_000),
        cell("second", [100.0, 80.0, 150.0]),
        cell("second", [10.0, 20.0, 15.0], precision="bfloat16"),
    ]
    for one in cells:
        one.roof = roofs[one.precision]
    return SpeedReport(
        cells, [PhotoFigures("first", 64, [3.0, 9.0, 4.0], [1.0, 2.0, 3.0])], roofs,
        {"float16": "this processor has none"}, {"first": "random", "second": "shipped"},
        {"first": 12, "second": 34}, {"device": "cpu", "threads": 2, "batch_size": 6, "runs": 3}, 200_000_000,
    )  # fmt: skip


def test_percentiles_are_numpys_and_pythons():
    import statistics

    values = list(np.random.default_rng(0).exponential(size=101))
    one = cell("m", values)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    assert [one.percentile(p) for p in (50, 90, 99)] == pytest.approx([cuts[49], cuts[89], cuts[98]])
    assert one.percentile(50) == statistics.median(values)


def test_figures_follow_from_the_seconds(report):
    first, second, other = report.cells
    assert first.images_per_second == 6 / 3.0
    assert report.against_first(first) == 1
    assert report.against_first(second) == 100 / 50
    assert report.against_first(other) is None  # the first model was not timed in that precision
    assert first.roofline_share == (4000 / 200) / 40
    assert other.roofline_share == (4000 / 400) / 10
    assert report.photos[0].ratio == 4 / 2
    with pytest.raises(ValueError, match="roof"):
        _ = cell("m", [1.0]).roofline_share


def test_json_holds_every_figure_and_is_strict(report):
    told = json.loads(json.dumps(as_json(report), allow_nan=False))
    assert told["cells"][1]["seconds"] == [100.0, 80.0, 150.0]
    assert told["cells"][1]["percentiles"]["p50"] == 100
    assert told["cells"][1]["against_first"] == 2
    assert told["cells"][2]["against_first"] is None
    assert told["cells"][0]["roofline_share"] == 0.5
    assert told["cells"][0]["bound"] == "arithmetic"
    assert told["cells"][0]["peak_bytes"] == 300_000_000
    assert told["photos"][0]["ratio"] == 2
    assert told["skipped"] == {"float16": "this processor has none"}
    assert told["models"]["second"] == {"weights": "shipped", "parameters": 34}


def rows_of(table):
    return [[part.strip() for part in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


def test_tables_say_the_same(report):
    text = as_markdown(report)
    rows = rows_of(text)
    assert len({len(row) for row in rows[:5]}) == 1
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[2:5]]
    assert [row["model"] for row in named] == ["first", "second", "second"]
    assert [row["x first"] for row in named] == ["1", "2", "-"]
    assert [row["of roofline"] for row in named] == ["50.0 %", "25.0 %", "100.0 %"]
    assert [row["peak MB"] for row in named] == ["300", "-", "-"]
    assert named[0]["p50 ms"] == "50000.00"
    assert named[0]["images/s in 6s"] == "2.00"
    assert rows[7] == ["first", "64", "4.000", "2.000", "2.00"]
    assert "left out: float16: this processor has none" in text
    assert "200" in text


def test_a_plain_module_is_one_more_column(report):
    assert "x plain" not in as_markdown(report)
    report.cells[1].plain_seconds = [200.0, 50.0, 300.0]
    named = [dict(zip(rows[0], row, strict=True)) for rows in [rows_of(as_markdown(report))] for row in rows[2:5]]
    assert [row["x plain"] for row in named] == ["-", "0.5", "-"]
    assert [cell["against_plain"] for cell in as_json(report)["cells"]] == [None, 0.5, None]


def test_what_a_device_has_not_is_refused_with_a_reason(monkeypatch):
    assert precision_refusal("float32", CPU) is None
    for fast in (False, True):
        monkeypatch.setattr(models, "has_fast_bfloat16", lambda device, fast=fast: fast)
        monkeypatch.setattr(models, "_cpu_multiplies_float16", lambda fast=fast: fast)
        assert (precision_refusal("bfloat16", CPU) is None) == fast
        assert (precision_refusal("float16", CPU) is None) == fast
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 1))
    monkeypatch.setattr(models, "has_fast_bfloat16", lambda device: False)
    assert "7.0" in precision_refusal("float16", torch.device("cuda"))
    assert "8.0" in precision_refusal("bfloat16", torch.device("cuda"))


def test_nothing_left_to_time_is_an_error(monkeypatch):
    monkeypatch.setattr(models, "_cpu_multiplies_float16", lambda: False)
    with pytest.raises(DeviceError, match="float16"):
        time_models(Settings(["mean"], [32], ["float16"], "cpu"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precisions": ["float8"]}, "float8"),
        ({"sizes": [8]}, "--sizes.* 8"),
        ({"runs": 0}, "--runs"),
        ({"threads": 0}, "--threads"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(UsageError, match=message):
        Settings(**options)


def test_models_asked_for_must_be_there_and_different():
    with pytest.raises(UsageError, match="mean twice"):
        load_contenders(["mean", "gray", "mean"], "cpu", {})
    with pytest.raises(ModelError, match="did you mean"):
        load_contenders(["meann"], "cpu", {})


def test_networks_are_timed_without_what_only_training_needs(monkeypatch):
    built = []
    real = contender.build_network

    def build(name, **config):
        built.append(config)
        return real(name, **config)

    monkeypatch.setattr(contender, "build_network", build)
    assert inference_network("chromagan").class_head is None
    assert built == [{"classes": 0}]  # and the head was never in memory
    assert inference_network("mean").config["ab"] == list(MEAN_AB)


def test_what_nobody_asked_for_may_be_missing(monkeypatch):
    def build(model, device):
        if model == "gray":
            raise ModelError("this needs a package, not installed")
        return model

    monkeypatch.setattr(contender, "list_models", lambda: ["gray", "mean"])
    monkeypatch.setattr(contender, "load_contender", build)
    skipped = {}
    assert load_contenders(None, "cpu", skipped) == ["mean"]
    assert skipped == {"gray": "this needs a package, not installed"}
    with pytest.raises(ModelError):
        load_contenders(["gray"], "cpu", {})


@pytest.fixture
def photo(tmp_path):
    make_photo(tmp_path / "photo.jpg", 0.01)
    return tmp_path / "photo.jpg"


def test_memory_that_runs_out_leaves_one_cell_out(monkeypatch, photo):
    real = models._CellTimer.warm

    def warm(timer, *args):
        if timer.size == 64:
            raise MemoryError
        real(timer, *args)

    def whole(timer):
        if timer.size == 64:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(models._CellTimer, "warm", warm)
    monkeypatch.setattr(models._PhotoTimer, "_whole", whole)
    monkeypatch.setattr(models._PhotoTimer, "visit", lambda timer: None)
    found = time_models(Settings(["mean"], [32, 64], ["float32"], "cpu", runs=1, threads=1, photo=photo, memory=False))
    assert [one.size for one in found.cells] == [32]
    assert found.skipped == dict.fromkeys(["mean, 64 px, float32", "mean, 64 px, photo"], "memory ran out")
    only = found.cells[0]
    assert only.peak_bytes is None
    assert only.work == Work(0, 4 * (32 * 32 + 2 * 8 * 8 + 2))
    assert only.roof.bound(only.work) == "memory"
    assert found.weights == {"mean": "none needed"}
    assert [one.size for one in found.photos] == [32]


def test_other_errors_of_a_network_are_told(monkeypatch, photo):
    def warm(timer, *args):
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(models._CellTimer, "warm", warm)
    with pytest.raises(RuntimeError, match="sizes"):
        time_models(Settings(["mean"], [32], ["float32"], "cpu", threads=1, photo=photo, memory=False))


def test_the_command_measures(photo, tmp_path, capsys):
    out, threads = tmp_path / "speed.json", torch.get_num_threads()
    words = ["benchmark", "models", "--models", "chromagan", "--sizes", "32", "--precision", "float32", "--runs", "3"]
    words += ["--device", "cpu", "--batch-size", "2", "--threads", "1", "--photo", str(photo), "--out", str(out)]
    words += ["--plain"]
    assert main(words) == 0
    assert torch.get_num_threads() == threads
    table = capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert out.with_suffix(".md").read_text() == table
    (one,) = figures["cells"]
    assert (one["model"], one["size"], one["precision"]) == ("chromagan", 32, "float32")
    assert len(one["seconds"]) == len(one["batch_seconds"]) == 3
    assert all(seconds > 0 for seconds in one["seconds"] + one["batch_seconds"])
    assert one["against_plain"] > 0
    assert one["roofline_share"] > 0
    assert one["work"]["flops"] > 2e8
    # 22 million parameters in float32 are in the process's memory
    assert one["peak_bytes"] - figures["process_bytes"] > 4 * figures["models"]["chromagan"]["parameters"] / 1.2
    assert figures["models"]["chromagan"]["weights"] == "shipped"
    assert figures["photos"][0]["ratio"] > 0


def test_a_plain_module_has_the_same_weights_in_pytorchs_own_layout(photo):
    contenders = load_contenders(["siggraph17"], "cpu", {})
    plain, network = contenders[0].plain, contenders[0].network
    kernel = plain.state_dict()["model3.0.weight"]
    assert kernel.is_contiguous()
    assert network.state_dict()["model3.0.weight"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(kernel, network.state_dict()["model3.0.weight"])
    L = 100 * torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(plain.predict(L, NOTHING).ab, network(L).ab, rtol=0, atol=1e-2)
    settings = Settings(
        ["chromagan"], [33], ["float32"], "cpu", runs=3, threads=1, photo=photo, memory=False, plain=True
    )
    (one,) = time_models(settings).cells
    assert len(one.plain_seconds) == len(one.seconds) == 3


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["benchmark", "models", "--runs", "0"]) == 2
    assert main(["benchmark", "models", "--models", "mean", "--out", str(tmp_path / "x.md")]) == 2
    assert "speed.json" in capsys.readouterr().err
