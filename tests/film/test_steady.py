"""Steady colour: against known truth, and its promises on windows, cuts, state and calm."""

from dataclasses import fields

import cv2
import numpy as np
import pytest

from chromagan.film.grain import REACH, without_grain
from chromagan.film.motion import motion
from chromagan.film.scenes import CutFinder
from chromagan.film.steady import AHEAD, APART, State, carry, choose_keys
from tests.film.clips import FLOWER, PAN, PASSING, STILL, ZOOM, Clip, Shot, Thing, lasting

SIZE, SMALL, HALF = (320, 180), (160, 90), (80, 45)  # of films, of L, and of motion and colours


class Film:
    """A clip with what is worked out of it, and an artist who is never of the same opinion."""

    def __init__(self, clip, noise=8.0):
        self.clip = clip
        self.L = [clip.L(i, SMALL) for i in range(len(clip))]
        self.motions = [motion(*pair) for pair in zip(self.L, self.L[1:], strict=False)]
        self.ab = np.stack([clip.ab(i, HALF) for i in range(len(clip))])
        opinion = np.random.default_rng(7).normal(0, noise, (len(clip), 2, 1, 1))
        self.painted = (self.ab + opinion).astype(np.float32)

    def scene(self, start=0, stop=None, **changes):
        stop = len(self.L) if stop is None else stop
        motions = self.motions[start : stop - 1]
        keys = choose_keys(motions)
        own = {key: self.painted[start + key] for key in keys}
        return keys, *carry(self.L[start:stop], motions, own, **changes)


def change(ab, still):
    """Mean absolute change from frame to frame, where nothing moves."""
    steps = np.abs(np.diff(ab.astype(np.float32), axis=0)).mean(1)
    return float(steps[still[1:]].mean())


@pytest.fixture(scope="module")
def passing():
    return Film(Clip((lasting(PASSING, 72),), SIZE, grain=3))


@pytest.fixture(scope="module")
def pan():
    return Film(Clip((lasting(PAN, 60),), SIZE, grain=3))


def test_nothing_flickers_where_nothing_moves(passing):
    keys, ab, _ = passing.scene()
    still = np.stack(
        [cv2.erode(passing.clip.still(i).astype(np.uint8), np.ones((5, 5)))[2::4, 2::4] > 0 for i in range(72)]
    )
    assert len(keys) < 72 / 5
    assert change(ab, still) < 0.1 * change(passing.painted, still)


@pytest.mark.parametrize("name", ["passing", "pan"])
def test_true_colours_stay_true(name, request):
    """The artist is right: what is carried is the truth, what moves and what comes in are coloured as themselves."""
    film = request.getfixturevalue(name)
    truth, keys = film.ab, choose_keys(film.motions)
    ab, _ = carry(film.L, film.motions, {key: truth[key] for key in keys})
    error = np.abs(ab.astype(np.float32) - truth).mean(1)
    assert error.mean() < 0.15 * np.abs(truth).mean()
    if name == "passing":
        discs = [error[i][film.clip.shots[0].cover(i, HALF) > 0.99] for i in range(20, 62)]
        assert np.mean([np.median(disc) for disc in discs]) < 6  # a neighbour's colour would be 40 off


def test_opinions_are_averaged(passing, pan):
    for film in (passing, pan):
        _, ab, _ = film.scene()
        ours = np.abs(ab[24:].astype(np.float32) - film.ab[24:]).mean()
        assert ours < 0.9 * np.abs(film.painted[24:] - film.ab[24:]).mean()


@pytest.mark.parametrize("border", [20, 37, 48])
@pytest.mark.parametrize("name", ["passing", "pan"])
def test_windows_give_what_one_long_window_gives(name, border, request):
    film = request.getfixturevalue(name)
    keys, whole, end = film.scene()
    there = border + AHEAD
    first = choose_keys(film.motions[: there - 1], count=border)
    assert (
        first
        == [key for key in keys if key < border] + [key for key in keys if key >= border][: border - 1 not in keys]
    )
    own = {key: film.painted[key] for key in first}
    ab, state = carry(film.L[:there], film.motions[: there - 1], own, count=border)
    state = State.load(state.save())
    rest = film.motions[border - 1 :]
    later = choose_keys(rest, state)
    assert [key + border for key in later] == [key for key in keys if key >= border]
    more, last = carry(film.L[border:], rest, {key: film.painted[key + border] for key in later}, before=state)
    assert np.array_equal(np.concatenate([ab, more]), whole)
    assert all(np.array_equal(getattr(last, one.name), getattr(end, one.name)) for one in fields(State))


