"""`report.html`: a whole comparison as one page that opens offline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from chromagan.evaluation.comparison_report.ab_density import AbDensity
from chromagan.evaluation.comparison_report.html_charts import ab_plane_svg, chroma_svg, distribution_html, hue_class
from chromagan.evaluation.comparison_report.html_examples import Pictures, examples_html
from chromagan.evaluation.comparison_report.html_tables import baseline_of, paired_table, settings_table, summary_table
from chromagan.evaluation.comparison_report.html_text import (
    compared,
    decimals_for,
    escape,
    headline_metrics,
    interval,
    metrics_of,
    number,
    p_text,
    paired,
    ranking,
    told_apart,
    value_of,
)
from chromagan.evaluation.comparison_report.metric_labels import label_of
from chromagan.evaluation.metric_names import HIGHER_IS_BETTER
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.files.atomic import write_atomically

AB_PICTURES = 100

# The browser itself is told to fetch nothing, whatever the page says.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_html(result: ComparisonResult, pictures: Pictures, path: Path, *, seed: int = 0) -> None:
    """Write a comparison as one page: figures, distributions, pictures and colours; no network, no other file.

    The page is bounded, however many images there are: examples share a budget, and the colour densities are over at
    most AB_PICTURES images. It is usable without JavaScript, which adds sorting only.

    Args:
        result: the comparison.
        pictures: gives the picture of a method (or "truth", "gray") for an image's index as (H, W, 3) uint8 sRGB, or
            None where it cannot be had. Called for a bounded number of images, by one thread.
        path: the file; its folder exists.
        seed: which images are drawn by chance.

    Raises:
        WriteError: the file cannot be written.
    """
    page = render_html(result, pictures, seed=seed)
    write_atomically(path, lambda file: file.write(page.encode("utf-8")))


def render_html(result: ComparisonResult, pictures: Pictures, *, seed: int = 0) -> str:
    """The page of `write_html` as text; arguments as there."""
    hues = {method.name: hue_class(i) for i, method in enumerate(compared(result))}
    sections = [
        ("summary", "Summary", summary_table(result) + _legend(result)),
        ("tests", "Paired comparisons", paired_table(result)),
        ("distributions", "Distributions", _distributions(result, hues)),
        ("examples", "Examples", examples_html(result, pictures, seed)),
        ("colours", "Colours", _colours(result, pictures, hues, seed)),
        ("settings", "How this was measured", _settings(result)),
    ]
    sections = [section for section in sections if section[2]]
    names = " · ".join(method.name for method in compared(result)) or "baselines"
    links = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title, _ in sections)
    body = "\n".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{title}</h2>\n'
        f"{content}</section>"
        for anchor, title, content in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Colorization compared: {escape(names)}</title>\n"
        f"<style>\n{_asset('report_page.css')}</style>\n</head>\n"
        '<body>\n<a class="skip" href="#summary">Skip to the figures</a>\n'
        f'<header>\n<p class="kicker">chromagan evaluate</p>\n<h1>{_headline(result)}</h1>\n{_facts(result)}\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n<main>\n{_cards(result)}{_notices(result)}'
        f"{body}\n</main>\n<script>\n{_asset('report_page.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return resources.files("chromagan.evaluation.comparison_report").joinpath(name).read_text(encoding="utf-8")


def _headline(result: ComparisonResult) -> str:
    methods = compared(result)
    if len(methods) == 1:
        return f"How well does <em>{escape(methods[0].name)}</em> colorize?"
    if not methods:
        return "What gray costs"
    if len(methods) <= 3:
        names = [f"<em>{escape(method.name)}</em>" for method in methods]
        return f"{', '.join(names[:-1])} and {names[-1]}, compared"
    return f"{len(methods)} colorizers, compared"


def _facts(result: ComparisonResult) -> str:
    count = len(result.images)
    facts = [f"protocol <strong>{escape(result.protocol)}</strong>",
             f"<strong>{count:,}</strong> image{'s' if count != 1 else ''}"]  # fmt: skip
    if result.sizes:
        shapes = sorted({(int(height), int(width)) for height, width in result.sizes}, key=lambda s: s[0] * s[1])
        smallest, largest = (f"{width} × {height}" for height, width in (shapes[0], shapes[-1]))
        facts.append(f"{smallest} pixels" if len(shapes) == 1 else f"{smallest} to {largest} pixels")
    return '<p class="facts">' + '<span class="dot"> · </span>'.join(facts) + "</p>"


def _cards(result: ComparisonResult) -> str:
    cards = []
    for metric in headline_metrics(result):
        order = ranking(compared(result), metric)
        if not order:
            continue
        best, label = order[0], label_of(metric)
        decimals = decimals_for([value_of(best, metric)])
        unit = f' <span class="unit">{escape(label.unit)}</span>' if label.unit else ""
        wins = "" if len(order) == 1 else f'<p class="who">{escape(best.name)}</p>'
        better_way = "higher is better" if HIGHER_IS_BETTER[metric] else "lower is better"
        cards.append(
            f'<div class="finding"><h3>{escape(label.title)}</h3><p class="way">{better_way}</p>'
            f'<p class="big">{number(value_of(best, metric), decimals)}{unit}</p>'
            f"<p>{interval(best.summary[metric], decimals)}</p>{wins}<p>{_beside(result, metric, order)}</p></div>"
        )
    if not cards:
        return ""
    return (
        f'<section class="findings" aria-label="Findings">{"".join(cards)}</section>\n{_not_better_than_gray(result)}'
    )


def _beside(result: ComparisonResult, metric: str, order: Sequence[MethodResult]) -> str:
    """What the best figure of a metric is best read against: the next method, or the gray photo."""
    best = order[0]
    if len(order) == 1:
        gray = baseline_of(result, "gray")
        value = value_of(gray, metric) if gray else math.nan
        return f"the gray photo: {number(value, decimals_for([value]))}" if math.isfinite(value) else ""
    second = order[1]
    test = paired(result, metric, best.name, second.name)
    if test is None or not math.isfinite(test.difference.low):
        value = value_of(second, metric)
        return f"next: {escape(second.name)}, {number(value, decimals_for([value]))}"
    p = f"p {p_text(test.p_value)}" if "&lt;" in p_text(test.p_value) else f"p = {p_text(test.p_value)}"
    p = f", {p}" if math.isfinite(test.p_value) else ""
    if not told_apart(test):
        return f"not told apart from {escape(second.name)}{p}"
    gap = abs(test.difference.value)
    return f"ahead of {escape(second.name)} by {number(gap, decimals_for([gap], 2))}{p}"


def _not_better_than_gray(result: ComparisonResult) -> str:
    gray = baseline_of(result, "gray")
    if gray is None:
        return ""
    lines = []
    for method in compared(result):
        # A tie goes to the first. The gray photo has the truth's lightness by its making: that beats nobody.
        orders = {m: ranking([gray, method], m) for m in metrics_of([method]) if m != "lightness_difference"}
        lost = [escape(label_of(m).title) for m, order in orders.items() if len(order) == 2 and order[0] is gray]
        if lost:
            lines.append(f"{escape(method.name)} in {', '.join(lost)}")
    return f'<p class="caution">No better than the gray photo itself: {"; ".join(lines)}.</p>\n' if lines else ""


def _notices(result: ComparisonResult) -> str:
    parts = []
    if result.warnings:
        items = "".join(f"<li>{escape(warning)}</li>" for warning in result.warnings)
        parts.append(f"<h2>Before you quote these figures</h2><ul>{items}</ul>")
    if result.missing:
        items = "".join(
            f"<dt>{escape(label_of(metric).title)} <code>{escape(metric)}</code></dt><dd>{escape(reason)}</dd>"
            for metric, reason in result.missing.items()
        )
        parts.append(f"<h2>Asked for and not computed</h2><dl>{items}</dl>")
    return f'<aside class="notices" aria-label="Warnings">{"".join(parts)}</aside>\n' if parts else ""


def _legend(result: ComparisonResult) -> str:
    marks = (
        "● best of a column; ≈ not told apart from the best by the paired comparison. "
        if len(compared(result)) > 1
        else ""
    )
    return (
        f'<p class="note">{marks}↑ higher is better, ↓ lower is better; colourfulness has no better side, the row '
        "<em>truth</em> is its aim. In brackets the 95 % interval: where the figure would lie with other images of the "
        "same kind. A dash: no finite figure (an exact reproduction has an infinite PSNR).</p>"
    )


def _distributions(result: ComparisonResult, hues: dict[str, str]) -> str:
    have = {metric for method in result.methods for metric in method.per_image}
    columns = metrics_of(result.methods)
    metrics = [m for m in columns if m in have] + sorted(have - set(columns))  # in the order of the table
    cards = [card for metric in metrics if (card := distribution_html(metric, result.methods, hues))]
    if not cards:
        return ""
    note = '<p class="note">One figure an image. The tall line is the median, the bar below it the middle half.</p>'
    return f'{note}\n<div class="cards">{"".join(cards)}</div>'


def _colours(result: ComparisonResult, pictures: Pictures, hues: dict[str, str], seed: int) -> str:
    drawn = np.random.default_rng(seed).permutation(len(result.images))[:AB_PICTURES]
    densities: dict[str, AbDensity] = {"truth": AbDensity(), **{name: AbDensity() for name in hues}}
    for index in sorted(int(i) for i in drawn):
        for name, density in densities.items():
            picture = pictures(name, index)
            if picture is not None:
                density.update(picture)
    densities = {name: density for name, density in densities.items() if density.pictures}
    if not densities:
        return ""
    hues = {**hues, "truth": "truthline"}
    planes = "".join(
        f'<figure class="card"><figcaption><h3>{escape(name)}</h3></figcaption>{ab_plane_svg(name, density)}'
        f'<p class="note">mean chroma {number(density.mean_chroma, 1)}, '
        f"{density.pictures:,} image{'s' if density.pictures > 1 else ''}</p></figure>"
        for name, density in densities.items()
    )
    keys = "".join(
        f'<li><svg class="swatch {hues[name]}" viewBox="0 0 28 8" aria-hidden="true">'
        f'<line class="curve" x1="0" x2="28" y1="4" y2="4"/></svg>{escape(name)}</li>'
        for name in densities
    )
    chosen = (
        "all images" if len(drawn) == len(result.images) else f"{len(drawn):,} images drawn by chance (seed {seed})"
    )
    return (
        f'<p class="note">Over {chosen}. Each cell has the colour that it stands for, and is the more opaque the more '
        "pixels have it, on a logarithmic scale from one in a million (faint) to one in a thousand (full).</p>\n"
        f'<div class="cards planes">{planes}</div>\n<figure class="card wide"><figcaption><h3>Chroma</h3></figcaption>'
        f'{chroma_svg(densities, hues)}<ul class="keys">{keys}</ul></figure>'
    )


def _settings(result: ComparisonResult) -> str:
    return settings_table("Settings", {"protocol": result.protocol, **result.settings}) + settings_table(
        "Versions", result.versions
    )
