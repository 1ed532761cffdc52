"""Drawings as SVG, from plain figures: histograms, densities over the ab plane, chroma curves."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.reports.figures import Axis, decimals_for, nice_ticks, number, tick_texts
from chromagan.reports.render import render

Array = NDArray[np.float64]

# One user unit is one CSS pixel on a phone, so that text stays legible there; wider screens set charts side by side.
WIDTH = 360
_ROW, _BAR = 54, 28
_BINS = (10, 60)
_HUES = 8
_TAILS = (0.005, 0.995)
_QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
_FAINTEST = -5  # decades: the floor of the chroma curves


def hue_class(index: int) -> str:
    """The CSS class of the index-th method's colour; colours repeat after eight, with another dash."""
    return f"m{index % _HUES} dash{index // _HUES % 3}"


def distribution(title: str, values: Mapping[str, Sequence[float]], hues: Mapping[str, str]) -> dict[str, Any] | None:
    """One histogram a row on one axis, and the quantiles.

    Args:
        title: of the axis.
        values: by row's name; a row of fewer than two different finite figures is told of instead of drawn.
        hues: CSS classes by row's name.

    Returns:
        `chart`, `clipped` (a long tail is beyond the axis), `undrawn` (names with the reason), `quantiles` (name,
        figures, count) and their `decimals`: content of `distribution.html`. None where no row can be drawn.
    """
    samples = {name: np.array(row, np.float64) for name, row in values.items()}
    finite = {name: sample[np.isfinite(sample)] for name, sample in samples.items()}
    drawn = {name: sample for name, sample in finite.items() if sample.size and sample.min() < sample.max()}
    if not drawn:
        return None
    low, high, clipped = _range(list(drawn.values()))
    x, ticks = Axis(low, high, 6, WIDTH - 6), nice_ticks(low, high)
    bins = min(max(2 * math.isqrt(max(sample.size for sample in drawn.values())), _BINS[0]), _BINS[1])
    rows = [
        {"name": name, "hue": hues.get(name, "base"), "base": base, "images": sample.size,
         "path": _steps(sample, x, base, bins)}
        | dict(zip(("q1", "median", "q3"), np.quantile(sample, (0.25, 0.5, 0.75)).tolist(), strict=True))
        for base, (name, sample) in zip(range(_ROW, _ROW * len(drawn) + 1, _ROW), drawn.items(), strict=True)
    ]  # fmt: skip
    chart = render(
        "histograms.svg", title=title, rows=rows, x=x, width=WIDTH, decimals=decimals_for([low, high]),
        ticks=list(zip(ticks, tick_texts(ticks), strict=True)),
    )  # fmt: skip
    nothing = np.full(len(_QUANTILES), np.nan)
    quantiles = [(n, (np.quantile(s, _QUANTILES) if s.size else nothing).tolist(), s.size) for n, s in finite.items()]
    return {
        "chart": chart,
        "clipped": clipped,
        "undrawn": [(name, _why_not(samples[name], sample)) for name, sample in finite.items() if name not in drawn],
        "quantiles": quantiles,
        "decimals": decimals_for(float(end) for s in finite.values() if s.size for end in (s.min(), s.max())),
    }


def _range(samples: Sequence[Array]) -> tuple[float, float, bool]:
    """The axis' ends, and whether it leaves a long tail out."""
    pooled = np.concatenate(samples)
    low, high = float(pooled.min()), float(pooled.max())
    tight_low, tight_high = (float(q) for q in np.quantile(pooled, _TAILS))
    if tight_high > tight_low and high - low > 3 * (tight_high - tight_low):
        return tight_low, tight_high, True
    return low, high, False


def _steps(sample: Array, x: Axis, base: int, bins: int) -> str:
    """The outline of a histogram, as the data of an SVG path."""
    counts, edges = np.histogram(np.clip(sample, x.low, x.high), bins=bins, range=(x.low, x.high))
    heights = counts / counts.max() * _BAR
    steps = "".join(
        f"V{base - h:.1f}H{x(e)}" if c or before else f"H{x(e)}"
        for c, before, h, e in zip(counts, [0, *counts[:-1]], heights, edges[1:], strict=True)
    )
    return f"M{x.start:g} {base}{steps}V{base}Z"


def _why_not(values: Array, finite: Array) -> str:
    if not finite.size:
        return "infinite throughout" if np.isinf(values).any() else "no figures"
    return f"always {number(float(finite[0]), decimals_for(finite[:1]))}"


def ab_plane(name: str, png: bytes, mean_chroma: float, limit: float, step: float) -> str:
    """A density over the ab plane, with both axes labelled.

    `png` is the density, its cells `step` Lab units wide from `-limit` to `limit` in a* and b*; the mean chroma stands
    in the description.
    """
    uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return render("ab_plane.svg", name=name, png=uri, mean_chroma=mean_chroma, limit=limit, step=step)


def chroma_curves(curves: Sequence[tuple[str, str, float, Sequence[float]]], step: int) -> str:
    """Shares of the pixels by chroma, one line a row, on a logarithmic axis.

    A row is name, CSS class, mean chroma, and the shares in steps of chroma, as many for each.
    """
    shares = np.array([row for *_, row in curves])
    used = np.flatnonzero(shares.any(axis=0))
    bins = min((int(used.max()) if used.size else 10) + 2, shares.shape[1])
    x, y = Axis(0, bins * step, 52, WIDTH - 8), Axis(_FAINTEST, 0, 210, 8)
    with np.errstate(divide="ignore"):
        levels = np.log10(shares[:, :bins])
    rows = [
        {"name": name, "hue": hue, "mean": mean, "points": " ".join(
            f"{x((i + 0.5) * step)},{y(level)}"
            for i, level in enumerate(row)
            if row[max(i - 1, 0) : i + 2].max() > _FAINTEST  # the axis' floor is no figure
        )}
        for (name, hue, mean, _), row in zip(curves, levels, strict=True)
    ]  # fmt: skip
    return render("chroma.svg", curves=rows, x=x, y=y, width=WIDTH, step=step)
