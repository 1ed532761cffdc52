"""The engine: figures and their sums, resuming, sharing work, what is refused."""

import importlib.util
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from chromagan.errors import DataError, UsageError
from chromagan.evaluation import engine
from chromagan.evaluation.compare import compare, pictures_of
from chromagan.metrics.metric import Pair, Shown, measure_pair
from chromagan.metrics.registry import choose_metrics

PROGRAM = Path(__file__).with_name("comparison_program.py")
_spec = importlib.util.spec_from_file_location("comparison_program", PROGRAM)
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
COUNT = 37  # three blocks, the last one short


def read(path):
    return cv2.imread(str(path))[..., ::-1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    (root / "truth").mkdir()
    (root / "made").mkdir()
    random = np.random.default_rng(0)
    for i in range(COUNT):
        height, width = (30, 24 + i % 3)
        small = random.integers(0, 256, (5, 4, 3), np.uint8)
        truth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / "truth" / f"{i:02d}.png"), truth)
        blurred = cv2.blur(truth, (9, 9)) if i != 5 else truth  # one exact reproduction
        cv2.imwrite(str(root / "made" / f"{i:02d}.bmp"), blurred)
    gray = np.repeat(random.integers(0, 256, (30, 24, 1), np.uint8), 3, axis=2)
    cv2.imwrite(str(root / "truth" / "06.png"), gray)  # and one photo that is gray already
    cv2.imwrite(str(root / "made" / "06.bmp"), cv2.blur(gray, (3, 3)))
    return root


@pytest.fixture(scope="module")
def reference(folders):
    """One process, nothing kept."""
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, painters=[program.Tinter()],
                             collectors=[program.Brightness()])  # fmt: skip
    return compare(plan, "folder/1")


def by_name(result):
    return {method.name: method for method in result.methods}


def summaries(result):
    return repr([method.summary for method in result.methods])  # repr: NaN is not equal to itself


def per_image(result):
    return {method.name: method.per_image for method in result.methods}


def test_every_figure_is_that_of_its_pair(folders, reference):
    assert [m.name for m in reference.methods] == ["made", "tinted", "tinted twice", "gray", "mean ab", "truth"]
    assert [m.baseline for m in reference.methods] == [False] * 3 + [True] * 3
    made = by_name(reference)["made"]
    for i in (0, 5, 36):
        picture, truth = read(folders / "made" / f"{i:02d}.bmp"), read(folders / "truth" / f"{i:02d}.png")
        pair = Pair(Shown(picture), Shown(truth))
        expected = measure_pair(pair, choose_metrics(["psnr", "ssim", "ciede2000", "auc_ab"]))
        assert {name: made.per_image[name][i] for name in expected} == expected
        assert reference.sizes[i] == (30, 24 + i % 3)


def test_rows_are_means_over_the_same_images(reference):
    rows = by_name(reference)
    for name in ("made", "tinted", "gray", "mean ab"):
        kept = [v for i, v in enumerate(rows[name].per_image["psnr"]) if i not in (5, 6)]
        figure = rows[name].summary["psnr"]
        assert figure.value == pytest.approx(np.mean(kept))
        assert (figure.count, figure.left_out) == (COUNT - 2, 2)
        assert figure.low < figure.value < figure.high
    assert rows["made"].per_image["psnr"][5] == rows["gray"].per_image["psnr"][6] == math.inf
    assert math.isnan(rows["truth"].summary["psnr"].value)
    assert rows["truth"].summary["ssim"].value == 1
    assert any("psnr: 2 of 37 images are left out" in warning for warning in reference.warnings)


def test_figures_of_sets_against_their_definitions(folders, reference):
    rows = by_name(reference)
    files = [(folders / "made" / f"{i:02d}.bmp", folders / "truth" / f"{i:02d}.png") for i in range(COUNT)]
    made, true = (np.concatenate([read(path).ravel() for path in side]) for side in zip(*files, strict=True))
    pooled = peak_signal_noise_ratio(true, made, data_range=255)
    assert rows["made"].summary["psnr_pooled"].value == pytest.approx(float(pooled), abs=1e-5)
    assert rows["made"].summary["psnr_pooled"].value != pytest.approx(rows["made"].summary["psnr"].value, abs=0.01)
    made, true = rows["made"], rows["truth"]
    assert made.summary["ab_rmse"].value == pytest.approx(math.sqrt(np.mean(made.per_image["ab_mse"])))
    difference = np.mean(made.per_image["colourfulness"]) - np.mean(true.per_image["colourfulness"])
    assert made.summary["delta_colourfulness"].value == pytest.approx(abs(difference))
    each = np.abs(np.subtract(made.per_image["colourfulness"], true.per_image["colourfulness"]))
    assert made.summary["delta_colourfulness_per_image"].value == pytest.approx(each.mean())
    for metric in ("psnr_pooled", "ab_rmse", "delta_colourfulness"):
        figure = made.summary[metric]
        assert figure.low < figure.value < figure.high
        assert made.of_sets[metric] == figure


