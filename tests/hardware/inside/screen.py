"""In the guest: a screen that follows the slot wall, and whoever is the pages' user and tries to get further."""

import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PLAIN, TLS = 8380, 8343
SILENCE_S = 5
"""The pages say something every second; what is silent for longer has gone."""

_told: list[dict[str, object]] = []
_following: list[threading.Thread] = []


def get(path: str, port: int = PLAIN, authority: str = "") -> dict[str, object]:
    """One page: its status and text; of the port with TLS, whose ``authority`` (PEM) is the only one believed."""
    if authority:
        trusted = ssl.create_default_context(cadata=authority)
        link = http.client.HTTPSConnection("localhost", port, timeout=30, context=trusted)
    else:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return {"status": answer.status, "text": answer.read().decode()}
    finally:
        link.close()


# --- the wall ---------------------------------------------------------------------------------------------------------


def follow() -> int:
    """Begin to follow the wall as its page does, once a boot; how much was told so far."""
    if not _following:
        _following.append(threading.Thread(target=_follow, daemon=True))
        _following[0].start()
    return len(_told)


def told(since: int = 0) -> list[dict[str, object]]:
    """What the screen showed from number ``since`` on, only what differs from before, with its monotonic moment.

    ``card`` with its ``slot``, what it ``shows`` and how many ``percent``, ``strip`` with its ``text``, ``beat`` with
    ``runs`` and ``answers``, ``lost`` where the connection broke.
    """
    return _told[since:]


def _follow() -> None:
    """For ever; where the stream breaks it is begun again after a second."""
    last: dict[object, dict[str, object]] = {}
    while True:
        try:
            for one in _events():
                _add(last, one)
        except (OSError, http.client.HTTPException):
            pass
        _add(last, {"event": "lost"})
        time.sleep(1)


def _add(last: dict[object, dict[str, object]], one: dict[str, object]) -> None:
    kind = "link" if one["event"] in {"lost", "hello"} else one["event"]
    about = (kind, one.get("slot"))
    if last.get(about) != one:
        last[about] = one
        _told.append({"mono": time.monotonic(), **one})


def _events() -> Iterator[dict[str, object]]:
    link = http.client.HTTPConnection("127.0.0.1", PLAIN, timeout=SILENCE_S)
    try:
        link.request("GET", "/wall/events?lang=en")
        answer = link.getresponse()
        if answer.status != 200:
            raise OSError(f"the wall answers {answer.status}")
        name = ""
        while line := answer.readline().decode():
            word, _, rest = line.strip().partition(": ")
            if word == "event":
                name = rest
            elif word == "data":
                yield from _event(name, json.loads(rest))
    finally:
        link.close()


def _event(name: str, said: dict[str, str]) -> Iterator[dict[str, object]]:
    if name == "hello":
        yield {"event": name}
    elif name == "card":
        yield _card(said["html"]) | {"event": name}
    elif name == "strip":
        yield {"event": name, "text": " ".join(re.sub(r"<[^>]*>", " ", said["html"]).split())}
    elif name == "beat":
        yield {"event": name, "runs": said["runs"], "answers": said["answers"]}


def cards(html: str) -> dict[str, str]:
    """What each slot's card in a whole page shows."""
    return {str(one["slot"]): str(one["shows"]) for one in map(_card, re.findall(r"<button.*?</button>", html, re.S))}


def _card(html: str) -> dict[str, object]:
    percent = re.search(r'<progress max="100" value="(\d+)"', html)
    found = {word: re.search(rf' data-{word}="(\w+)"', html) for word in ("key", "shows")}
    assert all(found.values()), html
    serial = re.search(r'class="serial">([^<]*)<', html)
    return {
        "slot": found["key"][1],
        "shows": found["shows"][1],
        "percent": int(percent[1]) if percent else None,
        "serial": serial[1] if serial else "",
        "receipt": 'class="code"' in html,
    }


# --- the pages' user --------------------------------------------------------------------------------------------------


def tried(asked: dict[str, list[str]]) -> dict[str, str]:
    """What became of each try to read, list, write, or change one of these, or to knock at a socket: ``done``, or why
    not. What is opened for writing is not written to.
    """
    ways: dict[str, Callable[[str], object]] = {
        "read": lambda path: os.close(os.open(path, os.O_RDONLY)),
        "list": os.listdir,
        "write": lambda path: os.close(os.open(path, os.O_WRONLY)),
        "make": _make,
        "change": _change,
        "knock": _knock,
    }
    return {f"{way} {path}": _outcome(ways[way], path) for way, paths in asked.items() for path in paths}


def _outcome(way: Callable[[str], object], path: str) -> str:
    try:
        way(path)
    except (OSError, sqlite3.Error) as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def _make(folder: str) -> None:
    path = Path(folder) / "by-the-pages"
    path.write_text("x")
    path.unlink()


def _change(database: str) -> None:
    book = sqlite3.connect(database, timeout=5)
    try:
        book.execute("BEGIN IMMEDIATE")
        book.execute("CREATE TABLE of_the_pages (x)")
        book.rollback()
    finally:
        book.close()


def _knock(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)


if __name__ == "__main__":
    # A line each: the journal splits longer ones than 48 KiB.
    print(json.dumps(tried(json.loads(Path(sys.argv[1]).read_text())), indent=0))
