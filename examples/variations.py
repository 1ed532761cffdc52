"""Four alternatives of one photograph: python examples/variations.py PHOTO OUT."""

import sys
from pathlib import Path

from chromagan import Colorizer

photo, out = map(Path, sys.argv[1:])
for made in Colorizer.from_pretrained("chromagan@small").open(photo).paint(variations=4, seed=0):
    made.save(out / f"{photo.stem}.seed{made.seed}.png")
