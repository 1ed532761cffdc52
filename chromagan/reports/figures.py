"""Numbers and names as a reader is shown them."""

from __future__ import annotations

import math
from collections.abc import Iterable


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
