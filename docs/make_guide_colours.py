"""Make the pictures of docs/guide/variations.md, regions.md and palettes.md.

    python docs/make_guide_colours.py

The photographs ship with scikit-image (astronaut: NASA, public domain; coffee: CC0).
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from chromagan import Colorizer
from chromagan.conditioning.guidance import Guidance, Palette, Region

GUIDE = Path(__file__).with_name("guide")
HEIGHT = 260
SEA = Palette(("#0b3954", "#087e8b", "#bfd7ea"))
TURNS = np.linspace(0, 2 * np.pi, 60)
SAUCER = Region(
    polygons=(tuple((0.463 + 0.337 * x, 0.6 + 0.385 * y) for x, y in zip(np.cos(TURNS), np.sin(TURNS), strict=True)),)
)


def main() -> None:
    """Colorize and write the sheets."""
    colorizer = Colorizer.from_pretrained("chromagan@small")
    coffee, astronaut = (
        cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in (skimage.data.coffee(), skimage.data.astronaut())
    )
    session = colorizer.open(astronaut)
    save("variations", [session.paint()[0], *session.paint(variations=4)])
    session = colorizer.open(coffee)
    plain = session.paint()[0]
    save("regions", [plain, session.paint(guidance=Guidance(only=SAUCER))[0]])
    half = Palette(SEA.colours, (), 0.5)
    save("palettes", [plain, *(session.paint(guidance=Guidance(palette=one))[0] for one in (half, SEA))])


def save(name: str, pictures: list) -> None:
    """Pictures of one photo beside each other."""
    pixels = [one.photo.pixels for one in pictures]
    width = round(pixels[0].shape[1] * HEIGHT / pixels[0].shape[0])
    row = np.hstack([cv2.resize(one, (width, HEIGHT), interpolation=cv2.INTER_AREA) for one in pixels])
    cv2.imwrite(str(GUIDE / f"{name}.jpg"), row[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
