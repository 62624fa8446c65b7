"""ZZX recorders: what is asked of them and what never is, what they answer, and what is made of it."""

import itertools
import json
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.clock import WallClock
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError, Misbehaved, NotAllowed, Unplugged
from bwcdock.ports import SetsClock, SwitchesToDisk, Tapes, Unlocks
from bwcdock.testing.zzx_recorder import ZzxRack, ZzxRecorder
from bwcdock_drivers.zzx import wire
from bwcdock_drivers.zzx.driver import ZzxDriver
from bwcdock_drivers.zzx.talk import LINES_MAX, Ended
from bwcdock_drivers.zzx.wire import Ask
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Sighting(port="usb-1", source="/dev/bus/usb/001/004", properties=(("ID_VENDOR_ID", "0e8d"), ("ID_SERIAL", "X1")))
TAPES = Path(__file__).with_name("tapes")


def now():
    return WallClock().now()


@contextmanager
def docked(made):
    rack = ZzxRack(Ended, n004=made)
    with ZzxDriver(bridge=rack).open(HERE) as recorder:
        yield recorder
    assert rack.opened == 0


def asked(made):
    return [ask for ask, _ in made.heard]


def said(ask, body, **header):
    return json.dumps({"header": {"id": ask, **header}, "body": body}).encode() + b"\r\n"


# --- who it is, and how -----------------------------------------------------------------------------------------------


def test_it_says_who_it_is_how_it_is_and_who_wears_it():
    with docked(made := ZzxRecorder(offset_ms=-7000)) as recorder:
        told, condition = recorder.identity(), recorder.condition(now())
    assert (told.serial, told.basis, told.vendor, told.model) == ("ZX20260", "device", "ZZX", "ZZX80")
    assert (told.user, told.unit) == ("033021 王建国", "350102000000 鼓楼分局")
    assert (condition.battery, condition.storage_free, condition.storage_total) == (80, 4 << 30, 32 << 30)
    assert condition.drift is not None
    assert abs(condition.drift.offset_ms + 7000) <= condition.drift.uncertainty_ms + 20
    assert condition.drift.uncertainty_ms < 1000
    assert condition.notes == ()
    assert set(asked(made)) == {1, 2, 3, 8, 16, 18}
    assert all(body == {} for _, body in made.heard)
    assert made.overwritten == []


def test_no_more_than_nine_things_have_a_name():
    assert sorted(map(int, Ask)) == [1, 2, 3, 5, 6, 8, 16, 17, 18]


@pytest.mark.parametrize("serial", ["", "0000000", "  "])
def test_a_number_that_every_recorder_of_the_make_has_is_none(serial):
    with docked(ZzxRecorder(serial=serial)) as recorder:
        assert (recorder.identity().serial, recorder.identity().basis) == ("ZZX", "none")


def test_text_that_steers_a_screen_is_shown_escaped():
    with docked(ZzxRecorder(user=("1", "\x1b[2J\u202eok"), model="x" * 5000)) as recorder:
        told = recorder.identity()
    assert "\x1b" not in told.user
    assert "\u202e" not in told.user
    assert len(told.model) == wire.TEXT_MAX


@pytest.mark.parametrize("ask", [8, 16, 18])
@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\n", b"[]\n", said(8, {}), said(18, {"free": "9", "total": "1"}), said(16, {"Time": "-1"})],
)
def test_what_it_need_not_tell_it_need_not_tell_well(ask, answer):
    ticks = itertools.count(1_795_000_000, 0.4)  # a second turns at every third question
    made = ZzxRecorder(says={ask: answer}, now=lambda: next(ticks))
    with docked(made) as recorder:
        first = recorder.condition(now())
        before = asked(made).count(ask)
        second = recorder.condition(now())
    told = {8: first.battery, 16: first.drift, 18: first.storage_free}
    assert told.pop(ask) is None
    assert None not in told.values()
    assert asked(made).count(ask) == before, "silence costs seconds, so it is not asked again"
    assert (second.battery, second.storage_free) == (first.battery, first.storage_free)
    # A clock that shows no time is told of; one that is silent, or answers to something else, has perhaps none.
    is_nonsense = ask == 16 and answer in {b"nonsense\n", b"[]\n", said(16, {"Time": "-1"})}
    assert [each.code for each in first.notes] == (["clock.nonsense"] if is_nonsense else [])


