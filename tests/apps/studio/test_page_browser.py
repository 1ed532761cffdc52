"""The page in a real browser: open, stroke, see it, undo, save, open again; on a phone; by keyboard; unplugged."""

import time

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette")

from chromagan.apps.cli.main import main
from chromagan.apps.studio.app import make_app
from chromagan.apps.studio.studio import Studio
from chromagan.inference.colorizer import Colorizer

pytestmark = [pytest.mark.slow, pytest.mark.browser]
MODEL, KEY = "chromagan@small", "a-key"
SHOWN = """
    const photo = studio_view.after ?? studio_view.before, still = new OffscreenCanvas(photo.width, photo.height);
    const context = still.getContext("2d");
    context.drawImage(photo, 0, 0);
    return [...context.getImageData(...arguments[0]).data];
"""


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.from_pretrained(MODEL, "cpu")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Two photos: a bright wall beside a dark one, of 300 x 200 pixels."""
    folder = tmp_path_factory.mktemp("album")
    for number in (1, 2):
        noise = np.random.default_rng(number).integers(0, 24, (20, 30), dtype=np.uint8)
        wall = cv2.resize(noise, (300, 200), interpolation=cv2.INTER_CUBIC)
        wall[:, :150] += 70
        wall[:, 150:] += 190
        cv2.imwrite(str(folder / f"wall{number}.png"), wall)
    return folder


@pytest.fixture
def page(driver, serve, colorizer, scene, tmp_path):
    """A page of a new studio with the scene's photos, which writes into `out`."""
    studio = Studio(lambda: colorizer, [str(scene)], tmp_path / "out")
    driver.get("about:blank")
    found = Page(driver, serve(make_app(studio, KEY)))
    yield found
    driver.get("about:blank")
    studio.close()


class Page:
    """What a person does with the page."""

    def __init__(self, driver, port):
        self.driver, self.address = driver, f"http://127.0.0.1:{port}/"

    def tool(self, name):
        self.driver.find_element("css selector", f"[data-tool={name}]").click()

    def open(self, key=KEY):
        self.driver.get(f"{self.address}#{key}")
        return self

    def do(self, script, *values):
        return self.driver.execute_script(script, *values)

    def until(self, script, looks=1200):
        for _ in range(looks):  # looks, not seconds: the machine may stand still for a while
            if found := self.do(f"return {script}"):
                return found
            time.sleep(0.05)
        raise AssertionError(f"the page never came to: {script}; {self.driver.get_log('browser')}")

    def answered(self):
        self.until("window.studio?.photo && studio.answers > 0 && !studio.painting() && studio_view.after")

    def stroke(self, *places):
        """Drag along places of the photo, shares of its sides."""
        from selenium.webdriver import ActionChains

        before = self.do("return studio.answers")
        canvas = self.driver.find_element("id", "photo")
        spots = self.do(
            """
            const v = studio_view, r = devicePixelRatio;
            return arguments[0].map(([x, y]) => [
              (v.x + x * v.before.width * v.scale - v.canvas.width / 2) / r,
              (v.y + y * v.before.height * v.scale - v.canvas.height / 2) / r]);""",
            places,
        )
        chain = ActionChains(self.driver, duration=20)
        chain.move_to_element_with_offset(canvas, *map(round, spots[0])).click_and_hold()
        for spot in spots[1:]:
            chain.move_to_element_with_offset(canvas, *map(round, spot))
        chain.release().perform()
        self.until(f"studio.answers > {before}")
        self.answered()

    def shown(self, x, y, side=12):
        """Mean a* and b* of a square of the photo on the screen, in its own pixels."""
        data = np.array(self.do(SHOWN, [x, y, side, side]), np.uint8).reshape(side, side, 4)[..., :3]
        return cv2.cvtColor(data.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:].mean((0, 1))

    def press(self, name):
        self.driver.find_element("id", name).click()


