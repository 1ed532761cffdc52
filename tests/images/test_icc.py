"""Profiles: against littlecms at 8 bits, against closed forms at 16."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from chromagan.images import icc
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import write_photo

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
ADOBE = np.array(
    [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
)
P3 = np.array([[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0.0, 0.0451134, 1.0439444]])
SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def encode(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


def profile(space, tags, pcs=b"XYZ ", version=0x02400000):
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", version, b"mntr", space, pcs) + struct.pack(
        ">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp"
    )
    head = head.ljust(68, b"\x00") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\x00") + struct.pack(">I", len(tags)) + table + body


def xyz(values):
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(float(v) * 65536) for v in values))


def gamma(value):
    return struct.pack(">4sIIH", b"curv", 0, 1, round(value * 256))


def table(values):
    return struct.pack(">4sII", b"curv", 0, len(values)) + np.rint(np.asarray(values) * 65535).astype(">u2").tobytes()


TEXT = struct.pack(">4sII", b"desc", 0, 2) + b"x\x00" + bytes(78)
WHITE = {b"desc": TEXT, b"cprt": b"text\x00\x00\x00\x00x\x00", b"wtpt": xyz((0.9642, 1, 0.8249))}


def rgb_profile(primaries, curve):
    gains = BRADFORD @ (0.9642, 1, 0.8249) / (BRADFORD @ primaries.sum(1))
    columns = np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ primaries
    return profile(b"RGB ", {**WHITE, **{n: xyz(columns[:, i]) for i, n in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
                             **{n: curve for n in (b"rTRC", b"gTRC", b"bTRC")}})  # fmt: skip


def gray_profile(curve, pcs=b"XYZ "):
    return profile(b"GRAY", {**WHITE, b"kTRC": curve}, pcs)


SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PARA = struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(round(v * 65536) for v in SRGB_CURVE))
ADOBE_RGB, DISPLAY_P3 = rgb_profile(ADOBE, gamma(563 / 256)), rgb_profile(P3, PARA)
DOT_GAIN = table((np.arange(256) / 255) ** 1.75 * 0.98 + 0.02 * np.arange(256) / 255)
GRAYS = {"2.2": gray_profile(gamma(2.2)), "linear": gray_profile(gamma(1.0)), "identity": gray_profile(table([])),
         "dot gain": gray_profile(DOT_GAIN), "lab": gray_profile(gamma(1.0), b"Lab ")}  # fmt: skip


def colours(dtype=np.uint8):
    rng = np.random.default_rng(5)
    return rng.integers(0, np.iinfo(dtype).max + 1, (40, 50, 3)).astype(dtype)


def littlecms(image, source):
    own, target = ImageCms.ImageCmsProfile(io.BytesIO(source)), ImageCms.createProfile("sRGB")
    # Unoptimised: littlecms otherwise samples a gray curve at 33 points, 10 levels off in the shadows of a linear one.
    flags = ImageCms.Flags.NOOPTIMIZE
    done = ImageCms.profileToProfile(image, own, target, outputMode="RGB", flags=flags)
    return np.asarray(done)


@pytest.mark.parametrize("source", [ADOBE_RGB, DISPLAY_P3], ids=["AdobeRGB", "P3"])
def test_8_bit_rgb_is_what_littlecms_says(tmp_path, source):
    Image.fromarray(colours()).save(tmp_path / "a.png", icc_profile=source)
    mine = read_photo(tmp_path / "a.png").pixels.astype(int)
    assert np.abs(mine - littlecms(Image.fromarray(colours()), source)).max() <= 1
    assert np.abs(mine - colours()).mean() > 2  # and not the unchanged pixels


@pytest.mark.parametrize(("source", "primaries"), [(ADOBE_RGB, ADOBE), (DISPLAY_P3, P3)], ids=["AdobeRGB", "P3"])
def test_16_bit_rgb_is_the_closed_form(tmp_path, source, primaries):
    deep = colours(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=source)
    back = read_photo(tmp_path / "a.tif").pixels
    x = deep / 65535
    linear = x ** (563 / 256) if primaries is ADOBE else np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    wanted = encode(linear @ (np.linalg.inv(SRGB) @ primaries).T) * 65535
    error = np.abs(back - wanted)
    assert back.dtype == np.uint16
    assert np.median(error) < 8  # the profile's own rounding to 1/65536
    assert error.max() < 100  # 0.4 of an 8-bit level, near black, where that rounding is steepest
    eight = littlecms(Image.fromarray((deep >> 8).astype(np.uint8)), source)
    assert np.abs(back / 257 - eight).mean() < 1


@pytest.mark.parametrize("name", list(GRAYS))
def test_8_bit_gray_is_what_littlecms_says(tmp_path, name):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=GRAYS[name])
    back = read_photo(tmp_path / "a.png").pixels
    assert back.ndim == 2
    wanted = littlecms(Image.fromarray(ramp), GRAYS[name]).astype(int)
    assert np.abs(back.astype(int) - wanted[..., 1]).max() <= (2 if name == "lab" else 1)


@pytest.mark.parametrize(("name", "power"), [("2.2", round(2.2 * 256) / 256), ("linear", 1), ("identity", 1)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_is_the_closed_form(tmp_path, name, power, suffix):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    if suffix == ".png":
        Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=GRAYS[name])
    else:
        tifffile.imwrite(tmp_path / "a.tif", ramp, iccprofile=GRAYS[name])
    wanted = encode((ramp / 65535) ** power) * 65535
    assert np.abs(read_photo(tmp_path / f"a{suffix}").pixels - wanted).max() <= 0.51


def test_gray_photo_with_an_rgb_profile():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    back = icc.to_srgb(ramp, ADOBE_RGB)
    wanted = littlecms(Image.fromarray(np.dstack([ramp] * 3)), ADOBE_RGB)
    assert back.ndim == 2
    assert np.abs(back.astype(int) - wanted[..., 1]).max() <= 1
    assert icc.to_srgb(ramp, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) is ramp


def lut_profile(space, channels):
    """A v2 look-up table to Lab with two nodes an axis: not linear in light, so a matrix could not say it."""
    nodes = np.stack(np.meshgrid(*[[0, 1]] * channels, indexing="ij"), -1).reshape(-1, channels).astype(float)
    rgb = (1 - nodes[:, :3]) * (1 - nodes[:, 3:]) if space == b"CMYK" else nodes
    lightness = rgb @ (0.3, 0.6, 0.1)
    lab = np.stack([lightness, 0.5 + 0.25 * (rgb[:, 0] - rgb[:, 1]), 0.5 + 0.25 * (rgb[:, 1] - rgb[:, 2])], -1)
    head = struct.pack(">4sIBBBx9i", b"mft2", 0, channels, 3, 2, *(65536 if i % 4 == 0 else 0 for i in range(9)))
    curve = np.array([0, 65535], ">u2").tobytes()
    body = head + struct.pack(">HH", 2, 2) + curve * channels + np.rint(lab * 65280).astype(">u2").tobytes() + curve * 3
    built = bytearray(profile(space, {**WHITE, b"A2B0": body}, b"Lab "))
    built[12:16] = b"scnr" if space == b"RGB " else b"prtr"
    return bytes(built)


def test_rgb_look_up_table_at_8_and_16_bits():
    source = lut_profile(b"RGB ", 3)
    eight = icc.to_srgb(colours(), source)
    exact = np.abs(eight.astype(int) - littlecms(Image.fromarray(colours()), source))
    assert np.quantile(exact, 0.95) <= 1
    assert exact.max() <= 8  # littlecms' own fast path, at the edge of the gamut
    deep = icc.to_srgb(colours().astype(np.uint16) * 257, source)
    error = np.abs(deep / 257 - eight)
    assert error.mean() < 0.5
    assert error.max() < 8


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_with_a_profile(tmp_path, suffix):
    source = lut_profile(b"CMYK", 4)
    ink = np.random.default_rng(1).integers(0, 256, (4, 5, 4)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    Image.fromarray(ink, "CMYK").save(tmp_path / f"a{suffix}", icc_profile=source)
    stored = Image.open(tmp_path / f"a{suffix}")
    wanted = littlecms(stored, source).astype(int)
    error = np.abs(read_photo(tmp_path / f"a{suffix}").pixels.astype(int) - wanted)
    assert np.quantile(error, 0.95) <= 2
    assert error.max() <= 8  # littlecms' own fast path, at the edge of the gamut


CUT_CURVE = gray_profile(b"curv\x00\x00\x00\x00\x00\xff\xff\xff")


@pytest.mark.parametrize(
    "broken", [b"x", ADOBE_RGB[:140], ADOBE_RGB[:300], CUT_CURVE, gray_profile(b"????")], ids=range(5)
)
def test_broken_and_foreign_profiles_are_left_out(broken, caplog):
    for pixels in (colours(), colours()[..., 0].copy(), colours(np.uint16)):
        back = icc.to_srgb(pixels, broken, "scan.tif")
        np.testing.assert_array_equal(back, pixels)
    assert "scan.tif: the colour profile is left out" in caplog.text


@pytest.mark.parametrize("gray", [False, True])
def test_our_profile_is_srgb(gray):
    own = icc.output_profile(gray)
    assert len(own) < 500
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(ramp if gray else colours())
    wanted = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(littlecms(image, own) - wanted).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp", ".png"])
def test_outputs_are_tagged_srgb(tmp_path, suffix):
    write_photo(Photo(colours()), tmp_path / f"a{suffix}", ProvenanceMark("m", "s", "t"))
    info = Image.open(tmp_path / f"a{suffix}").info
    if suffix == ".png":
        assert info["srgb"] == 0
    else:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(info["icc_profile"])))
        assert name.startswith("sRGB")
