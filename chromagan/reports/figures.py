"""Numbers and names as a reader is shown them, and axes: where a figure lies, and the round numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def decimals_for(values: Iterable[float], digits: int = 4) -> int:
    """Decimals that give the largest of some figures so many significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return 2
    return min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9)


def number(value: float, decimals: int, signed: bool = False) -> str:
    """A figure with a true minus sign, or a dash where it is not finite."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def p_text(p_value: float) -> str:
    """A p value as papers print it; a dash for NaN."""
    if not math.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def shorten(name: str, length: int = 30) -> str:
    """A name that fits, with an ellipsis where it was cut."""
    return name if len(name) <= length else name[: length - 1] + "…"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "1,000 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Axis:
    """Maps figures from `low` to `high` to pixels from `start` to `end`; what lies beyond is drawn at its end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a figure in pixels, to a tenth."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) from `low` to `high`, at most `about` + 1 of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Ticks with as many decimals as their distance needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0
    return [number(tick, max(0, -math.floor(math.log10(step) + 1e-9))) for tick in ticks]
