"""Colour spaces named by numbers: cICP of PNG and nclx of HEIF and AVIF (ITU-T H.273), gAMA and cHRM of PNG.

They become ICC profiles, and go the way of those that are embedded. HDR signals (PQ, HLG) come down to the range of
sRGB: up to 80 % of reference white (203 nits, ITU-R BT.2408) as they are, what is brighter runs softly into white.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from chromagan.images.icc import SRGB_CURVE, SRGB_D50, build_profile, curve_tag

_D65 = (0.3127, 0.329)
# H.273, table 2: red, green, blue; white is D65 where none follows.
_PRIMARIES = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316), 5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07), 7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046), 11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), 22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}  # fmt: skip
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_PQ, _HLG = 16, 18
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of_code_points(primaries: int, transfer: int, notes: list[str]) -> bytes | None:
    """The profile of H.273's numbers; None for sRGB, for what is close to it, and for numbers without a meaning.

    Args:
        primaries: ColourPrimaries.
        transfer: TransferCharacteristics; those of television count as sRGB's, as in browsers.
        notes: gets a line where an HDR signal comes down.
    """
    corners = _PRIMARIES.get(primaries)
    if corners is None and transfer not in (*_GAMMAS, _PQ, _HLG):
        return None
    curve = SRGB_CURVE
    if transfer in _GAMMAS:
        curve = curve_tag(_GAMMAS[transfer])
    elif transfer in (_PQ, _HLG):
        table = _softened((_pq if transfer == _PQ else _hlg)(np.linspace(0, 1, 4096)))
        curve = struct.pack(">4sII", b"curv", 0, 4096) + np.rint(table * 65535).astype(">u2").tobytes()
        notes.append(f"its HDR brightness ({'PQ' if transfer == _PQ else 'HLG'}) is brought down to that of sRGB")
    return build_profile(b"code points", _columns(corners) if corners else SRGB_D50, curve)


def profile_of_gamma(gamma: float, corners: Sequence[float] | None) -> bytes | None:
    """The profile of a PNG's gAMA and cHRM (white, red, green, blue); None where both say sRGB."""
    columns = SRGB_D50
    if corners is not None and min(corners[1::2]) > 0:
        found = _columns((*corners[2:], *corners[:2]))
        columns = found if np.abs(found - SRGB_D50).max() > 0.003 else SRGB_D50
    if abs(gamma - 0.45455) < 0.005 and columns is SRGB_D50:
        return None
    return build_profile(b"gamma", columns, curve_tag(1 / gamma)) if 0.1 < gamma < 10 else None


def _columns(corners: Sequence[float]) -> np.ndarray:
    """XYZ of red, green and blue under D50 (Bradford), from their chromaticities and that of white."""
    xy = np.array([*corners, *_D65][:8]).reshape(4, 2)
    xyz = np.column_stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]]).T
    colours, white = xyz[:, :3], xyz[:, 3]
    cone = (_BRADFORD @ SRGB_D50.sum(axis=1)) / (_BRADFORD @ white)
    return np.linalg.inv(_BRADFORD) @ np.diag(cone) @ _BRADFORD @ (colours * np.linalg.solve(colours, white))


def _pq(signal: np.ndarray) -> np.ndarray:
    """Light of a PQ signal (SMPTE ST 2084), 1 for reference white."""
    power = signal ** (32 / 2523)
    return 10000 / 203 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)


def _hlg(signal: np.ndarray) -> np.ndarray:
    """Light of an HLG signal (ITU-R BT.2100), 1 for reference white, which is 75 % of the signal.

    As on a display of some 330 nits, for which the system gamma is 1.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return scene / 0.26496


def _softened(light: np.ndarray, knee: float = 0.8) -> np.ndarray:
    over = np.maximum(light - knee, 0) / (1 - knee)
    return np.where(light <= knee, light, knee + (1 - knee) * (1 - np.exp(-over)))
