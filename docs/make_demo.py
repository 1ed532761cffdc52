"""Make `docs/demo.jpg`: gray photographs above, what the shipped weights made of them below.

    python docs/make_demo.py

The photographs ship with scikit-image (astronaut: NASA, public domain; camera, chelsea, coffee: CC0; rocket: SpaceX,
public domain) and scikit-learn (china: danielbuechele, CC BY 2.0). `camera` exists in gray only.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from sklearn.datasets import load_sample_image

from chromagan import Colorizer

HEIGHT = 256


def main() -> None:
    """Colorize and write the sheet beside this script."""
    names = ("camera", "astronaut", "chelsea", "coffee", "rocket")
    pictures = [*(getattr(skimage.data, name)() for name in names), load_sample_image("china.jpg")]
    grays = [p if p.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(p), cv2.COLOR_RGB2GRAY) for p in pictures]
    columns = []
    for gray, colour in zip(grays, Colorizer.from_pretrained()(grays), strict=True):
        pair = [np.repeat(gray[..., None], 3, 2), colour]
        width = round(gray.shape[1] * HEIGHT / gray.shape[0])
        columns.append(np.vstack([cv2.resize(p, (width, HEIGHT), interpolation=cv2.INTER_AREA) for p in pair]))
    sheet = np.hstack(columns)[..., ::-1]
    cv2.imwrite(str(Path(__file__).with_name("demo.jpg")), sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
