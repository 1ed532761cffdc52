"""The adapters in their real hosts, where these are installed: gimp (3), krita, vapoursynth."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.adapters.plug_ins import ADAPTERS, ROOT, installed, scene

GIMP = shutil.which("gimp-console-3.0") or shutil.which("gimp-console-3.2")
KRITA = shutil.which("kritarunner")
pytestmark = [pytest.mark.slow, pytest.mark.process]

IN_GIMP = """
from gi.repository import Gimp, Gio
for name in ("gray", "deep", "hinted"):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(f"FOLDER/{name}.png"))
    photo = image.get_layers()[0]
    if name == "hinted":
        image.convert_rgb()
        hints = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path("FOLDER/hints.png"))
        image.insert_layer(hints, None, 0)
        hints.set_name("hints")
        hints.set_visible(False)
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-chromagan-colorize")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [photo])
    if name == "deep":
        photo.set_offsets(5, -7)
    print(name, procedure.run(config).index(0).value_nick, end=" ")
    colour = next(one for one in image.get_layers() if one.get_name() == "Colour (chromagan)")
    print(colour.get_mode().value_nick, colour.get_offsets()[1:], image.get_precision().value_nick)
    if name == "deep":
        photo.set_offsets(0, 0)
        colour.set_offsets(0, 0)
    flat = Gimp.Layer.new_from_visible(image, image, "all")
    image.insert_layer(flat, None, 0)
    for layer in image.get_layers()[1:]:
        image.remove_layer(layer)
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(f"FOLDER/{name}-done.png"), None)
    image.delete()
"""

IN_KRITA = """
import sys
sys.path.insert(0, "PLUGINS")
from krita import InfoObject, Krita
def main(_):
    import chromagan_colorize
    Krita.instance().setBatchmode(True)
    for name in ("gray", "deep"):
        document = Krita.instance().openDocument(f"FOLDER/{name}.png")
        document.setBatchmode(True)
        chromagan_colorize.colour(document, document.topLevelNodes()[0])
        document.waitForDone()
        modes = [(node.name(), node.blendingMode()) for node in document.topLevelNodes()]
        print(name, document.colorModel(), document.colorDepth(), modes[1:], flush=True)
        document.exportImage(f"FOLDER/{name}-done.png", InfoObject())
        document.close()
"""

IN_VAPOURSYNTH = """
import sys
import numpy as np
import vapoursynth as vs
sys.path[:0] = ["ROOT", "ADAPTERS/vapoursynth"]
from chromagan_vs import colorize
from tests.adapters.plug_ins import scene
wide = scene(100, 200)
for threads, format, bits in ((1, vs.YUV420P8, 8), (4, vs.GRAY16, 16)):
    vs.core.num_threads = threads
    def pan(n, f):
        frame = f.copy()
        np.asarray(frame[0])[...] = wide[2:98, n : n + 144].astype(np.uint16) << (bits - 8)
        return frame
    clip = vs.core.std.BlankClip(width=144, height=96, format=format, length=30)
    clip = clip.std.ModifyFrame(clip, pan)
    one, other = colorize(clip, "chromagan@small", size=64), colorize(clip, "chromagan@small", size=64)
    forward = [[np.array(frame[plane]) for plane in range(3)] for frame in one.frames()]
    for n in (29, 3, 14):
        assert all(np.array_equal(forward[n][plane], other.get_frame(n)[plane]) for plane in range(3))
        assert np.array_equal(forward[n][0], clip.get_frame(n)[0])
    chroma = np.abs(forward[9][1].astype(int) - (128 << (bits - 8))).mean()
    print(threads, one.format.name, dict(one.get_frame(0).props)["_Matrix"], 1 < chroma / 2 ** (bits - 8) < 40)
"""


@pytest.fixture
def photos(tmp_path):
    """gray.png, deep.png of 16 bits with an alpha, hinted.png, and each as `chromagan sample` has it, in done/."""
    folder = tmp_path / "old photos"
    folder.mkdir()
    gray = scene()
    deep = np.dstack([gray, gray, gray, np.where(gray < 100, 128, 255)]).astype(np.uint16) * 257
    pictures = {"gray": gray, "deep": deep, "hinted": gray}
    hints = np.zeros((90, 120, 4), np.uint8)
    hints[40:50, 35:45] = (30, 40, 200, 255)
    for name, pixels in (pictures | {"hints": hints}).items():
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    command = [sys.executable, "-m", "chromagan", "sample", *(f"{name}.png" for name in pictures), "-o", "done"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return folder


def lab(path):
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor((pixels[..., :3] / np.iinfo(pixels.dtype).max).astype(np.float32), cv2.COLOR_BGR2LAB)


def distances(photos, name):
    """From what the command makes, where nothing is transparent: mean and largest in L, mean in ab."""
    away = np.abs(lab(photos / f"{name}-done.png") - lab(photos / "done" / f"{name}.png"))[scene() >= 100]
    return away[:, 0].mean(), away[:, 0].max(), np.hypot(away[:, 1], away[:, 2]).mean()


@pytest.mark.skipif(GIMP is None, reason="needs GIMP 3: apt-get install gimp python3-gi")
def test_gimp(photos, tmp_path):
    installed("gimp", tmp_path / "gimp" / "plug-ins")
    (photos / "script.py").write_text(IN_GIMP.replace("FOLDER", str(photos)))
    line = f"exec(open({str(photos / 'script.py')!r}).read())"
    command = [GIMP, "--no-interface", "--quit", "--batch-interpreter=python-fu-eval", "--batch", line]
    environment = os.environ | {"GIMP3_DIRECTORY": str(tmp_path / "gimp")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "gray success lch-color (0, 0) u8-non-linear" in done.stdout, done.stdout + done.stderr
    assert "deep success lch-color (5, -7) u16-non-linear" in done.stdout
    for name in ("gray", "deep"):
        lightness, most, colours = distances(photos, name)
        assert (lightness < 0.5, most < 4, colours < 1.5) == (True, True, True), (name, lightness, most, colours)
    blue, green, red = cv2.imread(str(photos / "hinted-done.png"))[45, 40, :3].astype(int)
    assert red > max(blue, green) + 30


@pytest.mark.skipif(KRITA is None, reason="needs Krita: apt-get install krita python3-pyqt5")
def test_krita(photos, tmp_path):
    installed("krita", tmp_path / "pykrita")
    script = IN_KRITA.replace("FOLDER", str(photos)).replace("PLUGINS", str(tmp_path / "pykrita"))
    (tmp_path / "krita_script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)}
    command = [KRITA, "-s", "krita_script", "-f", "main"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    for name, depth in (("gray", "U8"), ("deep", "U16")):
        expected = f"{name} RGBA {depth} [('Colour (chromagan)', 'color')]"
        assert expected in done.stdout + done.stderr, done.stdout + done.stderr
        lightness, most, colours = distances(photos, name)
        # Color keeps luma: L* follows, but for strong colours.
        assert (lightness < 3, most < 6, colours < 0.5) == (True, True, True), (name, lightness, most, colours)


@pytest.mark.skipif(find_spec("vapoursynth") is None, reason="needs VapourSynth: pip install vapoursynth (Python 3.12)")
def test_vapoursynth():
    script = IN_VAPOURSYNTH.replace("ROOT", str(ROOT)).replace("ADAPTERS", str(Path(ADAPTERS)))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "1 YUV420P8 6 True\n4 YUV420P16 6 True\n", done.stdout + done.stderr
