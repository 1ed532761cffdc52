"""`chromagan gray`: the inputs that other programs are given, measured by `chromagan evaluate`."""

import json

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from chromagan.apps.cli.main import main
from chromagan.evaluation.gray_inputs import gray_inputs, write_gray_inputs
from chromagan.evaluation.protocols import protocol


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(1)
    for name in ("one.jpg", "album/two.png", "album/deep/three.tiff"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        small = random.integers(0, 256, (5, 4, 3), np.uint8)
        cv2.imwrite(str(file), cv2.resize(small, (300, 260), interpolation=cv2.INTER_CUBIC))
    return tmp_path / "photos"


def gray(*words):
    return main(["gray", *map(str, words)])


def test_names_and_folders_are_kept(photos, tmp_path, capsys):
    assert gray(photos, "-o", tmp_path / "gray") == 0
    assert "3 gray photographs written" in capsys.readouterr().out
    files = sorted(file.relative_to(tmp_path / "gray").as_posix() for file in (tmp_path / "gray").rglob("*.*"))
    assert files == ["album/deep/three.png", "album/two.png", "one.png"]
    picture = cv2.imread(str(tmp_path / "gray" / "album" / "two.png"), cv2.IMREAD_UNCHANGED)
    truth = cv2.imread(str(photos / "album" / "two.png"))[..., ::-1]
    assert picture.dtype == np.uint8
    assert picture.shape == truth.shape[:2]
    # The nearest code to the photo's L*: half a code at most is lost.
    lightness = rgb2lab(np.repeat(picture[..., None], 3, axis=2))[..., 0]
    steps = np.abs(np.diff(rgb2lab(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))[0, :, 0]))
    assert np.abs(lightness - rgb2lab(truth)[..., 0]).max() <= steps.max() / 2 + 1e-3


def test_they_are_the_row_gray_of_every_table(photos, tmp_path):
    assert gray(photos, "-o", tmp_path / "gray") == 0
    words = ["evaluate", "--pred", f"theirs={tmp_path / 'gray'}", "--truth", photos, "--out", tmp_path / "report"]
    assert main([*map(str, words), "--metrics", "psnr", "lightness_difference"]) == 0
    methods = json.loads((tmp_path / "report" / "metrics.json").read_text())["methods"]
    figures = {method["name"]: method["figures"] for method in methods}
    assert figures["theirs"] == figures["gray"]
    assert figures["theirs"]["lightness_difference"]["value"] == 0


def test_a_protocol_prepares_them(photos, tmp_path):
    val5k = protocol("imagenet-val5k")
    pairs, files = gray_inputs(photos, tmp_path / "gray", protocol("folder"))
    assert list(write_gray_inputs(pairs, files, val5k)) == [None] * 3
    assert cv2.imread(str(tmp_path / "gray" / "one.png"), cv2.IMREAD_UNCHANGED).shape == (256, 256)


def test_what_is_there_stays_and_what_fails_is_told(photos, tmp_path, capsys):
    assert gray(photos, "-o", tmp_path / "gray") == 0
    (tmp_path / "gray" / "one.png").write_bytes(b"mine")
    (photos / "broken.png").write_bytes(b"no picture")
    capsys.readouterr()
    assert gray(photos, "-o", tmp_path / "gray") == 1
    said = capsys.readouterr()
    assert "0 gray photographs written, 3 were there already" in said.out
    assert "broken.png" in said.err
    assert len(said.err.splitlines()) == 1
    assert (tmp_path / "gray" / "one.png").read_bytes() == b"mine"
    assert gray(photos, "-o", tmp_path / "gray", "--overwrite") == 1
    assert cv2.imread(str(tmp_path / "gray" / "one.png")) is not None


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (("{0}/photos", "-o", "{0}/photos/gray"), "lies inside", 2),
        (("{0}/photos", "-o", "{0}/photos"), "lies inside", 2),
        (("", "-o", "{0}/gray"), "DIR is an empty name", 2),
        (("{0}/photos", "-o", ""), "DIR is an empty name", 2),
        (("{0}/none", "-o", "{0}/gray"), "no photographs there", 1),
        (("{0}/photos", "-o", "{0}/gray", "--protocol", "imagenet"), "no protocol 'imagenet'", 2),
        (("{0}/photos", "-o", "{0}/gray", "--protocol", "imagenet-val5k"), "none of the 3 photos has a name", 1),
        (("{0}/photos", "-o", "{0}/photos/one.jpg/x"), "lies inside", 2),
    ],
)
def test_wrong_use_is_one_line(photos, tmp_path, capsys, words, message, code):
    assert gray(*(word.format(tmp_path) for word in words)) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
