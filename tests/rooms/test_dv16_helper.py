"""The helper that may send vendor commands: what it takes, what it refuses, and how it ends."""

import ctypes
import os
import socket
import struct
import sys
import threading
from contextlib import contextmanager

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import Misbehaved, NotAllowed, Unplugged
from bwcdock.testing.accepting import accepting
from bwcdock.testing.driver_suite import held
from bwcdock.testing.dv16_recorder import Dv16Rack, Dv16Recorder
from bwcdock_drivers.dv16 import frames, helper, unit, wire
from bwcdock_drivers.dv16.driver import Dv16Driver
from bwcdock_drivers.dv16.frames import Standing
from bwcdock_drivers.dv16.unit import HelpedUnit, SgUnit
from bwcdock_drivers.dv16.wire import Command

HELPER = (sys.executable, "-I", "-m", "bwcdock_drivers.dv16.helper")


class Helped(Dv16Rack):
    """Recorders whose units are asked by way of a helper, as the station asks them."""

    def __init__(self, made, address):
        super().__init__(sdb=made)
        self.made, self.address = made, address

    def connect(self, source):
        node = os.open("/dev/null", os.O_RDONLY)
        try:
            return HelpedUnit(str(self.address), node, lambda: self.made.is_there)
        finally:
            os.close(node)


@contextmanager
def helping(directory, made):
    """One connection of a helper at work on this recorder."""
    rack = Dv16Rack(sdb=made)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "v.sock"))
        listener.listen(1)

        def serve():
            connection, _ = listener.accept()
            with connection:
                _, fds, _, _ = socket.recv_fds(connection, 1, 1)
                helper.serve(connection, rack.connect("/dev/sdb"))
                for fd in fds:
                    os.close(fd)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield Helped(made, directory / "v.sock")
        finally:
            thread.join(20)
            assert not thread.is_alive()
            assert rack.opened == 0


def test_a_recorder_is_spoken_to_by_way_of_the_helper(tmp_path):
    made = Dv16Recorder()
    with helping(tmp_path, made) as units, Dv16Driver(units=units).open(Sighting(port="1", source="/dev/sdb")) as found:
        assert found.identity().serial == "A1B2C3D"
        found.unlock("246810")
        found.switch_to_disk()
    assert made.is_disk
    assert made.heard[0][0] == wire.INQUIRY


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("command", [4, 7, 9, 10, 11, 0, 15, 255])
def test_the_helper_itself_refuses_what_is_not_on_the_list_and_ends(tmp_path, command, is_read):
    made = Dv16Recorder()
    with helping(tmp_path, made) as units:
        asked = units.connect("/dev/sdb")  # without the guard on this side
        assert asked.take(wire.asking(Command.BATTERY), 4) == struct.pack("<i", 80)
        cdb = bytes((*((0xFD, 0x81) if is_read else (0xFB, 0x82)), 0, 0, 0, command, 0, 16)) + bytes(8)
        with pytest.raises(NotAllowed, match="never sent"):
            asked.take(cdb, 16) if is_read else asked.give(cdb, bytes(16))
        with pytest.raises(Misbehaved, match="does not answer"):
            asked.take(wire.asking(Command.BATTERY), 4)
        asked.close()
    assert made.overwritten == []
    assert [cdb[5] for cdb, _ in made.heard[1:]] == [8]


def test_what_a_recorder_refuses_or_that_it_is_gone_comes_through(tmp_path):
    made = Dv16Recorder(refuses={8})
    with helping(tmp_path, made) as units:
        asked = units.connect("/dev/sdb")
        with pytest.raises(Misbehaved):
            asked.take(wire.asking(Command.BATTERY), 4)
        made.is_there = False
        with pytest.raises(Unplugged):
            asked.take(wire.asking(Command.RESULT), 4)
        asked.close()


def test_a_helper_without_its_capability_is_told(tmp_path):
    made = Dv16Recorder(is_barred=True)
    with helping(tmp_path, made) as units:
        asked = units.connect("/dev/sdb")
        with pytest.raises(NotAllowed, match="kernel does not let"):
            asked.take(wire.asking(Command.BATTERY), 4)
        asked.close()


def test_the_helper_speaks_with_nothing_else(tmp_path):
    with (
        helping(tmp_path, Dv16Recorder(inquiry="Generic STORAGE DEVICE  ")) as units,
        pytest.raises(NotAllowed, match="no recorder"),
    ):
        units.connect("/dev/sdb")


@pytest.mark.parametrize("said", [b"", b"\0", b"\x10\x04", b"\xff\xff\xff" + bytes(600), bytes(900), b"\x06\x24\0\x12"])
def test_whatever_is_said_to_the_helper_it_ends_with_the_connection(said):
    made, (one, other) = Dv16Recorder(), socket.socketpair()
    rack = Dv16Rack(sdb=made)
    with one:
        one.sendall(said)
        one.shutdown(socket.SHUT_WR)
        with other:
            helper.serve(other, rack.connect("/dev/sdb"))
    assert rack.opened == 0
    assert [cdb for cdb, _ in made.heard] == [wire.INQUIRY]