def test_mean_ab_is_the_mean_of_the_images_means(folders, reference):
    from skimage.color import rgb2lab

    means = [rgb2lab(read(folders / "truth" / f"{i:02d}.png"))[..., 1:].mean((0, 1)) for i in range(COUNT)]
    assert reference.settings["mean_ab"] == pytest.approx(np.mean(means, axis=0), abs=1e-3)


def test_set_metrics_see_every_picture_once(folders, reference):
    expected = np.mean([read(folders / "made" / f"{i:02d}.bmp").mean() for i in range(COUNT)])
    figure = by_name(reference)["made"].summary["brightness"]
    assert figure.value == pytest.approx(expected)
    assert figure.count == COUNT


def test_methods_are_compared_in_pairs(reference):
    names = {(test.a, test.b) for test in reference.tests}
    assert names == {("made", "tinted"), ("made", "tinted twice"), ("tinted", "tinted twice")}
    test = next(test for test in reference.tests if (test.metric, test.a, test.b) == ("psnr", "made", "tinted"))
    assert test.difference.value > 0
    assert test.images == COUNT - 1


def test_order_and_threads_change_nothing(folders, reference):
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, painters=[program.Tinter()], workers=5,
                             collectors=[program.Brightness()])  # fmt: skip
    assert per_image(compare(plan, "folder/1")) == per_image(reference)
    alone = program.make_plan(folders / "truth", {"made": folders / "made"}, workers=1)
    found = per_image(compare(alone, "folder/1"))
    assert found["made"] == per_image(reference)["made"]


def test_pictures_for_a_report(folders, reference):
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, painters=[program.Tinter()])
    pictures = pictures_of(plan, tuple(reference.settings["mean_ab"]))
    np.testing.assert_array_equal(pictures("made", 3), read(folders / "made" / "03.bmp"))
    np.testing.assert_array_equal(pictures("truth", 3), read(folders / "truth" / "03.png"))
    gray = pictures("gray", 3)
    assert np.ptp(gray.astype(int), axis=2).max() == 0
    np.testing.assert_array_equal(pictures("tinted twice", 3), program.tinted(gray[..., 0])[1])
    assert pictures("mean ab", 3).shape == gray.shape
    assert pictures("nobody", 3) is None


def test_a_report_runs_a_network_once_an_image(folders, reference):
    painter = program.Tinter()
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, painters=[painter])
    pictures = pictures_of(plan, tuple(reference.settings["mean_ab"]))
    found = [pictures(name, index) for index in (3, 4) for name in (*plan.methods, *painter.names)]
    assert painter.calls == 2
    gray = pictures("gray", 4)[..., 0]
    for picture, expected in zip(found[-2:], program.tinted(gray), strict=True):
        np.testing.assert_array_equal(picture, expected)


def run_plan(folders, out, **options):
    painter, metric = program.Tinter(), program.Brightness()
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, out, painters=[painter],
                             collectors=[metric], **options)  # fmt: skip
    return compare(plan, "folder/1"), painter, metric


def test_a_second_run_measures_nothing(folders, reference, tmp_path, monkeypatch):
    first, painter, metric = run_plan(folders, tmp_path)
    assert (painter.calls, metric.updates) == (COUNT, 6 * COUNT)
    assert per_image(first) == per_image(reference)
    monkeypatch.setattr(engine, "read_photo", None)  # any reading would fail
    second, painter, metric = run_plan(folders, tmp_path)
    assert (painter.calls, metric.updates) == (0, 0)
    assert summaries(second) == summaries(first)


def test_a_changed_picture_is_measured_again(folders, tmp_path):
    import shutil

    shutil.copytree(folders, tmp_path / "in")
    first, _, _ = run_plan(tmp_path / "in", tmp_path / "out")
    changed = read(tmp_path / "in" / "made" / "03.bmp") // 2
    cv2.imwrite(str(tmp_path / "in" / "made" / "03.bmp"), changed[..., ::-1])
    os.utime(tmp_path / "in" / "made" / "03.bmp", (1, 1))
    second, painter, _ = run_plan(tmp_path / "in", tmp_path / "out")
    assert painter.calls == COUNT  # set metrics begin anew
    a, b = per_image(first)["made"]["psnr"], per_image(second)["made"]["psnr"]
    assert [i for i in range(COUNT) if a[i] != b[i]] == [3]
    assert by_name(second)["made"].summary["brightness"] != by_name(first)["made"].summary["brightness"]


