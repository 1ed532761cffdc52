"""The page of examples/browser in a real browser, with onnxruntime-web from the npm registry and nothing else."""

import functools
import http.server
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from chromagan.images.metadata import read_provenance
from chromagan.inference.colorizer import Colorizer
from chromagan.training.export import export

pytest.importorskip("onnxscript")
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.process]
PAGE = Path(__file__).parents[1] / "examples" / "browser"
MODEL = "chromagan@small"


class Handler(http.server.SimpleHTTPRequestHandler):
    """The folder, silently; Python knows `.mjs` on every system from here on."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page as docs/export.md has it: one `npm install`, the graphs beside it, any server of files."""
    folder = tmp_path_factory.mktemp("page") / "browser"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("node_modules", "*.onnx"))
    if shutil.which("npm") is None:
        pytest.skip("needs npm: apt-get install npm")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the npm registry gives no onnxruntime-web: {done.stderr.strip()[-200:]}")
    export(source=MODEL, out=folder / "chromagan.onnx", onnx=True, half=True)
    export(source="chroma_upsampler", out=folder / "chroma_step.onnx", onnx=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def paint(driver, photo):
    """Choose a photo, wait for its colours, save them."""
    driver.find_element("id", "photo").send_keys(str(photo))
    told = ""
    for _ in range(2400):  # looks, not seconds: the machine may stand still for a while
        told = driver.find_element("id", "told").text
        if told and "Painting" not in told:
            break
        time.sleep(0.1)
    assert told.endswith("seconds"), (told, driver.get_log("browser"))
    saved = driver.downloads / f"{photo.stem}.colour.png"
    driver.find_element("id", "save").click()
    for _ in range(300):
        if saved.is_file() and saved.stat().st_size:
            return saved
        time.sleep(0.1)
    raise AssertionError("nothing was saved")


def test_the_page_paints_what_the_program_paints(driver, site, tmp_path, monkeypatch):
    """Of a PNG within one level, as far as half precision of the weights allows; of a JPEG, which browsers decode
    by themselves, nearly everywhere."""
    for room in ("chromagan.inference.predict", "chromagan.models.chroma_upsampler"):
        monkeypatch.setattr(f"{room}.has_fast_bfloat16", lambda device: False)
    driver.get(site)
    colorizer = Colorizer.from_pretrained(MODEL, "cpu")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(data.coffee()).save(tmp_path / "coffee.png")
    Image.fromarray(data.coins()).resize((90, 120)).save(tmp_path / "tiny.png")
    Image.fromarray(data.camera()).resize((640, 480)).save(tmp_path / "turned.jpg", exif=turned, quality=90)
    for name in ("coffee.png", "tiny.png", "turned.jpg"):
        (colored,) = colorizer.colorize([tmp_path / name])[0]
        colored.save(tmp_path / "ours.png")
        saved = paint(driver, tmp_path / name)
        made, ours = (np.asarray(Image.open(one).convert("RGB")).astype(int) for one in (saved, tmp_path / "ours.png"))
        assert made.shape == ours.shape
        off = np.abs(made - ours).max(2)
        assert off.max() <= (2 if name.endswith("png") else 4), name
        assert (off > 1).mean() < 0.01, name
        assert (made.max(2) - made.min(2)).mean() > 2
        assert read_provenance(saved).sha256 == colored.mark.sha256
    came = driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert all(name.startswith((site, "blob:", "data:")) for name in came)
    assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_what_is_no_photo_is_told(driver, site, tmp_path):
    driver.get(site)
    (tmp_path / "no.png").write_bytes(b"no photo")
    driver.find_element("id", "photo").send_keys(str(tmp_path / "no.png"))
    for _ in range(1200):
        told = driver.find_element("id", "told").text
        if told and "Painting" not in told:
            break
        time.sleep(0.1)
    assert "decoded" in told
