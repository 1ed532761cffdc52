"""Colour a photograph by others, and tell what each of them did.

    python examples/reference_photos.py PHOTO house-today.jpg uniform.jpg -o coloured.png

`chromagan sample PHOTO --reference house-today.jpg uniform.jpg` does the same.
"""

import argparse
from pathlib import Path

from chromagan import Colorizer, Guidance
from chromagan.conditioning.guidance import Reference


def main() -> None:
    """Paint, save, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("references", nargs="+", metavar="REFERENCE")
    parser.add_argument("-o", "--out", type=Path, default=Path("coloured.png"))
    args = parser.parse_args()

    guidance = Guidance(references=tuple(map(Reference, args.references)))
    (made,) = Colorizer.from_pretrained().open(args.photo).paint(guidance=guidance)
    made.save(args.out)
    for one in made.references:
        print(f"{one.name}: score {one.score:.2f}, share {one.share:.0%}")


if __name__ == "__main__":
    main()
