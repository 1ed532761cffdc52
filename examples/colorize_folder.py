"""Colorize the photographs of a folder.

    python examples/colorize_folder.py PHOTOS -o colored/

`chromagan sample` does the same, with reading, network and writing at once. This is the plain loop, to build on.
"""

import argparse
import sys
from pathlib import Path

from chromagan import Colorizer, Request
from chromagan.errors import ChromaganError
from chromagan.files.find import find_photo_files
from chromagan.images.read import read_photo


def main() -> int:
    """0 when every photograph was colorized."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder")
    parser.add_argument("-o", "--out", type=Path, default=Path("colored"))
    parser.add_argument("--model", default="chromagan", help="a shipped name, a weights file or OWNER/NAME of the Hub")
    parser.add_argument("--saturation", type=float, default=1.0)
    args = parser.parse_args()

    colorizer = Colorizer.from_pretrained(args.model)
    failed = 0
    for path in find_photo_files(args.photos):
        target = args.out / path.relative_to(args.photos).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            photo = read_photo(path)  # upright, sRGB, 8 or 16 bits, with its metadata
            [[colored]] = colorizer.colorize([photo], Request(saturation=args.saturation))
            colored.save(target)  # the mark that says that the colours are made up included
        except ChromaganError as error:  # one line: what, which file, what to do
            print(error, file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
