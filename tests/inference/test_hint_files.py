"""Files of guidance: they come back as written, say which photo they are for, and pictures are hints too."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from chromagan.color.lab import rgb_to_lab
from chromagan.conditioning.guidance import Guidance, Layer, Settings, Stroke
from chromagan.conditioning.layer import layer_hints
from chromagan.errors import UsageError
from chromagan.images.read import to_photo
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.hint_files import applied_guidance, lightness_of, moved_colours, read_hints, write_hints
from chromagan.inference.request import Request
from chromagan.models.look import Look
from tests.inference.conftest import OneColour

DOT = Stroke("colour", ((0.25, 0.5),), 0.1, (200, 60, 40))
SPECKS = np.random.default_rng(0).integers(60, 200, (48, 64), np.uint8)


def picture(path, place=(slice(20, 28), slice(12, 20)), colour=(200, 60, 40), alpha=255, size=(48, 64)):
    rgba = np.zeros((*size, 4), np.uint8)
    rgba[place] = (*colour, alpha)
    Image.fromarray(rgba).save(path)
    return path


def test_a_file_comes_back_as_written_with_its_photo_and_what_colours_come_to(tmp_path):
    photo = to_photo(np.full((48, 64), 20, np.uint8))
    given = Guidance((DOT, Stroke("neutral", ((0.8, 0.8),), 0.1), replace(DOT, rgb=(30, 20, 18))))
    written = write_hints(given, photo, tmp_path / "a.hints.json")
    found = read_hints(tmp_path / "a.hints.json")
    assert found == given  # what is told is no part of it
    assert found.photo == written.photo == lightness_of(photo.pixels)
    assert (found.photo.width, found.photo.height) == (64, 48)
    assert json.loads((tmp_path / "a.hints.json").read_text())["version"] == 2
    assert Request(guidance=found).digest == Request(guidance=given).digest
    # Red is out of gamut in the dark, a dark brown is not; lightness is the photo's.
    assert moved_colours(found) == [((200, 60, 40), found.strokes[0].applied)]
    assert found.strokes[1].applied is None
    lab = [rgb_to_lab(torch.tensor(one.applied).view(1, 3, 1, 1) / 255).flatten() for one in found.strokes[::2]]
    ours = rgb_to_lab(torch.full((1, 3, 1, 1), 20 / 255)).flatten()[0]
    assert max(abs(float(one[0] - ours)) for one in lab) < 1
    assert found.strokes[0].rgb == (200, 60, 40)
    assert applied_guidance(Guidance(), photo) == Guidance()


def test_gray_and_colour_files_of_one_lightness_are_one_photo():
    gray = lightness_of(SPECKS)
    assert lightness_of(np.repeat(SPECKS[..., None], 3, 2)) == gray
    assert lightness_of(SPECKS.astype(np.uint16) * 257) == gray
    assert lightness_of(255 - SPECKS) != gray


def test_another_photo_and_a_moved_colour_are_told_in_one_line_each(tmp_path, caplog):
    colorizer = Colorizer(OneColour(5.0, 5.0), look=Look(size=48), device="cpu")
    write_hints(Guidance((DOT,)), to_photo(SPECKS), tmp_path / "a.hints.json")
    guidance = read_hints(tmp_path / "a.hints.json")
    with caplog.at_level(logging.WARNING):
        colorizer(SPECKS, guidance=guidance)
        assert not caplog.records
        colorizer(np.full((60, 64), 10, np.uint8), guidance=guidance)
    other, moved = (record.getMessage() for record in caplog.records)
    assert "made for another photo, of 64 x 48 pixels" in other
    assert "#c83c28 cannot be shown at the lightness there, and is taken as #" in moved


def test_a_layer_is_a_wish_where_it_is_opaque_at_any_size(tmp_path):
    true = rgb_to_lab(torch.tensor([200, 60, 40]).view(1, 3, 1, 1) / 255).flatten()[1:]
    for size, side in (((48, 64), 8), ((24, 32), 4), ((96, 128), 16)):
        hints = layer_hints(np.asarray(Image.open(picture(tmp_path / "a.png"))), size)
        assert hints.mask.shape == (1, 1, *size)
        assert hints.mask.sum() == side * side
        there = hints.mask[0, 0] > 0
        assert (hints.ab[0, :, there] - true[:, None]).abs().max() < 0.1
        assert not hints.ab[0, :, ~there].any()
    soft = layer_hints(np.asarray(Image.open(picture(tmp_path / "a.png", alpha=51))), (48, 64))
    assert soft.mask.max() == pytest.approx(0.2)
    thin = layer_hints(np.asarray(Image.open(picture(tmp_path / "a.png", np.s_[20:21]))), (12, 16))
    assert thin.mask.max() == 1  # a line of one pixel is not lost in pixels of four
    gray = layer_hints(np.asarray(Image.open(picture(tmp_path / "a.png", colour=(90, 90, 90)))), (48, 64))
    assert not gray.ab.any()
    assert gray.mask.any()


def test_a_picture_of_hints_is_met_and_stands_in_the_digest_by_its_content(tmp_path):
    colorizer = Colorizer(OneColour(5.0, 5.0), look=Look(size=48), device="cpu")
    guidance = read_hints(picture(tmp_path / "a.hints.png"))
    session = colorizer.open(np.full((48, 64), 130, np.uint8))
    plain = session.paint()[0].ab
    made = session.paint(guidance=guidance)[0].ab
    assert (made - plain)[0, 0, 22:26, 14:18].min() > 20
    (tmp_path / "deep").mkdir()
    same = read_hints(picture(tmp_path / "deep" / "b.png"))
    other = read_hints(picture(tmp_path / "c.png", colour=(1, 2, 200)))
    digests = [Request(guidance=one).digest for one in (guidance, same, other)]
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "deep" / "a.hints.json").write_text('{"version": 2, "layer": {"file": "b.png"}}')
    assert read_hints(tmp_path / "deep" / "a.hints.json") == same


def test_a_folder_of_photos_takes_hints_of_both_kinds_and_does_not_paint_them(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(SPECKS).save(tmp_path / name)
    picture(tmp_path / "a.hints.png")
    write_hints(Guidance((DOT,)), to_photo(SPECKS), tmp_path / "b.hints.json")
    plan = plan_jobs([str(tmp_path)], tmp_path / "out", hints=[tmp_path])
    told = {job.source.name: job.request.guidance for job in plan.jobs}
    assert set(told) == {"a.png", "b.png", "c.png"}
    assert told["a.png"].layer.file == str(tmp_path / "a.hints.png")
    assert told["b.png"].strokes == (DOT,)
    assert told["c.png"] == Guidance()


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda file: Image.fromarray(SPECKS).save(file), "it has no alpha"),
        (lambda file: picture(file, np.s_[:0]), "nothing is painted on it"),
        (lambda file: picture(file, np.s_[:]), "opaque everywhere"),
        (lambda file: file.write_bytes(b"no picture"), "hints.png"),
        (lambda file: None, "cannot be read"),
    ],
)
def test_a_picture_that_is_none_of_hints_is_one_line(tmp_path, make, line):
    make(tmp_path / "a.hints.png")
    with pytest.raises(UsageError, match=line) as caught:
        read_hints(tmp_path / "a.hints.png")
    assert "\n" not in str(caught.value)


def test_layers_need_a_file():
    with pytest.raises(UsageError, match="layer: file"):
        Layer("")


def test_what_was_set_beside_strokes_goes_with_them_and_what_is_typed_goes_before(tmp_path, caplog):
    Image.fromarray(SPECKS).save(tmp_path / "a.png")
    given = Guidance((DOT,), settings=Settings(saturation=1.2, warmth=-0.3, seed=7))
    write_hints(given, to_photo(SPECKS), tmp_path / "a.hints.json")
    assert json.loads((tmp_path / "a.hints.json").read_text())["version"] == 3
    assert read_hints(tmp_path / "a.hints.json").settings == given.settings

    def planned(firm=(), **asked):
        plan = plan_jobs([str(tmp_path / "a.png")], tmp_path / "out", request=Request(**asked), firm=firm,
                         hints=[tmp_path / "a.hints.json"])  # fmt: skip
        return plan.jobs[0]

    job = planned()
    request = Request(guidance=given, saturation=1.2, warmth=-0.3, variations=1, seed=7)
    assert job.request.digest == request.digest
    assert [path.name for path in job.outputs] == ["a.v1.png"]
    assert not caplog.records
    job = planned(("saturation", "variations", "seed"), saturation=1.0, variations=4)
    assert (job.request.saturation, job.request.warmth) == (1.0, -0.3)
    assert (job.request.variations, job.request.seed) == (4, 0)
    assert "a-variations.jpg" in [path.name for path in job.outputs]
    (line,) = (record.getMessage() for record in caplog.records)
    assert "a.hints.json says saturation 1.2, variations 1, seed 7" in line
    assert "saturation 1.0, variations 4, seed 0" in line


def test_a_file_of_a_newer_program_and_a_setting_out_of_range_are_one_line_each(tmp_path):
    Image.fromarray(SPECKS).save(tmp_path / "a.png")
    for text, said in (
        ('{"version": 4, "depth": 1}', "version 4; this program reads versions 1 to 3; a newer"),
        ('{"version": 3, "settings": {"saturation": 11}}', "a.json: saturation must lie between 0 and 10"),
        ('{"version": 3, "settings": {"warmth": "hot"}}', "a.json: settings: warmth 'hot'; a number"),
        ('{"version": 3, "settings": {"shade": 1}}', "settings has no shade"),
        ('{"version": 3, "settings": {"seed": -1}}', "the seed must be a whole number"),
    ):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UsageError, match=said):
            plan_jobs([str(tmp_path / "a.png")], tmp_path / "out", hints=[tmp_path / "a.json"])
