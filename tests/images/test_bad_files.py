"""Bad input and failing disks: one line that names file, cause and remedy; nothing half-written."""

import errno
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from chromagan.errors import ReadError, WriteError
from chromagan.files import atomic
from chromagan.images.metadata import ProvenanceMark, read_provenance
from chromagan.images.read import Photo, read_pages, read_photo, to_photo
from chromagan.images.write import write_pages, write_photo

MARK = ProvenanceMark("m", "s", "t")
NOISE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def one_line(caught, path):
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert len(text) < 500
    return text


def save(path):
    if path.suffix == ".tif":
        tifffile.imwrite(path, NOISE, photometric="rgb", compression="zlib")
    elif path.name.startswith("deep"):
        write_photo(Photo(NOISE.astype(np.uint16) * 257), path, None)
    else:
        write_photo(Photo(NOISE), path, None)


NAMES = ["a.jpg", "a.png", "deep.png", "a.tif", "a.webp", "a.bmp", "gray.jpg", "progressive.jpg", "raw.tif", "fax.tif"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.995])
def test_cut_files_are_refused(tmp_path, name, share):
    path = tmp_path / name
    if name == "a.webp" and not features.check("webp"):
        pytest.skip("no WebP")
    image = Image.fromarray(NOISE)
    if name == "a.bmp" or name == "progressive.jpg":
        image.save(path, **({"progressive": True} if name != "a.bmp" else {}))
    elif name == "gray.jpg":
        image.convert("L").save(path)
    elif name == "raw.tif":
        image.save(path)
    elif name == "fax.tif":
        image.convert("1").save(path, compression="group4")
    else:
        save(path)
    whole = path.read_bytes()
    read_photo(path)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ReadError) as caught:
        read_photo(path)
    one_line(caught, path)


def test_cut_heif_is_refused(tmp_path):
    pytest.importorskip("pillow_heif")
    write_photo(Photo(NOISE), tmp_path / "a.heic", None)
    whole = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError) as caught:
        read_photo(tmp_path / "a.heic")
    one_line(caught, tmp_path / "a.heic")


def test_a_flipped_byte_in_a_png_is_noticed(tmp_path):
    save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ReadError, match="checksum"):
        read_photo(tmp_path / "a.png")


NO_PHOTOS = [
    (b"", "empty"),
    (b"Dear photo,\n", "not a photo"),
    (b"\x89PNG\r\n\x1a\n", "damaged"),
    (b"\xff\xd8\xff", "damaged"),
    (b"II*\x00\x08\x00\x00\x00", "damaged"),
    (b"II*\x00\xff\xff\xff\x7f", "damaged"),
    (b"%!PS-Adobe-3.0 EPSF", "not a photo"),
    (b"\x00\x00\x00\x18ftypheic" + bytes(40), "damaged|HEIF"),
    (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "damaged"),
    (b"\x00" * 100, "photo|damaged"),
]


