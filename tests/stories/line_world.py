"""What the stories of the line share: a station with footage, people and requests in every state, and a daemon."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from bwcdock import config
from bwcdock.clock import WallClock
from bwcdock.core.facts import Actor
from bwcdock.core.record import Record
from bwcdock.desk import line
from bwcdock.errors import Misused
from bwcdock.ledger import open_read_only
from bwcdock.testing.station import found
from cli_world import QUICK, folder, until, well

ADMIN = Actor(name="001", role="administrator")
LEADER, OFFICER = Actor(name="002", role="bureau-deputy"), Actor(name="003", role="officer")
AUDITOR, SECOND = Actor(name="004", role="auditor"), Actor(name="005", role="administrator")
CONTENT = {
    "DCIM/20260302_080000.MP4": b"one" * 50_000,
    "DCIM/20260302_090000_占道经营.mp4": b"two" * 7000,
    "DCIM/20260302_100000.p*p": b"three" * 100,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The station, and its requests by what became of them; each granted one names the first recording alone."""

    home: Path
    copy: str
    view: str
    waiting: str
    refused: str
    everything: str


def made(directory: Path) -> Made:
    """It, without a daemon."""
    found(directory, QUICK, now=WallClock().now(), rules="S1-dalian-jinpu", unit="住建局")
    well("-C", directory, "ingest", folder(directory.parent / "BWC-0001", CONTENT))
    for who in (ADMIN, LEADER, OFFICER, AUDITOR, SECOND):
        desk(directory, ADMIN, "enter-person", "--person", who.name, "--name", f"某{who.name}", "--roles", who.role)
    first, *_ = ids = [record.id for record in records(directory)]
    asked = ("--applicant", "当事人", "--reason", "查阅本案")
    copy, view, waiting, refused = (
        desk(directory, OFFICER, "request-access", "--access", access, *asked, "--records", first)
        for access in ("copy", "view_outside", "copy", "copy")
    )
    named = [word for each in ids for word in ("--records", each)]
    everything = desk(directory, OFFICER, "request-access", "--access", "copy", *asked, *named)
    for request in (copy, view, everything):
        desk(directory, LEADER, "approve", "--request", request)
    desk(directory, LEADER, "refuse", "--request", refused, "--reason", "与本案无关")
    return Made(home=directory, copy=copy, view=view, waiting=waiting, refused=refused, everything=everything)


def copied(made: Made, to: Path) -> Made:
    """The same station elsewhere, to be worked with."""
    shutil.copytree(made.home, to)
    return Made(**{**{name: getattr(made, name) for name in Made.__slots__}, "home": to})


def desk(directory: Path, who: Actor, *words: object) -> str:
    """An act by the command line; the id of its matter."""
    told = well("-C", directory, "desk", *words, "--as", who.name, "--role", who.role, "--json")
    return str(json.loads(told)["matter"])


def records(directory: Path) -> list[Record]:
    """The recordings, in the order of their names."""
    with open_read_only(config.load(directory / "bwcdock.toml").paths.ledger) as ledger:
        return sorted(ledger.records(), key=lambda record: record.item.path)


def used(directory: Path, request: str) -> list[tuple[str, str, str, str]]:
    """The register's lines of a request: how, who, by whom, note."""
    told = json.loads(well("-C", directory, "desk", "list", "access", request, "--json"))
    return [(each["how"], each["who"], each["by"], each["note"]) for each in told[0]["used"]]


def answers(run: Path) -> None:
    """Wait until a station answers there."""

    def does() -> bool:
        try:
            return bool(line.hello(run).pid)
        except Misused:
            return False

    until(does)
