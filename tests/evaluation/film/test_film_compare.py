"""Films measured from end to end, beside closed forms and the frames themselves."""

import csv
import importlib.util
import json
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import chromagan
from chromagan.apps.cli.main import main
from chromagan.errors import DataError, UsageError
from chromagan.evaluation.film.clips import ClipFrame
from chromagan.evaluation.film.engine import measure_film
from chromagan.evaluation.film.watcher import Watcher, warped
from chromagan.metrics.metric import Pair, Shown, measure_pair
from chromagan.metrics.registry import choose_metrics, get_metric

pytest.importorskip("av")
pytest.importorskip("skimage.data")

SPEC = importlib.util.spec_from_file_location("clips", Path(__file__).parents[2] / "film" / "clips.py")
clips = importlib.util.module_from_spec(SPEC)
sys.modules["clips"] = clips
SPEC.loader.exec_module(clips)

SIZE = (160, 90)
STILL = clips.Clip((clips.lasting(clips.STILL, 10),), SIZE)
PASSING = clips.Clip((clips.lasting(clips.PASSING, 10),), SIZE)
CLEAN = replace(clips.LOSSLESS, pixels="yuv444p", sound=None)


def shifted(pixels, ab):
    """A picture with another a and b, chroma cut off where sRGB ends."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.rint(cv2.cvtColor(lab + np.float32([0, *ab]), cv2.COLOR_LAB2RGB) * 255).clip(0, 255).astype(np.uint8)


def write(folder, clip, change=lambda pixels, i: pixels):
    folder.mkdir(parents=True)
    for i in range(len(clip)):
        cv2.imwrite(str(folder / f"{i}.png"), change(clip.rgb(i), i)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two true films as folders of frames, and two methods: one steady, one with another tint at every frame."""
    root = tmp_path_factory.mktemp("films")
    for name, clip in (("still", STILL), ("passing", PASSING)):
        write(root / "truth" / name, clip)
        write(root / "steady" / name, clip, lambda pixels, i: shifted(pixels, (4, 4)))
        write(root / "flickering" / name, clip, lambda pixels, i: shifted(pixels, (4 + 3 * (i % 2), 4)))
    return root


def evaluated(root, *methods, **options):
    return chromagan.evaluate(pred=[str(root / name) for name in methods], truth=root / "truth", protocol="film/1",
                              **options)  # fmt: skip


@pytest.fixture(scope="module")
def found(films):
    return evaluated(films, "steady", "flickering", out=films / "report")


def test_a_flickering_film_is_told_from_a_steady_one(found):
    steady, flickering, gray, truth = (found.figures[name] for name in ("steady", "flickering", "gray", "truth"))
    assert list(found.figures) == ["steady", "flickering", "gray", "truth"]
    # The tint goes three units of a to and fro; pixels at the end of sRGB take less of it.
    assert 2 < flickering["flicker"] < 3.01
    assert steady["flicker"] < 0.1
    assert truth["flicker"] < 0.1
    assert gray["flicker"] == 0
    assert flickering["warped_ab"] > steady["warped_ab"] + 1
    assert flickering["delta_cdc_ab"] > 10 * steady["delta_cdc_ab"]
    assert flickering["delta_cdc"] > steady["delta_cdc"]
    assert truth["delta_cdc"] == truth["ciede2000"] == truth["delta_colourfulness"] == 0
    assert gray["colourfulness"] == gray["cdc_ab"] == 0
    # What a single frame shows is nearly the same.
    assert abs(flickering["psnr"] - steady["psnr"]) < 3


def test_figures_of_pictures_are_means_over_frames_and_films(found):
    metrics = choose_metrics(["psnr", "ciede2000", "colourfulness"])
    films = []
    for clip in (PASSING, STILL):
        pairs = [Pair(Shown(shifted(clip.rgb(i), (4, 4))), Shown(clip.rgb(i))) for i in range(len(clip))]
        films.append([list(measure_pair(pair, metrics).values()) for pair in pairs])
    for metric, value in zip(metrics, np.mean(films, (0, 1)), strict=True):
        assert found.figures["steady"][metric.name] == pytest.approx(value, rel=1e-6)