@pytest.mark.parametrize("ask", [1, 2, 3])
@pytest.mark.parametrize("answer", [b"nonsense\n", b"{}\n", b'{"header":{},"body":{}}\n', b"{" * 50_000 + b"\n"])
def test_nonsense_at_the_greeting_ends_the_docking(ask, answer):
    with pytest.raises(Misbehaved, match="nonsense"), docked(ZzxRecorder(says={ask: answer})):
        pass


def test_silence_at_the_greeting_is_another_make():
    with pytest.raises(NotAllowed, match="does not answer"), docked(ZzxRecorder(silent={1})):
        pass
    with pytest.raises(Misbehaved, match="does not answer"), docked(ZzxRecorder(silent={3})):
        pass
    with pytest.raises(Misbehaved, match="ended"), docked(ZzxRecorder(ends={1})):
        pass


def test_what_stands_before_an_answer_or_answers_something_else_is_passed_over():
    noise = (
        b"I/zzx: hello " + said("2", {"IDCode": "LATE"}) + said(99, {}) + b"log " + said("3", {"serial": "TRUE0001"})
    )
    with docked(ZzxRecorder(says={3: noise})) as recorder:
        assert recorder.identity().serial == "TRUE0001"
    with pytest.raises(Misbehaved, match="something else"), docked(ZzxRecorder(says={3: said(2, {}) * LINES_MAX})):
        pass


def test_a_line_that_never_ends_is_bounded():
    with pytest.raises(Misbehaved, match="more than 65536"), docked(ZzxRecorder(says={2: b"{" * (1 << 20)})):
        pass


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda v: json.dumps(v).encode()
))  # fmt: skip
@settings(deadline=None)
def test_whatever_it_answers_is_understood_or_refused(raw):
    try:
        ask, body = wire.answer(raw)
    except wire.Malformed:
        return
    assert isinstance(ask, int)
    for parser in (wire.info, wire.battery, wire.room, wire.clock, lambda b: wire.is_true(b, "Result")):
        with suppress(wire.Malformed):
            parser(body)


VALUES = st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["battery", "free", "total", "Time", "Result", "password", "serial"]), VALUES))
@settings(deadline=None)
def test_whatever_values_it_answers_are_understood_or_refused(body):
    line = json.dumps({"header": {"id": 3}, "body": body}).encode()
    _, values = wire.answer(line)
    for parser in (wire.info, wire.battery, wire.room, wire.clock, lambda b: wire.is_true(b, "Result")):
        with suppress(wire.Malformed):
            parser(values)
    assert json.loads(wire.without_names(line))


