"""The page is one well-formed file that fetches nothing, shows the result's own figures, and stays small."""

import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from chromagan.errors import WriteError
from chromagan.evaluation.comparison_report.page import AB_PICTURES, render_html, write_html
from chromagan.evaluation.result import ComparisonResult, Figure, MethodResult, PairedTest

VOID = {"meta", "img", "link", "br", "hr", "input"}
NAN, INF = math.nan, math.inf
RNG = np.random.default_rng(7)


class Page(HTMLParser):
    """The page's elements as (tag, attributes, text inside); an element left open or closed twice is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements = [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open[-1][0]}"

    def handle_starttag(self, tag, attrs):
        element = (tag, dict(attrs), [])
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()[0] == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        for element in self.open:
            element[2].append(data)

    def all(self, tag, **wanted):
        return [
            (attrs, " ".join(" ".join(text).split()))
            for name, attrs, text in self.elements
            if name == tag and all(wanted[key] in (attrs.get(key) or "").split() for key in wanted)
        ]

    def seen(self):
        """All that a reader is shown."""
        script = {id(piece) for name, _, text in self.elements if name in ("script", "style") for piece in text}
        return " ".join(
            piece for name, _, text in self.elements if name == "html" for piece in text if id(piece) not in script
        )


def section(result, name):
    """One section of a page without pictures."""
    return re.search(rf'<section id="{name}".*?</section>', render_html(result, lambda name, index: None), re.S)[0]


def made(images=5, methods=("A", "B"), size=(24, 32), psnr=None):
    """A result with consistent figures, and the pictures that go with it."""
    truth = (
        RNG.integers(0, 256, (images, *size, 3), dtype=np.uint8) if images < 50 else np.zeros((1, *size, 3), np.uint8)
    )
    result = ComparisonResult("folder/1", [f"set/{i:04}.png" for i in range(images)], [size] * images, [])
    for k, name in enumerate((*methods, "gray", "mean ab", "truth")):
        base = name in ("gray", "mean ab", "truth")
        values = {
            "psnr": list(24.0 + k + RNG.normal(size=images)) if psnr is None or base else list(psnr[k]),
            "colourfulness": list(RNG.uniform(20, 40, images)),
            "ab_mse": list(RNG.uniform(100, 200, images)),
        }
        if name == "truth":
            values["psnr"], values["ab_mse"] = [INF] * images, [0.0] * images
        method = MethodResult(name, values, baseline=base)
        for metric, figures in values.items():
            finite = [v for v in figures if math.isfinite(v)]
            mean = float(np.mean(finite)) if finite else NAN
            method.summary[metric] = Figure(mean, mean - 0.5, mean + 0.5, len(finite), images - len(finite))
        method.of_sets = {"fid_tf": Figure(10.0 + k)}
        method.summary |= method.of_sets
        result.methods.append(method)
    result.tests = [
        PairedTest(a, b, "psnr", Figure(-1.0, -1.5, -0.5, images), 0.0123, images)
        for i, a in enumerate(methods) for b in methods[i + 1 :]
    ]  # fmt: skip
    result.settings = {"truth": "DATA/truth", "bootstrap": {"seed": 5}, "metrics": ["psnr", "fid_tf"]}
    result.versions = {"chromagan": "0.1.0"}
    return result, lambda name, index: truth[index % len(truth)]


@pytest.fixture(scope="module")
def usual():
    result, pictures = made()
    result.warnings = ["too few images for FID"]
    result.missing = {"lpips_vgg": "give vgg.pth by --metric-networks"}
    text = render_html(result, pictures)
    return result, text, Page(text)


def test_one_file_that_fetches_nothing(usual):
    _, text, page = usual
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    for _, attrs, _ in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
            if name in attrs:
                assert attrs[name].startswith(("data:image/", "#")), attrs[name][:80]
    policy = page.all("meta")
    assert any("default-src 'none'" in (attrs.get("content") or "") for attrs, _ in policy)
    assert not page.all("link")
    assert not page.all("iframe")


def test_anchors_and_ids_fit(usual):
    _, _, page = usual
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"][1:] for attrs, _ in page.all("a")}
    assert links == {"summary", "tests", "distributions", "examples", "colours", "settings"}
    assert links <= set(ids)


def test_every_method_metric_warning_and_setting_is_there(usual):
    result, _, page = usual
    heads = {text for _, text in page.all("th")}
    assert {method.name for method in result.methods} <= heads
    keys = " ".join(text for _, text in page.all("span", **{"class": "key"}))
    assert {"psnr", "colourfulness", "ab_mse", "fid_tf"} <= set(keys.replace(",", " ").split())
    seen = page.seen()
    for text in ("too few images for FID", "give vgg.pth by --metric-networks", "lpips_vgg", "folder/1", "DATA/truth",
                 "bootstrap.seed", "psnr, fid_tf", "0.1.0", "set/0003.png", "0.012"):  # fmt: skip
        assert text in seen, text


def test_table_shows_the_results_own_figures(usual):
    result, _, page = usual
    cells = [text for attrs, text in page.all("td") if "data-value" in attrs]
    exact = [float(attrs["data-value"]) for attrs, _ in page.all("td") if "data-value" in attrs]
    names = [attrs["data-of"] for attrs, _ in page.all("td") if "data-value" in attrs]
    shown = [
        (method.name, method.summary[metric])
        for metric in ("psnr", "colourfulness", "ab_mse", "fid_tf")
        for method in result.methods
        if math.isfinite(method.summary[metric].value)
    ]
    expected = [figure for _, figure in shown]
    assert names == [name for name, _ in shown]
    assert exact == [figure.value for figure in expected]
    for text, figure in zip(cells, expected, strict=True):
        count = 3 if math.isfinite(figure.low) else 1
        shown, *ends = (float(n) for n in re.findall(r"-?\d[\d.]*", text.replace("−", "-"))[:count])
        assert shown == pytest.approx(figure.value, rel=6e-4, abs=1e-9)
        if ends:
            assert ends == pytest.approx([figure.low, figure.high], rel=6e-4, abs=0.06)


def test_each_figure_is_explained_where_it_stands_and_each_setting_has_words():
    result, _ = made()
    result.settings = {
        "limit": None, "mean_ab": [1.23456789, -2.0], "lpips_sha256": {}, "unknown_thing": True,
        "methods": {"A": {"weights_sha256": "ab", "saturation": 1.0}, "data": {"folder": "cd"}},
        "set_metrics": [{"network": "tf", "kernel_subsets": 100}],
    }  # fmt: skip
    summary, settings = Page(section(result, "summary")), Page(section(result, "settings"))
    rows = {text.split(" ")[0]: text for _, text in summary.all("th", scope="row")}
    assert "Peak signal-to-noise ratio over 8-bit RGB; higher is better. psnr, dB" in rows["PSNR"]
    assert "as much as the truth has is best" in rows["Colourfulness"]
    assert "lower is better" in rows["FID,"]
    for card in Page(section(result, "distributions")).all("figure"):
        assert "is better." in card[1] or "is best." in card[1]
    told = dict(zip((t for _, t in settings.all("th")), (t for _, t in settings.all("td")), strict=True))
    assert told == {
        "Protocol protocol": "folder/1", "At most so many images limit": "not given",
        "Mean colour, a* and b* mean_ab": "1.23457, -2", "Digest of LPIPS's network lpips_sha256": "{}",
        "unknown thing unknown_thing": "yes", "A: digest of the weights methods.A.weights_sha256": "ab",
        "A: saturation on top of that methods.A.saturation": "1",
        "data: digest of the pictures' place methods.data.folder": "cd",
        "Metrics of the whole set: 1: network set_metrics.1.network": "tf",
        "Metrics of the whole set: 1: subsets for kernel distances set_metrics.1.kernel_subsets": "100",
        "chromagan chromagan": "0.1.0",
    }  # fmt: skip


def test_captions_show_the_figures_of_their_image(usual):
    result, _, page = usual
    best = int(np.argmax(np.mean([m.per_image["psnr"] for m in result.methods[:2]], axis=0)))
    captions = [text for _, text in page.all("figure", **{"class": "method"})]
    value = result.methods[0].per_image["psnr"][best]
    assert captions[0].startswith("A PSNR ")
    assert float(re.search(r"PSNR ([\d.]+)", captions[0])[1]) == pytest.approx(value, abs=0.006)


def test_pictures_are_the_given_ones(usual):
    result, _, page = usual
    images = [attrs for attrs, _ in page.all("img")]
    assert len(images) == len(result.images) * 4  # gray, A, B, truth
    assert all(attrs["alt"] for attrs in images)
    assert [a["alt"].removeprefix(images[0]["alt"].split(",")[0]) for a in images[:4]] == [
        ", gray", " by A", " by B", ", the original colours"]  # fmt: skip
    decoded = Image.open(io.BytesIO(base64.b64decode(images[0]["src"].split(",")[1])))
    assert decoded.size == (32, 24) == (int(images[0]["width"]), int(images[0]["height"]))


def test_plots_are_described_and_labelled(usual):
    _, _, page = usual
    plots = [attrs for attrs, _ in page.all("svg") if attrs.get("aria-hidden") != "true"]
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in plots)
    texts = [text for _, text in page.all("text")]
    assert texts.count("a* (green to red)") == texts.count("b* (blue to yellow)") == 3
    assert any(text.startswith("chroma") for text in texts)


def test_names_are_escaped():
    name = """<b>&"'</b>"""
    result, pictures = made(images=2, methods=(name, "B"))
    result.images[0] = "<script>alert(1)</script>.png"
    result.warnings, result.missing = ["a < b & c"], {"<i>": "<u>"}
    result.settings = {"<k>": "<v>"}
    text = render_html(result, pictures)
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not page.all("b")
    assert not page.all("i")
    assert not page.all("u")
    assert not page.all("v")
    assert name in page.seen()
    assert "<script>alert(1)</script>.png" in page.seen()
    assert any(name in (attrs.get("alt") or "") for attrs, _ in page.all("img"))


