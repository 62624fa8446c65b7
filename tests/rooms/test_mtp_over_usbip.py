"""The played recorder at the end of USB/IP: what a kernel asks of it, one transfer at a time, and what comes back."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bwcdock.testing.mtp_packets import BULK_IN, BULK_OUT, INTERRUPT, Cable, Segment
from bwcdock.testing.mtp_responder import Bytes, Fault, MtpDevice
from bwcdock.testing.mtp_usbip import UsbIp

EPIPE, ECONNRESET = 32, 104
OPEN, INFO, IDS = 0x1002, 0x1001, 0x1004


class Kernel:
    """The other end: numbers every transfer, and knows which answer is which one's."""

    def __init__(self, served: UsbIp) -> None:
        self.end = served.kernels
        self.end.settimeout(20)
        self.number = 0

    def submit(self, endpoint: int, length: int, setup: bytes = bytes(8), data: bytes = b"") -> int:
        """Begin a transfer; its number."""
        self.number += 1
        head = struct.pack(">IIIII", 1, self.number, 1, endpoint >> 7, endpoint & 0x7F)
        self.end.sendall(head + struct.pack(">IIIII", 0, length, 0, 0, 0) + setup + data)
        return self.number

    def take_back(self, number: int) -> int:
        """Wait no longer for a transfer; the status of that."""
        self.number += 1
        self.end.sendall(struct.pack(">IIIIII", 2, self.number, 1, 0, 0, number) + bytes(24))
        command, answered, status, _ = self.answer(brings=False)
        assert (command, answered) == (4, self.number)
        return status

    def answer(self, *, brings: bool) -> tuple[int, int, int, bytes]:
        """Command, number and status of the next answer, and its data where it ``brings`` some."""
        command, number, *_, status, length = struct.unpack(">IIIIIiI", self._exactly(28))
        self._exactly(20)
        return command, number, status, self._exactly(length) if brings and command == 3 else b""

    def control(self, kind: int, request: int, value: int = 0, index: int = 0, length: int = 0) -> tuple[int, bytes]:
        """A request to the device: status and data."""
        self.submit(kind & 0x80, length, struct.pack("<BBHHH", kind, request, value, index, length))
        _, number, status, data = self.answer(brings=bool(kind & 0x80))
        assert number == self.number
        return status, data

    def command(self, transaction: int, op: int, *params: int) -> None:
        """Send a container with a command."""
        raw = struct.pack(f"<IHHI{len(params)}I", 12 + 4 * len(params), 1, op, transaction, *params)
        number = self.submit(BULK_OUT, len(raw), data=raw)
        assert self.answer(brings=False) == (3, number, 0, b"")

    def read(self, length: int) -> tuple[int, bytes]:
        """A bulk transfer from the device: status and data."""
        number = self.submit(BULK_IN, length)
        command, answered, status, data = self.answer(brings=True)
        assert (command, answered) == (3, number)
        return status, data

    def _exactly(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count:
            more = self.end.recv(count - len(raw))
            if not more:
                raise EOFError
            raw += more
        return raw


@contextmanager
def plugged(device: MtpDevice) -> Iterator[Kernel]:
    with UsbIp(Cable(device)) as served:
        yield Kernel(served)


def opened(kernel: Kernel) -> None:
    kernel.command(0, OPEN, 1)
    assert kernel.read(512) == (0, struct.pack("<IHHI", 12, 3, 0x2001, 0))


def test_a_kernel_enumerates_it():
    with plugged(MtpDevice()) as kernel:
        status, told = kernel.control(0x80, 0x06, 0x0100, length=64)
        assert (status, len(told), told[8:12]) == (0, 18, struct.pack("<HH", 0x1209, 0x0030))
        status, head = kernel.control(0x80, 0x06, 0x0200, length=9)
        assert (status, len(head)) == (0, 9)
        status, whole = kernel.control(0x80, 0x06, 0x0200, length=struct.unpack_from("<H", head, 2)[0])
        assert (status, len(whole), whole[14:17]) == (0, 39, bytes((6, 1, 1)))
        assert kernel.control(0x80, 0x06, 0x0301, length=255) == (0, b"\x08\x03M\0T\0P\0")
        assert kernel.control(0x80, 0x06, 0x0600, length=10) == (-EPIPE, b"")  # what only faster devices have
        assert kernel.control(0x00, 0x09, 1) == (0, b"")
        assert kernel.control(0xA1, 0x67, length=20) == (0, struct.pack("<HH", 4, 0x2001))


def test_data_comes_in_the_transfers_that_are_asked_for():
    device = MtpDevice()
    with plugged(device) as kernel:
        opened(kernel)
        kernel.command(1, INFO)
        status, first = kernel.read(64)
        status, rest = kernel.read(4096)
        whole = first + rest
        assert (status, len(first), struct.unpack_from("<I", whole)[0]) == (0, 64, len(whole))
        assert kernel.read(512)[1][4:8] == struct.pack("<HH", 3, 0x2001)
        assert [op for op, _ in device.asked] == [OPEN, INFO]


def test_a_transfer_goes_on_with_what_comes_later():
    cable = Cable(MtpDevice())
    with UsbIp(cable) as served:
        kernel = Kernel(served)
        cable.out.append(Segment(512, Bytes(bytes(512)).fill, zero_packet=False))
        waiting = kernel.submit(BULK_IN, 1024)
        kernel.control(0x80, 0x08, length=1)  # the transfer has all there is by now, and waits
        cable.out.append(Segment(3, Bytes(b"end").fill, zero_packet=False))
        assert kernel.answer(brings=True) == (3, waiting, 0, bytes(512) + b"end")


@pytest.mark.parametrize("zero_packets", [True, False])
def test_after_a_full_packet_comes_an_empty_one_unless_it_is_forgotten(zero_packets):
    device = MtpDevice(zero_packets=zero_packets)
    handle = device.record("a.mp4", bytes(500))
    with plugged(device) as kernel:
        opened(kernel)
        kernel.command(1, 0x1009, handle)
        assert len(kernel.read(512)[1]) == 512
        assert len(kernel.read(512)[1]) == (0 if zero_packets else 12)


def test_a_stall_is_told_until_it_is_cleared():
    device = MtpDevice(faults=[Fault(IDS, "data", "stall")])
    with plugged(device) as kernel:
        opened(kernel)
        kernel.command(1, IDS)
        assert kernel.read(512)[0] == -EPIPE
        assert kernel.read(512)[0] == -EPIPE
        assert kernel.control(0x02, 0x01, 0, BULK_IN) == (0, b"")
        kernel.command(2, IDS)
        assert kernel.read(512)[1][8:12] == struct.pack("<I", 2)


def test_what_waits_in_vain_is_taken_back_and_nothing_else_is():
    device = MtpDevice(faults=[Fault(IDS, "data", "silence", at=4)])
    with plugged(device) as kernel:
        opened(kernel)
        kernel.command(1, IDS)
        waiting = kernel.submit(BULK_IN, 512)
        assert kernel.take_back(waiting) == -ECONNRESET
        assert kernel.take_back(waiting) == 0  # there is no such transfer any more
        assert kernel.control(0x21, 0x64, length=0) == (0, b"")
        kernel.command(2, IDS)
        assert kernel.read(512)[1][8:12] == struct.pack("<I", 2)


def test_an_event_comes_when_there_is_one():
    device = MtpDevice()
    with plugged(device) as kernel:
        waiting = kernel.submit(INTERRUPT, 64)
        device.pull_card()
        command, number, status, data = kernel.answer(brings=True)
        assert (command, number, status, data[4:8]) == (3, waiting, 0, struct.pack("<HH", 4, 0x4005))


def test_a_cable_that_is_pulled_in_a_transfer_hangs_up():
    device = MtpDevice(faults=[Fault(IDS, "data", "vanish", at=2)])
    with plugged(device) as kernel:
        opened(kernel)
        kernel.command(1, IDS)
        with pytest.raises(EOFError):
            kernel.read(512)
    assert not device.is_there