@given(st.dictionaries(st.sampled_from([1, 2, 3, 5, 6, 17]), st.binary(max_size=80), max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_recorder_that_answers_nonsense_costs_its_docking_and_nothing_else(says):
    told = ""
    try:
        with docked(ZzxRecorder(says=says)) as recorder:
            recorder.identity()
            recorder.unlock("246810")
            recorder.switch_to_disk()
    except BwcdockError as error:
        told = str(error)
    assert "246810" not in told


# --- its password, its disk, its clock --------------------------------------------------------------------------------


def test_it_is_unlocked_by_its_password_and_becomes_a_disk():
    with docked(made := ZzxRecorder()) as recorder:
        assert isinstance(recorder, Unlocks)
        assert isinstance(recorder, SwitchesToDisk)
        recorder.unlock("246810")
        recorder.switch_to_disk()
    assert made.is_disk
    assert asked(made)[-2:] == [17, 6]


@pytest.mark.parametrize("leaves", [True, False])
def test_one_that_ends_the_conversation_over_it_has_obeyed_if_it_is_gone(leaves):
    made = ZzxRecorder(leaves=leaves, ends=set() if leaves else {6})
    with docked(made) as recorder:
        recorder.unlock("246810")
        if leaves:
            recorder.switch_to_disk()
            assert made.is_disk
        else:
            with pytest.raises(Misbehaved, match="ended"):
                recorder.switch_to_disk()


@pytest.mark.parametrize("secret", ["", "000000", "888888", "24681", '246810"}'])
def test_another_password_is_refused_and_none_is_guessed(secret):
    with docked(made := ZzxRecorder()) as recorder:
        with pytest.raises(NotAllowed) as found:
            recorder.unlock(secret)
        assert not secret or secret not in str(found.value)
        for forbidden in (recorder.switch_to_disk, lambda: recorder.set_clock(now())):
            with pytest.raises(NotAllowed, match="not unlocked"):
                forbidden()
    assert made.passwords == ([secret] if secret else [])
    assert not made.is_disk


def test_while_it_records_it_stays_as_it_is():
    with docked(made := ZzxRecorder(is_recording=True)) as recorder:
        recorder.unlock("246810")
        with pytest.raises(NotAllowed, match="recording"):
            recorder.switch_to_disk()
        made.password = "changed"
        with pytest.raises(NotAllowed, match="password"):
            recorder.switch_to_disk()
    assert not made.is_disk


def test_its_clock_is_set_in_milliseconds_and_read_in_seconds():
    with docked(made := ZzxRecorder(offset_ms=3_600_000)) as recorder:
        assert isinstance(recorder, SetsClock)
        recorder.unlock("246810")
        left = recorder.set_clock(now())
        given_ms = next(int(body["Time"]) for ask, body in made.heard if ask == 5)
    assert given_ms % 1000 == 0
    assert abs(given_ms / 1000 - now().timestamp()) < 60
    assert abs(left.offset_ms) <= left.uncertainty_ms + 1000
    assert left.method == "protocol"
    assert abs(made.offset_ms) < 30_000


def test_a_clock_that_is_not_set_is_told():
    with docked(ZzxRecorder(says={5: said(5, {"Result": "false"})})) as recorder:
        recorder.unlock("246810")
        with pytest.raises(NotAllowed, match="not set"):
            recorder.set_clock(now())
    with docked(ZzxRecorder(silent={16})) as recorder:
        recorder.unlock("246810")
        with pytest.raises(Misbehaved, match="does not answer"):
            recorder.set_clock(now())


def test_one_that_is_taken_away_is_unplugged():
    with docked(made := ZzxRecorder()) as recorder:
        made.is_there = False
        assert not recorder.present()
        for call in (lambda: recorder.condition(now()), lambda: recorder.unlock("246810")):
            with pytest.raises(Unplugged):
                call()


# --- tapes ------------------------------------------------------------------------------------------------------------


def conversation(recorder):
    condition = recorder.condition(datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
    room = (condition.storage_free, condition.storage_total)
    return (condition.battery, room, recorder.items(), recorder.identity().model, recorder.present())


def taped(made, ask=conversation):
    lines = []
    with ZzxDriver(bridge=ZzxRack(Ended, n004=made)).open_taped(HERE, lines.append) as recorder:
        return lines, ask(recorder)


def test_a_tape_answers_as_the_recorder_did_and_holds_no_name_and_no_password():
    def ask(recorder):
        heard = conversation(recorder)
        recorder.unlock("246810")
        recorder.switch_to_disk()
        return heard

    assert isinstance(ZzxDriver(), Tapes)
    lines, heard = taped(ZzxRecorder(), ask)
    text = "".join(lines)
    for secret in ("246810", "ZX20260", "033021", "王建国", "鼓楼分局", "X1"):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    assert json.loads(lines[0]) == {"tape": 1, "driver": "zzx", "about": {"ID_VENDOR_ID": "0e8d"}}
    with ZzxDriver().open_played(lines) as recorder:
        assert conversation(recorder) == heard
        assert (recorder.identity().serial, recorder.identity().basis) == ("ABCDEFG", "device")


def test_silence_and_an_end_are_on_a_tape():
    def ask(recorder):
        made.silent.add(8)
        assert recorder.condition(now()).battery is None
        made.ends.add(18)
        made.is_there = False
        with pytest.raises(Unplugged):
            recorder.condition(now())

    made = ZzxRecorder()
    lines, _ = taped(made, ask)
    with ZzxDriver().open_played(lines) as recorder:
        assert recorder.condition(now()).battery is None
        with pytest.raises(BwcdockError):
            recorder.condition(now())


def test_the_driver_plays_the_tape_that_is_kept():
    with ZzxDriver().open_played((TAPES / "zzx.jsonl").read_text().splitlines()) as recorder:
        assert conversation(recorder) == (80, (4 << 30, 32 << 30), [], "ZZX80", True)


def made_again():
    """`python -c "import test_zzx_recorder; test_zzx_recorder.made_again()"` writes the tape anew."""
    (TAPES / "zzx.jsonl").write_text("".join(taped(ZzxRecorder())[0]))


@given(st.lists(st.text(max_size=60), max_size=4), st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_whatever_is_on_a_tape_is_answered_or_refused(lines, at):
    good = (TAPES / "zzx.jsonl").read_text().splitlines()[:6]
    try:
        with ZzxDriver().open_played([*good[:at], *lines, *good[at:]]) as recorder:
            recorder.identity()
    except BwcdockError:
        pass
