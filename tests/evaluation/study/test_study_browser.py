"""A study from end to end in a real browser: people simulated by keyboard and by touch, their files analysed."""

import json
import time

import cv2
import numpy as np
import pytest

from chromagan.apps.cli.main import main
from chromagan.evaluation.study.results import read_participant

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("real", "ours"):
        (tmp_path / name).mkdir()
        for index in range(4):
            coarse = rng.integers(60, 200, (6, 8, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{index}.png"), cv2.resize(coarse, (120, 90)))
    return tmp_path


def make(photos, *options):
    folders = ["--real", str(photos / "real"), "--colorized", f"ours={photos / 'ours'}"]
    short = ["--practice", "1", "--attention", "1", "--participants", "2"]
    assert main(["study", *folders, "-o", str(photos / "study"), *short, *options]) == 0
    return (photos / "study" / "index.html").as_uri()


class Person:
    """Takes part by one kind of input; judges as told: fooled by every method, by no attention check."""

    def __init__(self, driver, press, touch):
        self.driver, self.press, self.touch = driver, press, touch

    def until(self, script, looks=400):
        # Looks are counted, not seconds: a machine that stops all of this for a while must not fail it.
        for _ in range(looks):
            found = self.driver.execute_script(f"return {script}")
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"the page never came to: {script}")

    def go_on(self, button):
        self.until(f"document.querySelector('{button}')?.getClientRects().length")
        self.press(" ") if self.press else self.touch(self.driver.find_element("css selector", button))

    def take_part(self):
        self.go_on("#start")
        trials = self.driver.execute_script("return trials")
        for number, trial in enumerate(trials):
            buttons = "[...document.querySelectorAll('.slot button, #choices button')].filter(b => !b.hidden)"
            found = self.until(f"record.trials.length === {number} && {buttons}.length === 2 && {buttons}")
            images = "[...document.querySelectorAll('.slot img')].map(i => i.style.visibility)"
            assert "visible" not in self.driver.execute_script(f"return {images}"), "a picture stays while answering"
            # Taken for real: every picture shown alone and every method's of a pair, but no attention check.
            attentive = trial["kind"] == "attention"
            single = trial["colorized_left"] is None
            first = not attentive if single else trial["colorized_left"] == attentive
            self.press("F" if first else "\ue014") if self.press else self.touch(found[0 if first else 1])
            if trial["phase"] == "practice":
                self.go_on("#next")
                if trials[number + 1]["phase"] == "test":
                    self.go_on("#continue")
        self.until("!document.getElementById('end').hidden")

    def save(self):
        before = set(self.driver.downloads.glob("*.json")) if self.driver.downloads.exists() else set()
        self.go_on("#download")
        text = self.driver.execute_script("return document.getElementById('result').value")
        for _ in range(200):
            new = set(self.driver.downloads.glob("*.json")) - before if self.driver.downloads.exists() else set()
            if new:
                assert new.copy().pop().read_text() == text
                return new.pop()
            time.sleep(0.05)
        raise AssertionError("no file was downloaded")


def keyboard(driver):
    from selenium.webdriver import ActionChains

    return Person(driver, lambda key: ActionChains(driver).send_keys(key.lower()).perform(), None)


def fingers(driver):
    from selenium.webdriver.common.actions import interaction
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    def touch(element):
        actions = ActionBuilder(driver, mouse=PointerInput(interaction.POINTER_TOUCH, "finger"), duration=20)
        actions.pointer_action.move_to(element).pointer_down().pointer_up()
        actions.perform()

    return Person(driver, None, touch)


def no_complaints(driver):
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def in_time(content):
    """Exposures lie within 0.9 to 1.1 s; one that a busy machine spoiled must at least be known as such."""
    spoiled = 0
    for trial in content["trials"]:
        inside = all(900 <= ms <= 1100 for ms in trial["exposures_ms"])
        assert trial["valid"] == (inside and not trial["interrupted"])
        spoiled += not inside
    return spoiled == 0


def finished(person, url):
    """Take part; again where the machine was too busy to show a picture for a second."""
    for _ in range(8):
        person.driver.get("about:blank")
        person.driver.get(url)
        person.take_part()
        file = person.save()
        if in_time(json.loads(file.read_text())):
            return file
    raise AssertionError(f"eight times not shown for 0.9 to 1.1 s: {file.read_text()}")


def test_pairs_one_after_the_other_by_keyboard(driver, photos, tmp_path, capsys):
    url = make(photos, "--trials", "2")
    file = finished(keyboard(driver), f"{url}?participant=2")
    content = json.loads(file.read_text())
    assert no_complaints(driver)
    assert (content["participant"], content["participant_source"], content["schedule"]) == (2, "address", 1)
    assert [len(trial["exposures_ms"]) for trial in content["trials"]] == [2, 2, 2]
    assert {trial["input"] for trial in content["trials"]} == {"key"}
    assert {trial["shown_px"] for trial in content["trials"]} == {256}
    assert all(trial["reaction_ms"] > 0 for trial in content["trials"])

    capsys.readouterr()
    assert main(["study", "--results", str(file), "-o", str(tmp_path / "out")]) == 0
    assert "100.0 %" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["included"], results["methods"][0]["fooled"], results["methods"][0]["rate"]["count"]) == (1, 1, 1)
    assert results["per_participant"][0]["attention passed"] == 1


