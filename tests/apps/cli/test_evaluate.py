"""`chromagan evaluate` over folders: what it prints and writes, and what it refuses."""

import argparse
import csv
import json
import os
import sys
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from chromagan.apps.cli.main import build_parser, main
from chromagan.evaluation import engine, protocols
from chromagan.metrics.registry import choose_metrics
from chromagan.models.trunk import import_timm


@pytest.fixture
def folders(tmp_path):
    random = np.random.default_rng(0)
    for name in ("truth", "blur", "noisy"):
        (tmp_path / name).mkdir()
    for i in range(4):
        truth = cv2.resize(random.integers(0, 256, (5, 4, 3), np.uint8), (36, 40), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "truth" / f"{i}.png"), truth)
        cv2.imwrite(str(tmp_path / "blur" / f"{i}.bmp"), cv2.blur(truth, (9, 9)))
        cv2.imwrite(str(tmp_path / "noisy" / f"{i}.tiff"), truth // 2 + random.integers(0, 128, truth.shape, np.uint8))
    return tmp_path


def evaluate(*words):
    return main(["evaluate", *map(str, words)])


def test_two_folders_end_to_end(folders, capsys):
    words = ("--pred", folders / "blur", f"harsh={folders / 'noisy'}", "--truth", folders / "truth")
    assert evaluate(*words, "--out", folders / "report") == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["blur", "harsh", "gray", "mean", "ab", "truth"]
    metrics = json.loads((folders / "report" / "metrics.json").read_text())
    assert metrics["protocol"] == "folder/1"
    assert [m["name"] for m in metrics["methods"]] == ["blur", "harsh", "gray", "mean ab", "truth"]
    assert set(metrics["methods"][0]["figures"]) == {metric.name for metric in choose_metrics()}
    assert f"{metrics['methods'][0]['figures']['psnr']['value']:.3f}" in printed
    assert metrics["settings"]["folders"]["harsh"] == str(folders / "noisy")
    assert {t["metric"] for t in metrics["tests"]} >= {"psnr", "ssim", "ciede2000"}
    rows = list(csv.DictReader((folders / "report" / "per_image.csv").open()))
    assert len(rows) == 8
    mean = np.mean([float(row["psnr"]) for row in rows if row["method"] == "blur"])
    assert metrics["methods"][0]["figures"]["psnr"]["value"] == pytest.approx(mean)
    assert "harsh" in (folders / "report" / "table.md").read_text(encoding="utf-8")
    assert "harsh" in (folders / "report" / "table.tex").read_text(encoding="utf-8")
    page = (folders / "report" / "report.html").read_text(encoding="utf-8")
    assert "harsh" in page
    assert "data:image/" in page
    # Again, with other metrics: not in the same folder.
    assert evaluate(*words, "--metrics", "psnr", "--out", folders / "report") == 1
    assert "another configuration" in capsys.readouterr().err
    assert evaluate(*words, "--metrics", "ssim", "psnr") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["ssim", "psnr"]


def test_limit_is_part_of_the_protocols_name(folders):
    words = ("--pred", folders / "blur", "--truth", folders / "truth", "--limit", 3)
    assert evaluate(*words, "--out", folders / "r") == 0
    metrics = json.loads((folders / "r" / "metrics.json").read_text())
    assert (metrics["protocol"], metrics["images"]) == ("folder/1, the first 3", 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name what to measure"),
        (("--pred", "{}/blur"), "add --truth"),
        (("--truth", "{}/truth"), "something to compare"),
        (("--truth", "{}/truth", "--data", "{}/truth"), "both name the true photos"),
        (("--pred", "{}/blur", "--truth", "{}/truth", "--saturation", "0.5"), "are for models"),
        (("--pred", "{}/blur", "--truth", "{}/truth", "--limit", "0"), "--limit must be at least 1"),
        (("--pred", "{}/blur", "--truth", "{}/truth", "--metrics", "psmr"), "no metric 'psmr'"),
        (("--pred", "{}/blur", "--truth", "{}/truth", "--protocol", "imagenet"), "no protocol 'imagenet'"),
        (("--pred", "{}/nothing", "--truth", "{}/truth"), "not a folder"),
    ],
)
def test_contradictions_are_one_line(folders, capsys, words, message):
    assert evaluate(*(word.format(folders) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_data_that_does_not_match_is_refused(folders, capsys):
    (folders / "blur" / "2.bmp").unlink()
    cv2.imwrite(str(folders / "blur" / "9.png"), np.zeros((4, 4, 3), np.uint8))
    assert evaluate("--pred", folders / "blur", "--truth", folders / "truth") == 1
    error = capsys.readouterr().err
    assert "1 missing (2.png)" in error
    assert "1 extra (9.png)" in error
    assert evaluate("--pred", folders / "noisy", "--truth", folders / "truth", "--protocol", "imagenet-val5k") == 1
    assert "imagenet-val5k" in capsys.readouterr().err


def test_a_missing_network_leaves_the_rest(folders, capsys, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folders / "no cache"))
    words = ("--pred", folders / "blur", "--truth", folders / "truth", "--no-download", "--out", folders / "r")
    assert evaluate(*words, "--metrics", "psnr", "lpips_vgg", "fid_tf") == 1
    found = capsys.readouterr()
    assert found.out.splitlines()[1].startswith("psnr")
    for metric in ("lpips_vgg", "fid_tf"):
        assert f"{metric} is left out" in found.err
    assert "--metric-networks" in found.err
    metrics = json.loads((folders / "r" / "metrics.json").read_text())
    assert set(metrics["missing"]) == {"lpips_vgg", "fid_tf"}
    assert set(metrics["methods"][0]["figures"]) == {"psnr"}
    assert "lpips_vgg is left out" in (folders / "r" / "table.md").read_text(encoding="utf-8")


def test_published_figures_stand_beside(folders, capsys):
    words = ("--pred", folders / "blur", "--truth", folders / "truth", "--metrics", "psnr")
    assert evaluate(*words, "--against", "published", "--out", folders / "r") == 0
    assert "blur" in capsys.readouterr().out
    assert "## Published figures" in (folders / "r" / "table.md").read_text(encoding="utf-8")


def test_a_classifier_of_ones_own_judges(folders, capsys):
    words = ("--pred", folders / "blur", "--truth", folders / "truth")
    name = "test_byobnet"  # timm's own network for tests
    net = import_timm().create_model(name, pretrained=False)
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folders / "mine.safetensors")
    chosen = ("--classifier", name, "--classifier-weights", folders / "mine.safetensors")
    assert evaluate(*words, *chosen, "--metrics", "psnr", "class_kl", "--out", folders / "r") == 0
    metrics = json.loads((folders / "r" / "metrics.json").read_text())
    assert [s["classifier"] for s in metrics["settings"]["set_metrics"]] == [name]
    kl = {method["name"]: method["figures"]["class_kl"]["value"] for method in metrics["methods"]}
    assert kl["truth"] == 0 < kl["blur"]
    capsys.readouterr()
    assert evaluate(*words, *chosen, "--metrics", "psnr") == 2
    assert "--classifier is for the metrics accuracy" in capsys.readouterr().err
    assert evaluate(*words, *chosen[:3], folders / "none.pth", "--metrics", "class_kl") == 2
    assert "there is no such file for the classifier" in capsys.readouterr().err


