"""Ticks are round, and an axis is a straight line between its ends."""

import math

import pytest

from chromagan.reports.figures import Axis, nice_ticks, tick_texts


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17), (0.911, 0.934), (1e-7, 3e-7), (0, 1e6), (-5, -4.9)])
def test_ticks_are_round_inside_and_neither_few_nor_many(low, high):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-9 * abs(low) <= t <= high + 1e-9 * abs(high) for t in ticks)
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)
    assert nice_ticks(2.0, 2.0) == [2.0]


def test_tick_texts_have_the_decimals_of_their_distance():
    assert tick_texts([0, 0.5, 1]) == ["0.0", "0.5", "1.0"]
    assert tick_texts([-20, 0, 20]) == ["−20", "0", "20"]


def test_an_axis_ends_where_it_ends():
    axis = Axis(-1, 3, 100, 20)
    assert [axis(value) for value in (-1, 1, 3)] == [100, 60, 20]
    assert (axis(-9), axis(9)) == (100, 20)
