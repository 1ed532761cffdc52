"""Colour a stretch of a film, with a colour photo as reference.

    python examples/film.py reel.mp4 colour.mp4 --reference garden.jpg --from 1:20 --to 1:30

Needs `pip install "chromagan[film]"`. `chromagan film` has more options.
"""

import argparse
from pathlib import Path

from chromagan.film import colorize


def main() -> None:
    """Colour, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--reference", nargs="+", default=[])
    parser.add_argument("--from", dest="start")
    parser.add_argument("--to", dest="stop")
    args = parser.parse_args()

    made = colorize(args.film, args.output, references=args.reference, start=args.start, stop=args.stop)
    print(f"{made.frames} frames, {made.scenes} scenes; the network painted {made.keys} frames")
    for note in made.notes:
        print(note)


if __name__ == "__main__":
    main()