def methods_of(folder):
    content = json.loads((folder / "metrics.json").read_text())
    return {method["name"]: method["figures"] for method in content["methods"]}


def test_a_method_is_added_to_a_report(folders, capsys, monkeypatch):
    words = ("--truth", folders / "truth", "--metrics", "psnr", "ssim", "--out")
    both = ("--pred", folders / "blur", f"harsh={folders / 'noisy'}")
    assert evaluate(*both, *words, folders / "at once") == 0
    assert evaluate(*both[:2], *words, folders / "report") == 0
    measured = Counter()
    measure_pair = engine.measure_pair
    monkeypatch.setattr(
        engine, "measure_pair", lambda pair, metrics: measured.update(["pair"]) or measure_pair(pair, metrics)
    )
    assert evaluate("--pred", both[2], *words, folders / "report") == 0
    assert measured["pair"] == 4  # the new method's alone, no row that costs nothing either
    assert methods_of(folders / "report") == methods_of(folders / "at once")
    assert list(methods_of(folders / "report")) == ["blur", "harsh", "gray", "mean ab", "truth"]
    for name in ("per_image.csv", "per_image_baselines.csv"):
        assert (folders / "report" / name).read_text() == (folders / "at once" / name).read_text()
    assert "blur" in (folders / "report" / "report.html").read_text(encoding="utf-8")
    # Photos that lie elsewhere, as the report sees it too, are others.
    (folders / "elsewhere").mkdir()
    (folders / "truth").rename(folders / "elsewhere" / "truth")
    capsys.readouterr()
    assert evaluate("--pred", f"third={folders / 'blur'}", "--truth", folders / "elsewhere" / "truth", *words[2:],
                    folders / "report") == 1  # fmt: skip
    assert "another configuration (truth: other files now)" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["truth", "truth/report"])