def test_the_report(found, films):
    report = films / "report"
    content = json.loads((report / "metrics.json").read_text())
    assert (content["protocol"], content["films"]) == ("film/1", 2)
    assert content["settings"]["frames"] == {"passing": 10, "still": 10}
    assert [row["name"] for row in content["methods"]] == ["steady", "flickering", "gray", "truth"]
    figure = content["methods"][1]["figures"]["flicker"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert {test["metric"] for test in content["tests"]} >= {"flicker", "delta_cdc", "psnr", "warped_ab"}
    rows = list(csv.DictReader((report / "per_film.csv").open()))
    assert [(row["method"], row["name"]) for row in rows] == [
        (method, name) for method in ("steady", "flickering") for name in ("passing", "still")
    ]
    assert float(rows[3]["flicker"]) > 2
    assert "| *truth*" in (report / "table.md").read_text()
    assert "2 films" in (report / "table.md").read_text()
    assert "flicker (-)" in found.text()


def test_a_film_is_measured_as_its_frames_are(tmp_path):
    """Chroma at full size in FFV1: what is decoded is off by rounding alone."""
    truth = write(tmp_path / "truth", PASSING)
    film = clips.make_clip(tmp_path / "ours.mkv", PASSING, CLEAN)
    figures = chromagan.evaluate(pred=[f"film={film}"], truth=truth, protocol="film").figures
    assert figures["film"]["psnr"] > 46
    assert figures["film"]["ciede2000"] < 0.7
    assert figures["film"]["delta_cdc"] < 0.002


def test_two_films(tmp_path):
    truth = clips.make_clip(tmp_path / "truth.mkv", STILL, CLEAN)
    lossy = clips.make_clip(tmp_path / "lossy.mp4", STILL, clips.Coding())
    found = chromagan.evaluate(pred=[str(lossy)], truth=truth, protocol="film/1")
    assert 25 < found.figures["lossy"]["psnr"] < 60
    assert found.result.images == ["truth"]


def test_an_untagged_film_is_told(tmp_path):
    truth = clips.make_clip(tmp_path / "truth.mkv", PASSING, replace(CLEAN, tagged=False))
    found = chromagan.evaluate(pred=[f"same={truth}"], truth=truth, protocol="film/1", metrics=["cdc"])
    assert any("does not say its colour matrix" in warning for warning in found.result.warnings)
    assert found.figures["same"]["cdc"] == found.figures["truth"]["cdc"] > 0


@pytest.mark.parametrize("grain", [0.0, 6.0])
def test_what_stands_still_is_found_under_grain(grain):
    clip = replace(PASSING, size=(320, 180), grain=grain)
    watcher, right, wrong, still_pixels = Watcher(), 0, 0, 0
    for i in range(len(clip)):
        since = watcher.see(clip.L(i))
        if i:
            still = clip.still(i)
            right += (since.still & still).sum()
            wrong += (since.still & ~still).sum()
            still_pixels += still.sum()
        else:
            assert since is None
    assert right > 0.8 * still_pixels
    # What moves and is taken for still is flat: a part of the ground that the disc's edge has just left.
    assert wrong < 0.05 * right


class Endless:
    """So many frames, made when they are asked for."""

    path = Path("endless")

    def __init__(self, count):
        self.count, self.shots = count, [PASSING.rgb(i) for i in range(len(PASSING))]

    def frames(self):
        for i in range(self.count):
            yield ClipFrame(None, self.shots[i % len(self.shots)].copy())


def test_memory_does_not_grow_with_the_length_of_a_film():
    metrics = choose_metrics(["psnr"]) + [get_metric(name) for name in ("cdc", "delta_cdc_ab", "flicker", "warped_ab")]
    peaks = []
    for count in (20, 20, 200):  # the first call fills caches
        tracemalloc.start()
        measure_film("", Endless(count), {"ours": Endless(count)}, metrics)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 2_000_000  # 180 frames more, of two films, are 15.5 MB


def test_the_motion_of_a_disc_over_a_ground_is_found():
    """Against the motion that made the film, over what was to be seen a frame before."""
    clip = clips.Clip((clips.PASSING,), (320, 180))
    watcher, off, followed = Watcher(), [], []
    for i in range(20, 28):
        since = watcher.see(clip.L(i))
        if since is not None:
            flow, seen = clip.before(i)
            off.append(np.linalg.norm(since.flow - flow, axis=-1)[seen & since.followed])
            followed.append(since.followed[seen].mean())
    assert np.mean(followed) > 0.85
    assert np.mean(np.concatenate(off)) < 0.35
    assert (np.concatenate(off) < 1).mean() > 0.9


def test_warping_by_whole_pixels_is_shifting():
    plane = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    flow = np.float32([3, -2]) * np.ones((20, 30, 2), np.float32)
    np.testing.assert_allclose(warped(plane, flow)[2:, :-3], plane[:-2, 3:], atol=1e-6)


def test_a_cut_is_neither_still_nor_followed():
    watcher = Watcher()
    watcher.see(clips.Clip((clips.STILL,), (320, 180)).L(0))
    since = watcher.see(clips.Clip((clips.FLOWER,), (320, 180)).L(0))
    assert since.still.mean() < 0.02
    assert since.followed.mean() < 0.3


@pytest.mark.parametrize(("options", "says"), [
    ({"metrics": ["fid_tf"]}, "fid_tf needs a network or a set of photos, and is not for films"),
    ({"metrics": ["lpips_alex"]}, "lpips_alex needs a network"),
    ({"limit": 3}, "--limit is not for films"),
    ({"model": ["chromagan"]}, "--model is not for films"),
])  # fmt: skip
def test_what_is_not_for_films(films, options, says):
    with pytest.raises(UsageError, match=says):
        evaluated(films, "steady", **options)


def test_what_is_not_there(films, tmp_path):
    with pytest.raises(UsageError, match="is not there; give the film or folder"):
        chromagan.evaluate(pred=[f"a={tmp_path / 'nothing.mp4'}"], truth=films / "truth", protocol="film")
    with pytest.raises(DataError, match="there is nothing of this name"):
        chromagan.evaluate(pred=[str(films / "steady")], truth=tmp_path / "nothing", protocol="film")


def test_the_command(films, capsys):
    truth = str(films / "truth" / "still")
    command = ["evaluate", "--protocol", "film/1", "--metrics", "cdc", "delta_cdc", "--truth", truth]
    assert main([*command, "--pred", f"ours={films / 'flickering' / 'still'}"]) == 0
    assert "delta_cdc (-)" in capsys.readouterr().out
