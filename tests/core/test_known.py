"""What a station keeps of its dockings: those that are here, and the last of each port that somebody waits for."""

from dataclasses import replace

from bwcdock.core.session import Session, State
from bwcdock.known import Known
from lives import STAYS, stay


def docking(name: str, port: str = "usb-1", state: State = State.DRAINED) -> Session:
    one = stay(*STAYS[state])
    return replace(one, id=name, sighting=replace(one.sighting, port=port))


def departed(name: str, port: str = "usb-1") -> Session:
    return docking(name, port, State.DEPARTED)


def names(known: Known) -> list[str]:
    return [session.id for session in known.all()]


def test_what_departed_is_forgotten():
    known = Known()
    for number in range(300):
        known.take(docking(f"s{number}", f"usb-{number % 40}"))
        known.take(departed(f"s{number}", f"usb-{number % 40}"))
    known.take(docking("here"))
    assert names(known) == ["here"]
    assert known.get("s299") is None
    assert known.get("here") == docking("here")


def test_however_many_are_here_all_are_known():
    known = Known()
    for number in range(300):
        known.take(docking(f"s{number}", f"usb-{number}"))
    assert len(known.all()) == 300


def test_the_last_docking_of_a_port_that_is_waited_for_stays():
    known = Known(["usb-1"])
    known.take(departed("s1"))
    known.take(departed("other", "usb-2"))
    assert names(known) == ["s1"]
    known.take(docking("s2"))  # put in again: what came of it before is in the ledger
    assert names(known) == ["s2"]
    known.take(departed("s2"))
    assert names(known) == ["s2"]


def test_two_at_one_port_are_both_known_while_they_are_here():
    """A pull may still hang where its recorder was, when the next is put in."""
    known = Known()
    known.take(docking("s1"))
    known.take(docking("s2"))
    assert names(known) == ["s1", "s2"]


def test_each_port_has_ended_when_its_last_docking_has():
    known = Known(["usb-1", "usb-2"])
    assert known.has_ended([])
    assert not known.has_ended(["usb-1"])
    known.take(departed("s1"))
    assert known.has_ended(["usb-1"])
    assert not known.has_ended(["usb-1", "usb-2"])
    known.take(docking("s2", "usb-2"))
    assert not known.has_ended(["usb-1", "usb-2"])
    known.take(replace(docking("s2", "usb-2"), receipt="0" * 64))
    assert known.has_ended(["usb-1", "usb-2"])
    known.take(docking("s3", "usb-2", State.DRAINING))
    assert not known.has_ended(["usb-2"])
    for state in (State.UNCLAIMED, State.REFUSED, State.FAULTED):
        known.take(docking(f"s {state}", "usb-2", state))
        assert known.has_ended(["usb-2"])