def test_a_saved_state_is_the_same_bit_for_bit(passing):
    _, _, state = passing.scene(stop=30)
    saved = state.save()
    again = State.load(saved)
    assert again.save() == saved
    for one in fields(State):
        ours, theirs = np.asarray(getattr(state, one.name)), np.asarray(getattr(again, one.name))
        assert ours.tobytes() == theirs.tobytes()
        assert ours.dtype == theirs.dtype


def test_nothing_crosses_a_cut():
    behind = []
    for shot in (STILL, FLOWER):
        film = Film(Clip((lasting(shot, 14), lasting(ZOOM, 20)), SIZE, grain=3))
        for i in range(14):
            film.painted[i] += 40
        finder = CutFinder()
        cuts = [number for plane in film.L for number in finder.feed(plane)] + finder.finish()
        assert cuts == [14]
        # The second shot alone is the same in both films: grain belongs to the number of a frame.
        behind.append(film.scene(cuts[0])[1])
    assert np.array_equal(*behind)


def test_colours_follow_light_that_changes_slowly():
    film = Film(Clip((lasting(STILL, 200),), SIZE, grain=3), noise=0)
    film.painted = film.ab + np.linspace(0, 20, 200, dtype=np.float32)[:, None, None, None]
    _, ab, _ = film.scene()
    late = film.painted[-1] - ab[-1].astype(np.float32)
    assert 0 < late.mean() < 15
    steps = np.diff(ab.astype(np.float32).mean((1, 2, 3)))
    assert steps[-20:].mean() == pytest.approx(0.1, rel=0.35)  # as fast as the light
    assert np.abs(steps).max() < 0.25


def test_dark_places_are_calmer():
    L = [np.hstack([np.full((90, 80), 4), np.full((90, 80), 50)]).astype(np.float32)] * 80
    motions = [motion(L[0], L[1])] * 79
    keys = choose_keys(motions)
    assert keys == [*range(0, 80, APART)]
    own = {key: np.full((2, 90, 160), 20 * (-1) ** n, np.float32) for n, key in enumerate(keys)}
    _, state = carry(L, motions, own)
    dark, light = state.ab[:, :35].mean(), state.ab[:, 45:].mean()
    assert 0 < dark < light


def test_one_colour_stays_exactly_that_colour(pan):
    """No motion, mean or filling makes a colour that nobody painted."""
    film, keys = pan, choose_keys(pan.motions)
    ab, _ = carry(film.L, film.motions, {key: np.full((2, 45, 80), 12.5, np.float32) for key in keys})
    assert np.abs(ab.astype(np.float32) - 12.5).max() < 0.05


def test_a_corrected_frame_outvotes_the_others(passing):
    keys = choose_keys(passing.motions, given=[25])
    assert 25 in keys
    own = {key: passing.ab[key] for key in keys} | {25: passing.ab[25] + 30}
    lonely, _ = carry(passing.L, passing.motions, own)
    firm, _ = carry(passing.L, passing.motions, own, weights={25: 1000.0})
    error = [np.median((ab[60].astype(np.float32) - passing.ab[60])[:, :10]) for ab in (lonely, firm)]
    assert error[0] < 15
    assert error[1] > 29


def test_a_frame_alone_and_other_sizes_of_colour():
    clip = Clip((lasting(STILL, 8),), SIZE)
    L = [clip.L(i, SMALL) for i in range(8)]
    own = np.random.default_rng(0).normal(0, 20, (2, 45, 80)).astype(np.float32)
    assert choose_keys([]) == [0]
    ab, _ = carry(L[:1], [], {0: own})
    assert np.array_equal(ab[0], own.astype(np.float16))
    motions = [motion(*pair) for pair in zip(L, L[1:], strict=False)]
    large, state = carry(L, motions, {0: own.repeat(3, 1).repeat(3, 2)})
    assert np.allclose(large[7], own, atol=0.05)
    assert state.ab.shape == (45, 80, 2)


@pytest.mark.parametrize("shot", [STILL, PAN, PASSING, Shot("china", 48, thing=Thing("coffee", radius=0.4))])
def test_grain_is_taken_away_and_nothing_else(shot):
    clip = Clip((lasting(shot, 48),), SIZE, grain=8)
    L = [clip.L(i, SMALL) for i in range(24, 25 + REACH)]
    motions = [motion(*pair) for pair in zip(L, L[1:], strict=False)]
    clean = clip.L(24, SMALL, grain=False)
    assert np.abs(without_grain(L, motions) - clean).mean() < 0.75 * np.abs(L[0] - clean).mean()
    assert without_grain(L[:1], []) is L[0]
    smooth = [clip.L(i, SMALL, grain=False) for i in range(24, 25 + REACH)]
    motions = [motion(*pair) for pair in zip(smooth, smooth[1:], strict=False)]
    assert np.abs(without_grain(smooth, motions) - clean).mean() < 1