def complaints(driver):
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_a_stroke_from_the_brush_to_the_file(page, scene, tmp_path):
    page.open().answered()
    plain, beyond = page.shown(70, 100), page.shown(240, 100)
    # A stroke of a blue, far from what any machine sees in noise: the colour changes there, and not beyond the edge.
    page.do("const hex = document.getElementById('hex'); hex.value = '#205a90'; hex.dispatchEvent(new Event('change'))")
    page.stroke((0.2, 0.45), (0.25, 0.5), (0.3, 0.55))
    blue = page.shown(70, 100)
    assert np.linalg.norm(blue - plain) > 15
    assert blue[1] < -15
    assert np.linalg.norm(page.shown(240, 100) - beyond) < 4
    assert page.until("document.querySelectorAll('#suggestions button').length") > 0
    # Undone it is as it was, and done again as before.
    page.press("undo")
    page.answered()
    assert np.linalg.norm(page.shown(70, 100) - plain) < 0.5
    page.press("redo")
    page.answered()
    assert np.linalg.norm(page.shown(70, 100) - blue) < 0.5
    # Saved: the file that the command writes for the same hints.
    page.press("save")
    page.until("document.getElementById('toast').textContent.startsWith('Saved')")
    ours, hints = tmp_path / "out" / "wall1.png", tmp_path / "out" / "wall1.hints.json"
    words = [str(scene / "wall1.png"), "--hints", str(hints), "--model", MODEL, "-o", str(tmp_path / "theirs")]
    assert main(["sample", *words]) == 0
    assert ours.read_bytes() == (tmp_path / "theirs" / "wall1.png").read_bytes()
    # Opened again, in a new tab: the stroke is there.
    page.driver.get("about:blank")
    page.open().answered()
    assert page.do("return studio.work.now.strokes.length") == 1
    assert np.linalg.norm(page.shown(70, 100) - blue) < 0.5
    # The eraser takes it away.
    page.do("document.querySelector('[data-tool=eraser]').click()")
    page.stroke((0.25, 0.5))
    assert np.linalg.norm(page.shown(70, 100) - plain) < 0.5
    assert complaints(page.driver) == []


def region(page, kind, *places):
    page.tool("region")
    page.driver.find_element("css selector", f"[name=region-kind][value={kind}]").click()
    page.stroke(*places)


@pytest.mark.parametrize("hand", [False, True])
def test_a_region_limits_what_changes(page, phone, scene, tmp_path, hand):
    if hand:
        phone(390, 844)
    page.open().answered()
    # Only here: beside it the photo is gray as it came.
    plain, spots = page.shown(70, 100), ((70, 60), (70, 100), (240, 100))
    around = ((0.05, 0.6), (0.05, 0.95), (0.4, 0.95), (0.4, 0.6), (0.06, 0.6))
    region(page, "only", *around)
    assert page.do("return studio.work.now.regions.only.polygons.length") == 1
    assert [np.linalg.norm(page.shown(*spot)) < 1 for spot in spots] == [True, True, True]
    inside = page.shown(70, 160)
    assert np.linalg.norm(inside) > 4
    # Undone, done again; variations differ in their region alone.
    page.press("undo")
    page.answered()
    assert np.linalg.norm(page.shown(70, 100) - plain) < 0.5
    region(page, "vary", *around)
    still, plain = page.shown(240, 60), page.shown(70, 160)
    page.driver.find_element("css selector", "[data-tab=variations]").click()
    page.press("vary")
    page.until("document.querySelectorAll('#gallery img').length === 6")
    page.do("document.querySelectorAll('#gallery button')[2].click()")
    page.answered()
    assert np.linalg.norm(page.shown(240, 60) - still) < 0.5
    assert np.linalg.norm(page.shown(70, 160) - plain) > 1
    # Saved with the hints; in a new tab all of it is there, and the eraser takes the region away by its line.
    page.do("document.getElementById('save-hints').click()")
    page.until("document.getElementById('toast').textContent.startsWith('Hints saved')")
    before = page.do("return [studio.work.now.regions, studio.work.now.seed]")
    page.driver.get("about:blank")
    page.open().answered()
    assert page.do("return [studio.work.now.regions, studio.work.now.seed]") == before
    page.tool("eraser")
    page.stroke((0.05, 0.8))
    assert page.do("return Object.keys(studio.work.now.regions).length") == 0
    page.do("studio.work.kept = studio.work.now")
    assert complaints(page.driver) == []


def test_a_region_by_keyboard(page):
    from selenium.webdriver import ActionChains, Keys

    page.open().answered()
    page.do("document.getElementById('photo').focus()")
    keys = ActionChains(page.driver).send_keys("r").key_down(Keys.SHIFT)
    for key in (Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ARROW_RIGHT):
        keys.send_keys(*[key] * 4).key_up(Keys.SHIFT).send_keys(Keys.ENTER).key_down(Keys.SHIFT)
    keys.key_up(Keys.SHIFT).send_keys(Keys.ENTER).perform()
    page.until("studio.work.now.regions.only && studio.answers > 1")
    page.answered()
    corners = np.array(page.do("return studio.work.now.regions.only.polygons[0]"))
    assert np.allclose(corners, [[0.3, 0.5], [0.3, 0.7], [0.5, 0.7]])
    assert np.linalg.norm(page.shown(240, 60)) < 1
    assert np.linalg.norm(page.shown(100, 120, 4)) > 4
    ActionChains(page.driver).send_keys(Keys.ENTER, Keys.ESCAPE).perform()
    assert page.do("return studio_view.corners.length") == 0
    page.do("studio.work.kept = studio.work.now")


