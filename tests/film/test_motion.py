"""Motion, its paths and its trust against clips whose motion is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from chromagan.film.camera import Camera, find_camera, warp
from chromagan.film.motion import motion, search
from chromagan.film.paths import longer, no_way, onward
from tests.film.clips import LAUNCH, PAN, PASSING, STILL, ZOOM, Clip, Shot, Thing, lasting

SIZE = (640, 360)
SMALL = (320, 180)
HALF = (160, 90)


def clip_of(shot, frames=120, grain=6):
    return Clip((lasting(shot, frames),), SIZE, grain=grain)


def truth(clip, i):
    """At the size of `Motion`."""
    flow, seen = replace(clip, size=HALF).before(i)
    return flow, seen


def apart(flow, other):
    return np.hypot(*(flow.astype(np.float32) - other).transpose(2, 0, 1))


@pytest.mark.parametrize(
    "shot", [PAN, ZOOM, LAUNCH, Shot("china", 48, (0.45, 0.5, 0.6), (0.55, 0.5, 0.6), Thing("coffee"))]
)
def test_the_camera_is_found_through_grain(shot):
    clip = clip_of(shot)
    wanted, _ = truth(replace(clip, shots=(replace(clip.shots[0], thing=None),)), 40)
    before, after = (clip.L(i, SMALL) for i in (39, 40))
    halves = [
        cv2.resize(cv2.GaussianBlur(plane, (0, 0), 1), HALF, interpolation=cv2.INTER_AREA) for plane in (after, before)
    ]
    flow = cv2.resize(search(after, before), HALF, interpolation=cv2.INTER_AREA) / 2
    camera = find_camera(flow, *halves)
    assert not camera.stands()
    field = camera.field(*HALF[::-1])
    assert apart(field, wanted).mean() < 0.06
    assert apart(field, wanted).mean() < 0.5 * apart(flow, wanted).mean()
    back = camera.reversed(HALF[0]).field(*HALF[::-1])
    assert np.abs(field + warp(back, field)).mean() < 0.02


def test_a_camera_is_a_similarity():
    field = Camera(1 - 2j, 0.5 + 0.25j).field(90, 160)
    assert field[:, :, 0].mean() == pytest.approx(1, abs=1e-5)
    assert field[:, :, 1].mean() == pytest.approx(-2, abs=1e-5)
    assert field[0, 1] - field[0, 0] == pytest.approx([0.5 / 160, 0.25 / 160], abs=1e-5)
    assert field[1, 0] - field[0, 0] == pytest.approx([-0.25 / 160, 0.5 / 160], abs=1e-5)


def test_what_stands_still_stays_exactly_where_it_is():
    clip = clip_of(STILL)
    between = motion(clip.L(4, SMALL), clip.L(5, SMALL))
    assert not between.back.any()
    assert not between.ahead.any()
    assert between.back_trust.mean() > 254
    passing = clip_of(PASSING)
    between = motion(passing.L(59, SMALL), passing.L(60, SMALL))
    x = np.arange(HALF[0])
    disc = abs(x - passing.shots[0].centre(60, HALF)[0]) < 0.22 * HALF[1] + 8
    assert (between.back[:, ~disc] == 0).mean() > 0.99
    wanted, seen = truth(passing, 60)
    moves = seen & (wanted != 0).any(-1)
    assert np.median(apart(between.back, wanted)[moves]) < 0.3


def test_what_was_hidden_is_not_trusted():
    clip = Clip((Shot("coffee", 24, (0.5, 0.5, 0.8), thing=Thing("chelsea")),), SIZE, grain=6)
    lost = kept = 0.0
    for i in (10, 12, 14):
        between = motion(clip.L(i - 1, SMALL), clip.L(i, SMALL))
        flow, seen = truth(clip, i)
        lost += between.back_trust[~seen].mean() / 3
        kept += between.back_trust[seen].mean() / 3
    assert lost < 0.5 * kept
    assert kept > 230


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_the_number_of_threads_changes_nothing(threads):
    clip = clip_of(ZOOM)
    planes, before = (clip.L(10, SMALL), clip.L(11, SMALL)), cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        wanted = motion(*planes)
        cv2.setNumThreads(threads)
        got = motion(*planes)
    finally:
        cv2.setNumThreads(before)
    for name in ("back", "ahead", "back_trust", "ahead_trust"):
        assert np.array_equal(getattr(got, name), getattr(wanted, name))


def test_light_that_changes_at_once_is_no_motion():
    clip = replace(clip_of(PASSING), flashes=(60,))
    between = motion(clip.L(59, SMALL), clip.L(60, SMALL))
    flow, seen = truth(clip, 60)
    assert between.back_trust[seen].mean() > 200
    assert apart(between.back, flow)[seen].mean() < 0.25


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (90, 20), (23, 31)])
def test_tiny_frames_stand_still(shape):
    planes = np.random.default_rng(0).uniform(0, 100, (2, *shape)).astype(np.float32)
    between = motion(*planes)
    assert between.back.shape == (max(shape[0] // 2, 1), max(shape[1] // 2, 1), 2)
    assert not between.back.any()


def test_a_path_brings_colours_over_many_frames():
    clip = clip_of(PAN)
    there = path = no_way(*HALF[::-1])
    for i in range(21, 37):
        between = motion(clip.L(i - 1, SMALL), clip.L(i, SMALL))
        flow, seen = truth(clip, i)
        path = longer(path, between.back, between.back_trust)
        there = longer(there, flow, np.where(seen, 255, 0).astype(np.uint8))
    first, last = (np.ascontiguousarray(clip.ab(i, HALF).transpose(1, 2, 0)) for i in (20, 36))
    known = there[..., 2] > 0.99
    error = np.abs(warp(first, path[..., :2]) - last).mean(-1)[known].mean()
    assert error < 0.25 * np.abs(first - last).mean(-1)[known].mean()
    assert path[..., 2].mean() == pytest.approx(there[..., 2].mean(), abs=0.05)  # what has come in is not known


def test_paths_add_up_from_either_end():
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0] = 2.5
    trust = np.full((20, 30), 255, np.uint8)
    for step in (longer, onward):
        path = no_way(20, 30)
        for _ in range(4):
            path = step(path, flow, trust)
        assert np.allclose(path[..., 0], 10)
        assert np.allclose(path[:, :18, 2], 1)
        assert not path[:, 21:, 2].any()