def test_no_figure_is_a_dash_and_never_nan():
    result, pictures = made(images=3, psnr=[[NAN, INF, 20.0], [NAN, NAN, NAN]])
    result.methods[0].summary["ab_mse"] = Figure(INF, NAN, INF)
    result.tests = [PairedTest("A", "B", "psnr", Figure(NAN), NAN, 0)]
    page = Page(render_html(result, pictures))
    assert not re.search(r"\b(nan|inf)\b", page.seen(), re.IGNORECASE)
    assert not any(attrs.get("data-value") in ("nan", "inf") for attrs, _ in page.all("td"))
    assert "–" in page.all("td", **{"data-of": "B"})[0][1]
    assert "2 left out" in page.seen()
    for _, attrs, _ in page.elements:  # nor in any drawing
        assert not any(
            re.search(r"\b(nan|inf)\b", value or "") for key, value in attrs.items() if key not in ("src", "href")
        )


def test_missing_pictures():
    result, pictures = made()
    page = Page(render_html(result, lambda name, index: None if (name, index) == ("B", 2) else pictures(name, index)))
    assert len(page.all("div", **{"class": "nopicture"})) == 1
    assert len(page.all("img")) == 19
    page = Page(render_html(result, lambda name, index: None))
    assert "not at hand" in page.seen()
    assert not page.all("img")
    assert not page.all("section", id="colours")


