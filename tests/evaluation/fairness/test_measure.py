"""Shifts of known size come out as they went in, in the group that has them and in no other."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from chromagan.errors import DataError, UsageError
from chromagan.evaluation.fairness.measure import (
    detected_skin,
    gray_method,
    mean_ab_method,
    mean_colour,
    measure_fairness,
)
from chromagan.evaluation.fairness.report import fairness_svg, markdown_report
from chromagan.evaluation.fairness.shift import measure_skin, turn_degrees
from chromagan.evaluation.fairness.skin import ITA_GROUPS, LIGHTNESS_GROUPS, group_of, ita_degrees, skin_in_mask

TONES = {
    "very light": (80, 9, 13),
    "light": (68, 11, 17),
    "intermediate": (63, 13, 20),
    "tan": (58, 14, 21),
    "brown": (46, 13, 19),
    "dark": (30, 10, 13),
}
ROUNDING = 0.15  # Lab units, of means over 256 pixels rounded to 8 bits


def to_8bit(lab):
    rgb = lab2rgb(lab)
    assert rgb.min() > 0.002, "the test's colours must lie in sRGB"
    assert rgb.max() < 0.998
    return np.rint(rgb * 255).astype(np.uint8)


def patches(per_group=12):
    """Photos whose middle is skin: by name the Lab picture, 12 of each group, all a little different."""
    rng = np.random.default_rng(0)
    made = {}
    for group, tone in TONES.items():
        for index in range(per_group):
            lab = np.empty((24, 24, 3))
            lab[:] = (55, -8, -12)
            lab[4:20, 4:20] = np.array(tone) + rng.uniform(-0.5, 0.5, 3) + rng.normal(0, 1, (16, 16, 3))
            made[f"{group} {index:02d}"] = lab
    return made


def middle(_, truth):
    mask = np.zeros(truth.shape[:2], np.uint8)
    mask[4:20, 4:20] = 255
    return [skin_in_mask(mask)]


@pytest.fixture(scope="module")
def photos():
    return patches()


def measured(photos, change, **options):
    """Measure a colorizer that turns Lab pictures into others; `change` gets the group and the Lab picture."""

    def colorize(name, _):
        return to_8bit(change(name.rsplit(" ", 1)[0], photos[name].copy()))

    truths = ((name, to_8bit(lab)) for name, lab in photos.items())
    return measure_fairness(truths, {"it": colorize}, middle, **options)


def test_tones_fall_into_their_groups(photos):
    result = measured(photos, lambda group, lab: lab)
    assert result.counts() == dict.fromkeys(ITA_GROUPS, 12)
    assert all(face.photo.startswith(face.group) for face in result.faces)
    assert {f.value for found in result.figures["it"].values() for f in found.groups.values()} == {0.0}
    assert result.figures["it"]["ciede2000"].gap.p_value == 1


@pytest.mark.parametrize(
    ("shifted", "measure", "shift"),
    [
        ("dark", "a_shift", (0, 6, 0)), ("tan", "a_shift", (0, -5, 0)), ("brown", "b_shift", (0, 0, -5)),
        ("very light", "lightness_shift", (4, 0, 0)),
    ],
)  # fmt: skip
def test_a_known_shift_of_one_group_is_reported_there_and_nowhere_else(photos, shifted, measure, shift):
    result = measured(photos, lambda group, lab: lab + np.array(shift) * (group == shifted))
    figures = result.figures["it"]
    size = sum(shift)
    for name in ("lightness_shift", "a_shift", "b_shift"):
        for group, figure in figures[name].groups.items():
            expected = size if (name, group) == (measure, shifted) else 0.0
            assert figure.value == pytest.approx(expected, abs=ROUNDING if group == shifted else 0)
    gap = figures[measure].gap
    assert gap.difference.value == pytest.approx(abs(size), abs=ROUNDING)
    assert gap.difference.low > abs(size) - 2 * ROUNDING
    assert (gap.highest if size > 0 else gap.lowest) == shifted
    assert gap.p_value < 0.001
    assert figures["ciede2000"].gap.highest == shifted


def test_every_group_gets_its_own_shift_back(photos):
    shifts = dict(zip(TONES, np.random.default_rng(2).uniform(-4, 4, (6, 3)), strict=True))
    figures = measured(photos, lambda group, lab: lab + shifts[group]).figures["it"]
    for group, shift in shifts.items():
        found = [figures[name].groups[group].value for name in ("lightness_shift", "a_shift", "b_shift")]
        np.testing.assert_allclose(found, shift, atol=ROUNDING)


def test_shift_of_the_typology_angle_is_that_of_the_formula(photos):
    result = measured(photos, lambda group, lab: lab + np.array((0, 0, 5)))
    for face in result.faces:
        expected = math.degrees(math.atan((face.L - 50) / (face.b + 5)) - math.atan((face.L - 50) / face.b))
        assert face.shifts["it"].ita_shift == pytest.approx(expected, abs=0.6)
    # Yellower skin is taken for darker above L* = 50 and for lighter below.
    means = {group: figure.value for group, figure in result.figures["it"]["ita_shift"].groups.items()}
    assert all(means[group] * (50 - TONES[group][0]) > 0 for group in TONES)


def test_a_turn_of_hue_and_a_loss_of_chroma(photos):
    turn = math.radians(20)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])

    def change(group, lab):
        if group == "tan":
            lab[..., 1:] = lab[..., 1:] @ rotation.T
        if group == "light":
            lab[..., 1:] *= 0.5
        return lab

    figures = measured(photos, change).figures["it"]
    assert figures["hue_shift"].groups["tan"].value == pytest.approx(20, abs=0.5)
    assert figures["hue_error"].groups["tan"].value == pytest.approx(20, abs=0.5)
    assert figures["chroma_shift"].groups["tan"].value == pytest.approx(0, abs=ROUNDING)
    assert figures["hue_shift"].groups["light"].value == pytest.approx(0, abs=0.5)
    half = math.hypot(*TONES["light"][1:]) / 2
    assert figures["chroma_shift"].groups["light"].value == pytest.approx(-half, abs=0.3)
    assert figures["hue_shift"].gap.highest == "tan"


@pytest.mark.parametrize(("to", "start", "turn"), [(350, 10, -20), (-170, 170, 20), (30, 10, 20), (0, 0, 0)])
def test_turns_go_the_shorter_way(to, start, turn):
    assert turn_degrees(to, start) == pytest.approx(turn)


def test_colour_difference_is_that_of_scikit_image():
    rng = np.random.default_rng(1)
    one, other = (rng.integers(40, 220, (1, 300, 3)).astype(np.uint8) for _ in range(2))
    found = measure_skin(rgb2lab(one)[0], rgb2lab(other)[0])
    assert found.ciede2000 == pytest.approx(deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean(), abs=1e-6)
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_skin(np.zeros((3, 3)), np.zeros((4, 3)))


def test_gray_has_no_hue_and_all_of_the_colour_missing(photos):
    truths = [(name, to_8bit(lab)) for name, lab in photos.items()]
    result = measure_fairness(truths, {"gray": gray_method}, middle, baselines=frozenset({"gray"}))
    figures = result.figures["gray"]
    assert figures["hue_error"].overall.left_out == 72
    assert figures["hue_error"].overall.count == 0
    for group, (L, a, b) in TONES.items():
        assert figures["a_shift"].groups[group].value == pytest.approx(-a, abs=0.3)
        assert figures["chroma_shift"].groups[group].value == pytest.approx(-math.hypot(a, b), abs=0.3)
        assert figures["lightness_shift"].groups[group].value == pytest.approx(0, abs=0.1)
        right_angle = 90 if L > 50 else -90
        assert figures["ita_shift"].groups[group].value == pytest.approx(right_angle - ita_degrees(L, b), abs=2)


def test_mean_colour_is_over_photos_and_is_given_to_every_pixel(photos):
    truths = [(name, to_8bit(lab)) for name, lab in photos.items()]
    a, b = mean_colour(truths)
    expected = np.mean([rgb2lab(picture)[..., 1:].mean((0, 1)) for _, picture in truths], axis=0)
    np.testing.assert_allclose((a, b), expected, atol=1e-3)
    made = rgb2lab(mean_ab_method((a, b))(*truths[0]))
    np.testing.assert_allclose(made[..., 1:].mean((0, 1)), (a, b), atol=0.3)
    np.testing.assert_allclose(made[..., 0], rgb2lab(truths[0][1])[..., 0], atol=0.5)


def test_a_real_face_found_by_the_detector():
    data = pytest.importorskip("skimage.data")
    truth = data.astronaut()[:256, 80:336]
    lab = rgb2lab(truth)

    def redder(_, __):
        return np.rint(lab2rgb(lab + (0, 6, 0)) * 255).astype(np.uint8)

    methods = {"redder": redder, "same": lambda _, picture: picture}
    result = measure_fairness([("astronaut", truth)], methods, detected_skin())
    assert len(result.faces) == 1
    found = result.faces[0].shifts
    assert found["redder"].a_shift == pytest.approx(6, abs=0.3)
    assert found["redder"].b_shift == pytest.approx(0, abs=0.3)
    assert found["redder"].lightness_shift == pytest.approx(0, abs=0.3)
    assert found["redder"].hue_shift < -5
    assert found["same"].ciede2000 == 0
    assert result.faces[0].group == group_of(result.faces[0].ita) == "very light"
    assert any("fewer than two groups" in warning for warning in result.warnings)


def test_photos_without_coloured_skin_are_named_and_not_colorized(photos):
    name, lab = next(iter(photos.items()))
    truth = to_8bit(lab)
    asked = []

    def colorize(asked_name, picture):
        asked.append(asked_name)
        return picture

    gray = np.repeat(gray_method("", truth)[..., :1], 3, 2)
    empty = {"none"}
    result = measure_fairness(
        [("none", truth), (name, truth), ("gray", gray)],
        {"it": colorize},
        lambda n, picture: [] if n in empty else middle(n, picture),
    )
    assert result.without_face == ["none", "gray"]
    assert asked == [name]
    assert (result.photos, len(result.faces)) == (3, 1)
    assert result.few() == list(ITA_GROUPS)


def test_other_sizes_are_all_listed():
    truth = to_8bit(patches(1)["tan 00"])
    methods = {"fits": lambda _, picture: picture, "cut": lambda _, picture: picture[:23]}
    with pytest.raises(DataError, match="cut: a 24x23 for 24x24, cut: b 24x23 for 24x24"):
        measure_fairness([("a", truth), ("b", truth)], methods, middle)


def test_no_face_at_all_and_a_group_of_one():
    with pytest.raises(DataError, match="no face"):
        measure_fairness([("a", np.zeros((40, 40, 3), np.uint8))], {}, middle)
    with pytest.raises(UsageError, match="at least 2"):
        measure_fairness([], {}, middle, fewest=1)
    with pytest.raises(UsageError, match="ita or lightness"):
        measure_fairness([], {}, middle, grouping="mood")


def test_groups_by_lightness_are_free_of_what_a_gray_photo_cannot_tell():
    # b* varies at random around what L* says; the colorizer knows L* alone and answers the expected b*, so it has no
    # preference. Groups by the typology angle contain b* and show one; groups by lightness do not.
    rng = np.random.default_rng(0)
    photos = {}
    for index in range(120):
        L = (40, 50, 60, 70)[index % 4]
        photos[f"{index:03d}"] = np.full((24, 24, 3), (L, 12, 18 + rng.uniform(-6, 6)))
    found = {}
    for grouping in ("ita", "lightness"):
        truths = ((name, to_8bit(lab)) for name, lab in photos.items())
        methods = {"it": lambda name, _: to_8bit(np.full((24, 24, 3), (photos[name][0, 0, 0], 12, 18)))}
        found[grouping] = measure_fairness(truths, methods, middle, grouping=grouping)
    by_angle, by_lightness = (found[name].figures["it"]["b_shift"].gap for name in ("ita", "lightness"))
    assert by_angle.p_value < 0.01
    assert by_lightness.p_value > 0.05
    assert by_lightness.difference.value < by_angle.difference.value / 2
    assert set(found["lightness"].counts()) == set(LIGHTNESS_GROUPS)


def test_a_hostile_name_is_text_in_plot_and_table(photos):
    name = """<script>x & 'y'"</script>"""
    truths = ((photo, to_8bit(lab)) for photo, lab in photos.items() if photo.endswith("00"))
    result = measure_fairness(truths, {name: lambda _, truth: truth}, middle)
    texts = [element.text for element in ElementTree.fromstring(fairness_svg(result)).iter()]
    assert name in texts
    assert "<script>" not in markdown_report(result)
