"""Colour spaces that are named by numbers: PNG's gAMA, cHRM and cICP, those of HEIF and AVIF; HDR comes down."""

import logging
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ImageCms, features

from chromagan.images.coding import profile_of_code_points
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import read_photo
from chromagan.images.write import write_photo

CASES = Path(__file__).parent / "cases"
MARK = ProvenanceMark("m", "s", "t")
RAMP = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(path, pixels, *chunks):
    """A PNG with chunks before its pixels."""
    data = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return path


def decode(code):
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def encode(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.38, 0.45455])
@pytest.mark.parametrize("shape", ["gray", "rgb"])
@pytest.mark.parametrize("depth", [8, 16])
def test_gamma(tmp_path, gamma, shape, depth):
    top = 2**depth - 1
    values = RAMP if depth == 16 else np.rint(RAMP / 257).astype(np.uint8)
    values = values if shape == "gray" else np.dstack([values] * 3)
    seen = read_photo(png(tmp_path / "a.png", values, chunk(b"gAMA", struct.pack(">I", round(gamma * 100000))))).pixels
    wanted = values if gamma == 0.45455 else top * encode((values / top) ** (1 / (round(gamma * 100000) / 100000)))
    assert np.abs(seen - wanted.astype(float)).max() <= (1.5 if depth == 8 else 2)


@pytest.mark.parametrize("extra", ["sRGB", "iCCP"])
def test_gamma_gives_way_to_what_says_more(tmp_path, extra):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = chunk(b"sRGB", b"\x00") if extra == "sRGB" else chunk(b"iCCP", b"x\x00\x00" + zlib.compress(profile))
    gamma = chunk(b"gAMA", struct.pack(">I", 100000))
    np.testing.assert_array_equal(read_photo(png(tmp_path / "a.png", RGB, gamma, more)).pixels, RGB)


# Linear light of Display P3 and of Rec. 2020 to that of sRGB (CSS Color 4's matrices)
TO_SRGB = {
    12: [[1.2249401763, -0.2249401763, 0], [-0.0420569547, 1.0420569547, 0],
         [-0.0196375546, -0.0786360456, 1.0982736001]],
    9: [[1.6604910021, -0.5876411388, -0.0728498633], [-0.1245504745, 1.1328998971, -0.0083494226],
        [-0.0181507634, -0.1005788980, 1.1187296614]],
}  # fmt: skip


@pytest.mark.parametrize("primaries", TO_SRGB)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("by", ["cICP", "cHRM"])
def test_primaries(tmp_path, primaries, depth, by):
    calm = (RGB // 3 + 80).astype(np.uint8)  # colours that sRGB has
    pixels = calm if depth == 8 else calm.astype(np.uint16) * 257
    corners = {12: (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
               9: (31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)}[primaries]  # fmt: skip
    light = decode(calm / 255)
    chunks = [chunk(b"cICP", bytes([primaries, 13, 0, 1]))]
    if by == "cHRM":
        chunks = [chunk(b"gAMA", struct.pack(">I", 100000)), chunk(b"cHRM", struct.pack(">8I", *corners))]
        light = calm / 255
    seen = read_photo(png(tmp_path / "a.png", pixels, *chunks)).pixels / (2**depth - 1)
    wanted = encode(np.clip(light @ np.array(TO_SRGB[primaries]).T, 0, 1))
    assert np.abs(seen - wanted).max() * 255 < 2


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_comes_down_with_a_line(tmp_path, caplog, transfer, name):
    """A gray ramp keeps its order, its middle is as bright as it is meant, and reference white is nearly white."""
    path = png(tmp_path / "a.png", np.dstack([RAMP] * 3), chunk(b"cICP", bytes([9, transfer, 0, 1])))
    photo = read_photo(path)
    row = photo.pixels[0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    signal = np.linspace(0, 1, 64)
    if transfer == 16:  # ST 2084, in cd/m2
        power = signal ** (1 / 78.84375)
        nits = 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        light = nits / 203
    else:  # 75 % of HLG is reference white
        upper = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(signal <= 0.5, signal**2 / 3, upper) / 0.265
    dark = light < 0.75
    np.testing.assert_allclose(row[dark] / 65535, encode(light[dark]), atol=0.01)
    assert row[np.argmin(np.abs(light - 1))] > 0.9 * 65535
    with caplog.at_level(logging.WARNING):
        write_photo(photo, tmp_path / "out.png", MARK)
    assert f"its HDR brightness ({name})" in caplog.text
    assert str(path) in caplog.text


def test_hlg_in_heif_is_the_picture_that_it_was_made_of():
    pytest.importorskip("pillow_heif")
    photo = read_photo(CASES / "hlg.heic")
    truth = read_photo(CASES / "jpeg_xmp_unbound.jpg").pixels  # the same picture, in sRGB
    assert np.abs(photo.pixels[..., 0] / 257 - truth).mean() < 3
    assert any("HLG" in note for note in photo.notes)


def test_nclx_of_avif(tmp_path):
    if not features.check("avif"):
        pytest.skip("no AVIF")
    imagecodecs = pytest.importorskip("imagecodecs")
    calm = cv2.resize(RGB[:6, :8], (64, 48), interpolation=cv2.INTER_CUBIC) // 3 + 80
    data = bytearray(imagecodecs.avif_encode(calm, level=100))
    at = data.index(b"colrnclx")
    data[at + 8 : at + 12] = struct.pack(">HH", 12, 13)
    (tmp_path / "a.avif").write_bytes(data)
    wanted = encode(np.clip(decode(calm / 255) @ np.array(TO_SRGB[12]).T, 0, 1)) * 255
    assert np.abs(read_photo(tmp_path / "a.avif").pixels - wanted).mean() < 2


def test_code_points_of_srgb_and_television_change_nothing():
    assert all(profile_of_code_points(*pair, []) is None for pair in ((1, 13), (1, 1), (2, 2), (1, 6), (0, 200)))
