"""The counts of the process at work: bounded, readable by any parser of the text form, and told with who tells them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock import meters
from bwcdock.core.live import RoomView
from bwcdock.core.plan import Act
from bwcdock.errors import Conflict, Unplugged, Unreachable
from bwcdock.meters import FLAP_S, MOST_FAILED, MOST_RECORDERS, Meters
from prometheus_client.parser import text_string_to_metric_families

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CLOCK = "synchronised, wrong by at most 1 ms (estimated 1 ms)"
GONE = Unreachable("put", "It is away.", "Wait.", "central")


def shown(told: Meters, clock: str = CLOCK) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, which are told in the order of their names."""
    text = told.exposition(7, NOW, clock).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_step_is_counted_with_its_time_and_its_bytes() -> None:
    told = Meters()
    told.took("seal", 0.2, 5000)
    told.took("seal", 2, 7000)
    there = shown(told)
    assert there["bwcdock_step_duration_seconds_count", "seal"] == 2
    assert there["bwcdock_step_duration_seconds_sum", "seal"] == pytest.approx(2.2)
    assert there["bwcdock_step_duration_seconds_bucket", "1.0", "seal"] == 1
    assert there["bwcdock_step_size_bytes_sum", "seal"] == 12_000


def test_trying_again_is_counted_once_a_failure_and_only_for_the_same() -> None:
    told = Meters()
    told.begun("push", "a", "central")
    told.failed("push", "a", "central", GONE)
    told.begun("push", "b", "central")
    told.begun("push", "a", "other")
    told.begun("push", "a", "central")
    told.begun("push", "a", "central")
    there = shown(told)
    assert there["bwcdock_transfers_retried_total", "push"] == 1
    assert there["bwcdock_step_failures_total", "unreachable", "push"] == 1


def test_a_count_is_changed_where_it_lies() -> None:
    told = Meters()
    for _ in range(10):
        told.pushed("central", 1100)
        told.took("seal", 0.5, 5000)
    seconds = told._seconds.labels("seal")
    counts = [told._pushed.labels("central")._value, seconds._sum, *seconds._buckets]
    assert not [held for count in counts for held in vars(count).values() if isinstance(held, float)]
    there = shown(told)
    assert there["bwcdock_pushed_bytes_total", "central"] == 11_000
    assert there["bwcdock_step_duration_seconds_sum", "seal"] == 5


def test_what_every_station_comes_to_count_is_there_before_the_first() -> None:
    """A rate sees no first event of a count that begins with it; one made in an outage holds what it lies in."""
    told = Meters()
    told.witnessed("central", NOW, 1)
    before = shown(told)
    gone = Unplugged("read", "It is gone.", "Dock it again.")
    for act in Act:
        told.took(act.name.lower(), 0.5, 5000)
    for step, error in (("pull", gone), ("push", GONE)):
        told.failed(step, "a", "there", error)
        told.begun(step, "a", "there")
    told.failed("look", "a", "central", GONE)
    told.sink_failed("central", GONE)
    assert shown(told).keys() == before.keys()


def test_a_look_that_failed_is_not_remembered() -> None:
    """The slow scrub goes on to the next recording: the failed one comes round in months."""
    told = Meters()
    for number in range(10):
        told.failed("look", f"{number}", "central", GONE)
    assert not told._failed
    assert shown(told)["bwcdock_step_failures_total", "unreachable", "look"] == 10


def test_what_is_remembered_of_failures_is_bounded() -> None:
    told = Meters()
    for number in range(MOST_FAILED + 1):
        told.failed("push", f"{number}", "central", GONE)
    told.begun("push", "0", "central")  # the oldest, forgotten
    told.begun("push", "1", "central")
    assert shown(told)["bwcdock_transfers_retried_total", "push"] == 1


def test_errors_of_a_sink_are_told_by_their_kind_and_a_bug_by_no_name_of_its_own() -> None:
    told = Meters()
    for error in (GONE, Conflict("put", "It is another.", "Look.", "key"), ZeroDivisionError(), KeyError("x")):
        told.sink_failed("central", error)
    there = shown(told)
    kinds = {name[1]: value for name, value in there.items() if name[0] == "bwcdock_sink_errors_total"}
    assert kinds == {"unreachable": 1, "conflict": 1, "bug": 2}


@pytest.mark.parametrize(
    ("after_s", "drained", "flaps"), [(FLAP_S - 1, False, 1), (FLAP_S, False, 0), (FLAP_S - 1, True, 0)]
)
def test_a_docking_that_ends_at_once_and_unfinished_is_a_flap(after_s: float, drained: bool, flaps: int) -> None:
    told = Meters()
    told.docked(3)
    assert shown(told)["bwcdock_slot_flaps_total", "3"] == 0  # it is there before the first, which is else not seen
    told.left(3, after_s=after_s, drained=drained)
    there = shown(told)
    assert (there["bwcdock_slot_flaps_total", "3"], there["bwcdock_dockings_total", "3"]) == (flaps, 1)


def test_recorders_that_come_and_go_for_years_take_no_more_room_than_so_many() -> None:
    told = Meters()
    for number in range(MOST_RECORDERS + 10):
        told.pulling(f"R{number}", number % 24)(1000)
        told.pulling("R0", 0)(1)  # one that comes every day is kept
    there = {name[1]: value for name, value in shown(told).items() if name[0] == "bwcdock_pulled_bytes_total"}
    assert len(there) == MOST_RECORDERS
    assert there["R0"] == 1000 + MOST_RECORDERS + 10
    assert "R1" not in there
    assert f"R{MOST_RECORDERS + 9}" in there


def test_a_serial_with_odd_characters_does_no_harm() -> None:
    told = Meters()
    serial = 'a"b\\c\nd{}=,福'
    told.pulling(serial, None)(5)
    assert shown(told)["bwcdock_pulled_bytes_total", serial, "none"] == 5


@pytest.mark.parametrize(("clock", "vouched"), [(CLOCK, 1), ("unvouched: the kernel knows no time source", 0)])
def test_the_word_of_the_kernel_on_the_clock_is_told(clock: str, vouched: int) -> None:
    assert shown(Meters(), clock)["bwcdock_clock_vouched",] == vouched


def test_what_is_published_is_read_with_who_published_it(tmp_path: Path) -> None:
    told = Meters()
    told.turned()
    text = told.exposition(7, NOW, CLOCK, RoomView(free=5, total=9, reserve=1))
    (tmp_path / meters.NAME).write_bytes(text)
    published = meters.read(tmp_path)
    assert published is not None
    assert (published.pid, published.at, published.clock) == (7, NOW, CLOCK)
    assert published.spool == RoomView(free=5, total=9, reserve=1)
    assert published.text == text.partition(b"\n")[2]
    assert b"bwcdock_loop_turns_total 1.0\n" in published.text
    assert b"_created" not in text


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0" * 100,
        b"# bwcdock 7\n",
        b'# bwcdock {"pid": 7}\nx 1\n',
        b'# bwcdock {"pid": 7, "at": "2026-03-02T01:00:00+00:00", "clock": "", "spool": [1, 2]}\n',
        b"x 1\n",
        None,
    ],
)
def test_what_cannot_be_understood_was_not_published(tmp_path: Path, damage: bytes | None) -> None:
    if damage is not None:
        (tmp_path / meters.NAME).write_bytes(damage)
    assert meters.read(tmp_path) is None
