"""The wall in a real browser: while a recorder is pulled, yanked and comes back, and when station or pages end."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from browser import Browser, browser
from bwcdock import slots
from bwcdock.core.facts import Actor
from bwcdock.core.statements import Tagged
from bwcdock.desk import do
from bwcdock.desk.line import act_of
from bwcdock.testing.station import StationBed
from selenium.webdriver.common.keys import Keys
from wall_world import PIN, at_work

__all__ = ["browser"]
pytestmark = [pytest.mark.timeout(300), pytest.mark.chromium]
HERE = Path(__file__).parent
MANY = 24 << 20


class Dock:
    """A station of a few slots, with its pages in a process of their own."""

    def __init__(self, directory: Path, count: int, **tables: dict) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        web = {"listen": f"127.0.0.1:{self.port}", **tables.pop("web", {})}
        self.bed = StationBed(directory, {"pull": {"chunk": "4 KiB"}, "web": web, **tables})
        ports = [slots.Slot(number=n, port=f"pci-0000:00:14.0-usb-0:1.{n}") for n in range(1, count + 1)]
        self.bed.settings.paths.slots.write_text(slots.render(ports))
        self.recorder = self.bed.recorder("F1-0001")
        self.url = f"http://127.0.0.1:{self.port}"

    def records(self, size: int = MANY) -> None:
        """Two recordings, each of half a second: since the recorder was issued, which is a moment ago."""
        began = self.bed.clock.now() - timedelta(seconds=1)
        for at, name in enumerate(("a.mp4", "b.mp4")):
            start = began + at * timedelta(seconds=0.5)
            self.recorder.record(name, bytes(size), start=start, modified=start + timedelta(seconds=0.5))

    def people(self) -> None:
        """An officer is in the register, and the recorder is issued to him."""
        with self.bed.bench() as bench:
            for word, said in (
                ("enter-person", {"person": "001", "name": "王管理", "roles": ["administrator"]}),
                ("enter-person", {"person": "002", "name": "李建国", "roles": ["officer"]}),
                ("register-device", {"device": "F1-0001"}),
                ("issue", {"device": "F1-0001", "to": "002", "checked": ["clock", "battery", "storage", "works"]}),
            ):
                do(bench, act_of(word, said), Actor(name="001", role="administrator"))

    @contextmanager
    def working(self) -> Iterator[None]:
        """The station at work with its line, in a thread and a loop of its own."""
        began = threading.Event()
        stop: list[Callable[[], object]] = []

        async def work() -> None:
            end, loop = asyncio.Event(), asyncio.get_running_loop()
            async with at_work(self.bed):
                stop.append(lambda: loop.call_soon_threadsafe(end.set))
                began.set()
                await end.wait()

        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        try:
            assert began.wait(30)
            yield
        finally:
            for each in stop:
                each()
            thread.join(60)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen]:
        """`bwcdock run`."""
        command = [Path(sys.executable).with_name("bwcdock"), "-C", str(self.bed.directory / "station"), "run"]
        with ended(command) as process:
            yield process

    @contextmanager
    def pages(self, *edition: str) -> Iterator[subprocess.Popen]:
        """The pages, listening."""
        settings = self.bed.directory / "station" / "bwcdock.toml"
        with ended([sys.executable, str(HERE / "wall_server.py"), str(settings), *edition]) as process:
            for _ in range(600):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", self.port)) == 0:
                        break
                assert process.poll() is None
                threading.Event().wait(0.05)
            yield process


@contextmanager
def ended(command: list[str | Path]) -> Iterator[subprocess.Popen]:
    """A process that does not outlive the test."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def shows(browser: Browser, key: str = "s1") -> str:
    return browser.run("return document.getElementById(arguments[0])?.dataset.shows ?? ''", f"card-{key}")


def is_hidden(browser: Browser, banner: str) -> bool:
    return bool(browser.run("return document.getElementById(arguments[0])?.hidden ?? true", banner))


