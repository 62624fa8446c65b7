"""The wire format of MTP against any bytes: a value or a typed refusal, in bounded memory."""

import struct
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import BwcdockError
from bwcdock.testing.mtp_packets import Segment
from bwcdock.testing.mtp_responder import ANDROID, Answer, Bytes, MtpDevice, text
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp import containers, datasets
from bwcdock_drivers.mtp.containers import Cursor, Malformed, Shown, shown
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.protocol import Patience
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mtp_world import SHORT, codes, opened, whole

PARSERS = [
    datasets.device_info, datasets.storage_info, datasets.object_info, datasets.prop_desc, datasets.whole_numbers,
    datasets.text_value, datasets.number_value, datasets.size_value,
    lambda raw: list(datasets.object_props(raw, 0xDC07)),
    lambda raw: containers.head(raw).payload, containers.unpack_params,
]  # fmt: skip


def true_datasets() -> list[bytes]:
    device = MtpDevice()
    device.put("a\ud800.mp4", b"a")
    device.answer(0x1002, (1,))
    asked = [(0x1001, ()), (0x1004, ()), (0x1005, (0x10001,)), (0x1007, (0x10001, 0, 0)), (0x1008, (1,))]
    asked += [(0x1014, (0x5001,)), (0x1014, (0x5011,)), (0x9805, (1, 0, 0xDC07, 0, 0)), (0x9803, (1, 0xDC04))]
    found = []
    for op, params in asked:
        told = device.answer(op, params)
        raw = bytearray(told.length or 0)
        assert told.fill
        told.fill(0, memoryview(raw))
        found.append(bytes(raw))
    return found


TRUE = true_datasets()


@pytest.mark.parametrize("number", range(len(PARSERS)))
@given(raw=st.binary(max_size=600))
def test_any_bytes_are_a_value_or_malformed(number, raw):
    with suppress(Malformed):
        PARSERS[number](raw)


@pytest.mark.parametrize("number", range(len(PARSERS)))
@given(st.data())
def test_datasets_that_were_changed_are_a_value_or_malformed(number, data):
    raw = bytearray(data.draw(st.sampled_from(TRUE)))
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Malformed):
        PARSERS[number](bytes(raw[: data.draw(st.integers(0, len(raw)))]))


@pytest.mark.parametrize("number", range(len(PARSERS)))
def test_a_count_makes_nothing_larger_than_what_it_came_with(number):
    tracemalloc.start()
    try:
        for raw in (
            b"\xff" * 64,
            b"\xff" * 4,
            b"\xfe\xff\xff\x7f" + bytes(60),
            struct.pack("<I", 0x4000_0000) + bytes(99),
        ):
            with suppress(Malformed):
                PARSERS[number](raw)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.text(st.characters(), max_size=254).filter(lambda text: not text.endswith("\0")))
def test_a_text_comes_back(words):
    units = len(words.encode("utf-16-le", "surrogatepass")) // 2
    if units <= 254:
        assert Cursor(containers.pack_text(words)).text() == words
        assert containers.pack_text(words) == text(words)


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from(["", "Z", "+0800", "-0330", "+1400"]))  # noqa: DTZ001
def test_a_time_comes_back(naive, zone):
    naive = naive.replace(microsecond=0)
    found = shown(f"{naive:%Y%m%dT%H%M%S}".rjust(15, "0") + zone)
    assert found
    assert found.naive == naive
    assert found.zone == {"": "", "Z": "+00:00"}.get(zone, f"{zone[:3]}:{zone[3:]}")


@given(st.text(alphabet="0123456789TZ+-. \0\u0662", max_size=24))
def test_what_is_no_time_is_none(words):
    found = shown(words)
    assert found is None or isinstance(found, Shown)


@pytest.mark.parametrize(
    "words", ["20261121T120000+1401", "20261121T120000+0860", "20260230T120000", "20261121T120000x"]
)
def test_what_no_clock_shows_is_none(words):
    assert shown(words) is None


# --- a bus that brings anything ---------------------------------------------------------------------------------------


class Anything(Library):
    """Whatever is asked, the bus brings these bytes, in packets of these sizes."""

    def __init__(self, plugged: Plugged, pieces: list[bytes]) -> None:
        super().__init__([plugged])
        self.pieces = pieces

    def bulk_write(self, dev_handle, ep, intf, data, timeout):
        transaction = data.tobytes()[8:12]
        for piece in self.pieces:
            raw = piece.replace(b"TTTT", transaction)
            dev_handle.out.append(Segment(len(raw), Bytes(raw).fill, zero_packet=False))
        return len(data)


HEADER = st.builds(
    lambda length, kind, code: struct.pack("<IHH", length, kind, code) + b"TTTT",
    st.sampled_from([0, 11, 12, 13, 100, 0xFFFFFFFF]), st.integers(0, 5), st.sampled_from([0x2001, 0x1001, 0x1004]),
)  # fmt: skip
PIECES = st.lists(st.one_of(HEADER, st.binary(min_size=1, max_size=80), st.just(b"TTTT")), max_size=6)
HASTY = Patience(call_s=0.02, event_s=0.001, drain_s=0.01)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PIECES)
@example([struct.pack("<IHH", 0xFFFFFFFF, 3, 0x2001) + b"TTTT"])
@example([struct.pack("<IHH", 1 << 30, 3, 0x2001) + b"TTTT" + bytes(1 << 17)])
def test_whatever_the_bus_brings_is_refused_in_time(pieces):
    there = Plugged(MtpDevice(props=()))
    driver = MtpDriver(library=Anything(there, pieces), patience=HASTY)
    with suppress(BwcdockError), driver.open(Sighting(port="usb-1", source=there.source)) as recorder:
        recorder.items()
    assert there.handles == 0


# --- the whole driver against a recorder whose answers were changed ---


class Changed(MtpDevice):
    """Answers with bytes that somebody changed: at each operation, by its turn."""

    def __init__(self, changes: dict[int, tuple[int, bytes, int]]) -> None:
        super().__init__(props=(0x5001,))
        self.changes = changes

    def answer(self, op: int, params: tuple[int, ...], given: bytes = b"") -> Answer:
        told = super().answer(op, params, given)
        if op not in self.changes or not told.length or told.fill is None:
            return told
        place, instead, shorter = self.changes[op]
        raw = bytearray(told.length)
        told.fill(0, memoryview(raw))
        raw[place % len(raw) : place % len(raw) + len(instead)] = instead
        raw = raw[: max(0, len(raw) - shorter)]
        return Answer(told.code, told.params, len(raw), Bytes(bytes(raw)).fill)


CHANGE = st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=9), st.sampled_from([0, 0, 0, 1, 17]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(ANDROID - {0x95C1, 0x101B, 0x1009})), CHANGE, min_size=1, max_size=4))
def test_changed_answers_end_in_values_or_the_errors_a_driver_may_raise(changes):
    device = Changed(changes)
    device.record("DCIM/DCAM_D2F018_033021_20261121_083000.mp4", b"a" * 3000)
    device.record("b.txt", b"b")
    with suppress(BwcdockError), opened(device, SHORT) as recorder:
        recorder.identity()
        codes(recorder, datetime(2026, 11, 21, tzinfo=UTC))
        for item in recorder.items():
            assert len(whole(recorder, item, 4096)) <= max(item.size, 0)
        recorder.present()
