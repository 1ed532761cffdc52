"""The service's own page in a real browser: it describes, sends a photo, shows the answer; nothing from elsewhere."""

import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_photo_by_the_page(driver, open_service, photo):
    ask = open_service()
    driver.get(f"http://127.0.0.1:{ask.port}/")

    def find(css):
        return driver.find_element(By.CSS_SELECTOR, css)

    def wait(condition):
        return WebDriverWait(driver, 60).until(lambda _: condition())

    wait(lambda: len(driver.find_elements(By.CSS_SELECTOR, "article")) == 4)
    assert "POST /colorize" in find("#paths").text
    find("#photo").send_keys(str(photo))
    find("[data-wish=saturation]").send_keys("1.5")
    find("form button").click()
    wait(lambda: driver.execute_script("return document.getElementById('answer').naturalWidth") == 128)
    assert find("#told").text.startswith("image/png")
    assert find("#keep").get_attribute("download") == "photo-colour.png"
    find("#guidance").send_keys("{")
    find("form button").click()
    wait(lambda: "422" in find("#told").text)
    assert "not JSON" in find("#told").text
    said = [line for line in driver.get_log("browser") if "422" not in line["message"]]
    assert not said
