"""A real Chromium for the tests of the pages, which watches itself: no error in its console, no request to elsewhere.

``browser`` is the fixture. Pictures go to build/screenshots and stay, for people to look at.
"""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PATIENCE_S = 40.0
"""How long a test waits for what takes a second on a machine that is not busy."""

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--ignore-certificate-errors", "--no-proxy-server",
)  # fmt: skip


OWN = ("data:", "blob:", "chrome://", "chrome-untrusted://", "about:")
"""How addresses begin that nobody is asked for: the window it opens with, and what is in the page itself."""


class Browser:
    """One window. ``errors`` and ``urls`` are everything since it was opened."""

    def __init__(self, profile: Path) -> None:
        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # A group of its own: whatever it starts ends with the test.
        service = Service(shutil.which("chromedriver"), popen_kw={"start_new_session": True})
        self.driver = webdriver.Chrome(options=options, service=service)
        self._group = service.process.pid
        self._errors: list[str] = []
        self._urls: list[str] = []

    def get(self, url: str) -> None:
        """Open this page."""
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        """As on a screen of so many pixels."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def find(self, css: str) -> WebElement:
        """The first element that this selects."""
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[WebElement]:
        """Every element that this selects."""
        return self.driver.find_elements("css selector", css)

    def text(self, css: str) -> str:
        """What is to be read there."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css))

    def run(self, script: str, *given: Any) -> Any:
        """What this script returns; the driver runs it, so no policy of the page is asked."""
        return self.driver.execute_script(script, *given)

    def until(self, condition: Callable[[], Any], what: str = "", limit_s: float = PATIENCE_S) -> Any:
        """What ``condition`` answers once it is something true; the page may be changing meanwhile."""

        def asked(_: Any) -> Any:
            with suppress(StaleElementReferenceException):
                return condition()
            return None

        return WebDriverWait(self.driver, limit_s, 0.1, ignored_exceptions=[WebDriverException]).until(asked, what)

    def picture(self, name: str) -> Path:
        """What is on the screen now, as build/screenshots/<name>.png."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path

    # --- what it saw --------------------------------------------------------------------------------------------------

    @property
    def errors(self) -> list[str]:
        """Every error and warning in the console so far."""
        for line in self.driver.get_log("browser"):
            if line["level"] in {"SEVERE", "WARNING"}:
                self._errors.append(line["message"])
        return self._errors

    def forget_errors(self, *about: str) -> None:
        """What was expected to be there: each of these words is in one of them."""
        seen = self.errors
        for word in about:
            assert any(word in message for message in seen), (word, seen)
        self._errors = []

    @property
    def urls(self) -> list[str]:
        """Every address that was asked for so far."""
        for line in self.driver.get_log("performance"):
            told = json.loads(line["message"])["message"]
            if told["method"] in {"Network.requestWillBeSent", "Network.webSocketCreated"}:
                self._urls.append(told["params"].get("request", told["params"])["url"])
        return self._urls

    def must_be_clean(self, *origins: str) -> None:
        """No error was in the console, and nothing was asked of anybody else."""
        assert not self.errors, self.errors
        strange = {url for url in self.urls if not url.startswith(OWN) and _origin(url) not in origins}
        assert not strange, strange

    def close(self) -> None:
        """End it and everything it started, by their ids."""
        with suppress(WebDriverException, OSError):
            self.driver.quit()
        with suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def missing() -> str:
    """The Debian packages without which there is no browser here; empty where it can be tried."""
    needed = {"chromium": "chromium", "chromedriver": "chromium-driver"}
    return " ".join(package for program, package in needed.items() if shutil.which(program) is None)


@pytest.fixture
def browser() -> Iterator[Browser]:
    if missing():
        pytest.skip(f"Debian's {missing()} is not installed: no page is looked at in a real browser")
    # Not in tmp_path: a socket in the profile must fit an address of 107 bytes.
    profile = Path(tempfile.mkdtemp(prefix="bwcdock-"))
    made = Browser(profile)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(profile, ignore_errors=True)
