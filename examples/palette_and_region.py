"""A palette, inside of a mask alone: python examples/palette_and_region.py PHOTO MASK OUT.png."""

import sys

from chromagan import Colorizer
from chromagan.conditioning.guidance import Guidance, Palette, Region

photo, mask, out = sys.argv[1:]
guidance = Guidance(palette=Palette(("#0b3954", "#087e8b", "#bfd7ea"), strength=0.8), only=Region(file=mask))
Colorizer.from_pretrained().open(photo).paint(guidance=guidance)[0].save(out)