@pytest.mark.parametrize(("content", "words"), NO_PHOTOS, ids=range(len(NO_PHOTOS)))
def test_files_that_are_no_photo(tmp_path, content, words):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_photo, read_pages, read_provenance):
        with pytest.raises(ReadError, match=words) as caught:
            read(path)
        one_line(caught, path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(ReadError, match="folder"):
        read_photo(tmp_path)
    with pytest.raises(ReadError, match="folder"):
        to_photo(tmp_path)


def bomb_png():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb_bmp():
    header = struct.pack("<IiiHHIIiiII", 40, 50000, 50000, 1, 24, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIII", b"BM", 100, 0, 54) + header


def bomb_tiff():
    tags = [(256, 50000), (257, 50000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 50000), (279, 100)]
    body = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + body + bytes(4)


def bomb_jpeg():
    frame = struct.pack(">HBHHB", 11, 8, 50000, 50000, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(20) + b"\xff\xd9"


@pytest.mark.parametrize("make", [bomb_png, bomb_bmp, bomb_tiff, bomb_jpeg])
def test_decompression_bombs_are_refused_from_the_header(tmp_path, make):
    path = tmp_path / "bomb.img"
    path.write_bytes(make())
    with pytest.raises(ReadError, match="50000 x 50000") as caught:
        read_photo(path)
    one_line(caught, path)


def test_the_limit_is_ours_and_not_pillows(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    with pytest.raises(ReadError, match="limit"):
        read_photo(tmp_path / "a.png", max_pixels=160 * 120 - 1)
    assert read_photo(tmp_path / "a.png", max_pixels=160 * 120).pixels.shape == (120, 160, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").pixels.shape == (120, 160, 3)


UNSUPPORTED = [np.zeros((8, 8), np.float32), np.zeros((8, 8), np.int16), np.zeros((8, 8), np.uint32)]


@pytest.mark.parametrize("array", UNSUPPORTED, ids=lambda array: str(array.dtype))
def test_tiff_of_unsupported_numbers(tmp_path, array):
    tifffile.imwrite(tmp_path / "a.tif", array)
    with pytest.raises(ReadError, match="8 or 16 bits"):
        read_photo(tmp_path / "a.tif")


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_full_disk_leaves_nothing(tmp_path, suffix, monkeypatch):
    old = tmp_path / f"a{suffix}"
    old.write_bytes(b"what stood there")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "replace", full)
    with pytest.raises(WriteError, match="disk is full") as caught:
        write_photo(Photo(NOISE), old, MARK)
    one_line(caught, old)
    assert names(tmp_path) == [old.name]
    assert old.read_bytes() == b"what stood there"


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_write_that_fails_half_way_leaves_nothing(tmp_path):
    program = """
        import resource, signal, sys
        import numpy as np
        from chromagan.errors import WriteError
        from chromagan.images.read import Photo
        from chromagan.images.write import write_photo
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        for suffix in (".png", ".tif", ".jpg"):
            try:
                write_photo(Photo(noise), sys.argv[1] + "/a" + suffix, None)
            except WriteError as error:
                print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    package = str(Path(atomic.__file__).parents[2])
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": package}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.count("larger than this disk or process may write") == 3
    assert names(tmp_path) == []


def test_interruption_leaves_nothing(tmp_path):
    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.write_atomically(tmp_path / "a.png", interrupted)
    assert names(tmp_path) == []


def test_folders_that_cannot_take_the_file(tmp_path):
    with pytest.raises(WriteError, match="folder does not exist"):
        write_photo(Photo(NOISE), tmp_path / "none" / "a.png", MARK)
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(WriteError, match=r"taken\.png") as caught:
        write_photo(Photo(NOISE), tmp_path / "taken.png", MARK)
    one_line(caught, "taken.png")
    assert names(tmp_path) == ["taken.png"]
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(WriteError, match="its folder is a file"):
        write_photo(Photo(NOISE), tmp_path / "file" / "a.png", MARK)


def test_no_permission(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(atomic.Path, "open", refused)
    with pytest.raises(WriteError, match="no permission"):
        write_photo(Photo(NOISE), tmp_path / "a.png", MARK)


def test_long_names_are_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".png")
    write_photo(Photo(NOISE), path, MARK)
    assert read_photo(path).path == path


def test_formats_that_do_not_fit(tmp_path):
    with pytest.raises(WriteError, match="cannot be written"):
        write_photo(Photo(NOISE), tmp_path / "a.xyz", MARK)
    with pytest.raises(WriteError, match="65500"):
        write_photo(Photo(np.zeros((1, 65501), np.uint8)), tmp_path / "a.jpg", MARK)
    with pytest.raises(WriteError, match=r"\.tif"):
        write_pages([], tmp_path / "a.tif", MARK)
    assert names(tmp_path) == []


def test_output_gets_the_permissions_that_new_files_get(tmp_path):
    write_photo(Photo(NOISE), tmp_path / "a.png", MARK)
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode
