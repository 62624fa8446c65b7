"""MTP recorders that answer wrongly, slowly or never: each costs a typed refusal, and the next question is answered."""

import threading
import time
from datetime import UTC, datetime

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError, Misbehaved, NotAllowed, Unplugged, Unreadable
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, Fault, MtpDevice, Sparse
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.reads import BROKEN_MOST
from mtp_world import LONG, SHORT, connected, opened, whole

LATER = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PART, PART_32, WHOLE = 0x95C1, 0x101B, 0x1009
DATA = bytes(range(256)) * 400


def recorder_with(*faults: Fault, **kind: object) -> MtpDevice:
    device = MtpDevice(**({"props": ()} | kind))  # type: ignore[arg-type]
    device.record("a.mp4", DATA)
    device.record("b.mp4", DATA[::-1])
    device.faults += faults
    return device


def ops(device: MtpDevice) -> list[int]:
    return [op for op, _ in device.asked]


# --- one transfer breaks ----------------------------------------------------------------------------------------------

BREAKS = [
    ("command", "silence", 0), ("command", "stall", 0),
    ("data", "silence", 0), ("data", "silence", 1000), ("data", "stall", 0), ("data", "stall", 1000),
    ("data", "longer", 7), ("data", "longer", 1_000_000), ("data", "shorter", 7),
    ("data", "garbage", 0), ("data", "stranger", 0), ("data", "swap", 0),
    ("response", "silence", 0), ("response", "stall", 0), ("response", "garbage", 0), ("response", "stranger", 0),
]  # fmt: skip


@pytest.mark.parametrize(("phase", "does", "at"), BREAKS)
@pytest.mark.parametrize("operations", [ANDROID, CAMERA], ids=["parts", "whole"])
def test_a_transfer_that_breaks_is_unreadable_once_and_read_right_the_next_time(phase, does, at, operations):
    device = recorder_with(operations=operations)
    with opened(device, SHORT) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(1 << 20))
        device.faults.append(Fault(PART if operations is ANDROID else WHOLE, phase, does, at=at))
        try:
            got = recorder.read_into(item, 0, view)
        except Unreadable as error:
            assert error.spans[0].offset == 0  # noqa: PT017
            assert 0 < error.spans[0].length <= len(DATA)  # noqa: PT017
        else:
            # What is announced as less than it is may be taken for less, and found out by what follows.
            assert does == "shorter"
            assert DATA.startswith(bytes(view[:got]))
        assert device.faults[0].times == 0
        assert whole(recorder, item) == DATA
        assert recorder.present()


@pytest.mark.parametrize("does", ["silence", "longer", "shorter", "garbage", "stranger", "swap", "hang-up"])
def test_over_tcp_the_same(does):
    device = recorder_with()
    with connected(device, SHORT) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(1 << 20))
        device.faults.append(Fault(PART, "data", does, at=100))
        with pytest.raises((Unreadable, Unplugged)):
            recorder.read_into(item, 0, view)
        if does != "hang-up":
            assert whole(recorder, item) == DATA


def test_a_recorder_that_knows_no_cancel_is_drained():
    device = recorder_with()
    with opened(device, SHORT, refuses_class=True) as recorder:
        item = recorder.items()[0]
        device.faults.append(Fault(PART, "data", "stranger"))
        with pytest.raises(Unreadable):
            recorder.read_into(item, 0, memoryview(bytearray(1 << 20)))
        assert whole(recorder, item) == DATA


def test_one_that_does_not_answer_after_a_cancel_is_reset_and_its_handles_are_compared():
    device = recorder_with()
    with opened(device, SHORT) as recorder:
        item, other = recorder.items()
        device.faults += [Fault(PART, "data", "stall"), Fault(0x1001, "command", "silence")]
        with pytest.raises(Unreadable):
            recorder.read_into(item, 0, memoryview(bytearray(1 << 20)))
        assert ops(device).count(0x1002) == 2
        assert whole(recorder, item) == DATA
        # Handles mean something within a session only: this one now is somebody else.
        device.things[2].name = "c.mp4"
        with pytest.raises(Unreadable, match="no longer"):
            recorder.read_into(other, 0, memoryview(bytearray(4096)))


