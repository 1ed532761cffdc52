"""Scenes begin where the clips say: at cuts and behind black; not at flashes, pans, passing things, fades or grain."""

from dataclasses import replace

import numpy as np
import pytest

from chromagan.film.scenes import CutFinder
from tests.film.clips import FLOWER, LAUNCH, PAN, PASSING, STILL, ZOOM, Clip, Shot, Thing, lasting

SIZE, SMALL = (320, 180), (160, 90)
FOUND = {
    "cuts": Clip((lasting(PAN, 12), lasting(PASSING, 14), lasting(STILL, 8), lasting(ZOOM, 10), lasting(FLOWER, 12),
                  lasting(LAUNCH, 6), lasting(PAN, 7))),
    "the same photograph elsewhere": Clip((Shot("china", 12, (0.4, 0.5, 0.6)), Shot("china", 12, (0.65, 0.5, 0.6)))),
    "flashes": Clip((lasting(PASSING, 40),), flashes=(10, 11, 30, 31, 32, 38)),
    "a fast pan": Clip((Shot("astronaut", 16, (0.3, 0.4, 0.5), (0.7, 0.5, 0.5)),)),
    "a cross-fade": Clip((lasting(ZOOM, 30), lasting(STILL, 30)), cross=16),
    "a fade in": Clip((replace(lasting(PAN, 20), light=(0, 1)),)),
    "a fade out": Clip((replace(lasting(PAN, 20), light=(1, 0)),)),
    "a large thing": Clip((Shot("china", 24, (0.5, 0.5, 0.8), thing=Thing("coffee", (-0.5, 0.5), (1.5, 0.5), 0.5)),)),
    "dimming light": Clip((Shot("coffee", 24, light=(1, 0.4)),)),
}  # fmt: skip


def found(clip, L=None):
    finder = CutFinder()
    fed = [finder.feed(plane) for plane in L or (clip.L(i, SMALL) for i in range(len(clip)))]
    return [number for some in [*fed, finder.finish()] for number in some]


@pytest.mark.parametrize("grain", [0, 6])
@pytest.mark.parametrize("name", FOUND)
def test_scenes_begin_at_cuts_alone(name, grain):
    clip = replace(FOUND[name], size=SIZE, grain=grain)
    assert found(clip) == clip.cuts


@pytest.mark.parametrize("grain", [0, 6])
@pytest.mark.parametrize("black", [1, 30])
def test_a_fade_through_black_is_one_cut_at_its_darkest(grain, black):
    fades = replace(lasting(PASSING, 12), light=(1, 0)), replace(lasting(FLOWER, 12), light=(0, 1))
    clip = Clip((fades[0], replace(lasting(PASSING, black), light=(0, 0)), fades[1]), SIZE, grain=grain)
    (cut,) = found(clip)
    assert 11 <= cut <= 12 + black  # the frames without light


def test_a_cut_is_told_a_few_frames_late_and_once():
    clip = Clip((lasting(PAN, 12), lasting(STILL, 12)), SIZE)
    finder = CutFinder()
    told = [(i, number) for i in range(len(clip)) for number in finder.feed(clip.L(i, SMALL))]
    assert [number for _, number in told] == [12]
    assert told[0][0] - 12 <= 5
    assert finder.finish() == []


def test_odd_frames_end_well():
    assert found(None, [np.zeros((90, 160), np.float32)] * 8) == []
    assert found(None, [np.full((90, 160), 50, np.float32)]) == []
    assert found(None, [np.full((1, 3), value, np.float32) for value in (50, 60, 50)]) in ([], [1], [1, 2])
    assert CutFinder().finish() == []
