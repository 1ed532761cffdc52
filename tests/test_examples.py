"""The scripts of examples/ do what they say, on photographs that scikit-image ships."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image, ImageCms
from skimage import data

from chromagan.film.mark import read_provenance as film_mark
from chromagan.images.icc import build_profile, curve_tag
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo, to_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.pretrained.store import read_weights
from chromagan.training.export import export
from tests.film.clips import STILL, Clip, Coding, lasting, make_clip

ADOBE_D50 = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.process]


def run(name, *words):
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_tried():
    tried = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{path.name}"' in tried for path in EXAMPLES.glob("*.py"))


def test_results_are_made_again(colour_photos, tmp_path):
    (tmp_path / "chromagan").write_text(f'#!/bin/sh\nexec {sys.executable} -m chromagan "$@"\n')
    (tmp_path / "chromagan").chmod(0o755)
    command = ["sh", str(EXAMPLES / "results.sh"), str(colour_photos), str(tmp_path / "out")]
    paths = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, env={**os.environ, **paths})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "colours.txt").read_text().split()[:5] == ["saturation", "PSNR", "gray", "mean", "ab"]
    assert {"gray", "mean ab", "truth"} <= set(re.findall(r"^\| \*([a-z ]+)\*", done.stdout, re.MULTILINE))
    assert (tmp_path / "out" / "colours" / "report.html").exists()
    assert "learned" in (tmp_path / "out" / "edges.txt").read_text()
    assert "scikit-image" in (tmp_path / "out" / "metrics.txt").read_text()


def test_colorize_folder(colour_photos, tmp_path):
    run("colorize_folder.py", colour_photos, "-o", tmp_path, "--saturation", 1.2)
    assert {path.stem for path in tmp_path.glob("*.png")} == {path.stem for path in colour_photos.glob("*.png")}
    for path in tmp_path.glob("*.png"):
        assert read_provenance(path).model == "chromagan"
        truth = read_photo(colour_photos / path.name).pixels
        gray, ours = (cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 0] for pixels in (truth, read_photo(path).pixels))
        assert cv2.absdiff(gray, ours).max() <= 2


def test_evaluate_two_models(colour_photos):
    out = run("evaluate_two_models.py", colour_photos, "chromagan", "gray").splitlines()
    assert out[0].startswith("chromagan: ")
    assert out[1].endswith("colourfulness 0.0")
    assert f"{len(list(colour_photos.glob('*.png')))} photographs" in out[2]


def test_train_small(colour_photos, tmp_path):
    out = run("train_small.py", colour_photos, "--out", tmp_path, "--images", 16)
    assert out.startswith("16 photographs seen")
    assert read_provenance(tmp_path / "painted.png").sha256 == read_weights(tmp_path / "small.safetensors")[1].sha256
    again = run("train_small.py", colour_photos, "--out", tmp_path, "--images", 16)
    assert again.startswith("16 photographs seen")


def test_colour_hints(colour_photos, tmp_path):
    photo = colour_photos / "coffee.png"
    run("colour_hints.py", photo, "0.1,0.5=#2040c0", "-o", tmp_path / "blue.png")
    run("colour_hints.py", photo, "0.1,0.5=#c04020", "-o", tmp_path / "red.png")
    blue, red, calm = (read_photo(tmp_path / f"{name}.png").pixels.astype(int) for name in ("blue", "red", "red-calm"))
    row, column = red.shape[0] // 2, red.shape[1] // 10
    difference = (red - blue)[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))
    assert difference[0] > 20 > -20 > difference[2]
    assert (calm.max(2) - calm.min(2)).mean() < (red.max(2) - red.min(2)).mean()


def test_strokes(colour_photos, tmp_path):
    photo = tmp_path / "coffee.png"
    photo.write_bytes((colour_photos / "coffee.png").read_bytes())
    run("strokes.py", photo)
    assert (tmp_path / "coffee.png.hints.json").exists()
    red = read_photo(tmp_path / "coffee.png.red.png").pixels.astype(int)
    middle = red[red.shape[0] // 2, red.shape[1] // 2]
    assert middle[0] > middle[2] + 20


def test_steadiness(colour_photos):
    told = run("steadiness.py", colour_photos, "--model", "chromagan", "--limit", 2)
    figures = {name: float(value) for name, value in re.findall(r"([\w %]+?) (\d+\.\d+)", told.partition(":")[2])}
    assert list(figures)[0].strip() == "128 px"
    assert len(figures) == 8
    assert figures.pop(" 256 px") == 0  # the size that the weights ask for
    # Below 0.01 a photo is another one's copy; above 40 not even the sky would be the same.
    assert all(0.01 < value < 40 for value in figures.values())


def test_variations(colour_photos, tmp_path):
    run("variations.py", colour_photos / "coffee.png", tmp_path)
    made = [read_photo(tmp_path / f"coffee.seed{seed}.png").pixels for seed in range(4)]
    assert len({one.tobytes() for one in made}) == 4
    assert [read_provenance(tmp_path / f"coffee.seed{seed}.png").seed for seed in range(4)] == [0, 1, 2, 3]


def test_a_palette_inside_of_a_mask(colour_photos, tmp_path):
    photo = read_photo(colour_photos / "coffee.png").pixels
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, : photo.shape[1] // 2] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    run("palette_and_region.py", colour_photos / "coffee.png", tmp_path / "mask.png", tmp_path / "out.png")
    made = read_photo(tmp_path / "out.png").pixels
    assert np.array_equal(made[mask == 0], photo[mask == 0])
    assert not np.array_equal(made[mask > 0], photo[mask > 0])


def test_reference_photos(colour_photos, tmp_path):
    photo = colour_photos / "coffee.png"
    told = run("reference_photos.py", photo, photo, colour_photos / "astronaut.png", "-o", tmp_path / "coffee.png")
    assert re.match(r"coffee\.png: score (0\.9\d|1\.00), share (9\d|100)%\n", told)
    off = read_photo(tmp_path / "coffee.png").pixels.astype(int) - read_photo(photo).pixels
    assert abs(off).mean() < 3


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The painting of `chromagan@small`, and the chroma step."""
    pytest.importorskip("onnxscript")
    painting, step = (tmp_path_factory.mktemp("graphs") / name for name in ("painting.onnx", "step.onnx"))
    export(source="chromagan@small", out=painting, onnx=True)
    export(source="chroma_upsampler", out=step, onnx=True)
    return painting, step


