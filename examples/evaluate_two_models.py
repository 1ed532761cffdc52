"""Compare two colorizers on colour photographs.

    python examples/evaluate_two_models.py PHOTOS chromagan mine.safetensors

`chromagan evaluate --data PHOTOS --model A B --out report/` writes a report of the same figures. Both see the gray
photo, and the difference is taken photo by photo, since photos differ more than colorizers do.
"""

import argparse
import sys
from pathlib import Path

import chromagan
from chromagan.errors import ChromaganError


def main() -> int:
    """0 when there was something to compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of colour photographs")
    parser.add_argument("models", nargs=2, help="names of the catalogue, weights files or OWNER/NAME of the Hub")
    args = parser.parse_args()

    named = [f"{name}={model}" for name, model in zip("AB", args.models, strict=True)]
    try:
        found = chromagan.evaluate(data=args.photos, model=named, metrics=["psnr", "colourfulness"])
    except ChromaganError as error:  # one line: what, which file, what to do
        print(error, file=sys.stderr)
        return 1
    for name, model in zip("AB", args.models, strict=True):
        figures = found.figures[name]
        print(f"{model}: {figures['psnr']:.3f} dB, colourfulness {figures['colourfulness']:.1f}")
    [test] = [test for test in found.result.tests if test.metric == "psnr"]
    low, high = test.difference.low, test.difference.high
    print(f"{test.a} - {test.b}: {test.difference.value:+.3f} dB [{low:+.3f}, {high:+.3f}], {test.images} photographs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