TARGETS = """[...document.querySelectorAll("button")].filter((b) => b.getClientRects().length).map((b) => {
    const box = b.getBoundingClientRect();
    return { text: b.textContent, width: box.width, height: box.height, right: box.right, bottom: box.bottom };
})"""


@pytest.mark.parametrize("size", [(390, 844), (844, 390)])
@pytest.mark.parametrize("mode", ["pairs", "single"])
def test_a_phone_is_told_of_touch_alone_and_has_large_targets(driver, phone, photos, mode, size):
    phone(*size)
    driver.get(make(photos, "--trials", "3", "--mode", mode, "--overwrite"))
    person = fingers(driver)
    person.until("document.getElementById('start').getClientRects().length")
    said = [driver.execute_script("return document.getElementById('intro').innerText")]
    targets = driver.execute_script(f"return {TARGETS}")
    person.go_on("#start")
    found = person.until("[...document.querySelectorAll('.slot button, #choices button')].filter((b) => !b.hidden)")
    answers = driver.execute_script(f"return {TARGETS}")
    person.touch(found[0])
    person.until("document.querySelector('#next')")
    targets += answers + driver.execute_script(f"return {TARGETS}")
    said += [target["text"] for target in targets]
    assert len(answers) == 2
    for word in ("key", "arrow", "space bar", "mouse", "Ctrl", *"\u2190\u2191\u2192\u2193"):
        assert not any(word in text for text in said), word
    assert "touching" in said[0]
    assert min(min(target["width"], target["height"]) for target in targets) >= 60
    assert max(target["right"] for target in targets) <= size[0]
    assert max(target["bottom"] for target in answers) <= size[1]


@pytest.mark.parametrize("mode", ["pairs", "single"])
def test_by_touch_on_a_phone(driver, phone, photos, mode):
    phone(360, 740)
    url = make(photos, "--trials", "3", "--mode", mode, "--presentation", "together")
    file = finished(fingers(driver), url)
    assert no_complaints(driver)
    content = json.loads(file.read_text())
    assert content["participant_source"] == "random"
    assert content["screen"]["window_width"] == 360
    assert {trial["input"] for trial in content["trials"]} == {"touch"}
    assert {len(trial["exposures_ms"]) for trial in content["trials"]} == {1}
    assert {trial["layout"] for trial in content["trials"]} == {"column" if mode == "pairs" else "row"}
    assert {trial["shown_px"] for trial in content["trials"]} == {256}
    person = read_participant(file)
    assert person.checks == (1, 1)
    assert len(person.measured) == 2
    assert all(answer.fooled for answer in person.measured)


def test_the_page_asks_no_network_and_refuses_a_wrong_number(driver, photos):
    url = make(photos, "--trials", "2")
    driver.get(f"{url}?participant=0")
    assert driver.find_element("id", "problem").is_displayed()
    assert not driver.find_element("id", "start").is_enabled()
    loaded = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    driver.execute_script("fetch('http://127.0.0.1:9/').catch(() => { document.title = 'refused'; })")
    for _ in range(100):
        if driver.title == "refused":
            break
        time.sleep(0.05)
    assert driver.title == "refused"
    violations = [entry["message"] for entry in driver.get_log("browser")]
    assert any("Content Security Policy" in message for message in violations)
