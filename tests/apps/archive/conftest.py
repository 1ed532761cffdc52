"""An archive of generated scans."""

import cv2
import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

from chromagan.apps.archive.shard import load_colorizer  # noqa: E402
from chromagan.images.metadata import ProvenanceMark  # noqa: E402
from chromagan.images.read import Photo  # noqa: E402
from chromagan.images.write import write_photo  # noqa: E402


def scan(seed, size=(60, 80)):
    """(rows, columns) uint8: smooth specks, others for each seed."""
    noise = np.random.default_rng(seed).integers(40, 210, (6, 8), np.uint8)
    return cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def scans(tmp_path):
    """Make a folder of so many gray scans of two shapes; names tell their order."""

    def make(count, name="scans"):
        folder = tmp_path / name
        for number in range(count):
            path = folder / f"{number % 3}" / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), scan(number, (60, 80) if number % 2 else (80, 60)))
        return folder

    return make


@pytest.fixture
def mixed(scans):
    """Three gray scans, and one of each case that is no work."""
    folder = scans(3, "mixed")
    ramp = np.mgrid[0:60, 0:80].astype(np.float32)
    colours = np.dstack((scan(7), scan(8), np.uint8(ramp[1] * 3)))
    write_photo(Photo(colours, format="png"), folder / "colour.png", None)
    sepia = np.dstack([np.uint8(scan(9) * share) for share in (1.0, 0.86, 0.68)])
    write_photo(Photo(sepia, format="png"), folder / "sepia.png", None)
    write_photo(Photo(colours, format="png"), folder / "ours.png", ProvenanceMark("m", "0" * 64, "chromagan 0"))
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def painter():
    """The colorizer of an order, as an actor loads it."""
    return load_colorizer
