"""Damaged photos without end: every one is a photo or one line, in bounded time and memory.

    python tests/images/fuzz.py --minutes 60
    python tests/images/fuzz.py --mutants 10000 --seed 3
    python tests/images/fuzz.py --show 4711 --seed 3 > mutant.bin

Mutants come of seeds of all formats by flipped bits, cut, doubled, moved and exchanged parts, and numbers that headers
fear; mutant `n` of a seed is always the same. Worker processes read them, within 5 GB of address space and 20 seconds
of a processor each, and write what they have read. Whatever they do but answer - hang, die, raise anything that is no
one-line error - is a finding, and the run ends with exit code 1.
"""

import argparse
import io
import multiprocessing
import re
import signal
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SECONDS, ADDRESS_SPACE = 20, 5 << 30
_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 50000)
# What Python and decoders say to programmers.
_NO_WORDS = re.compile(r"object has no|unsupported operand|Traceback|<class|\n")


def seeds():  # noqa: C901
    """About sixty photos: (name, bytes)."""
    import cv2
    import tifffile
    from PIL import Image, features

    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    rgb = cv2.resize(coarse, (40, 30), interpolation=cv2.INTER_CUBIC)
    deep, image = rgb.astype(np.uint16) * 257, Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112], exif[282], exif[283] = "Caption", 6, 300.0, 300.0
    exif.get_ifd(0x8769)[0x9003] = "1931:05:02 10:00:00"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a"/></rdf:RDF></x:xmpmeta>'
    )
    found = {}

    def save(name, picture, kind, **options):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        found[name] = buffer.getvalue()

    for mode in ("L", "RGB", "CMYK"):
        save(f"{mode}.jpg", image.convert(mode), "JPEG", exif=exif, xmp=xmp, comment=b"word")
        save(f"{mode} passes.jpg", image.convert(mode), "JPEG", progressive=True)
    save("restarts.jpg", image, "JPEG", restart_marker_blocks=2)
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA"):
        picture = image.quantize(32) if mode == "P" else image.convert(mode)
        save(f"{mode}.png", picture, "PNG", exif=exif)
    for name, array in (("rgb16", deep), ("gray16", deep[..., 0]), ("rgba16", np.dstack([deep, deep[..., 0]]))):
        found[f"{name}.png"] = cv2.imencode(".png", array)[1].tobytes()
    save("frames.png", image, "PNG", save_all=True, append_images=[image.rotate(180)])
    kinds = {"raw": {}, "zip": {"compression": "zlib"}, "predicted": {"compression": "zlib", "predictor": True},
             "tiles": {"tile": (16, 16)}, "big": {"bigtiff": True}, "swapped": {"byteorder": ">"},
             "planes": {"planarconfig": "separate"}}  # fmt: skip
    for name, options in kinds.items():
        for bits, array in ((8, rgb), (16, deep)):
            buffer = io.BytesIO()
            pixels = np.moveaxis(array, -1, 0) if name == "planes" else array
            tags = [(700, 1, len(xmp), xmp, True), (40091, 1, 4, b"W\x00\x00\x00", True), (315, 2, 3, b"me\x00", True)]
            tifffile.imwrite(buffer, pixels, photometric="rgb", extratags=tags, **options)
            found[f"{name}{bits}.tif"] = buffer.getvalue()
    for name, mode, compression in (("fax", "1", "group4"), ("lzw", "RGB", "tiff_lzw"), ("jpeg", "RGB", "jpeg"),
                                    ("palette", "P", "raw"), ("cmyk", "CMYK", "packbits")):  # fmt: skip
        picture = image.quantize(32) if mode == "P" else image.convert(mode)
        save(f"{name}.tif", picture, "TIFF", compression=compression, exif=exif)
    save("pages.tif", image, "TIFF", save_all=True, append_images=[image, image])
    save("frames.gif", image.quantize(32), "GIF", save_all=True, append_images=[image.rotate(180).quantize(32)])
    save("two.mpo", image, "MPO", save_all=True, append_images=[image])
    for kind, ending in (("BMP", "bmp"), ("PPM", "ppm"), ("TGA", "tga"), ("PCX", "pcx"), ("SGI", "sgi"), ("ICO", "ico"),
                         ("JPEG2000", "jp2"), ("DIB", "dib")):  # fmt: skip
        save(f"rgb.{ending}", image, kind)
    found["deep.ppm"] = cv2.imencode(".ppm", deep)[1].tobytes()
    for kind in ("webp", "avif"):
        if features.check(kind):
            save(f"rgb.{kind}", image, kind.upper(), exif=exif.tobytes(), xmp=xmp)
    try:
        import pillow_heif

        pillow_heif.from_pillow(image).save(buffer := io.BytesIO(), exif=exif.tobytes())
        found["rgb.heic"] = buffer.getvalue()
    except ImportError:
        pass
    try:
        import imagecodecs

        found["rgb.jxl"] = imagecodecs.jpegxl_encode(rgb)
        found["deep.jp2"] = imagecodecs.jpeg2k_encode(deep, codecformat="jp2")
    except ImportError:
        pass
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30, 40, 8, 3)
    found["rgb.psd"] = head + bytes(12) + bytes(2) + np.moveaxis(rgb, -1, 0).tobytes()
    for folder in (HERE / "cases", HERE.parent / "hostile"):
        found.update({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    return list(found.items())


def mutant(photos, number, seed):
    """Mutant `number`: (name of its seed, bytes)."""
    rng = np.random.default_rng([seed, number])
    name, data = photos[number % len(photos)]
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if len(data) < 8:
            break
        reach = len(data) if rng.random() < 0.5 else min(len(data), 512)  # headers are worth more
        at, size = int(rng.integers(0, reach)), int(2 ** rng.uniform(0, 10))
        kind = rng.integers(0, 9)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[at : at + min(size, 16)] = rng.bytes(min(size, 16))
        elif kind in (2, 3):
            form = "<>"[int(rng.integers(0, 2))] + "HI"[int(rng.integers(0, 2))]
            value = _NUMBERS[int(rng.integers(0, len(_NUMBERS)))] & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
            data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        elif kind == 4:
            del data[len(data) - size :]
        elif kind == 5:
            del data[at : at + size]
        elif kind == 6:
            data[at:at] = data[at : at + size]
        elif kind == 7:
            other = photos[int(rng.integers(0, len(photos)))][1]
            place = int(rng.integers(0, len(other)))
            data[at : at + size] = other[place : place + size]
        else:
            data[at : at + size] = bytes([int(rng.integers(0, 2)) * 255]) * size
    if data[:4] == b"\x89PNG" and rng.random() < 0.8:
        _mend_checksums(data)
    return name, bytes(data)


def _mend_checksums(data):
    """Most damage to a PNG would be told by its checksums alone."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(bytes(data[at + 4 : at + 8 + length])))
        at += 12 + length


def work(pipe, folder):  # noqa: C901
    """Read what comes, and say what became of it; (kind, words, peak memory in MB)."""
    import logging
    import os
    import resource
    import warnings

    import cv2

    from chromagan.errors import ChromaganError, ReadError, WriteError
    from chromagan.images.metadata import ProvenanceMark, read_provenance
    from chromagan.images.read import lacks_grays, read_pages
    from chromagan.images.write import write_pages, write_photo

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C say much
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    mark, path = ProvenanceMark("m", "s", "t"), Path(folder) / f"{os.getpid()}.img"

    def written(photos):
        if sum(photo.pixels.size for photo in photos) > 30_000_000:
            return
        for suffix in (".png", ".tif", ".jpg"):
            out = path.with_suffix(suffix)
            write_pages(photos, out, mark) if suffix == ".tif" else write_photo(photos[0], out, mark)
            if read_provenance(out) != mark:
                raise AssertionError(f"no mark in the {suffix}")

    def judged(data):
        path.write_bytes(data)
        for lenient in (False, True):
            try:
                photos = read_pages(path, accept_truncated=lenient)
                lacks_grays(photos[0])
                written(photos)
            except (ReadError, WriteError) as error:
                said = str(error)
                if _NO_WORDS.search(said) or not said.startswith(str(path.with_suffix(""))):
                    return "bad line", said
                if isinstance(error, WriteError) and "holds at most" not in said:  # a JPEG of 65,500 pixels a side
                    return "not written", said
                if lenient or isinstance(error, WriteError):
                    return "refused", said
            except ChromaganError as error:
                return "bad line", str(error)
            except BaseException as error:
                return "exception", f"{type(error).__name__}: {error}"
            else:
                return ("taken" if lenient else "read"), ""
        return "refused", ""

    while (data := pipe.recv()) is not None:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # seconds of work: a busy machine is no hang
        kind, words = judged(data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pipe.send((kind, words[:300], peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)))


class Worker:
    """A process that is used again and again, and replaced where it hangs or dies."""

    def __init__(self, folder):
        self._folder, self.process = folder, None

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self._folder), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.send(b"a first one, which loads the libraries")
        self.pipe.poll(300)
        self.pipe.recv()

    def judge(self, data):
        if self.process is None:
            self.start()
        self.pipe.send(data)
        try:
            if self.pipe.poll(20 * SECONDS):
                return self.pipe.recv()
            words = "hang", f"no answer in {20 * SECONDS} s", 0
        except (EOFError, OSError):
            self.process.join(5)
            hung = self.process.exitcode == -signal.SIGPROF
            words = "hang" if hung else "death", f"exit code {self.process.exitcode}", 0
        self.stop()
        return words

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = None


def run(seed, minutes=None, mutants=None, tell=print):
    """Judge mutants until time or number are up; (counts, findings, peak memory in MB)."""
    photos, counts, findings, peak = seeds(), Counter(), [], 0
    end, number = time.monotonic() + 60 * (minutes or 1e6), 0
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(folder)
        while time.monotonic() < end and number < (mutants or sys.maxsize):
            name, data = mutant(photos, number, seed)
            kind, words, memory = worker.judge(data)
            counts[kind] += 1
            if memory > peak:
                peak = memory
                tell(f"{number} of {name}: {peak} MB")
            if kind not in ("read", "taken", "refused"):
                findings.append((number, name, kind, words))
                tell(f"{number} of {name}: {kind}: {words}")
            number += 1
            if number % 1000 == 0:
                tell(f"{number} mutants: {dict(counts)}")
        worker.stop()
    return counts, findings, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--mutants", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, metavar="NUMBER", help="write that mutant to stdout")
    args = parser.parse_args()
    if args.show is not None:
        sys.stdout.buffer.write(mutant(seeds(), args.show, args.seed)[1])
        return 0
    minutes = args.minutes if args.minutes or args.mutants else 60
    counts, findings, peak = run(args.seed, minutes, args.mutants, lambda line: print(line, flush=True))
    print(f"{sum(counts.values())} mutants of {len(seeds())} photos: {dict(counts)}; peak {peak} MB")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
