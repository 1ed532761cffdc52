"""Options of colours: palettes and masks reach the photos they are for, and what does not go together is told."""

import cv2
import numpy as np
import pytest

from chromagan.apps.cli.main import main
from chromagan.apps.cli.wishes import palette_of
from chromagan.errors import UsageError
from chromagan.images.read import read_photo
from chromagan.inference.batch_masks import with_masks
from chromagan.inference.batch_plan import plan_jobs


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.jpg", "deep/b.png"):
        cv2.imwrite(str(tmp_path / "in" / name), np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8))
    (tmp_path / "masks" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.jpg"):
        cv2.imwrite(str(tmp_path / "masks" / name), np.zeros((20, 30), np.uint8))
    return tmp_path


def planned(folder, masks):
    return with_masks(plan_jobs([str(folder / "in")], folder / "out").jobs, masks)


def test_masks_of_a_folder_go_with_photos_of_their_name(photos, caplog):
    regions = {job.name.name: job.request.guidance.only.file for job in planned(photos, {"only": photos / "masks"})}
    assert regions == {"a.jpg": str(photos / "masks/a.png"), "b.png": str(photos / "masks/deep/b.jpg")}
    (photos / "masks" / "a.png").unlink()
    guidance = {job.name.name: job.request.guidance for job in planned(photos, {"keep": photos / "masks"})}
    assert guidance["a.jpg"].keep is None
    assert guidance["b.png"].keep is not None
    assert "no picture for 1 photos" in caplog.text


@pytest.mark.parametrize(("place", "said"), [
    ("masks/a.png", "is of one photo, and there are 2"), ("gone", "no such picture"),
    ("out of names", "called like a photo"),
])  # fmt: skip
def test_masks_that_are_of_no_photo_are_told(photos, place, said):
    (photos / "out of names").mkdir()
    with pytest.raises(UsageError, match=said):
        planned(photos, {"only": photos / place})


@pytest.mark.parametrize(("options", "said"), [
    (["--vary", "m.png", "a.jpg"], "--variations N"), (["--demo", "--only", "m.png"], "leave --demo out"),
    (["a.jpg", "--palette", "brown"], "no such picture"), (["a.jpg", "--palette", "#12"], "palette"),
    (["a.jpg", "-o", "-", "--variations", "3"], "several variations"), (["a.jpg", "--warmth", "2"], "warmth"),
    (["a.jpg", "--palette", "#102030", "--palette-strength", "0"], "strength"),
])  # fmt: skip
def test_what_does_not_go_together_is_told_in_one_line(options, said, capsys):
    assert main(["sample", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_palette_is_colours_or_a_picture(tmp_path):
    assert palette_of("#7a4b2a, #e0d3b8", 0.5).colours == ((122, 75, 42), (224, 211, 184))
    cv2.imwrite(str(tmp_path / "p.png"), np.full((9, 9, 3), (10, 20, 200), np.uint8))
    assert palette_of(str(tmp_path / "p.png")).colours == ((200, 20, 10),)


def test_outside_of_a_mask_the_file_keeps_its_pixels(photos):
    cv2.imwrite(str(photos / "in" / "m.png"), np.zeros((20, 30), np.uint8))
    photo = photos / "in" / "deep" / "b.png"
    mask = str(photos / "in" / "m.png")
    assert main(["sample", str(photo), "-o", f"{photos}/out", "--only", mask, "--palette", "#7a4b2a", "--quiet"]) == 0
    made, own = read_photo(photos / "out" / "b.png").pixels, read_photo(photo).pixels
    assert np.array_equal(made, np.repeat(own[..., None], 3, 2))
