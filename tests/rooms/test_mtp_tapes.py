"""Tapes of MTP recorders: what is on them and what is not, and the driver against them."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError, Misused, Unplugged, Unreadable
from bwcdock.ports import Recorder, Tapes
from bwcdock.testing.mtp_responder import CAMERA, Fault, MtpDevice
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.tape import LINE_MAX
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mtp_world import SHORT, named

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SERIAL, FOOTAGE = "BWC-2026-0042", b"this was seen and heard " * 400
TAPES = Path(__file__).with_name("tapes")
NAME = f"DCAM_{SERIAL}_033021_20261121_083000.mp4"


def device(**kind: object) -> MtpDevice:
    made = MtpDevice(**({"serial": SERIAL, "props": (0x5001,)} | kind))  # type: ignore[arg-type]
    made.record(f"DCIM/{NAME}", FOOTAGE)
    made.record("DCIM/readme.txt", b"no footage")
    return made


def conversation(recorder: Recorder) -> dict[str, object]:
    """What a docking asks, and what it heard."""
    view = memoryview(bytearray(4096))
    condition = recorder.condition(NOW)
    items = {each.path.rpartition(".")[2]: each for each in recorder.items()}
    footage = items.get("mp4")  # a tape that was changed may tell of none
    return {
        "identity": recorder.identity(),
        "battery": condition.battery,
        "room": (condition.storage_free, condition.storage_total),
        "sizes": {each.size for each in items.values()},
        "read": recorder.read_into(footage, 4096, view) if footage else 0,
        "there": recorder.present(),
    }


def taped(made: MtpDevice) -> tuple[list[str], dict[str, object]]:
    there = Plugged(made)
    driver = MtpDriver(library=Library([there]), patience=SHORT)
    lines: list[str] = []
    told = (("ID_MODEL", "BodyCam"), ("ID_SERIAL_SHORT", SERIAL))
    sighting = Sighting(port="usb-1", source=there.source, properties=told)
    with driver.open_taped(sighting, lines.append) as recorder:
        return lines, conversation(recorder)


HEARD = {"android": {}, "camera": {"operations": CAMERA}, "clock": {"props": (0x5001, 0x5011)}}


@pytest.mark.parametrize("kind", HEARD.values(), ids=HEARD)
def test_the_driver_hears_from_a_tape_what_it_heard_from_the_recorder(kind):
    lines, heard = taped(device(**kind))
    with MtpDriver().open_played(lines) as recorder:
        again = conversation(recorder)
    assert again.pop("identity") != heard.pop("identity")
    assert again == heard


def test_neither_the_number_of_the_recorder_nor_footage_is_on_a_tape():
    lines, _ = taped(device())
    text = "".join(lines)
    for secret in (SERIAL.encode(), SERIAL.encode("utf-16-le"), FOOTAGE[:24], b"no footage"):
        assert secret.hex() not in text
        assert secret.decode("utf-8") not in text
    assert "033021".encode("utf-16-le").hex() in text  # names are what reports are about
    assert json.loads(lines[0]) == {"tape": 1, "driver": "mtp", "about": {"ID_MODEL": "BodyCam"}}
    with MtpDriver().open_played(lines) as recorder:
        identity = recorder.identity()
        assert len(identity.serial) == len(SERIAL)
        # The same pseudonym stands in the names, so that what rests on both still fits together.
        assert any(identity.serial in each.path for each in recorder.items())


def test_a_pseudonym_tells_nobody_that_two_tapes_are_of_one_recorder():
    first, second = (MtpDriver().open_played(taped(device())[0]) for _ in range(2))
    with first as one, second as other:
        assert one.identity().serial != other.identity().serial


def test_what_broke_off_then_breaks_off_again():
    lines, _ = taped(device())
    with MtpDriver().open_played(lines) as recorder:
        recorder.items()
    made = device()
    there = Plugged(made)
    lines = []
    driver = MtpDriver(library=Library([there]), patience=SHORT)
    with driver.open_taped(Sighting(port="usb-1", source=there.source), lines.append) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(4096))
        made.faults.append(Fault(0x95C1, "data", "stall", at=50))
        with pytest.raises(Unreadable):
            recorder.read_into(item, 0, view)
        assert recorder.read_into(item, 0, view)
        made.unplug()
        with pytest.raises(Unplugged):
            recorder.read_into(item, 0, view)
    with MtpDriver().open_played(lines) as recorder:
        item = recorder.items()[0]
        with pytest.raises(Unreadable):
            recorder.read_into(item, 0, view)
        assert recorder.read_into(item, 0, view)
        with pytest.raises(Unplugged):
            recorder.read_into(item, 0, view)
        assert not recorder.present()


def test_a_question_asked_less_often_than_then_is_answered_as_the_last_time():
    lines, heard = taped(device())
    asked = next(line for line in lines if '"0x1015"' in line)
    with MtpDriver().open_played([each for line in lines for each in [line] * (3 if line == asked else 1)]) as recorder:
        assert conversation(recorder)["battery"] == heard["battery"]


def test_the_driver_says_that_it_keeps_tapes():
    assert isinstance(MtpDriver(), Tapes)


# --- tapes that are kept ----------------------------------------------------------------------------------------------

KEPT = {"android": {}, "camera": {"operations": CAMERA}, "lists-forget": {"forgets_in_lists": frozenset({2})}}


def made_again() -> None:
    """`python -c "import test_mtp_tapes; test_mtp_tapes.made_again()"` writes the tapes anew."""
    for name, kind in KEPT.items():
        (TAPES / f"mtp-{name}.jsonl").write_text("".join(taped(device(**kind))[0]))


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_tape_of_long_ago_still_says_the_same(name):
    lines = (TAPES / f"mtp-{name}.jsonl").read_text().splitlines(keepends=True)
    with MtpDriver().open_played(lines) as recorder:
        heard = conversation(recorder)
        item = next(each for each in recorder.items() if each.path.endswith(".mp4"))
    assert (heard["battery"], heard["sizes"], heard["there"]) == (73, {len(FOOTAGE), 10}, True)
    assert item.claim.start == datetime(2026, 11, 21, 0, 30, tzinfo=UTC)


# --- what is no tape --------------------------------------------------------------------------------------------------


LONG = [json.dumps({"tape": 1, "driver": "mtp", "about": "x" * LINE_MAX})]
NO_TAPES = [[], ["{}"], ["[]"], ["nonsense"], ['{"tape":1,"driver":"zzx"}'], LONG]


@pytest.mark.parametrize("lines", NO_TAPES)
def test_what_is_no_tape_is_said_to_be_none(lines):
    with pytest.raises(Misused, match="no tape"), MtpDriver().open_played(lines):
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_tape_that_was_changed_ends_in_values_or_errors(data):
    lines = (TAPES / "mtp-android.jsonl").read_text().splitlines(keepends=True)
    exchanges = [json.loads(line) for line in lines]
    for _ in range(data.draw(st.integers(1, 3))):
        each = exchanges[data.draw(st.integers(1, len(exchanges) - 1))]
        name = data.draw(st.sampled_from(sorted(each)))
        each[name] = data.draw(
            st.one_of(st.none(), st.integers(), st.text(max_size=9), st.lists(st.integers(), max_size=6))
        )
    with suppress(BwcdockError), MtpDriver().open_played(json.dumps(each) for each in exchanges) as recorder:
        conversation(recorder)


def test_an_event_on_a_tape_is_heard():
    made = device()
    there = Plugged(made)
    lines: list[str] = []
    driver = MtpDriver(library=Library([there]), patience=SHORT)
    with driver.open_taped(Sighting(port="usb-1", source=there.source), lines.append) as recorder:
        item = named(recorder, "DCIM/readme.txt")
        assert recorder.present()
        made.pull_card()
        assert not recorder.present()
    assert any("event" in json.loads(line) for line in lines)
    with MtpDriver().open_played(lines) as recorder:
        item = named(recorder, "DCIM/readme.txt")
        assert recorder.present()
        assert not recorder.present()
        with pytest.raises(Unplugged):
            recorder.read_into(item, 0, memoryview(bytearray(4096)))
