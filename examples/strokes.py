"""Paint a dot of colour on a photograph, keep it in a file of hints, save the picture: examples/strokes.py PHOTO."""

import sys

from chromagan import Colorizer, Guidance
from chromagan.conditioning.guidance import Stroke
from chromagan.images.read import read_photo
from chromagan.inference.hint_files import write_hints

photo = read_photo(sys.argv[1])
guidance = Guidance(strokes=(Stroke("colour", ((0.5, 0.5),), radius=0.02, rgb=(160, 60, 40)),))
write_hints(guidance, photo, f"{sys.argv[1]}.hints.json")  # chromagan sample PHOTO --hints takes it up again
Colorizer.from_pretrained().open(photo).paint(guidance=guidance)[0].save(f"{sys.argv[1]}.red.png")
