"""What all tests share: the mark `quick`, Ctrl-C as a terminal has it, and photographs that scikit-image ships."""

import os
import signal
from pathlib import Path

import cv2
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several test processes share the cores: PyTorch's threads of one would wait for those of another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Rooms and files whose tests train networks, time them, or build large ones.
UNHURRIED = {"training", "benchmark", "test_onnx.py", "test_export.py", "test_zoo.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`-m quick` is what is not marked otherwise, but for what takes its time."""
    for item in items:
        named = {mark.name for mark in item.iter_markers()} & {"slow", "process", "browser"}
        rooms = item.path.parts[len(Path(__file__).parent.parts) :]
        if not named and UNHURRIED.isdisjoint(rooms):
            item.add_marker(pytest.mark.quick)


def pytest_configure():
    """Some tests interrupt themselves or their children; a shell's background jobs start with Ctrl-C ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory):
    """A folder of four colour photographs of scikit-image, 96 pixels on the short side, as PNG."""
    skimage_data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("scikit_image")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photo = getattr(skimage_data, name)()
        scale = 96 / min(photo.shape[:2])
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return folder
