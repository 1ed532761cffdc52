"""What the tests of plug-ins share: an installed one, and the command of this checkout."""

import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
ADAPTERS = ROOT / "adapters"
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from chromagan.apps.cli.main import main; sys.exit(main())"


def loaded(path, name, folder=None):
    """Import a file, or a folder by its __init__.py, under a name that no other has."""
    places = None if folder is None else [str(folder)]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def installed(host, folder, words=(sys.executable, "-c", START)):
    """The plug-in of a host, put into a folder as install.py does; it starts the command of this checkout."""
    place = loaded(ADAPTERS / "install.py", "adapters_install").install(host, folder)
    (place / "chromagan_command.json").write_text(json.dumps(list(words)))
    return place


def scene(height=90, width=120):
    """A gray photo with sky, ground and a disc: (H, W) uint8."""
    rows = np.linspace(220, 90, height)[:, None] + np.zeros(width)
    rows[height * 2 // 3 :] -= 60
    noise = np.random.default_rng(0).normal(0, 6, rows.shape)
    return cv2.circle(np.clip(rows + noise, 0, 255).astype(np.uint8), (width // 3, height // 2), height // 5, 60, -1)