def free_photos(folder):
    """Photos of scikit-image, in colour and gray: larger and smaller than the working size, and in many forms."""
    photo, gray = Image.fromarray(data.astronaut()), Image.fromarray(data.camera())
    shutil.copy(Path(skimage.__file__).parent / "data" / "rocket.jpg", folder)  # in Adobe RGB
    for name in ("coffee", "chelsea", "coins", "moon", "retina"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    photo.resize((90, 140)).save(folder / "tiny.png")
    gray.resize((901, 130)).save(folder / "wide.png")
    photo.quantize(64).save(folder / "palette.png")
    photo.save(folder / "profile.jpg", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    wide = build_profile(b"wide", ADOBE_D50, curve_tag(2.19921875))
    photo.save(folder / "adobe.png", icc_profile=wide)
    turned = Image.Exif()
    turned[0x0112] = 6
    gray.resize((300, 400)).save(folder / "turned.jpg", exif=turned, quality=95)
    gray.putalpha(Image.linear_gradient("L").resize(gray.size))
    gray.save(folder / "alpha.png")
    deep = np.asarray(gray.getchannel("L").resize((320, 240))).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")


def test_onnx_only(graphs, tmp_path, monkeypatch):
    """Within a level of what the program makes of the same photos, where 16 bits are 8 there as well."""
    for room in ("chromagan.inference.predict", "chromagan.models.chroma_upsampler"):
        monkeypatch.setattr(f"{room}.has_fast_bfloat16", lambda device: False)
    free_photos(tmp_path)
    colorizer = Colorizer.from_pretrained("chromagan@small", "cpu")
    for photo in sorted(tmp_path.iterdir()):
        run("onnx_only.py", photo, tmp_path / "made.png", *graphs)
        ours = read_photo(photo)
        if photo.stem == "deep":
            ours = to_photo((ours.pixels >> 8).astype(np.uint8))
        (colored,) = colorizer.colorize([ours])[0]
        colored.save(tmp_path / "ours.png")
        made, expected = (np.asarray(Image.open(tmp_path / name)) for name in ("made.png", "ours.png"))
        assert made.shape == expected.shape, photo.name
        assert np.abs(made.astype(int) - expected).max() <= 1, photo.name
        assert (made[..., :3].max(2).astype(int) - made[..., :3].min(2)).mean() > 0.5, photo.name
        assert read_provenance(tmp_path / "made.png").sha256 == colored.mark.sha256


def test_onnx_only_wants_three_libraries_alone():
    lines = (EXAMPLES / "onnx_only.py").read_text(encoding="utf-8").splitlines()
    named = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert named - sys.stdlib_module_names == {"numpy", "onnxruntime", "PIL"}
    assert len(lines) <= 120


def test_film(colour_photos, tmp_path):
    clip = Clip((lasting(STILL, 24),), (160, 90))
    film = make_clip(tmp_path / "gray.mkv", clip, Coding("ffv1", options={}), colour=False)
    photo = sorted(colour_photos.glob("*.png"))[0]
    out = run("film.py", film, tmp_path / "colour.mp4", "--reference", photo, "--to", "0:00.5")
    assert out.startswith("12 frames, 1 scenes")
    assert film_mark(tmp_path / "colour.mp4").model == "chromagan"


@pytest.fixture
def scans(colour_photos, tmp_path):
    """The photographs in gray."""
    for path in colour_photos.glob("*.png"):
        (tmp_path / "scans").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "scans" / path.name), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    return tmp_path / "scans"


def test_archive_as_a_slurm_array(scans, tmp_path):
    """What sbatch does: a task for each number."""
    (tmp_path / "chromagan").write_text(f'#!/bin/sh\nexec {sys.executable} -m chromagan "$@"\n')
    (tmp_path / "chromagan").chmod(0o755)
    paths = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(EXAMPLES.parent)}
    for task in ("1", "2"):
        slurm = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        command = [
            "sh",
            str(EXAMPLES / "archive" / "slurm.sh"),
            str(scans),
            "-o",
            str(tmp_path / "out"),
            "--shard",
            "2",
        ]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **paths, **slurm})
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(list((tmp_path / "out").glob("*.png"))) == 2 * int(task)
    assert read_provenance(next((tmp_path / "out").glob("*.png"))).model == "chromagan"


def test_archive_on_spark(scans, tmp_path):
    """Every partition as Spark calls it: an iterator in, rows out."""
    spec = importlib.util.spec_from_file_location("spark", EXAMPLES / "archive" / "spark.py")
    spark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spark)
    order = spark.Order(out=str(tmp_path / "out"), model="mean", device="cpu")
    shards = spark.shards_of(spark.list_photos([str(scans)], spark.Place(order.out), shard=2))
    assert [list(spark.paint(order, iter([shard]))) for shard in shards] == [["done"] * 2] * 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 4
