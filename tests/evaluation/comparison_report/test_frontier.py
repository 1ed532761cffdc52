"""What more colour costs, from figures whose means are known."""

import json
import math

from chromagan.evaluation.comparison_report.frontier import frontier_line, frontier_results, frontier_table
from chromagan.evaluation.result import ComparisonResult, MethodResult


def comparison(psnr, gray_psnr):
    count = len(psnr)

    def figures(psnr, colour, lightness):
        return {
            "psnr": psnr, "colourfulness": [colour] * count, "colourfulness_absolute": [colour - 1] * count,
            "lightness_difference": lightness,
        }  # fmt: skip

    return ComparisonResult(
        "folder/1", [f"{i}.png" for i in range(count)], [(2, 3)] * count,
        [MethodResult("ours", figures(psnr, 20.0, [0.25] * (count - 1) + [10.0])),
         MethodResult("gray", figures(gray_psnr, 0.0, [0.0] * count), baseline=True),
         MethodResult("mean ab", figures([psnr + 0.5 for psnr in gray_psnr], 5.0, [0.0] * count), baseline=True),
         MethodResult("truth", figures([math.inf] * count, 40.0, [0.0] * count), baseline=True)],
    )  # fmt: skip


def test_photos_that_are_gray_or_exact_are_left_out_of_both_means_and_counted():
    line = frontier_line(comparison([24.0, 26.0, 50.0, math.inf], [22.0, 23.0, math.inf, 21.0]), "ours")
    assert (line.photos, line.left_out) == (4, 2)
    assert (line.psnr, line.gray_psnr, line.mean_ab_psnr, line.gain) == (25.0, 22.5, 23.0, 2.5)


def test_lightness_that_is_off_in_one_photo_shows():
    line = frontier_line(comparison([24.0, 26.0], [22.0, 23.0]), "ours")
    assert line.largest_lightness_difference == 10
    assert (line.colourfulness, line.true_colourfulness) == (20, 40)
    assert (line.absolute_colourfulness, line.true_absolute_colourfulness) == (19, 39)


def test_the_gray_answer_gains_nothing():
    result = comparison([24.0, 26.0], [22.0, 23.0])
    line = frontier_line(result, "gray")
    assert (line.gain, line.colourfulness, line.largest_lightness_difference) == (0, 0, 0)


def test_table_and_json():
    lines = [frontier_line(comparison(*psnrs), "ours") for psnrs in (([24.0], [22.0]), ([math.inf], [22.0]))]
    first, second = frontier_results([1.0, 0.5], lines)
    assert (first["saturation"], first["psnr"], second["psnr"], second["left_out"]) == (1.0, 24.0, None, 1)
    json.dumps([first, second], allow_nan=False)
    rows = frontier_table([1.0, 0.5], lines).splitlines()
    assert "gray  mean ab" in rows[0]
    assert rows[1].split()[:5] == ["1", "24.000", "22.000", "22.500", "+2.000"]
    assert rows[2].split() == ["0.5", "nan", "nan", "nan", "+nan", "20.00", "40.00", "10.000", "1", "1"]