# --- a recorder --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_recorder_is_pulled_and_yanked_and_comes_back(tmp_path, browser, lang):
    dock = Dock(tmp_path, 8)
    dock.people()
    browser.size(1920, 1080)
    with dock.working(), dock.pages():
        browser.get(f"{dock.url}/wall?lang={lang}")
        browser.until(lambda: shows(browser) == "empty")
        dock.records()
        dock.recorder.yank("b.mp4", MANY // 2)
        dock.recorder.plug("usb-1", slot=1)
        browser.until(lambda: shows(browser) == "pulling")
        seen = browser.until(lambda: [n for n in [int(browser.text("#card-s1 .percent").rstrip("%") or 0)] if n > 5])
        browser.picture(f"wall-pulling-{lang}")
        browser.find("#card-s1").send_keys("")  # the focus is on it while it changes
        browser.run("document.getElementById('card-s1').focus()")
        browser.until(lambda: int(browser.text("#card-s1 .percent").rstrip("%") or 0) > seen[0])
        assert browser.run("return document.activeElement.id") == "card-s1"
        browser.until(lambda: shows(browser) == "unfinished")
        word = {"zh": "未采完", "en": "Unfinished"}[lang]
        assert word in browser.text("#card-s1")
        browser.until(lambda: word in browser.run("return document.getElementById('said').textContent"))
        browser.picture(f"wall-yanked-{lang}")
        dock.recorder.plug("usb-1", slot=1)
        browser.until(lambda: shows(browser) == "settled")
        browser.until(lambda: browser.all("#card-s1 svg.qr"))
        assert "李**" in browser.text("#card-s1")
        browser.picture(f"wall-settled-{lang}")
        browser.must_be_clean(dock.url)
        dock.recorder.unplug()


# --- what ends and comes again -----------------------------------------------------------------------------------


def test_the_daemon_is_killed_and_the_wall_says_so_and_recovers(tmp_path, browser):
    dock = Dock(tmp_path, 2)
    with dock.pages():
        with dock.daemon() as daemon:
            browser.get(f"{dock.url}/wall")
            browser.until(lambda: shows(browser) == "empty")
            assert is_hidden(browser, "banner-daemon")
            daemon.kill()
            browser.until(lambda: not is_hidden(browser, "banner-daemon"))
            assert "采集程序未运行" in browser.text("#banner-daemon")
            assert shows(browser) == "unknown"
            assert is_hidden(browser, "banner-link")
            browser.picture("wall-without-a-daemon-zh")
        with dock.daemon():
            browser.until(lambda: is_hidden(browser, "banner-daemon"))
            assert shows(browser) == "empty"
            browser.must_be_clean(dock.url)


def test_the_pages_are_restarted_and_the_wall_recovers_and_takes_a_newer_edition(tmp_path, browser):
    dock = Dock(tmp_path, 2)
    with dock.working():
        with dock.pages() as pages:
            browser.get(f"{dock.url}/wall")
            browser.until(lambda: shows(browser) == "empty")
            browser.run("window.mark = 1")
            pages.kill()
            browser.until(lambda: not is_hidden(browser, "banner-link"))
            assert "连接中断，正在重连" in browser.text("#banner-link")
            browser.picture("wall-connection-lost-zh")
        with dock.pages() as pages:
            browser.until(lambda: is_hidden(browser, "banner-link"))
            assert browser.run("return window.mark") == 1  # the same edition: nothing is loaded anew
            os.kill(pages.pid, signal.SIGSTOP)  # it hangs, and no connection breaks
            browser.until(lambda: not is_hidden(browser, "banner-link"))
            os.kill(pages.pid, signal.SIGCONT)
            browser.until(lambda: is_hidden(browser, "banner-link"))
            pages.kill()
            browser.until(lambda: not is_hidden(browser, "banner-link"))
        with dock.pages("newer"):
            browser.until(lambda: browser.run("return window.mark === undefined && document.readyState === 'complete'"))
            browser.until(lambda: shows(browser) == "empty")
            assert browser.run("return document.getElementById('clock').dataset.edition") == "newer"
            browser.forget_errors("ERR_CONNECTION_REFUSED")
            browser.must_be_clean(dock.url)


# --- by touch ----------------------------------------------------------------------------------------------------


def typed(browser: Browser, digits: str) -> None:
    for digit in digits:
        browser.find(f'[data-digit="{digit}"]').click()


def test_an_officer_tags_by_touch_and_the_ledger_has_it(tmp_path, browser):
    dock = Dock(tmp_path, 8)
    dock.people()
    browser.size(1024, 768)
    with dock.working(), dock.pages():
        browser.get(f"{dock.url}/wall")
        browser.until(lambda: shows(browser) == "empty")
        dock.records(2000)
        dock.recorder.plug("usb-1", slot=1)
        browser.until(lambda: browser.all("#card-s1 svg.qr"))
        browser.find("#card-s1").click()
        browser.until(lambda: browser.all("#desk[open] .who"))
        assert browser.all("#desk svg.qr")
        browser.picture("wall-who-are-you-zh")
        typed(browser, "002")
        browser.find(".who .go").click()  # to the PIN
        assert browser.run("return document.activeElement.id") == "who-pin"
        typed(browser, PIN[:-1] + "9")
        browser.find("[data-back]").click()
        typed(browser, PIN[-1])
        browser.find(".who .go").click()
        browser.until(lambda: browser.all(".business .line"))
        assert "李建国" in browser.text("#desk")
        browser.picture("wall-what-is-his-zh")
        browser.all(".business .line")[0].click()
        browser.find('.choice:has([value="dispute"])').click()
        browser.find('.choice:has([name="important"])').click()
        browser.picture("wall-tagging-zh")
        browser.find('button[value="tag"]').click()
        browser.until(lambda: browser.all(".told.good"))
        (told,) = [entry for entry in dock.bed.entries() if isinstance(entry.fact, Tagged)]
        assert (told.actor.name, told.actor.role) == ("002", "officer")
        assert (told.fact.label.tags, told.fact.label.important) == ({"dispute"}, True)
        browser.must_be_clean(dock.url)
        dock.recorder.unplug()


def test_a_slot_is_opened_and_closed_by_keys_and_closes_by_itself(tmp_path, browser):
    dock = Dock(tmp_path, 3)
    dock.people()
    with dock.working(), dock.pages():
        browser.get(f"{dock.url}/wall?lang=en")
        browser.until(lambda: shows(browser, "s3") == "empty")
        dock.records(2000)
        dock.recorder.plug("usb-1", slot=2)
        browser.until(lambda: shows(browser, "s2") == "settled")
        card = browser.find("#card-s2")
        browser.run("arguments[0].focus()", card)
        card.send_keys(Keys.ENTER)
        browser.until(lambda: browser.all("#desk[open] .who"))
        browser.until(lambda: browser.run("return document.activeElement.id") == "who-person")
        browser.find("#who-person").send_keys("002", Keys.TAB, "000000", Keys.ENTER)
        browser.until(lambda: browser.all(".told.bad"))
        assert "the PIN is wrong" in browser.text(".told.bad")
        browser.find("#who-person").send_keys(Keys.ESCAPE)
        browser.until(lambda: not browser.all("#desk[open]"))
        assert browser.run("return document.activeElement.id") == "card-s2"
        browser.run("document.getElementById('desk').dataset.idle = 1")
        card.click()
        browser.until(lambda: browser.all("#desk[open] .who"))
        browser.until(lambda: not browser.all("#desk[open]"))
        assert browser.text("#desk-body") == ""
        browser.must_be_clean(dock.url)
        dock.recorder.unplug()


# --- screens -----------------------------------------------------------------------------------------------------

SIZES = [(8, 1920, 1080), (40, 1920, 1080), (40, 1024, 768), (40, 3840, 2160), (8, 3840, 2160)]
FITS = """
const cards = [...document.querySelectorAll(".slot")], box = document.getElementById("main").getBoundingClientRect();
const words = cards.map((card) => card.querySelector(".word"));
const at = cards.map((card) => card.getBoundingClientRect());
return {
  count: cards.length, seen: at.filter((each) => each.bottom <= box.bottom + 1 && each.right <= innerWidth).length,
  narrowest: Math.min(...at.map((each) => each.width)), lowest: Math.min(...at.map((each) => each.height)),
  word: Math.min(...words.map((word) => parseFloat(getComputedStyle(word).fontSize))),
  cut: [...document.querySelectorAll(".slot :is(.word, .nb, .fact)")].filter((each) => {
    const card = each.closest(".slot"), end = card.getBoundingClientRect().left + card.clientLeft + card.clientWidth;
    return each.getBoundingClientRect().width && each.getBoundingClientRect().right > end + 1;
  }).map((each) => each.textContent),
  wide: document.documentElement.scrollWidth - innerWidth,
};
"""


def test_it_fits_and_can_be_read_on_every_screen(tmp_path, browser):
    docks = {count: Dock(tmp_path / str(count), count) for count in (8, 40)}
    for count, dock in docks.items():
        with dock.working(), dock.pages():
            dock.records(2000)
            dock.recorder.plug("usb-1", slot=2)
            for lang in ("zh", "en"):
                for width, height in [size[1:] for size in SIZES if size[0] == count]:
                    browser.size(width, height)
                    browser.get(f"{dock.url}/wall?lang={lang}")
                    browser.until(lambda: shows(browser, "s2") == "settled")
                    told = browser.run(FITS)
                    browser.picture(f"wall-{count}-slots-{width}x{height}-{lang}")
                    assert told["count"] == count
                    assert (told["wide"], told["cut"]) == (0, []), told
                    assert min(told["narrowest"], told["lowest"]) >= 44  # for a finger (WCAG 2.2, 2.5.5)
                    if width >= 1920:
                        assert told["seen"] == count, told
                    if count == 8 and lang == "zh":
                        # What is a 200th of two metres high is read easily: 10 mm, on a 24 inch screen 36 pixels.
                        assert told["word"] >= 36 * height / 1080, told
            dock.recorder.unplug()
            browser.get("about:blank")
            browser.must_be_clean(*(each.url for each in docks.values()))


def test_the_pages_name_no_other_place(tmp_path):
    """What a browser would ask for of its own is in the page's text; of strangers there is nothing."""
    for path in [*(HERE.parents[1] / "daemon" / "bwcdock" / "web" / "static").glob("wall*")]:
        assert not re.search(r"https?://(?!www\.w3\.org/)", path.read_text()), path
