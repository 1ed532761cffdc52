"""Make docs/guide/studio.jpg: the studio in Chromium, with a photograph that scikit-image ships and three strokes.

python docs/make_studio.py        (needs chromium, chromium-driver and the extras `studio`, `demo`, `test`)
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import uvicorn
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from chromagan import Colorizer
from chromagan.apps.studio.app import make_app
from chromagan.apps.studio.studio import Studio

TARGET = Path(__file__).parent / "guide" / "studio.jpg"
STROKES = """
    const stroke = (points, rgb) => ({ kind: "colour", points, radius: 0.03, strength: 1, rgb });
    studio_view.on.look([0.36, 0.66]);
    studio.work.change({ strokes: [
      stroke([[0.36, 0.66], [0.44, 0.62]], "#c8562e"), stroke([[0.13, 0.72], [0.2, 0.62]], "#c8562e"),
      stroke([[0.62, 0.58], [0.67, 0.66]], "#c8562e"), stroke([[0.36, 0.88], [0.45, 0.84]], "#c8562e"),
      stroke([[0.64, 0.1], [0.65, 0.25]], "#8d9096"), stroke([[0.93, 0.1], [0.94, 0.4]], "#8d9096"),
    ] });
    document.getElementById("saturation").dispatchEvent(new Event("input"));
    studio_view.on.split(0.28);
"""


def main() -> None:
    """Start a studio, open it, paint, take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        photo = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
        cv2.imwrite(f"{folder}/eileen_collins.png", photo)
        studio = Studio(Colorizer.from_pretrained, [folder], f"{folder}/out")
        server = uvicorn.Server(uvicorn.Config(make_app(studio, "key"), port=0, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.1)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/#key")
        wait(driver, 0)
        driver.execute_script(STROKES)
        wait(driver, 1)
        time.sleep(2)
        shot = cv2.imdecode(np.frombuffer(driver.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
        cv2.imwrite(str(TARGET), shot, [cv2.IMWRITE_JPEG_QUALITY, 88])
        driver.quit()
        server.should_exit = True
        thread.join()


def wait(driver: webdriver.Chrome, answers: int) -> None:
    """Until the page has shown more answers than so many."""
    while not driver.execute_script(f"return window.studio?.answers > {answers} && !studio.painting()"):
        time.sleep(0.1)


if __name__ == "__main__":
    main()