def test_a_report_among_the_truths_is_refused(folders, capsys, out):
    before = sorted((folders / "truth").iterdir())
    assert evaluate("--pred", folders / "blur", "--truth", folders / "truth", "--out", folders / out) == 2
    assert f"{out}: lies inside" in capsys.readouterr().err
    assert sorted((folders / "truth").iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pred", "blur={}/noisy"), "has another method 'blur' (folder: other files now)"),
        (("--pred", "new={}/noisy", "--metrics", "psnr", "ciede2000"), "another configuration (metrics: "),
        (("--pred", "new={}/noisy", "--limit", "2"), "another configuration (images: 4 then, 2 now"),
    ],
)
def test_other_settings_are_refused_with_what_helps(folders, capsys, words, message):
    shared = ("--truth", folders / "truth", "--metrics", "psnr", "--out", folders / "report")
    assert evaluate("--pred", folders / "blur", *shared) == 0
    before = methods_of(folders / "report")
    capsys.readouterr()
    assert evaluate(*shared, *(word.format(folders) for word in words)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "choose another --out" in error
    assert len(error.splitlines()) == 1
    assert methods_of(folders / "report") == before
    # The report is as good as before.
    assert evaluate("--pred", f"new={folders / 'noisy'}", *shared) == 0


def test_a_method_whose_pictures_are_gone_is_named(folders, capsys):
    shared = ("--truth", folders / "truth", "--metrics", "psnr", "--out", folders / "report")
    assert evaluate("--pred", folders / "blur", *shared) == 0
    (folders / "blur").rename(folders / "away")
    capsys.readouterr()
    assert evaluate("--pred", f"new={folders / 'noisy'}", *shared) == 1
    error = capsys.readouterr().err
    assert "the folder of its method 'blur'" in error
    assert "bring it back" in error
    assert len(error.splitlines()) == 1


def test_flags_given_twice_all_count(folders, capsys):
    words = ("--pred", f"a={folders / 'blur'}", "--pred", f"b={folders / 'noisy'}", "--truth", folders / "truth")
    assert evaluate(*words, "--metrics", "psnr", "--metrics", "ssim", "ciede2000") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "b", "gray", "mean", "ab", "truth"]
    assert [line.split()[0] for line in lines[1:]] == ["psnr", "ssim", "ciede2000"]


def options_of(parser):
    for action in parser._actions:
        inner = action.choices.values() if isinstance(action, argparse._SubParsersAction) else ()
        yield from (option for below in inner for option in options_of(below))
        yield action


@pytest.mark.parametrize("command", ["evaluate", "fairness", "study", "benchmark"])
def test_no_option_of_several_values_forgets_the_first_ones(command):
    """Where there is a list by default the last one wins: there it replaces that list."""
    options = [option for option in options_of(build_parser([command])) if option.nargs == "+" and not option.default]
    assert options
    assert [option.option_strings for option in options if not isinstance(option, argparse._ExtendAction)] == []


def test_photos_of_two_folders_are_measured_together(folders):
    for name in ("truth", "blur"):
        (folders / "more" / name).mkdir(parents=True)
        (folders / "both" / name).mkdir(parents=True)
        for i, file in enumerate(sorted((folders / name).iterdir())):
            place = folders / "more" / name if i > 1 else folders / name
            file.rename(place / file.name)
    (folders / "more" / "blur").rename(folders / "blur" / "more")
    words = ("--truth", folders / "truth", "--truth", folders / "more" / "truth", "--metrics", "psnr")
    assert evaluate("--pred", folders / "blur", *words, "--out", folders / "r") == 0
    metrics = json.loads((folders / "r" / "metrics.json").read_text())
    assert metrics["images"] == 4
    assert metrics["settings"]["data"] == [str(folders / "truth"), str(folders / "more" / "truth")]


def test_photos_that_the_protocol_leaves_out_are_told(folders, capsys, monkeypatch):
    monkeypatch.setitem(protocols._BY_NAME, "odd", replace(protocols._BY_NAME["folder"], name="odd", pattern="[13]"))
    assert evaluate("--pred", folders / "blur", "--truth", folders / "truth", "--protocol", "odd") == 0
    error = capsys.readouterr().err
    assert "2 photos are none of the protocol's by their names and are left out (0.png, 2.png)" in error
    assert evaluate("--pred", folders / "blur", "--truth", folders / "truth", "--protocol", "imagenet-val5k") == 1
    assert "has a name of its images, such as ILSVRC2012_val_00000001 (there is 0.png)" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8_are_measured_and_shown(folders):
    name = os.fsdecode(b"caf\xe9")
    for folder in ("truth", "blur"):
        file = next((folders / folder).iterdir())
        file.rename(file.with_name(name + file.suffix))
    (folders / "blur" / f"{name}.bmp").unlink(missing_ok=True)
    for file in (folders / "blur").iterdir():
        file.unlink()
    for file in (folders / "truth").iterdir():
        os.link(file, folders / "blur" / file.name)
    assert evaluate("--pred", folders / "blur", "--truth", folders / "truth", "--out", folders / "r") == 0
    for file in ("per_image.csv", "report.html", "table.md", "metrics.json"):
        (folders / "r" / file).read_text(encoding="utf-8")
    assert "caf\\udce9.png" in (folders / "r" / "per_image.csv").read_text(encoding="utf-8")
