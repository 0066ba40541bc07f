"""A page in a real browser: Debian's chromium without a window, driven by selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium")
import axe_core_python
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
AXE = "axe.run({preload: false}).then(arguments[arguments.length - 1])"  # preloading asks for the styles again


class Browser:
    """One window. A page is opened in a size and a scheme; its console and its requests are kept by the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int, dark: bool, anchor: str = "") -> None:
        """Load a page anew."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get("about:blank")
        self.logged("browser"), self.requests()
        self.driver.get(page.as_uri() + anchor)

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a function returns on the page."""
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements, as seen."""
        return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def press(self, selector: str, *keys: str) -> None:
        """Press keys while an element has the focus."""
        self.run("document.querySelector(arguments[0]).focus()", selector)
        self.press_here(*keys)

    def press_here(self, *keys: str) -> None:
        """Press keys where the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def point(self, selector: str, across: float, down: float) -> None:
        """Move the pointer over the first such element, to shares of its width and height."""
        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        x, y = (across - 0.5) * element.size["width"], (down - 0.5) * element.size["height"]
        webdriver.ActionChains(self.driver).move_to_element_with_offset(element, round(x), round(y)).perform()

    def wait(self, script: str) -> None:
        """Until the body of a function returns something true, at most five seconds."""
        WebDriverWait(self.driver, 5).until(lambda driver: driver.execute_script(script))

    def logged(self, kind: str) -> list[str]:
        """The console's messages since they were last asked for."""
        return [entry["message"] for entry in self.driver.get_log(kind)]

    def requests(self) -> list[str]:
        """The addresses that were asked for since they were last asked for; those inside the page are left out."""
        events = [json.loads(message)["message"] for message in self.logged("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "about:"))]

    def violations(self) -> list[str]:
        """What axe finds, of any severity: the rule, and the first element."""
        self.run(files(axe_core_python).joinpath("axe.min.js").read_text("utf-8"))
        found = self.driver.execute_async_script(AXE)["violations"]
        return [f"{rule['id']}: {rule['nodes'][0]['html']:.200}" for rule in found]


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium; skips the test where it is not installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium, or no chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for switch in SWITCHES:
        options.add_argument(switch)
    window = webdriver.Chrome(options, Service(driver))
    window.set_script_timeout(180)  # axe takes seconds on a quiet machine, and a minute on a busy one
    try:
        yield Browser(window)
    finally:
        window.quit()


__all__ = ["Browser", "Keys", "browser"]