def test_an_answer_that_is_none_is_the_helpers_fault():
    for said in (b"", b"\0", b"\0\xff" + bytes(255), b"\0\x04ab"):
        one, other = socket.socketpair()
        with one:
            with other:
                other.sendall(said)
            with pytest.raises(OSError):  # noqa: PT011  (which one depends on where it ends)
                frames.read_reply(one)


# --- the process itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def listener(tmp_path):
    with accepting(tmp_path, HELPER) as listener:
        yield listener


@pytest.mark.parametrize("path", ["/dev/null", __file__, "/dev"])
def test_it_takes_no_descriptor_but_a_disks(listener, path):
    before = held()
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(NotAllowed, match="no recorder"):
            HelpedUnit(str(listener.address), fd, lambda: True)
    finally:
        os.close(fd)
    assert held() == before


@pytest.mark.parametrize("path", ["/dev/null", __file__, "/dev"])
def test_what_is_no_disk_is_not_asked_what_it_is(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        assert not helper.is_disk(fd)
    finally:
        os.close(fd)


def test_it_takes_no_connection_without_a_descriptor(listener):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(20)
        asking.connect(str(listener.address))
        asking.sendall(frames.HELLO)
        assert frames.read_reply(asking) == (Standing.NOT_ONE, b"")


def test_without_a_helper_it_says_what_to_switch_on(tmp_path):
    with pytest.raises(NotAllowed) as found:
        HelpedUnit(str(tmp_path / "nobody"), 0, lambda: True)
    assert "bwcdock-vendor.socket" in found.value.hint


# --- SG_IO ------------------------------------------------------------------------------------------------------------


def test_what_is_no_disk_answers_no_command_and_leaks_nothing():
    before = held()
    made = SgUnit(os.open("/dev/null", os.O_RDONLY))
    with pytest.raises(Misbehaved, match="failed"):
        made.take(wire.INQUIRY, wire.INQUIRY_BYTES)
    with pytest.raises(Misbehaved, match="failed"):
        made.give(wire.telling(Command.INIT), b"")
    made.close()
    made.close()
    assert not made.alive()
    assert held() == before
    gone = SgUnit(os.open("/dev/null", os.O_RDONLY), lambda: False)
    with pytest.raises(Unplugged):
        gone.take(wire.INQUIRY, wire.INQUIRY_BYTES)
    gone.close()


class Kernel:
    """What SG_IO does with a header: follows its pointers, and says how it went in its last fields."""

    def __init__(self, recorder, short=0, status=0):
        self.recorder, self.short, self.status = recorder, short, status

    def ioctl(self, _fd, number, header, _mutate):
        assert (number, header.interface) == (0x2285, ord("S"))
        assert header.timeout_ms in {2000, 10_000}
        header.status, header.left = self.status, self.short
        cdb = ctypes.string_at(header.cdb, header.cdb_length)
        if header.direction == -3:
            data = self.recorder.take(cdb, header.length)[: header.length - self.short]
            ctypes.memmove(header.data, data, len(data))
        else:
            assert header.direction == (-2 if header.length else -1)
            self.recorder.give(cdb, ctypes.string_at(header.data, header.length))
        return 0


def test_what_goes_over_and_comes_back_is_what_was_meant(monkeypatch):
    made = Dv16Recorder()
    monkeypatch.setattr(unit.fcntl, "ioctl", Kernel(made).ioctl)
    found = SgUnit(os.open("/dev/null", os.O_RDONLY))
    assert wire.is_dv16(found.take(wire.INQUIRY, wire.INQUIRY_BYTES))
    assert wire.info(found.take(wire.asking(Command.INFO), 89)).user_name == "王建国"
    found.give(wire.telling(Command.INIT), b"")
    found.give(wire.telling(Command.SET_CLOCK), bytes.fromhex("ea070b150c0001"))
    assert (made.greeted, made.clock) == (1, (2026, 11, 21, 12, 0, 1))
    monkeypatch.setattr(unit.fcntl, "ioctl", Kernel(made, short=2).ioctl)
    assert found.take(wire.asking(Command.MODEL), 6) == b"DV16"
    monkeypatch.setattr(unit.fcntl, "ioctl", Kernel(made, status=2).ioctl)
    with pytest.raises(Misbehaved, match="status 0x2"):
        found.take(wire.asking(Command.MODEL), 6)
    found.close()


def test_the_header_is_the_kernels():
    sizes = {4: 64, 8: 88}  # scsi/sg.h on 32 and 64 bits
    assert ctypes.sizeof(unit._Header) == sizes[ctypes.sizeof(ctypes.c_void_p)]
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        offsets = {"data": 16, "cdb": 24, "sense": 32, "timeout_ms": 40, "user": 56, "status": 64, "host": 68,
                   "left": 72, "info": 80}  # fmt: skip
        assert {name: getattr(unit._Header, name).offset for name in offsets} == offsets