def test_another_configuration_is_refused_with_what_differs(folders, tmp_path):
    run_plan(folders, tmp_path, metrics=("psnr", "ssim"))
    with pytest.raises(DataError, match=r"another configuration \(metrics: \['psnr', 'ssim'\] then, \['psnr'\] now\)"):
        run_plan(folders, tmp_path, metrics=("psnr",))
    with pytest.raises(DataError, match="protocol: folder/1 then, other/2 now"):
        compare(program.make_plan(folders / "truth", {"made": folders / "made"}, tmp_path), "other/2")


def test_a_method_is_added_without_showing_the_known_ones_again(folders, tmp_path):
    first, _, _ = run_plan(folders, tmp_path)
    painter, metric = program.Tinter(), program.Brightness()
    both = {"made": folders / "made", "copy": folders / "truth"}
    plan = program.make_plan(folders / "truth", both, tmp_path, painters=[painter], collectors=[metric])
    second = compare(plan, "folder/1")
    assert (painter.calls, metric.updates) == (0, COUNT)
    before, after = per_image(first), per_image(second)
    assert {name: after[name] for name in before} == before
    assert after["copy"]["ssim"] == [1] * COUNT
    brightness = {name: row.summary["brightness"] for name, row in by_name(second).items()}
    assert brightness["copy"] == brightness["truth"]
    assert {name: row.summary["brightness"] for name, row in by_name(first).items()}.items() <= brightness.items()
    # Whoever names one alone finds it there.
    third, painter, metric = run_plan(folders, tmp_path)
    assert (painter.calls, metric.updates) == (0, 0)
    assert summaries(third) == summaries(first)


def test_wrong_sizes_and_names_are_errors(folders, tmp_path):
    (tmp_path / "cut").mkdir()
    for i in range(COUNT):
        picture = read(folders / "made" / f"{i:02d}.bmp")
        cv2.imwrite(str(tmp_path / "cut" / f"{i:02d}.png"), picture[: 29 if i == 20 else 30])
    with pytest.raises(DataError, match="cut: 20.png has 29 x 26 pixels and its truth 30 x 26"):
        compare(program.make_plan(folders / "truth", {"cut": tmp_path / "cut"}), "folder/1")
    with pytest.raises(UsageError, match="two methods are called 'tinted'"):
        compare(program.make_plan(folders / "truth", {"tinted": folders / "made"}, painters=[program.Tinter()]), "x")


def test_images_of_one_pixel(tmp_path):
    for kind, codes in (("truth", ((9, 80, 200), (90, 20, 7))), ("made", ((10, 90, 180), (92, 20, 7)))):
        (tmp_path / kind).mkdir()
        for number, code in enumerate(codes):
            cv2.imwrite(str(tmp_path / kind / f"{number}.png"), np.full((1, 1, 3), code, np.uint8))
    result = compare(program.make_plan(tmp_path / "truth", {"made": tmp_path / "made"}), "folder/1")
    made = by_name(result)["made"].summary
    assert set(made) == {metric.name for metric in choose_metrics()}
    both = [10 * math.log10(255**2 * 3 / squares) for squares in (1 + 100 + 400, 4)]
    assert made["psnr"].value == pytest.approx(np.mean(both))
    assert made["psnr_pooled"].value == pytest.approx(10 * math.log10(255**2 * 6 / (1 + 100 + 400 + 4)))
    assert all(math.isfinite(figure.value) for figure in made.values())


def test_one_image_has_figures_without_intervals(tmp_path):
    random = np.random.default_rng(5)
    for kind in ("truth", "made"):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / "a.png"), random.integers(0, 256, (12, 13, 3), np.uint8))
    result = compare(program.make_plan(tmp_path / "truth", {"made": tmp_path / "made"}), "folder/1")
    made = by_name(result)["made"].summary
    assert all(math.isfinite(figure.value) and math.isnan(figure.low) for figure in made.values())
    assert any("too few" in warning for warning in result.warnings)


def start(folders, out, **environment):
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root, **environment}
    words = [sys.executable, str(PROGRAM), str(folders / "truth"), str(folders / "made"), str(out)]
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)


def answer(out):
    content = json.loads((out / "answer.json").read_text())
    return content["json"], content["per_image"], content["world"]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="gloo and SIGKILL are POSIX here")
