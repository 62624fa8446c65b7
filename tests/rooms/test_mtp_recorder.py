"""What a recorder that speaks MTP tells, and what becomes of it: sizes, names, clock, battery, storages."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.core.names import escape, unescape
from bwcdock.errors import Misbehaved, NotAllowed, Unplugged, Unreadable
from bwcdock.ports import Erases, SetsClock
from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, CARD, Fault, MtpDevice, Sparse, Storage
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver
from mtp_world import GIB, codes, connected, named, opened, whole

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
READS = ANDROID - {0x1016}


def bare(**kind: object) -> MtpDevice:
    return MtpDevice(**({"props": ()} | kind))  # type: ignore[arg-type]


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operations", [ANDROID, ANDROID - {0x9805}, ANDROID - {0x9803}], ids=["both", "one", "list"])
def test_the_size_of_a_large_object_is_asked_for(operations):
    device = bare(operations=operations, forgets_in_lists=frozenset())
    device.record("DCIM/long.mp4", Sparse(5 * GIB))
    with opened(device) as recorder:
        assert named(recorder, "DCIM/long.mp4").size == 5 * GIB


def test_a_large_object_whose_size_cannot_be_asked_is_left_and_told():
    device = bare(operations=CAMERA)
    device.record("DCIM/long.mp4", Sparse(5 * GIB))
    device.record("DCIM/short.mp4", b"s")
    with opened(device) as recorder:
        assert [each.path for each in recorder.items()] == ["DCIM/short.mp4"]
        assert codes(recorder, NOW)["object.refused"].evidence[0][0] == "DCIM/long.mp4"


def test_a_size_told_in_32_bits_that_are_full_is_no_size():
    device = bare(narrow=True)
    device.record("long.mp4", Sparse(5 * GIB))
    device.record("short.mp4", b"s")
    with opened(device) as recorder:
        assert [(each.path, each.size) for each in recorder.items()] == [("short.mp4", 1)]
        assert "object.refused" in codes(recorder, NOW)


@pytest.mark.parametrize("kind", [{"operations": ANDROID - {0x9805}}, {"forgets_in_lists": frozenset({1})}])
def test_of_a_size_that_was_cut_to_32_bits_nothing_is_believed_where_64_can_be_asked(kind):
    device = bare(wraps=True, **kind)
    device.record("long.mp4", Sparse(5 * GIB))
    with opened(device) as recorder:
        assert named(recorder, "long.mp4").size == 5 * GIB


def test_a_recorder_that_hangs_over_a_size_is_not_asked_for_another_one():
    device = bare(operations=ANDROID - {0x9805}, faults=[Fault(0x9803, "data", "stall", times=9)])
    device.record("a.mp4", b"a")
    device.record("b.mp4", b"bb")
    with opened(device) as recorder:
        assert {each.path: each.size for each in recorder.items()} == {"a.mp4": 1, "b.mp4": 2}
    assert [op for op, _ in device.asked].count(0x9803) == 1


def test_an_object_of_exactly_what_32_bits_hold_is_brought():
    device = bare()
    device.record("edge.mp4", Sparse((4 << 30) - 1))
    with opened(device) as recorder:
        assert named(recorder, "edge.mp4").size == (4 << 30) - 1


@pytest.mark.parametrize("place", [0, 4 * GIB - 5, 4 * GIB, 5 * GIB - 3])
def test_a_large_object_is_read_on_both_sides_of_four_gibibytes(place):
    device = bare()
    content = Sparse(5 * GIB)
    device.record("long.mp4", content)
    with opened(device) as recorder:
        view, true = memoryview(bytearray(4096)), bytearray(4096)
        got = recorder.read_into(named(recorder, "long.mp4"), place, view)
        content.fill(place, memoryview(true)[:got])
        assert got
        assert view[:got] == true[:got]


@pytest.mark.parametrize("way", [opened, connected])
def test_going_on_in_a_large_object_begins_at_once(way):
    device = bare()
    device.record("long.mp4", Sparse(5 * GIB))
    with way(device) as recorder:
        item, view = named(recorder, "long.mp4"), memoryview(bytearray(4 << 20))
        before, began = device.served, time.monotonic()
        assert recorder.read_into(item, 5 * GIB - (8 << 20), view)
        took_s = time.monotonic() - began
        print(f"resume of a 5 GiB object: {took_s * 1000:.0f} ms")
        # Whoever read up to there would have been served four gigabytes; time alone says less on a busy machine.
        assert device.served - before < 5 << 20
        assert took_s < 10


def test_a_part_is_asked_for_below_four_gibibytes_only_where_that_is_all_there_is():
    device = bare(operations=ANDROID - {0x95C1})
    device.record("long.mp4", Sparse(5 * GIB))
    device.record("short.mp4", b"s" * 5000)
    with opened(device) as recorder:
        view = memoryview(bytearray(4096))
        assert recorder.read_into(named(recorder, "short.mp4"), 100, view)
        assert device.asked[-1][0] == 0x101B
        assert recorder.read_into(named(recorder, "long.mp4"), 0, view)
        assert device.asked[-1][0] == 0x1009


def test_an_operation_that_is_named_and_not_known_is_not_used_again():
    device = bare(operations=ANDROID)
    device.record("a.mp4", bytes(range(256)) * 40)
    with opened(device) as recorder:
        item = recorder.items()[0]
        device.operations = ANDROID - {0x95C1}
        assert whole(recorder, item, 4096) == bytes(range(256)) * 40
        assert [op for op, _ in device.asked].count(0x95C1) == 1


# --- names ------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "..", ".", "a/b", "../../etc/passwd", "a\\b", "nul\0inside", "x" * 254, "half\ud800", "\udc00half", "\x1b[2J",
    "rtl\u202egpj.exe", "trailing ", "trailing.", "王建国.mp4", "e\u0301", "\u00e9", "con",
]  # fmt: skip


@pytest.mark.parametrize("operations", [ANDROID, CAMERA], ids=["lists", "one by one"])
def test_hostile_names_become_one_part_of_a_path_each(operations):
    device = bare(operations=operations)
    folder = device.folder("F\u200b/..")
    for number, name in enumerate(HOSTILE):
        device.put(name, bytes((number,)), parent=folder)
    with opened(device) as recorder:
        items = recorder.items()
        assert len(items) == len(HOSTILE)
        names = {}
        for item in items:
            folder_name, name = item.path.split("/")
            assert unescape(folder_name) == "F\u200b/..".encode()
            names[unescape(name).decode("utf-8", "surrogatepass")] = item
            assert item.path.isprintable()
            assert escape(unescape(name)) == name
        assert set(names) == set(HOSTILE)
        for number, name in enumerate(HOSTILE):
            assert whole(recorder, names[name], 4096) == bytes((number,))
        assert "name.hostile" in codes(recorder, NOW)


def test_an_object_without_a_name_and_two_of_one_name_are_told_apart():
    device = bare()
    for data in (b"1", b"2", b"3"):
        device.put("same.mp4", data)
    device.put("same.mp4~2", b"really so called")
    device.put("", b"nameless")
    with opened(device) as recorder:
        read = {each.path: whole(recorder, each, 4096) for each in recorder.items()}
        assert sorted(read.values()) == [b"1", b"2", b"3", b"nameless", b"really so called"]
        assert read["\\0"] == b"nameless"
        assert "name.duplicate" in codes(recorder, NOW)


def test_folders_that_lead_back_and_folders_without_end_end():
    device = bare()
    outer = device.folder("a")
    inner = device.folder("b", outer)
    device.also_in[inner] = (outer, 0xFFFFFFFF, inner)
    device.put("x.mp4", b"x", parent=inner)
    with opened(device) as recorder:
        assert [each.path for each in recorder.items()] == ["a/b/x.mp4"]
        assert "directory.loop" in codes(recorder, NOW)
    deep = bare()
    parent = 0xFFFFFFFF
    for depth in range(80):
        parent = deep.folder(f"d{depth}", parent)
    deep.put("x.mp4", b"x", parent=parent)
    with opened(deep) as recorder, pytest.raises(Misbehaved, match="folders lie inside each other"):
        recorder.items()


# --- listing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lists", [True, False], ids=["lists", "one by one"])
def test_ten_thousand_objects_are_listed(lists):
    device = bare(operations=ANDROID if lists else ANDROID - {0x9805})
    folders = [device.folder(f"{number}MEDIA") for number in range(10)]
    for number in range(9_990):
        device.put(f"DCAM_D2F018_033021_20261121_{number:06}.mp4", b"", parent=folders[number // 1000])
    with opened(device) as recorder:
        began, worked = time.monotonic(), time.thread_time()
        assert len(recorder.items()) == 9_990
        took_s, worked_s = time.monotonic() - began, time.thread_time() - worked
        print(f"10,000 objects, lists {lists}: {took_s:.2f} s, of them {worked_s:.2f} s at work")
        assert worked_s < 5
        assert len(device.asked) < (60 if lists else 20_100)


def test_what_a_list_forgets_is_asked_for_alone():
    device = bare()
    device.put("a.mp4", b"a")
    device.put("b.mp4", b"b")
    device.forgets_in_lists = frozenset({2})
    with opened(device) as recorder:
        assert {each.path: each.size for each in recorder.items()} == {"a.mp4": 1, "b.mp4": 1}


def test_nothing_but_reading_is_ever_asked_of_it():
    device = MtpDevice()
    device.record("a.mp4", b"a" * 9000)
    with opened(device) as recorder:
        recorder.condition(NOW)
        whole(recorder, recorder.items()[0])
        assert not isinstance(recorder, Erases)
    assert {op for op, _ in device.asked} <= READS


def test_files_of_the_second_storage_lie_under_its_number():
    device = bare()
    device.storages[0x20001] = Storage(kind=4, description="Card", capacity=10, free=4)
    device.storages[0x30000] = Storage(description="a slot without a card")
    device.record("a.mp4", b"1")
    device.record("a.mp4", b"2", storage=0x20001)
    with opened(device) as recorder:
        assert {each.path: whole(recorder, each) for each in recorder.items()} == {"a.mp4": b"1", "p2/a.mp4": b"2"}
        condition = recorder.condition(NOW)
        assert (condition.storage_free, condition.storage_total) == ((32 << 30) + 4, (64 << 30) + 10)
        assert "volume.several" in codes(recorder, NOW)
        # One of its media can be changed: what is not there today may lie on another card.
        assert recorder.identity().basis == "device"


def test_a_recorder_that_shows_no_storage_is_not_an_empty_one():
    device = bare(storages={})
    with pytest.raises(NotAllowed, match="shows no storage"), opened(device):
        pass


def test_a_protected_file_is_told_as_locked():
    device = bare()
    device.things[device.put("a.mp4", b"a")].protected = True
    with opened(device) as recorder:
        assert recorder.items()[0].markers == ("locked",)


# --- identity ---------------------------------------------------------------------------------------------------------


def test_the_serial_number_is_its_own_and_printable():
    with opened(bare(serial="BWC-\x1b0042", model="X/1")) as recorder:
        identity = recorder.identity()
        assert "identity.weak" not in codes(recorder, NOW)
    assert (identity.serial, identity.basis, identity.vendor) == ("BWC-\\u{1b}0042", "protocol", "Acme")


@pytest.mark.parametrize("serial", ["", "0", "00000000", "0123456789ABCDEF", "0123456789abcdef", "FFFFFF", " "])
def test_a_number_every_recorder_gives_is_none(serial):
    device = bare(serial=serial)
    device.record("x.bin", b"x")
    with opened(device) as recorder:
        assert recorder.identity().basis == "none"
        assert "identity.weak" in codes(recorder, NOW)
    device.record("DCAM_D2F018_033021_20261121_083000.mp4", b"x")
    with opened(device) as recorder:
        assert (recorder.identity().serial, recorder.identity().basis) == ("D2F018", "name-group")


# --- clock and battery ------------------------------------------------------------------------------------------------


def ticking(offset_s: float, zone: str = "", tenths: str = ""):
    began, at, asked = NOW, time.monotonic(), []

    def show() -> str:
        asked.append(time.monotonic())
        now = (began + timedelta(seconds=asked[-1] - at + offset_s)).astimezone(CHINA)
        return f"{now:%Y%m%dT%H%M%S}{tenths}{zone}"

    return show, at, asked


@pytest.mark.parametrize(("zone", "tenths"), [("", ""), ("+0800", ""), ("", ".4"), ("+0800", ".0")])
def test_the_clock_is_measured_at_the_turn_of_a_second(zone, tenths):
    show, began, asked = ticking(37.25, zone, tenths)
    with opened(MtpDevice(clock=show)) as recorder:
        asked.clear()
        told_s = time.monotonic()
        now = NOW + timedelta(seconds=told_s - began)
        drift = recorder.condition(now).drift
        late_ms = round((asked[0] - told_s) * 1000)  # what passed on the way to the driver is no fault of its own
        assert drift
        assert (drift.method, drift.bound) == ("protocol", "exact")
        assert abs(drift.offset_ms - 37_250) <= drift.uncertainty_ms + 1 + late_ms
        assert drift.uncertainty_ms < 2000
        assert ("clock.no_zone" in codes(recorder, now)) == (not zone)


def test_a_clock_in_another_zone_is_no_drift():
    def show() -> str:
        return f"{NOW + timedelta(seconds=time.monotonic() - began):%Y%m%dT%H%M%S}Z"

    began = time.monotonic()
    with opened(MtpDevice(clock=show)) as recorder:
        drift = recorder.condition(NOW + timedelta(seconds=time.monotonic() - began)).drift
    assert drift
    assert abs(drift.offset_ms) <= drift.uncertainty_ms + 1


def test_a_clock_that_stands_is_known_to_a_second():
    with opened(MtpDevice(clock=lambda: "20261121T200000")) as recorder:
        drift = recorder.condition(NOW).drift
    assert drift
    assert drift.uncertainty_ms >= 500


@pytest.mark.parametrize("told", ["", "yesterday", "20261345T999999", "20261121T120000+9999", "99991231T235959"])
def test_what_is_no_time_is_no_clock(told):
    with opened(MtpDevice(clock=lambda: told)) as recorder:
        assert recorder.condition(NOW).drift is None
        if told != "99991231T235959":
            assert "clock.nonsense" in codes(recorder, NOW)


def test_android_has_no_clock_and_is_not_asked_for_it():
    device = MtpDevice(props=(0x5001,))
    with opened(device) as recorder:
        condition = recorder.condition(NOW)
        assert (condition.drift, condition.battery) == (None, 73)
        assert not isinstance(recorder, SetsClock)
    assert 0x5011 not in [params[0] for op, params in device.asked if op == 0x1015]


@pytest.mark.parametrize(("value", "form", "percent"), [
    (73, (0, 100, 1), 73), (2, (0, 4, 1), 50), (73, (), 73), (200, (), None), (9, (0, 4, 1), None), (5, (5, 5, 1), 5),
])  # fmt: skip
def test_the_battery_is_a_percentage(value, form, percent):
    with opened(MtpDevice(props=(0x5001,), battery=value, battery_form=form)) as recorder:
        assert recorder.condition(NOW).battery == percent


@pytest.mark.parametrize(("zone", "way"), [("", opened), ("+0900", opened), ("Z", connected)])
def test_the_clock_is_set_as_it_shows_itself(zone, way):
    device = MtpDevice(clock=lambda: f"20200101T000000{zone}")
    with way(device) as recorder:
        assert isinstance(recorder, SetsClock)
        left = recorder.set_clock(NOW)
        assert left.method == "protocol"
    hours = {"": 20, "+0900": 21, "Z": 12}[zone]
    set_to = device.clock_set[0]
    assert set_to.startswith(f"20261121T{hours}00")
    assert set_to.endswith(zone)
    assert 1 <= int(set_to[13:15]) < 30


def test_a_clock_that_may_not_be_set_offers_no_setting():
    with opened(MtpDevice(settable=False)) as recorder:
        assert not isinstance(recorder, SetsClock)


# --- a card that is taken out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [opened, connected])
def test_a_storage_taken_out_in_the_middle_is_unplugged(way):
    device = bare()
    device.record("a.mp4", Sparse(64 << 20))
    with way(device) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(1 << 20))
        assert recorder.read_into(item, 0, view)
        device.pull_card(CARD)
        with pytest.raises(Unplugged):
            recorder.read_into(item, 1 << 20, view)
        assert not recorder.present()


def test_the_event_alone_is_believed():
    device = bare(operations=CAMERA)
    device.record("a.mp4", Sparse(64 << 20))
    with opened(device) as recorder:
        item, view = recorder.items()[0], memoryview(bytearray(1 << 20))
        assert recorder.read_into(item, 0, view)
        device.events.append((0x4005, (CARD,)))
        assert not recorder.present()
        with pytest.raises(Unplugged):
            recorder.read_into(item, 1 << 20, view)


# --- whose it is ------------------------------------------------------------------------------------------------------


def claims(**plugged: object) -> int:
    there = Plugged(bare(), **plugged)  # type: ignore[arg-type]
    answer = MtpDriver(library=Library([there])).claims(Sighting(port="usb-1", source=there.source))
    assert there.handles == 0
    return answer


def test_its_class_or_its_name_claims_it():
    assert claims() == 70
    assert claims(classes=(0xFF, 0xFF, 0)) == 60
    assert claims(classes=(0xFF, 0xFF, 0), named=3) == 0
    assert claims(classes=(0xFF, 0xFF, 0), named=0) == 0
    assert claims(classes=(0xFF, 0xFF, 0), forbidden=True) == 10
    assert claims(classes=(0xFF, 0x42, 1)) == 0
    assert MtpDriver(library=Library([])).claims(Sighting(port="a", source="/dev/sdb")) == 0
    assert MtpDriver(library=Library([])).claims(Sighting(port="a", source="/dev/bus/usb/001/005")) == 0
    assert MtpDriver().claims(Sighting(port="a", source="ptpip://127.0.0.1:1")) == 0
    assert MtpDriver().claims(Sighting(port="a", source="ptpip://127.0.0.1:99999999")) == 0
    with IpResponder(bare()) as responder:
        assert MtpDriver().claims(Sighting(port="a", source=responder.source)) == 50


def test_a_vendor_interface_that_is_named_mtp_is_opened():
    device = bare()
    device.record("a.mp4", b"a")
    with opened(device, classes=(0xFF, 0xFF, 0)) as recorder:
        assert len(recorder.items()) == 1


@pytest.mark.parametrize(("plugged", "what"), [
    ({"forbidden": True}, "may not be opened"),
    ({"taken": True}, "Another program"),
    ({"classes": (3, 1, 1)}, "no MTP"),
])  # fmt: skip
def test_what_keeps_it_from_being_opened_is_said(plugged, what):
    with pytest.raises(NotAllowed, match=what), opened(bare(), **plugged):
        pass


def test_an_item_of_another_listing_is_absent():
    device = bare()
    device.record("a.mp4", b"a")
    with opened(device) as recorder:
        item = recorder.items()[0]
        device.things.clear()
        with pytest.raises(Unreadable, match="no longer"):
            recorder.read_into(item, 0, memoryview(bytearray(4096)))
