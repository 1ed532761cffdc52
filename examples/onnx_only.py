"""A photo in colour with onnxruntime, NumPy and Pillow: python onnx_only.py PHOTO OUT.png [PAINTING CHROMA_STEP]."""
# Graphs: `chromagan export --onnx`, see docs/export.md. Upright, in sRGB and 8 bits, with its alpha and our mark alone.

import io
import json
import sys
from collections.abc import Callable

import numpy as np
from onnxruntime import InferenceSession
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

MATRIX = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
MATRIX /= MATRIX.sum(axis=1, keepdims=True)  # linear sRGB to XYZ, each relative to white: gray is X = Y = Z
TO_RGB, CODE, LIGHT = np.linalg.inv(MATRIX).astype(np.float32), np.arange(256) / 255, np.linspace(0, 1, 1 << 17)
TO_LIGHT = np.where(CODE > 0.04045, ((CODE + 0.055) / 1.055) ** 2.4, CODE / 12.92).astype(np.float32)
TO_CODE = np.rint(255 * np.where(LIGHT > 0.0031308, 1.055 * LIGHT ** (1 / 2.4) - 0.055, 12.92 * LIGHT)).astype(np.uint8)
PRIMARIES = (b"rXYZ", 28579, 14582, 913), (b"gXYZ", 25236, 46982, 6362), (b"bXYZ", 9374, 3972, 46786)  # as chromagan's
MARK = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:chromagan="http://ns.chromagan/1.0/"
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
chromagan:Model="{model}" chromagan:WeightsSha256="{sha256}" chromagan:Software="{software}"/></rdf:RDF>"""


def read(path: str) -> tuple[np.ndarray, Image.Image | None]:
    """(H, W, 3) uint8 sRGB, upright, and alpha where there is one."""
    image = ImageOps.exif_transpose(Image.open(path))
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    pixels = np.asarray(image.convert("RGB"))
    if profile := image.info.get("icc_profile"):
        image = image.convert("RGB") if profile[16:20] == b"RGB " else image  # gray, too
        flags = ImageCms.Flags.NOOPTIMIZE if image.mode == "L" else ImageCms.Flags.HIGHRESPRECALC  # finer, and slower
        srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        for name, *xyz in PRIMARIES:
            at = int.from_bytes(srgb[(entry := srgb.index(name) + 4) : entry + 4], "big") + 8
            srgb[at : at + 12] = np.array(xyz, ">i4").tobytes()
        turned = ImageCms.profileToProfile(image, io.BytesIO(profile), io.BytesIO(srgb), outputMode="RGB", flags=flags)
        pixels = np.where(np.abs(np.subtract(turned, pixels, dtype=int)).max() > 1, turned, pixels)  # sRGB stays
    return pixels, alpha


def means(old: int, new: int) -> np.ndarray:
    """(new, old) weights: each new pixel is the mean of exactly the stretch that it covers."""
    edges, cells = np.linspace(0, old, new + 1), np.arange(old)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return (overlap.clip(0) * (new / old)).astype(np.float32)


def bicubic(old: int, new: int) -> np.ndarray:
    """(new, old) weights: a = -0.75, pixel centres aligned, edges repeated."""
    x = np.abs(((np.arange(new) + 0.5) * (old / new) - 0.5)[:, None] - np.arange(-2, old + 2))
    weights = np.where(x <= 1, (1.25 * x - 2.25) * x * x + 1, (((-0.75 * x + 3.75) * x - 6) * x + 3) * (x < 2))
    weights[:, 2] += weights[:, :2].sum(1)
    weights[:, -3] += weights[:, -2:].sum(1)
    return weights[:, 2:-2].astype(np.float32)


def resize(planes: np.ndarray, size: list[int], weights: Callable = means) -> np.ndarray:
    """(..., H, W) to (..., h, w)."""
    return weights(planes.shape[-2], size[0]) @ planes @ weights(planes.shape[-1], size[1]).T


def paint(L: np.ndarray, painting: InferenceSession, step: InferenceSession) -> np.ndarray:
    """(H, W) to ab, (2, h, w) in Lab units: painted at the working size, then brought up along the photo's edges."""
    told = painting.get_modelmeta().custom_metadata_map
    look, s = json.loads(told["look"]), int(told["ab_stride"])
    work = [round(min(n * (look["size"] / min(L.shape)), 4 * look["size"]) / s) * s or s for n in L.shape]
    grid = [n // s for n in work]
    target = [n * min(1.0, np.sqrt(400_000 / L.size)) for n in L.shape]  # to which doublings of `start` lead
    steps = max(0, round(np.log2(np.prod(target) / np.prod(grid)) / 2))
    start = [int(n / 2**steps) for n in target] if steps else grid
    guide = resize(L, [n << steps for n in start]) if steps else L
    seen = guide if np.all(np.greater_equal(guide.shape, work)) else L  # a small photo is enlarged
    small = resize(resize(seen, np.minimum(seen.shape, work)), work, bicubic).clip(0, 100)
    ab = resize(painting.run(None, {"L": small[None, None]})[0], start, bicubic)
    for octave in range(1, steps + 1):
        (ab,) = step.run(None, {"ab": ab, "L": resize(guide, [n << octave for n in start])[None, None]})
    return ab[0] * np.float32(look["saturation"])


def linear(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Lab to linear sRGB, (3, ...), which leaves [0, 1] where sRGB has no such colour."""
    f = (L + 16) / 116
    f = np.stack([f + ab[0] / 500, f, f - ab[1] / 200])
    return np.tensordot(TO_RGB, np.where(f > 0.2068966, f**3, (f - np.float32(16 / 116)) / np.float32(7.787)), 1)


def join(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """(H, W) and (2, h, w) to (H, W, 3) uint8 sRGB; chroma that sRGB lacks at that lightness gives way, hue stays."""
    ab = resize(ab, np.minimum(ab.shape[1:], L.shape))
    ab, weights, made = ab @ bicubic(ab.shape[2], L.shape[1]).T, bicubic(ab.shape[1], len(L)), []
    for top in range(0, len(L), 64):
        rows, band = weights[top : top + 64], L[top : top + 64]
        chroma = rows[:, used := rows.any(0)] @ ab[:, used]
        rgb = linear(band, chroma)
        off = (rgb.min(0) < 0) | (rgb.max(0) > 1)
        share = np.zeros(np.count_nonzero(off), np.float32)
        for halving in range(1, 17):  # towards the largest share of chroma that fits
            tried = linear(band[off], chroma[:, off] * (share + 0.5**halving))
            share += np.float32(0.5**halving) * ((tried.min(0) >= 0) & (tried.max(0) <= 1))
        rgb[:, off] = linear(band[off], chroma[:, off] * share)
        made.append(TO_CODE[np.rint(rgb.clip(0, 1) * (len(TO_CODE) - 1)).astype(int)])
    return np.concatenate(made, axis=1).transpose(1, 2, 0)


photo, out, *graphs = sys.argv[1:]
painting, step = map(InferenceSession, graphs or ("chromagan.onnx", "chroma_step.onnx"))
pixels, alpha = read(photo)
light = sum(TO_LIGHT[pixels[..., i]] * np.float32(MATRIX[1, i]) for i in range(3))
L = 116 * np.where(light > 0.008856, np.cbrt(light), np.float32(7.787) * light + np.float32(16 / 116)) - 16
colour = Image.fromarray(np.ascontiguousarray(join(L, paint(L, painting, step))))
if alpha:
    colour.putalpha(alpha)
text = PngImagePlugin.PngInfo()
text.add_itxt("XML:com.adobe.xmp", MARK.format(**painting.get_modelmeta().custom_metadata_map))
colour.save(out, "png", pnginfo=text)
