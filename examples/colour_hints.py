"""Tell a photograph some of its colours, and paint it at two strengths of colour.

    python examples/colour_hints.py PHOTO 0.42,0.31=#a03c28 0.8,0.9=#6c7a3e -o hinted.png

A hint is X,Y=#RRGGBB: shares of the photo from its left edge and its top. `chromagan sample --hints FILE` does the same
from a file.
"""

import argparse
from pathlib import Path

from chromagan import Colorizer, Guidance
from chromagan.conditioning.guidance import Stroke


def stroke(text: str) -> Stroke:
    """A dot of colour."""
    place, _, colour = text.partition("=#")
    x, y = map(float, place.split(","))
    red, green, blue = bytes.fromhex(colour)
    return Stroke("colour", ((x, y),), radius=0.02, rgb=(red, green, blue))


def main() -> None:
    """Paint, and save beside it a calmer one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("hints", nargs="+", metavar="X,Y=#RRGGBB")
    parser.add_argument("-o", "--out", type=Path, default=Path("hinted.png"))
    parser.add_argument("--model", default="chromagan@small", help="any weights")
    args = parser.parse_args()

    guidance = Guidance(strokes=tuple(map(stroke, args.hints)))
    session = Colorizer.from_pretrained(args.model).open(args.photo)  # read once, through the network once
    session.paint(guidance=guidance)[0].save(args.out)
    calm = args.out.with_stem(f"{args.out.stem}-calm")
    session.paint(guidance=guidance, saturation=0.7)[0].save(calm)
    print(f"{args.out} and {calm}")


if __name__ == "__main__":
    main()