def test_one_that_comes_back_as_another_is_not_believed():
    device = recorder_with()
    with opened(device, SHORT) as recorder:
        item = recorder.items()[0]
        device.serial = "R0002"
        device.faults.append(Fault(PART, "data", "stall"))
        with pytest.raises(Misbehaved, match="another recorder"):
            recorder.read_into(item, 0, memoryview(bytearray(4096)))


def test_one_that_never_answers_again_misbehaves():
    device = recorder_with()
    with opened(device, SHORT) as recorder:
        item = recorder.items()[0]
        device.faults += [
            Fault(PART, "data", "silence"),
            *(Fault(op, "command", "silence", times=99) for op in ANDROID),
        ]
        began = time.monotonic()
        with pytest.raises(Misbehaved, match="no longer answers"):
            recorder.read_into(item, 0, memoryview(bytearray(4096)))
        assert time.monotonic() - began < 30
        device.faults.clear()


def test_one_whose_transfers_always_break_ends_in_bounded_tries():
    device = recorder_with(Fault(PART, "data", "stall", at=10, times=99))
    with opened(device, SHORT) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(4 << 20))
        for _ in range(BROKEN_MOST):
            with pytest.raises(Unreadable):
                recorder.read_into(item, 0, view)
        with pytest.raises(Misbehaved, match="break"):
            recorder.read_into(item, 0, view)


# --- a bad place ------------------------------------------------------------------------------------------------------


def test_a_bad_place_costs_its_own_block():
    device = MtpDevice(props=())
    content = Sparse(8 << 20)
    device.record("a.mp4", content)
    bad = range(3_000_000, 3_000_001)
    honest = device.answer

    def answer(op: int, params: tuple[int, ...], given: bytes = b""):
        told = honest(op, params, given)
        if op == PART and params[1] < bad.stop and params[1] + params[3] > bad.start:
            told.code, told.length, told.fill = 0x2002, None, None
        return told

    device.answer = answer  # type: ignore[method-assign]
    with opened(device) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(4 << 20))
        done, spans = 0, []
        while done < item.size:
            try:
                done += recorder.read_into(item, done, view)
            except Unreadable as error:
                spans += error.spans
                done += error.spans[0].length
        assert sum(span.length for span in spans) <= 4096
        assert any(span.offset <= bad.start < span.offset + span.length for span in spans)


def test_a_file_that_may_not_be_read_is_unreadable():
    device = recorder_with(Fault(PART, "response", "refuse", code=0x200F, times=9))
    with opened(device) as recorder, pytest.raises(Unreadable):
        recorder.read_into(recorder.items()[0], 0, memoryview(bytearray(4096)))


def test_an_object_that_gives_nothing_is_unreadable_and_no_end():
    device = recorder_with()
    with opened(device) as recorder:
        item = recorder.items()[0]
        device.most_in_part = 0
        with pytest.raises(Unreadable, match="no byte"):
            recorder.read_into(item, 0, memoryview(bytearray(4096)))


@pytest.mark.parametrize("told", [len(DATA) - 100, len(DATA) + 100])
@pytest.mark.parametrize("operations", [ANDROID, CAMERA], ids=["parts", "whole"])
def test_a_size_that_is_a_lie_never_makes_more_bytes_than_there_are(told, operations):
    device = recorder_with(operations=operations)
    device.things[1].told = told
    with opened(device, SHORT) as recorder:
        item = recorder.items()[0]
        raw = b""
        with_error = False
        try:
            raw = whole(recorder, item)
        except (Unreadable, Misbehaved):
            with_error = True
        assert DATA.startswith(raw)
        # One that goes on past its size is found out where it is read whole; by parts nothing past it is asked for.
        assert with_error == (told > len(DATA) or operations is CAMERA)


# --- slow, busy, gone -------------------------------------------------------------------------------------------------


def test_a_busy_recorder_is_asked_again():
    device = recorder_with(busy=3)
    with opened(device) as recorder:
        assert len(recorder.items()) == 2
        device.busy = 2
        assert whole(recorder, recorder.items()[0]) == DATA


PHASES = [("command", 0), ("data", 0), ("data", 3), ("data", 5000), ("response", 0)]
SMALL = {0x1001, 0x1002, 0x1004, 0x1005, 0x1007, 0x9805}


