"""The desk in a real browser: the first person signs in, two persons approve, footage is played and handed over."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pyotp
import pytest
from browser import Browser, browser
from bwcdock.clock import WallClock
from bwcdock.testing.footage import clip
from bwcdock.testing.station import found
from cli_world import PATIENCE_S, QUICK, daemon, folder, start, stop, well
from pycdlib import PyCdlib
from served_world import free_port

__all__ = ["browser"]
pytestmark = [pytest.mark.timeout(400), pytest.mark.chromium]

ADMIN, LEGAL, DEPUTY, OFFICER = "001", "002", "003", "004"
PASSWORD = "correct horse battery staple"
CLIPS = {"DCIM/20260302_080000.MP4": 8, "DCIM/20260302_090000.MP4": 4}
T = TypeVar("T")
CODE = re.compile(r"\b([A-Z0-9]{4}(?:-[A-Z0-9]{4}){3})\b")


@dataclass
class Office:
    """A station with footage, its daemon and its pages as processes, and the telephones of its people."""

    home: Path
    plain: int
    tls: int
    code: str = ""
    phones: dict[str, pyotp.TOTP] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.tls}"

    def does(self, who: str, role: str, *words: object) -> str:
        """An act by the command line; the id of its matter."""
        return str(json.loads(well("-C", self.home, "desk", *words, "--as", who, "--role", role, "--json"))["matter"])

    def digits(self, person: str) -> str:
        """What his telephone shows, in a step of time that he has not used yet."""
        step = _step()
        while step <= self.shown.get(person, 0):
            time.sleep(0.5)
            # One step ahead is taken as well: so nobody waits a whole half minute.
            step = _step() + 1
        self.shown[person] = step
        return self.phones[person].at(step * 30)


def _step() -> int:
    """The half minute that telephones are in."""
    return int(WallClock().now().timestamp()) // 30


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    home, plain, tls = tmp_path / "dock", free_port(), free_port()
    web = {"listen": f"127.0.0.1:{plain}", "tls_listen": f"127.0.0.1:{tls}"}
    made = datetime(2026, 3, 2, tzinfo=UTC)
    found(home, {**QUICK, "web": web}, now=made, rules="S0-siping-tiedong", unit="铁东区城管局")
    content = {name: clip(made, seconds, scene=at) for at, (name, seconds) in enumerate(CLIPS.items())}
    well("-C", home, "ingest", folder(tmp_path / "BWC-0001", content))
    office = Office(home=home, plain=plain, tls=tls)
    with daemon(home), pages(office):
        yield office


@contextmanager
def pages(office: Office) -> Iterator["subprocess.Popen[bytes]"]:
    """`bwcdock web`, until the end of the block; the code it prints for the first person."""
    process = start("-C", office.home, "web", stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        end = time.monotonic() + PATIENCE_S
        while not office.code and time.monotonic() < end:
            told = CODE.search(process.stdout.readline().decode())
            office.code = told[1] if told else ""
        assert office.code
        yield process
    finally:
        stop(process)
        if process.stdout is not None:
            process.stdout.close()


def test_two_persons_approve_and_footage_is_played_and_handed_over(office: Office, browser: Browser, tmp_path: Path):
    browser.size(1366, 900)
    comes_first(office, browser)
    browser.picture("desk-home-zh")
    others_are_entered(office)
    for person in (LEGAL, DEPUTY):
        is_let_in(office, browser, person)
    record = json.loads(well("-C", office.home, "records", "--json"))[0]["id"]
    asked = ("request-access", "--access", "copy", "--applicant", "当事人", "--reason", "查阅本案", "--records", record)
    request = office.does(OFFICER, "officer", *asked)
    for person in (LEGAL, DEPUTY):
        approves(office, browser, person, request)
    signs_in(office, browser, ADMIN)
    plays(office, browser, request, record)
    hands_over(office, browser, request, tmp_path)
    for language, name in (("en", "desk-act-en"), ("zh", "desk-act-zh")):
        browser.get(f"{office.url}/desk/act/tag?lang={language}")
        browser.picture(name)
    browser.must_be_clean(office.url)


def comes_first(office: Office, browser: Browser) -> None:
    """With the code of the console, and a telephone."""
    browser.get(f"{office.url}/desk")
    browser.until(lambda: browser.driver.current_url.endswith("/first"))
    browser.picture("first-zh")
    fill(browser, code=office.code, person=ADMIN, name="王管理", password=PASSWORD, again=PASSWORD)
    has_phone(office, browser, ADMIN)


def others_are_entered(office: Office) -> None:
    for person, name, role in (
        (LEGAL, "陈法制", "legal-section"),
        (DEPUTY, "刘分管", "bureau-deputy"),
        (OFFICER, "李警官", "officer"),
    ):
        entered = ("enter-person", "--person", person, "--name", name, "--roles", role)
        office.does(ADMIN, "administrator", *entered)


def is_let_in(office: Office, browser: Browser, person: str) -> None:
    """The system administrator gives a code; with it he chooses a password and sets up his telephone."""
    signs_in(office, browser, ADMIN)
    browser.get(f"{office.url}/me")
    browser.run("document.getElementById('role').value = 'system-administrator'")
    press(browser, "form[action='/me/role'] button")
    if "/login/second" in browser.driver.current_url:
        fill(browser, code=office.digits(ADMIN))
    browser.get(f"{office.url}/sign-ins")
    row = f"//form[@action='/sign-ins/code'][input[@value='{person}']]/button"
    browser.driver.find_element("xpath", row).click()
    code = browser.until(lambda: CODE.search(browser.text(".once")))[1]
    signs_out(browser)
    browser.get(f"{office.url}/join")
    fill(browser, person=person, code=code, password=PASSWORD, again=PASSWORD)
    has_phone(office, browser, person)
    signs_out(browser)


def has_phone(office: Office, browser: Browser, person: str) -> None:
    browser.until(lambda: browser.all(".square svg"))
    office.phones[person] = pyotp.TOTP(browser.text(".square + .help .mono, .steps .mono").replace(" ", ""))
    browser.find("#code").send_keys(office.digits(person))
    press(browser, "form[action='/login/second'] button")
    browser.until(lambda: browser.all("body.desk"))


def signs_in(office: Office, browser: Browser, person: str) -> None:
    browser.driver.delete_all_cookies()
    browser.get(f"{office.url}/login")
    fill(browser, person=person, password=PASSWORD)
    browser.until(lambda: "/login/second" in browser.driver.current_url)
    fill(browser, code=office.digits(person))
    browser.until(lambda: browser.all("body.desk"))


def signs_out(browser: Browser) -> None:
    press(browser, "form[action='/logout'] button")
    browser.until(lambda: not browser.all("body.desk"))


def approves(office: Office, browser: Browser, person: str, request: str) -> None:
    signs_in(office, browser, person)
    link = f"a[href*='/desk/act/approve'][href*='{request}']"
    browser.until(lambda: browser.all(link))
    browser.picture(f"approve-{person}-zh")
    press(browser, link)
    browser.until(lambda: browser.all("form.act"))
    press(browser, "form.act button")
    browser.until(lambda: browser.all(".done"))
    assert not browser.all(link)
    signs_out(browser)


def plays(office: Office, browser: Browser, request: str, record: str) -> None:
    """The picture moves, also from its middle, and the register's line was there before."""
    browser.get(f"{office.url}/desk/access/{request}/view/{record}")
    fill(browser, who="当事人张某")
    assert [line["how"] for line in used(office, request)] == ["viewed"]
    video = "document.querySelector('video')"
    browser.until(lambda: browser.run(f"return {video}?.readyState") >= 1)
    seconds = max(CLIPS.values())
    assert browser.run(f"return {video}.duration") == pytest.approx(seconds, abs=1)
    browser.run(f"{video}.muted = true; {video}.currentTime = {seconds} / 2; {video}.play()")
    browser.until(lambda: browser.run(f"return {video}.currentTime") > seconds / 2 + 0.2)
    browser.picture("viewing-zh")
    assert len(used(office, request)) == 1


