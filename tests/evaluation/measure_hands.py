"""Have hands the colour of the face? Twenty everyday photographs, hands and faces marked by hand.

    python tests/evaluation/measure_hands.py DATA/eval/everyday --model chromagan chromagan@small

The distance between the mean ab of the hands and that of the faces, mean over photographs, in Lab units, beside that of
the truth. Gray, and one colour for all, have 0: the error of the hands' mean ab stands beside it.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from chromagan.evaluation.baselines import gray_of_8bit
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.reports.tables import format_table

# Faces and hands as ellipses (x, y, half width, half height) in pixels of the photograph.
MARKS = {
    "bengal_005542": ([(145, 43, 9, 10), (99, 33, 8, 8)], [(115, 122, 5, 6), (90, 108, 5, 4)]),
    "flickrr1_000858": ([(51, 17, 8, 9), (149, 66, 6, 7)], [(98, 30, 5, 10)]),
    "flickrr2_000938": ([(70, 88, 22, 12)], [(30, 126, 16, 10)]),
    "lspet_004774": ([(72, 112, 6, 8)], [(43, 58, 4, 4), (97, 58, 4, 4)]),
    "msed_008260": ([(68, 45, 7, 10)], [(98, 70, 6, 7), (22, 92, 7, 6)]),
    "msed_008262": ([(145, 48, 9, 11), (79, 73, 8, 7)], [(107, 106, 4, 5), (55, 123, 8, 2)]),
    "msed_008264": ([(112, 75, 10, 10)], [(133, 90, 6, 7), (105, 130, 12, 9)]),
    "msed_008265": ([(47, 15, 7, 9), (110, 27, 5, 8)], [(16, 79, 4, 4), (99, 97, 4, 4)]),
    "msed_008267": ([(138, 80, 14, 14)], [(93, 103, 9, 4), (185, 122, 10, 5)]),
    "msed_008268": ([(129, 25, 6, 9), (84, 40, 4, 7)], [(127, 109, 7, 6), (114, 89, 4, 4)]),
    "msed_008269": ([(146, 61, 5, 7)], [(150, 25, 4, 4), (164, 15, 2, 5)]),
    "msed_008270": ([(71, 30, 5, 8)], [(80, 62, 4, 5)]),
    "msed_008272": ([(26, 20, 7, 12)], [(100, 103, 8, 8)]),
    "msed_008277": ([(76, 79, 6, 5), (118, 34, 6, 5)], [(75, 98, 7, 3), (122, 69, 4, 4)]),
    "msed_008278": ([(75, 45, 10, 12)], [(165, 92, 7, 9), (10, 80, 8, 10), (129, 107, 7, 6)]),
    "picsart_002657": ([(75, 90, 20, 26)], [(36, 130, 8, 14)]),
    "picsart_002658": ([(70, 50, 14, 18)], [(98, 160, 5, 11)]),
    "sysu_004504": ([(33, 46, 7, 8)], [(127, 76, 6, 5)]),
    "voc_004080": ([(93, 35, 10, 11)], [(108, 82, 7, 7), (103, 98, 8, 4)]),
    "voc_004081": ([(58, 55, 13, 16)], [(145, 92, 13, 11)]),
}


def mean_ab(ab, marks):
    """Of the pixels within the ellipses."""
    mask = np.zeros(ab.shape[1:], np.uint8)
    for x, y, wide, high in marks:
        cv2.ellipse(mask, (x, y), (wide, high), 0, 0, 360, 1, -1)
    return ab[:, mask > 0].mean(1)


def measure(photos, paint):
    """Mean distance of hands from faces, and mean error of the hands, for a function from RGB to RGB."""
    found = []
    for name, (faces, hands) in MARKS.items():
        truth = to_8bit_rgb(read_photo(photos / f"{name}.webp").pixels)
        true, made = (np.stack(lab_of_8bit(picture)[1:]) for picture in (truth, paint(truth)))
        hand = mean_ab(made, hands)
        found.append([np.linalg.norm(hand - mean_ab(made, faces)), np.linalg.norm(hand - mean_ab(true, hands))])
    return np.mean(found, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", nargs="+", default=["chromagan", "chromagan@small"])
    options = parser.parse_args()
    rows = [("gray", lambda truth: np.repeat(gray_of_8bit(truth)[..., None], 3, 2)), ("truth", lambda truth: truth)]
    for model in options.model:
        colorizer = Colorizer.from_pretrained(model, "cpu")
        rows.append(
            (model, lambda truth, of=colorizer: to_8bit_rgb(of.colorize([gray_of_8bit(truth)])[0][0].photo.pixels))
        )
    table = [[name, *(f"{value:.1f}" for value in measure(options.photos, paint))] for name, paint in rows]
    print(format_table(["", "hands from faces", "hands from the truth"], table))


if __name__ == "__main__":
    main()