def test_two_processes_find_the_same_bits_and_a_killed_run_goes_on(folders, reference, tmp_path):
    from chromagan.evaluation.comparison_report.files import as_json

    killed = start(folders, tmp_path / "killed", HALT=str(3 * COUNT))  # of four pictures a photo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = [
        start(folders, tmp_path / "shared", RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        for rank in range(2)
    ]
    journal = tmp_path / "killed" / "figures-0000.jsonl"
    deadline = time.monotonic() + 240
    while not journal.exists() or journal.read_bytes().count(b'"kind": "image"') < 4:
        assert killed.poll() is None, killed.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = journal.read_bytes()
    done = before.count(b'"kind": "image"')
    assert done < COUNT
    journal.write_bytes(before + b'{"kind": "image", "image": "36.p')  # a line cut off in the middle

    resumed, painter, _ = run_plan(folders, tmp_path / "killed")
    assert painter.calls >= COUNT - done
    assert journal.read_bytes().startswith(before)
    assert journal.read_bytes().count(b'"kind": "image"') == COUNT + 1
    assert summaries(resumed) == summaries(reference)

    for process in shared:
        assert process.wait(240) == 0, process.stderr.read()
    found, images, world = answer(tmp_path / "shared")
    assert world == 2
    assert images == per_image(reference)
    # Where pictures are is known twice where a report is kept: on this machine, and as seen from the report.
    for places, key in ((found["settings"], "truth"), (found["settings"]["methods"]["made"], "folder")):
        absolute, _ = places[key].split()
        places[key] = absolute
    assert found == json.loads(json.dumps(as_json(reference)))
    assert len(list((tmp_path / "shared").glob("figures-*.jsonl"))) == 2
    # The figures of both processes are there for a single one.
    again, painter, _ = run_plan(folders, tmp_path / "shared")
    assert painter.calls == 0
    assert summaries(again) == summaries(reference)


class Distance(torch.nn.Module):
    """In place of LPIPS: the mean absolute difference."""

    def forward(self, pictures, truth):
        assert pictures.dtype == truth.dtype == torch.uint8
        return (pictures.float() - truth.float()).abs().mean((1, 2, 3))


def test_lpips_runs_on_every_row_and_leaves_small_pictures_out(tmp_path):
    random = np.random.default_rng(6)
    for kind in ("truth", "made"):
        (tmp_path / kind).mkdir()
        for i, height in enumerate((32, 40, 31)):
            cv2.imwrite(str(tmp_path / kind / f"{i}.png"), random.integers(0, 256, (height, 36, 3), np.uint8))
    plan = program.make_plan(tmp_path / "truth", {"made": tmp_path / "made"}, tmp_path / "out",
                             metrics=("lpips_vgg", "psnr"), networks={"lpips_vgg": Distance()})  # fmt: skip
    result = compare(plan, "folder/1", {"lpips_alex": "is left out"})
    rows = by_name(result)
    for i in range(2):
        expected = np.abs(read(tmp_path / "made" / f"{i}.png").astype(float) - read(tmp_path / "truth" / f"{i}.png"))
        assert rows["made"].per_image["lpips_vgg"][i] == pytest.approx(expected.mean(), rel=1e-5)
    assert rows["truth"].per_image["lpips_vgg"][:2] == [0, 0]
    figure = rows["made"].summary["lpips_vgg"]
    assert (figure.count, figure.left_out) == (2, 1)
    assert any("lpips_vgg: 1 of 3" in warning for warning in result.warnings)
    assert len(result.settings["lpips_sha256"]["lpips_vgg"]) == 64
    assert result.missing == {"lpips_alex": "is left out"}
    assert summaries(compare(plan, "folder/1")) == summaries(result)


def test_nothing_is_decoded_or_painted_twice_in_a_run_with_a_report(folders, tmp_path, monkeypatch):
    from collections import Counter

    from chromagan.evaluation.comparison_report.files import write_comparison

    decoded = Counter()
    read_photo = engine.read_photo
    monkeypatch.setattr(engine, "read_photo", lambda path: decoded.update([path]) or read_photo(path))
    painter = program.Tinter()
    plan = program.make_plan(folders / "truth", {"made": folders / "made"}, tmp_path, painters=[painter])
    result = compare(plan, "folder/1")
    write_comparison(result, pictures_of(plan, tuple(result.settings["mean_ab"])), tmp_path)
    assert len(decoded) == 2 * COUNT
    assert set(decoded.values()) == {1}
    assert painter.calls == COUNT
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<img") > 12