def hands_over(office: Office, browser: Browser, request: str, tmp_path: Path) -> None:
    """The package is fetched by the browser, and proves itself with Python's own library alone."""
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    told = {"behavior": "allow", "downloadPath": str(fetched)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", told)
    browser.get(f"{office.url}/desk/access/{request}/export")
    fill(browser, copies="2")
    link = "a[href^='/desk/exports/']"
    browser.until(lambda: browser.all(link))
    browser.picture("package-zh")
    browser.run("document.querySelector(arguments[0]).click()", link)
    disc = until(lambda: next(iter(fetched.glob("*.iso")), None))
    until(lambda: not list(fetched.glob("*.crdownload")))
    assert [(line["how"], line["copies"]) for line in used(office, request)][-1] == ("exported", 2)
    verifier = next(unpacked(disc, tmp_path / "disc").rglob("verify.py"))
    proven = subprocess.run([sys.executable, "-I", verifier], cwd=verifier.parent, capture_output=True, check=False)
    assert proven.returncode == 0, proven.stdout


def unpacked(disc: Path, to: Path) -> Path:
    """What is on the disc, as a reader of it sees it."""
    image = PyCdlib()
    image.open(str(disc))
    for where, _, names in image.walk(joliet_path="/"):
        place = to / where.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            image.get_file_from_iso(str(place / name), joliet_path=f"{where}/{name}".replace("//", "/"))
    image.close()
    return to


def used(office: Office, request: str) -> list[dict]:
    return json.loads(well("-C", office.home, "desk", "list", "access", request, "--json"))[0]["used"]


def fill(browser: Browser, **fields: str) -> None:
    """Type into the fields of these names, and send their form."""
    form = None
    for name, text in fields.items():
        element = browser.find(f"main [name='{name}']")
        element.clear()
        element.send_keys(text)
        form = element
    assert form is not None
    before = browser.find("html")
    browser.run("arguments[0].form.querySelector('button:not([type=button])').click()", form)
    browser.until(lambda: browser.find("html") != before)


def press(browser: Browser, css: str) -> None:
    before = browser.find("html")
    browser.run("document.querySelector(arguments[0]).click()", css)
    browser.until(lambda: browser.find("html") != before)


def until(condition: Callable[[], T], limit_s: float = PATIENCE_S) -> T:
    end = time.monotonic() + limit_s
    while not (answer := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return answer
