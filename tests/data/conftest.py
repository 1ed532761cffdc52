"""Small generated photos that the data tests share."""

import io
import tarfile

import cv2
import numpy as np
import pytest


def smooth_photo(seed, height=48, width=56, gray=False):
    """A smooth BGR picture of its own colours, or a gray one."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 1 if gray else 3), dtype=np.uint8)
    small = np.broadcast_to(small, (4, 4, 3)).copy()
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(image, suffix=".png"):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture
def photo():
    return smooth_photo


@pytest.fixture
def encoded():
    return encode


@pytest.fixture
def make_folder(tmp_path):
    """A folder of good colour photos, then gray ones, then broken files."""

    def make(good, gray=0, broken=0, name="photos", **size):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(good):
            (folder / f"a{i:03d}.png").write_bytes(encode(smooth_photo(i, **size)))
        for i in range(gray):
            (folder / f"g{i:03d}.png").write_bytes(encode(smooth_photo(100 + i, gray=True, **size)))
        for i in range(broken):
            (folder / f"x{i:03d}.jpg").write_bytes(b"not a photo")
        return folder

    return make


@pytest.fixture
def make_shard():
    """A tar of the given name -> bytes."""

    def make(path, files):
        with tarfile.open(path, "w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return make