@pytest.mark.parametrize("op", sorted(ANDROID - {0x1003, 0x1016, 0x9803, PART_32, WHOLE, 0x1008}))
@pytest.mark.parametrize(("phase", "at"), PHASES)
def test_the_cable_is_pulled_at_every_phase_of_every_operation(op, phase, at):
    if phase == "data" and (op == 0x1002 or (at > 3 and op in SMALL | {0x1014, 0x1015})):
        phase, at = "response", 0  # it has no data, or not so much
    device = recorder_with(Fault(op, phase, "vanish", at=at), props=(0x5001, 0x5011))

    def everything() -> None:
        with opened(device) as recorder:
            recorder.condition(LATER)
            for item in recorder.items():
                whole(recorder, item)

    with pytest.raises(Unplugged):
        everything()
    assert not device.is_there


@pytest.mark.parametrize("at", [0, 5000])
def test_the_cable_is_pulled_while_an_object_is_read_whole(at):
    device = recorder_with(Fault(WHOLE, "data", "vanish", at=at), operations=CAMERA)
    with opened(device) as recorder:
        items = recorder.items()
        with pytest.raises(Unplugged):
            whole(recorder, items[0], 4096)
        assert not recorder.present()


@pytest.mark.parametrize("op", [0x1001, 0x1002, 0x1004, 0x1005, 0x1007])
@pytest.mark.parametrize(
    ("phase", "does"),
    [("command", "silence"), ("data", "garbage"), ("response", "garbage"), ("data", "longer"), ("response", "refuse")],
)
def test_what_is_nonsense_at_the_start_misbehaves(op, phase, does):
    device = recorder_with(Fault(op, phase, does, at=5, times=99))
    if op == 0x1002 and phase == "data":
        phase = "response"
        device.faults = [Fault(op, phase, "stranger", times=99)]

    def listed() -> None:
        with opened(device, SHORT) as recorder:
            recorder.items()

    with pytest.raises((Misbehaved, NotAllowed)):
        listed()


def test_a_question_that_breaks_off_is_not_asked_again():
    device = recorder_with(Fault(0x1015, "data", "stall", times=99), props=(0x5001,))
    with opened(device, SHORT) as recorder:
        assert recorder.condition(LATER).battery is None
        assert recorder.condition(LATER).battery is None
        assert ops(device).count(0x1015) == 1
        assert whole(recorder, recorder.items()[0]) == DATA


def test_lists_that_break_off_are_done_without():
    device = recorder_with(Fault(0x9805, "data", "stall", at=20, times=99))
    with opened(device, SHORT) as recorder:
        assert [each.path for each in recorder.items()] == ["a.mp4", "b.mp4"]
        assert ops(device).count(0x9805) == 1


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_dataset_without_end_is_not_read_to_its_end():
    device = recorder_with()
    honest = device.answer

    def answer(op: int, params: tuple[int, ...], given: bytes = b""):
        told = honest(op, params, given)
        if op == 0x1007:
            told.length, told.fill = 1 << 31, lambda _, view: None
        return told

    device.answer = answer  # type: ignore[method-assign]
    with opened(device, LONG) as recorder:
        before = device.served
        with pytest.raises(Misbehaved, match="more than"):
            recorder.items()
        assert device.served - before < 40 << 20


def test_closing_waits_for_a_read_that_is_pending():
    device = recorder_with(Fault(PART, "data", "silence", times=99))
    there = Plugged(device)
    driver = MtpDriver(library=Library([there]), patience=SHORT)
    order: list[str] = []
    with driver.open(Sighting(port="usb", source=there.source)) as recorder:
        item = recorder.items()[0]
        transport = recorder._session._transport  # type: ignore[attr-defined]

        def read() -> None:
            with pytest.raises(BwcdockError):
                recorder.read_into(item, 0, memoryview(bytearray(1 << 20)))
            order.append("read")

        reading = threading.Thread(target=read)
        with transport._busy:
            reading.start()
            closing = threading.Thread(target=lambda: (transport.close(), order.append("closed")))
            closing.start()
            time.sleep(0.1)
            assert order == []
        closing.join()
        reading.join()
    assert "closed" in order
    assert there.handles == 0
