"""Flicker: how much the colour changes from frame to frame where nothing has moved."""

from __future__ import annotations

from chromagan.metrics.film import ChangeOfColour, FilmMetric, Plane, Since
from chromagan.metrics.registry import register


class Flicker(ChangeOfColour):
    """Over the pixels that stand still in the truth."""

    def change(self, before: Plane, ab: Plane, since: Since) -> Plane:
        """Where nothing has moved."""
        return (ab - before)[since.still]


register(FilmMetric(
    name="flicker", label="Flicker", unit="Lab units", better="lower", digits=3, place=210,
    about="mean change of a and b from frame to frame where nothing has moved", open=Flicker,
))  # fmt: skip