@pytest.mark.parametrize(("images", "methods"), [(1, ("A",)), (1, ("A", "B", "C")), (3, ("A",)), (2, ()), (13, ("A",))])
def test_few_images_and_methods(images, methods):
    result, pictures = made(images, methods)
    page = Page(render_html(result, pictures))
    assert len(page.all("td", **{"class": "best"})) == (3 if len(methods) > 1 else 0)
    shown = [text for _, text in page.all("p", **{"class": "file"})]
    assert sorted(shown) == sorted(set(shown))
    assert bool(page.all("section", id="tests")) == (len(methods) > 1)


def test_one_pixel_pictures():
    result, pictures = made(1, ("A",), size=(1, 1))
    assert Page(render_html(result, pictures)).all("img")


def test_best_is_marked_by_direction_and_baselines_are_apart():
    result, _ = made(methods=("A", "B"))  # PSNR rises with k, FID too
    result.methods[2].summary["psnr"] = Figure(99.0)  # a baseline is never the best
    page = Page(section(result, "summary"))
    best = {float(attrs["data-value"]) for attrs, _ in page.all("td", **{"class": "best"})}
    a, b = (m.summary for m in result.methods[:2])
    assert best == {b["psnr"].value, min(a["ab_mse"].value, b["ab_mse"].value), a["fid_tf"].value}
    apart = [attrs["data-of"] for attrs, _ in page.all("td", **{"class": "baseline"})]
    assert apart == ["gray", "mean ab", "truth"] * 4
    assert [text for _, text in page.all("th", scope="col")] == ["Figure", "A", "B", "gray", "mean ab", "truth"]
    arrows = {attrs["aria-label"] for attrs, _ in page.all("span", **{"class": "arrow"})}
    assert arrows == {"higher is better", "lower is better"}


