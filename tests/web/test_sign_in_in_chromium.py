"""Signing in as a person sees it, in a real Chromium: the first of all, his code generator, his page, the others."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pyotp
import pytest
from browser import Browser, browser
from bwcdock.clock import WallClock
from bwcdock.testing.station import found
from served_world import free_port
from sign_in_world import GOOD

__all__ = ["browser"]
pytestmark = [pytest.mark.timeout(300), pytest.mark.chromium]

BWCDOCK = Path(sys.executable).with_name("bwcdock")
CODE = re.compile(rb"\b[2-9A-Z]{4}(?:-[2-9A-Z]{4}){3}\b")
WIDTH, HEIGHT = 1280, 900


@contextmanager
def at_work(*arguments: object) -> Iterator["subprocess.Popen[bytes]"]:
    """The program, until the end of the block."""
    process = subprocess.Popen(list(map(str, (BWCDOCK, *arguments))), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a station is served with its daemon, and the code for the first person."""
    plain, tls = free_port(), free_port()
    web = {"listen": f"127.0.0.1:{plain}", "tls_listen": f"127.0.0.1:{tls}"}
    dock = found(tmp_path / "dock", {"web": web}, now=WallClock().now()).paths.run.parent
    with at_work("-C", dock, "run"), at_work("-C", dock, "web") as pages:
        assert pages.stdout is not None
        code = b""
        while not code:
            code = b"".join(CODE.findall(pages.stdout.readline()))
        wait_for(f"http://127.0.0.1:{plain}/static/base.css", dock / "run" / "desk.sock")
        yield f"https://localhost:{tls}", code.decode()


def wait_for(url: str, line: Path) -> None:
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            with urlopen(url, timeout=10):
                if line.exists():
                    return
        except URLError:
            pass
        time.sleep(0.1)
    raise AssertionError("the station did not come up")


def fills(browser: Browser, **said: str) -> None:
    for name, value in said.items():
        browser.find(f'input[name="{name}"]').send_keys(value)


def presses(browser: Browser, css: str) -> None:
    """Press it, and wait for the page that comes."""
    old = browser.find("html")
    browser.find(css).click()

    def is_there() -> bool:
        return browser.find("html") != old and browser.run("return document.readyState") == "complete"

    browser.until(is_there, f"after {css}")


def test_the_first_person_comes_in_and_lets_another_in(browser: Browser, station: tuple[str, str]) -> None:
    origin, code = station
    browser.size(WIDTH, HEIGHT)
    browser.get(f"{origin}/login")
    assert "首位用户" in browser.text("h1")
    browser.picture("first-zh")
    fills(browser, code=code, person="001", name="王管理", password=GOOD, again=f"{GOOD}x")
    presses(browser, "form button")
    assert "两次输入的密码不一致" in browser.text('[role="alert"]')
    fills(browser, code=code, password=GOOD, again=GOOD)
    presses(browser, "form button")
    browser.forget_errors("422")

    assert "设置动态口令" in browser.text("h1")
    box = browser.run("const r = document.querySelector('svg').getBoundingClientRect(); return [r.width, r.height]")
    assert min(box) > 150, "the square is drawn"
    browser.picture("generator-zh")
    totp = pyotp.TOTP(browser.text(".steps .mono").replace(" ", ""))
    fills(browser, code=totp.at(WallClock().now()))
    presses(browser, ".steps button")
    assert browser.run("return location.pathname") == "/desk"
    browser.get(f"{origin}/me")
    assert "王管理" in browser.text("h1")
    browser.picture("me-zh")

    browser.run("document.querySelector('#role').value = 'system-administrator'")
    presses(browser, 'form[action="/me/role"] button')
    browser.get(f"{origin}/sign-ins")
    assert "王管理" in browser.text("table")
    browser.picture("sign-ins-zh")
    browser.get(f"{origin}/sign-ins/token?person=001&role=administrator")
    browser.picture("token-zh")
    fills(browser, name="central")
    browser.find('input[value="read:records"]').click()
    presses(browser, 'form[method="post"].card button')
    assert browser.text(".once").startswith("bwcdock_")
    browser.get(f"{origin}/me?lang=en")
    assert "You act as" in browser.text("main")
    browser.picture("me-en")
    presses(browser, 'form[action="/logout"] button')
    assert "Sign in" in browser.text("h1")
    browser.picture("login-en")
    browser.get(f"{origin}/join?lang=zh")
    browser.picture("join-zh")
    browser.get(f"{origin}/login")
    fills(browser, person="001", password="not this one at all")
    presses(browser, "form button")
    assert "工号或密码不正确" in browser.text('[role="alert"]')
    browser.picture("login-wrong-zh")
    browser.forget_errors("422")
    fills(browser, person="001", password=GOOD)
    presses(browser, "form button")
    assert "二次验证" in browser.text("h1")
    browser.picture("second-zh")
    browser.size(1024, 768)
    browser.picture("second-small-zh")
    widest = browser.run("return document.documentElement.scrollWidth")
    assert widest <= 1024
    browser.must_be_clean(origin)
