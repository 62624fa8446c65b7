"""Which recordings does what was entered in the ledger since a position bear on? One answer for whoever follows it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from bwcdock.core.desk import attribution
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Confirmed, Fact, Obliged
from bwcdock.core.statements import (
    CaseArchived,
    CaseOpened,
    CaseStep,
    DeviceIssued,
    DeviceReturned,
    Excused,
    HoldLifted,
    HoldPlaced,
    PersonEntered,
    Statement,
    Tagged,
)
from bwcdock.ledger import Reader
from bwcdock.steps.held import under

OF_RECORDS: tuple[type[Fact], ...] = (Confirmed, Obliged, Tagged, Excused)
"""Facts that bear on their own recording alone."""


def touched(ledger: Reader, since: int, until: int) -> Iterator[str]:
    """Ids of the recordings that leaves ``since`` up to but without ``until`` bear on; some of them more than once.

    As the ledger is now: a hold that was placed there and lifted later bears on the same ones.
    """
    own = ledger.said([kind.ev for kind in OF_RECORDS], since, until)
    yield from dict.fromkeys(record for _, record in own)
    for seq, _ in ledger.said([kind.ev for kind in _OF_MATTERS], since, until):
        entry = ledger.entry(seq)
        assert isinstance(entry.fact, Statement)
        yield from _OF_MATTERS[type(entry.fact)](ledger, entry.fact.matter, entry.at)


def _by_hold(ledger: Reader, name: str, _: datetime) -> list[str]:
    hold = ledger.matter(Hold, name)
    return under(ledger, hold) if hold else []


def _by_case(ledger: Reader, name: str, _: datetime) -> list[str]:
    return [record.id for record in ledger.of_case(name)]


def _by_person(ledger: Reader, name: str, _: datetime) -> list[str]:
    """What may be his by any number that recorders ever called him, and was his by another until now."""
    person = ledger.matter(Person, name)
    if person is None:
        return []
    entered = (ledger.entry(entry).fact for entry in person.entries)
    called = {n for fact in entered if isinstance(fact, PersonEntered) for n in fact.user_numbers}
    own = attribution.own(person.id, ledger.matters(Device), ledger.matters(Person))
    return ledger.recorded_ids(own=replace(own, numbers=tuple(sorted({*own.numbers, *called}))))


def _by_device(ledger: Reader, name: str, at: datetime) -> list[str]:
    """What it recorded since; nearly always nothing, but clocks differ."""
    return ledger.recorded_ids(recorder=name, since=at)


_OF_MATTERS: dict[type[Statement], Callable[[Reader, str, datetime], list[str]]] = {
    HoldPlaced: _by_hold,
    HoldLifted: _by_hold,
    CaseOpened: _by_case,
    CaseStep: _by_case,
    CaseArchived: _by_case,
    PersonEntered: _by_person,
    DeviceIssued: _by_device,
    DeviceReturned: _by_device,
}
"""Facts about a matter that bear on recordings, with how these are found.

Who leaves takes no recording with him (:class:`~bwcdock.core.statements.PersonLeft`): what was his stays told so.
"""
