"""The programs and the machine that figures come from."""

from __future__ import annotations

import platform

import cv2
import numpy as np
import torch

from chromagan.version import __version__


def versions() -> dict[str, str]:
    """Programs and machine that decide a figure's last digit."""
    return {
        "chromagan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
