"""What all tests share: the mark `quick`, Ctrl-C as in a terminal, a browser, an S3 server, free photographs."""

import logging
import os
import shutil
import signal
from pathlib import Path

import cv2
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several test processes share the cores: PyTorch's threads of one would wait for those of another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Rooms and files whose tests train networks, time them, or build large ones.
UNHURRIED = {"training", "benchmark", "test_onnx.py", "test_export.py", "test_zoo.py"}

BROWSER_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """`-m quick` is what is not marked otherwise, but for what takes its time."""
    for item in items:
        named = {mark.name for mark in item.iter_markers()} & {"slow", "process", "browser"}
        rooms = item.path.parts[len(Path(__file__).parent.parts) :]
        if not named and UNHURRIED.isdisjoint(rooms):
            item.add_marker(pytest.mark.quick)


def pytest_configure():
    """Some tests interrupt themselves or their children; a shell's background jobs start with Ctrl-C ignored.

    What `nohup` starts ignores the hang-up, and so would the children that tests hang up on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory):
    """A folder of four colour photographs of scikit-image, 96 pixels on the short side, as PNG."""
    skimage_data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("scikit_image")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photo = getattr(skimage_data, name)()
        scale = 96 / min(photo.shape[:2])
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(scope="session")
def s3_server():
    """An S3 server on 127.0.0.1."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch, tmp_path):
    """An empty bucket; processes that are started find the server, too."""
    import s3fs

    values = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
              "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = tmp_path.name.replace("_", "-").lower()[:60]
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Chromium, driven; `downloads` is its folder for files."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    folder = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1200,900"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder / "downloads")})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    browser.downloads = folder / "downloads"
    yield browser
    browser.quit()


@pytest.fixture
def phone(driver):
    """The browser as a phone: its width and height are set by a call."""

    def held(width, height):
        screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})

    yield held
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