def test_by_keyboard_alone(page):
    from selenium.webdriver import ActionChains, Keys

    page.open().answered()
    plain = page.shown(144, 94)
    page.do("document.getElementById('photo').focus()")
    keys = ActionChains(page.driver).send_keys("b", "]", "]")
    keys.key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT)
    keys.send_keys(*[Keys.ARROW_LEFT] * 5, Keys.ENTER).perform()
    page.until("studio.work.now.strokes.length === 1 && studio.answers > 1")
    ((x, y),) = page.do("return studio.work.now.strokes[0].points")
    assert (round(x, 2), round(y, 2)) == (0.4, 0.5)
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    page.until("studio.work.now.strokes.length === 0")
    page.answered()
    assert np.linalg.norm(page.shown(144, 94) - plain) < 0.5
    # Through the picker: the selected stroke follows.
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    page.until("studio.work.now.strokes.length === 1")
    before = page.do("return studio.work.now.strokes[0].rgb")
    page.do("document.getElementById('gamut').focus()")
    ActionChains(page.driver).send_keys(*[Keys.ARROW_DOWN] * 4).perform()
    assert page.until(f"studio.work.now.strokes[0].rgb !== '{before}'")
    # Every button can be reached and says what it is.
    for what, named in (("button", "one.textContent.trim() || one.ariaLabel"),
                        ("aside input, #under input", "one.labels.length || one.ariaLabel || one.hidden")):  # fmt: skip
        assert page.do(f"return [...document.querySelectorAll('{what}')].every((one) => {named})")
    page.do("studio.work.kept = studio.work.now")


def test_variations_and_sliders(page):
    page.open().answered()
    plain = page.shown(70, 100)
    page.do("document.querySelector('[data-tab=variations]').click()")
    page.press("vary")
    page.until("document.querySelectorAll('#gallery img').length === 6")
    page.do("document.querySelectorAll('#gallery button')[2].click()")
    page.until("studio.work.now.seed === 3")
    page.answered()
    page.press("unvary")
    page.answered()
    assert np.linalg.norm(page.shown(70, 100) - plain) < 0.5
    page.do("const s = document.getElementById('warmth'); s.value = 100; s.dispatchEvent(new Event('input'))")
    page.until("studio.work.now.warmth === 1")
    page.answered()
    assert page.shown(70, 100)[1] > plain[1] + 5
    page.do("studio.work.kept = studio.work.now")


def test_a_batch_with_its_bar(page, tmp_path):
    page.open().answered()
    page.do("document.querySelector('[data-tab=all]').click()")
    page.press("batch")
    page.until("document.getElementById('batch-note').textContent.startsWith('2 of 2')")
    assert page.do("const bar = document.getElementById('batch-bar'); return bar.value / bar.max") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["wall1.png", "wall2.png"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(page, phone, scheme):
    phone(390, 844)
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    page.open().answered()
    assert page.do("return document.documentElement.scrollWidth <= 390")
    targets = page.do("""return [...document.querySelectorAll("header button, #tools button, #under button")]
        .map((one) => one.getBoundingClientRect()).map((box) => [box.width, box.height, box.right])""")
    assert all(min(width, height) >= 40 and right <= 390 for width, height, right in targets if width)
    assert page.do("return document.getElementById('photo').getBoundingClientRect().height") > 250
    dark = page.do("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
    assert dark == (scheme == "dark")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_wrong_key_is_told_and_nothing_is_loaded_from_elsewhere(page):
    page.open("wrong")
    page.until("document.getElementById('toast').textContent.includes('key')")
    assert page.do("return window.studio.photos.length") == 0
    page.driver.get("about:blank")
    page.open().answered()
    assert page.do("return location.hash") == ""
    names = page.do("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith((page.address, "blob:", "data:")) for name in names)
    # What is brought is seen in this tab alone.
    page.do("""
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 64;
        const context = canvas.getContext("2d");
        for (let i = 0; i < 64; i++) { context.fillStyle = `hsl(0 0% ${i}%)`; context.fillRect(i, 0, 1, 64); }
        canvas.toBlob((blob) => {
          const files = new DataTransfer();
          files.items.add(new File([blob], "mine.png", { type: "image/png" }));
          dispatchEvent(Object.assign(new DragEvent("drop", { dataTransfer: files, cancelable: true })));
        });""")
    page.until("studio.photo?.name === 'mine.png'")
    page.answered()
    page.driver.switch_to.new_window("tab")
    page.open().answered()
    assert page.do("return studio.photos.map((photo) => photo.name)") == ["wall1.png", "wall2.png"]
    page.driver.close()
    page.driver.switch_to.window(page.driver.window_handles[0])
    assert page.do("return studio.photos.length") == 3