def test_ties_are_marked_from_either_order_of_a_pair():
    result, _ = made(methods=("A", "B"))
    assert "≈</span>" not in section(result, "summary")  # told apart: the interval leaves zero out
    for a, b in (("A", "B"), ("B", "A")):
        result.tests = [PairedTest(a, b, "psnr", Figure(-0.1, -0.4, 0.2), 0.4, 5)]
        page = Page(section(result, "summary"))
        assert [text.count("≈") for _, text in page.all("td", **{"data-of": "A"})] == [1, 0, 0, 0]


def test_readings_of_paired_tests():
    result, _ = made(methods=("A", "B"))
    lower, zero = Figure(-1.0, -1.5, -0.5), Figure(0.1, -0.2, 0.4)
    result.tests = [
        PairedTest("A", "B", "psnr", lower, 1e-9, 5),
        PairedTest("A", "B", "ab_mse", lower, 0.04, 5),
        PairedTest("A", "B", "psnr", zero, 0.5, 5),
        PairedTest("A", "B", "colourfulness", lower, 0.01, 5),
    ]
    rows = [text for _, text in Page(section(result, "tests")).all("tr")][1:]
    for row, reading in zip(rows, ("B is better", "A is better", "not told apart", "differ"), strict=True):
        assert row.endswith(reading)
    assert "−1.00 dB" in rows[0]
    assert "[−1.50, −0.50]" in rows[0]
    assert "< 0.001" in rows[0]


def test_a_method_below_gray_is_named():
    result, pictures = made(methods=("A",))
    result.methods[0].summary["psnr"] = Figure(20.0)
    result.methods[1].summary["psnr"] = Figure(22.0)
    result.methods[1].summary["ab_mse"] = Figure(1e4)
    assert "No better than the gray photo itself: A in PSNR." in Page(render_html(result, pictures)).seen()


def test_thousands_of_large_images_stay_a_small_page():
    methods = tuple(f"method {i}" for i in range(6))
    result, _ = made(2000, methods, size=(300, 400))
    noise = RNG.integers(96, 160, (300, 400, 3), dtype=np.uint8)  # harder to compress than photographs are
    asked = []

    def pictures(name, index):
        asked.append(index)
        return noise

    text = render_html(result, pictures)
    assert len(text.encode()) < 6e6
    assert len(set(asked)) < AB_PICTURES + 30
    page = Page(text)
    assert {(a["width"], a["height"]) for a, _ in page.all("img")} == {("341", "256")}
    assert "left out to keep this page small" in page.seen()
    assert {"Best", "Worst", "Most disputed", "Random"} <= {text for _, text in page.all("h3")}


def test_many_methods_stay_a_small_page():
    methods = tuple(f"m{i}" for i in range(40))
    result, pictures = made(20, methods)
    result.tests = [PairedTest(a, b, m, Figure(1.0, 0.5, 1.5), 0.01, 20)
                    for a in methods for b in methods if a < b for m in ("psnr", "ab_mse")]  # fmt: skip
    text = render_html(result, pictures)
    assert len(text.encode()) < 6e6
    assert "1,560 comparisons" in Page(text).seen()


def test_same_seed_same_page_and_other_seed_other_examples():
    result, pictures = made(40, ("A", "B"))
    assert render_html(result, pictures) == render_html(result, pictures)
    files = [[t for _, t in Page(render_html(result, pictures, seed=s)).all("p", **{"class": "file"})] for s in (0, 1)]
    assert files[0][:12] == files[1][:12]
    assert files[0] != files[1]


def test_written_whole_or_not_at_all(tmp_path):
    result, pictures = made(2, ("A",))
    write_html(result, pictures, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render_html(result, pictures)
    with pytest.raises(WriteError, match="folder does not exist"):
        write_html(result, pictures, tmp_path / "none" / "report.html")
