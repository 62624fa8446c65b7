"""The driver suite against the recorder in memory: what drivers are measured with is measured itself."""

import hashlib
from collections.abc import Mapping
from random import Random

import pytest
from bwcdock.core.facts import Item, Sighting, Span
from bwcdock.errors import Unplugged, Unreadable
from bwcdock.ports import Driver, Recorder
from bwcdock.testing.driver_suite import DriverSuite, page_aligned
from bwcdock.testing.recorder import FakeDriver, FakeRecorder, OpenedRecorder


class FakeBed:
    def __init__(self) -> None:
        chance = Random(3)
        self.recorder = FakeRecorder("F1", most=70_000)
        for at, size in enumerate((0, 1, 4095, 4096, 4097, 200_000)):
            self.recorder.record(f"DCIM/{at}.mp4", chance.randbytes(size))
        self.files: Mapping[str, bytes] = {path: bytes(file.data) for path, file in self.recorder.files.items()}
        self.shown = self.recorder.plug()

    def driver(self) -> Driver:
        return FakeDriver(self.recorder)

    def sighting(self) -> Sighting:
        return self.shown

    def foreign(self) -> Sighting:
        return Sighting(port="usb-1", source="fake:F2")

    def fingerprint(self) -> str:
        told = "".join(f"{path} {self.recorder.sha256(path)}\n" for path in sorted(self.recorder.files))
        return hashlib.sha256(told.encode()).hexdigest()

    def vanish(self) -> None:
        self.recorder.unplug()


class TestFake(DriverSuite):
    @pytest.fixture
    def bed(self) -> FakeBed:
        return FakeBed()


def opened(data: bytes) -> tuple[FakeRecorder, Recorder, Item]:
    recorder = FakeRecorder("F1")
    recorder.record("a.mp4", data)
    recorder.plug()
    service = OpenedRecorder(recorder)
    return recorder, service, service.items()[0]


def test_a_yank_gives_what_lies_before_it() -> None:
    recorder, service, item = opened(b"0123456789")
    recorder.yank("a.mp4", 4)
    buffer = page_aligned(4096)
    assert service.read_into(item, 0, buffer) == 4
    with pytest.raises(Unplugged):
        service.read_into(item, 4, buffer)
    recorder.plug()
    assert not service.present()  # that docking is over, whatever is docked now
    assert OpenedRecorder(recorder).read_into(item, 4, buffer) == 6


def test_a_bad_place_gives_what_lies_around_it() -> None:
    recorder, service, item = opened(b"0123456789")
    recorder.spoil("a.mp4", Span(offset=4, length=2), tries=2)
    buffer = page_aligned(4096)
    assert service.read_into(item, 0, buffer) == 4
    assert service.read_into(item, 6, buffer) == 4
    for _ in range(2):
        with pytest.raises(Unreadable) as told:
            service.read_into(item, 5, buffer)
        assert told.value.spans == (Span(offset=4, length=2),)
    assert service.read_into(item, 4, buffer) == 6


def test_a_wavering_byte_differs_every_second_time() -> None:
    recorder, service, item = opened(b"0123456789")
    recorder.waver("a.mp4", 3)
    buffer = page_aligned(4096)
    seen = [bytes(buffer[: service.read_into(item, 0, buffer)]) for _ in range(4)]
    assert seen == [b"0123456789", b"0122456789"] * 2


def test_lies_growth_rot_and_a_full_card() -> None:
    recorder, service, _ = opened(b"0123456789")
    recorder.lie("a.mp4", 20)
    assert service.items()[0].size == 20
    recorder.heal()
    recorder.grow("a.mp4", b"xyz")
    assert service.items()[0].size == 10
    assert service.read_into(service.items()[0], 10, page_aligned(4096)) == 3
    recorder.rot("a.mp4", 0)
    assert recorder.files["a.mp4"].data[:2] == b"11"
    recorder.fill()
    with pytest.raises(ValueError, match="full"):
        recorder.record("b.mp4", b"x")
    recorder.delete("a.mp4")
    with pytest.raises(Unreadable):
        service.read_into(Item(path="a.mp4", size=1, modified=None, claim=_claim()), 0, page_aligned(4096))


def _claim():
    return opened(b"x")[2].claim
