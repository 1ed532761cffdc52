"""How steady a model's colours are: the same photo at other sizes, mirrored, cropped, as a poor JPEG, with grain.

    python examples/steadiness.py PHOTOS --model chromagan chromagan@small

Each figure is the mean distance in ab between two paintings of a photo, both brought to 64 x 64: that at the default
size, and that of the photo changed. 2 is hardly seen, 10 is another colour. PHOTOS are made gray first.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from chromagan import Colorizer

SIZES = (128, 256, 384, 512)
Picture = np.ndarray


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("--model", nargs="+", default=["chromagan"], help="names or files of weights")
    parser.add_argument("--limit", type=int, default=100, help="so many photos, the first by name")
    options = parser.parse_args()
    files = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".png", ".webp"))
    for name in options.model:
        colorizer = Colorizer.from_pretrained(name)
        rows = [changes(colorizer, gray(file)) for file in files[: options.limit]]
        mean = {change: np.mean([row[change] for row in rows]) for change in rows[0]}
        print(f"{name}, {len(rows)} photos:", ", ".join(f"{change} {value:.2f}" for change, value in mean.items()))


def gray(file: Path) -> Picture:
    """A photo's lightness, (H, W) uint8."""
    return cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)


def changes(colorizer: Colorizer, photo: Picture) -> dict[str, float]:
    """The distance of each change's painting to the photo's own."""
    own = colorizer(photo)
    rows, columns = photo.shape[0] // 40, photo.shape[1] // 40  # 5 % of each side, half of it at each end
    inside = np.s_[rows : photo.shape[0] - rows, columns : photo.shape[1] - columns]
    grain = np.random.default_rng(0).normal(0, 5, photo.shape)
    poor = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]

    def distance(changed: Picture, back: Callable[[Picture], Picture] = lambda painted: painted) -> float:
        return apart(own, back(colorizer(np.ascontiguousarray(changed))))

    return {
        **{f"{size} px": apart(own, colorizer(photo, size=size)) for size in SIZES},
        "mirrored": distance(photo[:, ::-1], lambda painted: painted[:, ::-1]),
        "cropped by 5 %": apart(own[inside], colorizer(np.ascontiguousarray(photo[inside]))),
        "JPEG 50": distance(cv2.imdecode(poor, cv2.IMREAD_GRAYSCALE)),
        "grain of 5 levels": distance(np.clip(photo + grain, 0, 255).astype(np.uint8)),
    }


def apart(one: Picture, other: Picture) -> float:
    """Mean distance in ab between two paintings, (H, W, 3) uint8 RGB."""
    small = [cv2.resize(ab(picture), (64, 64), interpolation=cv2.INTER_AREA) for picture in (one, other)]
    return float(np.linalg.norm(small[0] - small[1], axis=-1).mean())


def ab(picture: Picture) -> Picture:
    """The ab planes, (H, W, 2)."""
    return cv2.cvtColor(np.float32(picture) / 255, cv2.COLOR_RGB2LAB)[..., 1:]


if __name__ == "__main__":
    main()
