"""Tables and files of a comparison, from figures made up."""

import csv
import json
import math
import re

import numpy as np
import pytest

from chromagan.errors import WriteError
from chromagan.evaluation.comparison_report import files
from chromagan.evaluation.comparison_report.files import as_json, write_comparison, write_per_image
from chromagan.evaluation.comparison_report.tables import best_methods, latex, markdown, plain_table
from chromagan.evaluation.result import ComparisonResult, Figure, MethodResult, PairedTest


def method(name, psnr, ciede2000, colourfulness, baseline=False):
    summary = {
        "psnr": Figure(psnr, psnr - 1, psnr + 1, 2, 1),
        "ciede2000": Figure(ciede2000),
        "colourfulness": Figure(colourfulness),
        "fid_tf": Figure(psnr / 2),
    }
    rows = {"psnr": [psnr - 1, psnr + 1, math.inf], "ciede2000": [ciede2000] * 3}
    return MethodResult(name, rows, {"fid_tf": summary["fid_tf"]}, baseline, summary)


@pytest.fixture
def result():
    return ComparisonResult(
        protocol="folder/1",
        images=["a.png", "b/c.png", "d.png"],
        sizes=[(3, 4), (5, 6), (7, 8)],
        methods=[method("ours_1 & co", 25.12345, 9, 30), method("theirs|2", 24, 8, 40), method("gray", 22, 12, 0, True),
                 method("truth", math.nan, 0, 39, True)],
        tests=[PairedTest("ours_1 & co", "theirs|2", "psnr", Figure(1.1, 0.5, 1.7, 2), 0.0123, 2),
               PairedTest("ours_1 & co", "theirs|2", "ciede2000", Figure(0.0), math.nan, 3)],
        settings={"methods": {"ours_1 & co": {"weights_sha256": "ab" * 32, "saturation": 0.5}}, "metrics": ["psnr"]},
        versions={"chromagan": "0.1"},
        missing={"lpips_vgg": "lpips_vgg is left out: put the file into a folder"},
        warnings=["3 images: too few"],
    )  # fmt: skip


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_everything(result):
    page = markdown(result)
    lines = page.splitlines()
    table = [cells(line) for line in lines if line.startswith("|")][: 2 + 4]
    assert table[0] == ["method", "psnr ↑", "ciede2000 ↓", "colourfulness", "fid_tf ↓"]
    assert table[2] == ["ours\\_1 & co", "**25.123 [24.123, 26.123]**", "9.00", "30.00", "12.56"]
    assert table[3] == ["theirs\\|2", "24.000 [23.000, 25.000]", "**8.00**", "40.00", "**12.00**"]
    assert table[4][0] == "*gray*"
    assert table[5][1] == "-"
    assert {len(row) for row in table} == {5}
    tests = [cells(line) for line in lines if line.startswith("|")][8:]
    assert tests[0] == ["psnr", "ours\\_1 & co", "theirs\\|2", "+1.100 [+0.500, +1.700]", "0.012", "2"]
    assert tests[1] == ["ciede2000", "ours\\_1 & co", "theirs\\|2", "+0.00", "-", "3"]
    for text in ("lpips_vgg is left out", "3 images: too few", "ab" * 32, '"chromagan": "0.1"', "folder/1, 3 images"):
        assert text in page
    assert "nan" not in page


def test_latex_is_balanced_and_escaped(result):
    text = latex(result)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    rows = [line for line in body if line.endswith(r"\\")]
    assert all(len(re.findall(r"(?<!\\)&", row)) == 4 for row in rows)
    assert r"ours\_1 \& co & \textbf{25.123} & 9.00 & 30.00 & 12.56 \\" in body
    assert body[0] == r"\begin{tabular}{lrrrr}"
    assert body[-1] == r"\end{tabular}"
    assert sum(line == r"\midrule" for line in body) == 2
    assert all(line.startswith("%") for line in text.splitlines() if "sha256" in line or "left out" in line)
    assert r"truth & -- &" in text


def test_the_best_has_company_when_figures_look_alike(result):
    assert best_methods(result) == {
        "psnr": {"ours_1 & co"}, "ciede2000": {"theirs|2"}, "colourfulness": set(), "fid_tf": {"theirs|2"},
    }  # fmt: skip
    result.methods[1].summary["psnr"] = Figure(25.12341)
    assert best_methods(result)["psnr"] == {"ours_1 & co", "theirs|2"}
    del result.methods[1]
    assert best_methods(result)["psnr"] == set()  # alone is no contest


def test_a_zero_has_no_sign(result):
    result.methods[0].summary["fid_tf"] = Figure(-1e-9, -0.0, 0.1)
    assert "**0.00 [0.00, 0.10]** |" in markdown(result)
    assert r"\textbf{0.00}" in latex(result)


def test_plain_table_turns_metrics_down(result):
    lines = plain_table(result).splitlines()
    assert lines[0].split() == ["ours_1", "&", "co", "theirs|2", "gray", "truth"]
    assert lines[1].split() == ["psnr", "(+)", "25.123", "24.000", "22.000", "-"]


def test_json_is_strict_and_complete(result):
    content = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert content["methods"][0]["figures"]["psnr"] == {
        "value": 25.12345, "low": 24.12345, "high": 26.12345, "count": 2, "left_out": 1,
    }  # fmt: skip
    assert content["methods"][3]["figures"]["psnr"]["value"] is None
    assert content["tests"][1]["p_value"] is None
    assert content["tests"][0]["difference"]["low"] == 0.5
    assert content["missing"] == result.missing
    assert content["higher_is_better"]["colourfulness"] is None


def test_per_image_figures_are_written_in_full(result, tmp_path):
    write_per_image(result, tmp_path)
    rows = list(csv.DictReader((tmp_path / "per_image.csv").open()))
    assert [(r["method"], r["name"]) for r in rows] == [
        (name, image) for name in ("ours_1 & co", "theirs|2") for image in result.images
    ]
    assert (rows[0]["saturation"], rows[3]["saturation"]) == ("0.5", "")
    assert float(rows[0]["psnr"]) == 24.12345
    assert (rows[2]["psnr"], rows[1]["height"], rows[1]["width"]) == ("inf", "5", "6")
    free = list(csv.DictReader((tmp_path / "per_image_baselines.csv").open()))
    assert [r["method"] for r in free] == ["gray"] * 3 + ["truth"] * 3


def test_all_files_are_written_or_one_error_says_why(result, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(files, "write_html", lambda *arguments: calls.append(arguments))

    def pictures(name, index):
        return np.zeros((2, 2, 3), np.uint8)

    write_comparison(result, pictures, tmp_path / "r", {"results": [1]}, "| published |")
    assert calls == [(result, pictures, tmp_path / "r" / "report.html")]
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["results"] == [1]
    assert "## Published figures\n\n| published |" in (tmp_path / "r" / "table.md").read_text(encoding="utf-8")
    assert (tmp_path / "r" / "table.tex").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        write_comparison(result, pictures, tmp_path / "file" / "r")
