"""What is kept is kept to the bit, and what alone is coloured is coloured alone."""

import cv2
import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from chromagan.conditioning.guidance import Guidance, Region, Stroke
from chromagan.errors import ChromaganError, UsageError
from chromagan.images.read import to_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.guide import Ground
from chromagan.inference.kept import leading, own_colours
from chromagan.inference.request import Request
from chromagan.models.look import Look
from tests.inference.conftest import OneColour, specks

ROWS, COLUMNS = 90, 120
LEFT = Region(polygons=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))


@pytest.fixture
def colorizer():
    return Colorizer(OneColour(30.0, 15.0), look=Look(size=48), device="cpu")


def gray(dtype=np.uint8):
    made = specks(ROWS, COLUMNS)
    return made if dtype == np.uint8 else made.astype(np.uint16) * 257 + 3


def tinted(dtype=np.uint8):
    """Greenish at the left, gray at the right."""
    made = np.repeat(gray(dtype)[..., None], 3, 2)
    made[:, : COLUMNS // 2, 1] += 40 if dtype == np.uint8 else 40 * 257
    return made


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_outside_of_only_the_photo_stays_to_the_bit(colorizer, dtype):
    for photo in (gray(dtype), tinted(dtype)):
        made = colorizer(photo, guidance=Guidance(only=LEFT))
        whole = photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, 2)
        assert np.array_equal(made[:, COLUMNS // 2 + 2 :], whole[:, COLUMNS // 2 + 2 :])
        assert np.array_equal(made[:, : COLUMNS // 2 - 2], colorizer(photo)[:, : COLUMNS // 2 - 2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_keep_keeps_colours_to_the_bit_and_colours_what_is_gray(colorizer, dtype):
    photo, everything = tinted(dtype), Region(polygons=(((0, 0), (1, 0), (1, 1), (0, 1)),))
    made, plain = colorizer(photo, guidance=Guidance(keep=everything)), colorizer(photo)
    assert np.array_equal(made[:, : COLUMNS // 2 - 4], photo[:, : COLUMNS // 2 - 4])
    # The rest is coloured at its own lightness, and takes after what is kept.
    lab, plain_lab, kept = (rgb2lab(one)[..., 1:] for one in (made, plain, photo))
    right, there = np.s_[:, COLUMNS // 2 + 12 :], kept[:, : COLUMNS // 2 - 4].mean((0, 1))
    assert np.linalg.norm(lab[right].mean((0, 1)) - there) < np.linalg.norm(plain_lab[right].mean((0, 1)) - there) - 5
    assert np.abs(rgb2lab(made)[..., 0] - rgb2lab(photo)[..., 0])[right].max() < 0.7
    # A gray photo has nothing to keep, and no region is no region.
    assert np.array_equal(colorizer(gray(dtype), guidance=Guidance(keep=everything)), colorizer(gray(dtype)))


def test_what_is_kept_leads_what_is_like_it_beside_it(colorizer):
    """A stroke says otherwise where it lies; where all is kept there is nothing to lead."""
    lab = np.zeros((ROWS, COLUMNS, 3))
    lab[..., 0] = 25 + specks(ROWS, COLUMNS, 0, 100) / 20
    lab[:, COLUMNS // 2 :, 0] += 50
    lab[: ROWS // 2, : COLUMNS // 2, 1:] = (-20, 15)  # green above gray, both dark, beside what is bright
    dark = np.rint(255 * lab2rgb(lab)).astype(np.uint8)
    everything = Region(polygons=(((0, 0), (1, 0), (1, 1), (0, 1)),))
    made, plain = (rgb2lab(colorizer(dark, guidance=one))[..., 1] for one in (Guidance(keep=everything), Guidance()))
    beside = np.s_[-20:, :40]
    assert plain[beside].mean() - made[beside].mean() > 15
    red = Stroke("colour", ((0.2, 0.85),), 0.1, (90, 40, 40))
    (both,) = (rgb2lab(colorizer(dark, guidance=Guidance((red,), keep=everything)))[..., 1],)
    assert both[beside].mean() > made[beside].mean() + 5
    assert leading(dark[: ROWS // 2, : COLUMNS // 2], everything, (45, 60)) is None


def test_regions_of_a_narrow_strip(colorizer):
    strip = np.tile(tinted()[:24], (1, 4, 1))  # 24 x 480, of which the network sees 4 to 1
    kept, alone = (colorizer(strip, guidance=one) for one in (Guidance(keep=LEFT), Guidance(only=LEFT)))
    assert np.array_equal(kept[:, :50], strip[:, :50])
    assert np.array_equal(alone[:, 250:], strip[:, 250:])
    share = Ground(torch.zeros(1, 1, 24, 96), strip).share(LEFT, (24, 96))
    assert (share[:, :47] == 1).all()
    assert not share[:, 49:].any()


def test_keeping_colours_that_are_not_there_is_told(colorizer, caplog):
    right = Region(polygons=(((0.6, 0), (1, 0), (1, 1), (0.6, 1)),))
    for photo, region, told in ((tinted(), LEFT, 0), (tinted(), right, 1), (gray(), LEFT, 1)):
        caplog.clear()
        colorizer(photo, guidance=Guidance(keep=region))
        assert [one.getMessage() for one in caplog.records] == told * [
            "a picture: it has no colours of its own to keep there"
        ]


def test_a_soft_edge_mixes_colours_at_the_photos_lightness(colorizer, tmp_path):
    ramp = np.broadcast_to(np.linspace(0, 255, COLUMNS).round().astype(np.uint8), (ROWS, COLUMNS))
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp)
    photo = gray()
    made = colorizer(photo, guidance=Guidance(only=Region(file=str(tmp_path / "ramp.png"))))
    plain, lab, truth = colorizer(photo), rgb2lab(made), rgb2lab(np.repeat(photo[..., None], 3, 2))
    assert np.abs(lab[..., 0] - truth[..., 0]).max() < 0.7  # rounding to 8 bits
    expected = rgb2lab(plain)[..., 1:] * (ramp / 255)[..., None]
    assert np.abs(lab[..., 1:] - expected).max() < 2
    assert np.array_equal(made[:, 0], np.repeat(photo[:, :1], 3, 1))


def test_a_mask_of_any_size_counts_and_its_content_tells_requests_apart(colorizer, tmp_path):
    mask = np.zeros((2 * ROWS, 2 * COLUMNS), np.uint8)
    mask[:, :COLUMNS] = 255
    for name, picture in (("a.png", mask), ("b.png", mask), ("c.png", mask[:, ::-1])):
        cv2.imwrite(str(tmp_path / name), picture)
    first, same, other = (Guidance(only=Region(file=str(tmp_path / name))) for name in ("a.png", "b.png", "c.png"))
    made = [colorizer(gray(), guidance=one) for one in (first, same, other)]
    assert np.array_equal(made[0], made[1])
    by_polygon = colorizer(gray(), guidance=Guidance(only=LEFT))
    away = np.abs(np.arange(COLUMNS) - COLUMNS // 2) > 3
    assert np.array_equal(made[0][:, away], by_polygon[:, away])
    assert np.array_equal(made[2][:, :50], np.repeat(gray()[:, :50, None], 3, 2))
    digests = [Request(guidance=one).digest for one in (first, same, other)]
    assert digests[0] == digests[1] != digests[2]
    request = Request(guidance=first)
    cv2.imwrite(str(tmp_path / "a.png"), 255 - mask)
    with pytest.raises(UsageError, match=r"a\.png: it is another picture"):
        colorizer.colorize([gray()], request)


def test_what_cannot_be_a_mask_is_told(colorizer, tmp_path):
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((10, 90), np.uint8))
    for name, said in (("wide.png", "of another shape"), ("gone.png", "gone.png")):
        with pytest.raises(ChromaganError, match=said):
            colorizer(gray(), guidance=Guidance(only=Region(file=str(tmp_path / name))))
    with pytest.raises(UsageError, match="at least one polygon"):
        Region()
    guidance = Guidance(keep=Region(file="a.png"), vary=LEFT)
    assert Guidance.from_json(guidance.to_json()) == guidance


def test_own_colours_are_found_in_what_is_tinted_and_not_in_noise():
    noisy = np.repeat(gray()[..., None], 3, 2).astype(int) + np.random.default_rng(1).integers(
        -3, 4, (ROWS, COLUMNS, 3)
    )
    assert own_colours(noisy.clip(0, 255).astype(np.uint8)).max() < 128
    assert own_colours(gray()).max() == 0
    found = own_colours(tinted())
    assert found[:, : COLUMNS // 2 - 4].min() == 255
    assert found[:, COLUMNS // 2 + 12 :].max() == 0


def test_a_layer_and_a_session_show_the_same_as_the_picture(colorizer):
    session = colorizer.open(to_photo(tinted()))
    asked = (Guidance(only=LEFT), Guidance(keep=LEFT), Guidance(), Guidance(only=LEFT, keep=LEFT))
    for guidance in (*asked, *asked[::-1]):
        (made,) = session.paint(guidance=guidance)
        assert np.array_equal(made.photo.pixels, colorizer(tinted(), guidance=guidance))
    (made,) = session.paint(guidance=Guidance(only=LEFT))
    layer = rgb2lab(made.layer().photo.pixels)
    assert np.abs(layer[:, COLUMNS // 2 + 8 :, 1:]).max() < 1
    assert layer[:, : COLUMNS // 2 - 8, 1].min() > 25
