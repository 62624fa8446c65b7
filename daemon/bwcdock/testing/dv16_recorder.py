"""A DV16 recorder in memory, with state: it answers command blocks as the protocol's tables say, and knows no driver.

It obeys also what the driver must never send (writing identity and password): a test sees by its state whether anybody
did. What it does not know it refuses, as a unit does with a check condition.
"""

import struct
from dataclasses import dataclass, field

from bwcdock.errors import Misbehaved, NotAllowed, Unplugged

READS, WRITES = (0xFD, 0x81), (0xFB, 0x82)


@dataclass(slots=True, kw_only=True)
class Dv16Recorder:
    """``info`` are serial, wearer's number and name, unit's number and name. ``says`` are answers that are not true,
    by command. ``heard`` is every command block with what it brought, in order.
    """

    inquiry: str = "DV16    DEVICE V1.00    "
    model: bytes = b"DV16A0"
    info: tuple[str, str, str, str, str] = ("A1B2C3D", "033021", "王建国", "350102000000", "鼓楼分局")
    password: bytes = b"246810"
    battery: int = 80
    has_card: bool = True
    is_well: bool = True
    is_there: bool = True
    is_disk: bool = False
    greeted: int = 0
    clock: tuple[int, ...] = ()
    overwritten: list[str] = field(default_factory=list)
    says: dict[int, bytes] = field(default_factory=dict)
    is_barred: bool = False
    """Whether the kernel passes nothing but INQUIRY on to it, as for a process without the capability."""
    leaves: str = ""
    """How it goes when it becomes a disk: at once, so that nothing answers any more, or with a broken answer."""
    refuses: set[int] = field(default_factory=set)
    heard: list[tuple[bytes, bytes]] = field(default_factory=list)

    def fields(self) -> bytes:
        """Identity as it goes over the wire: five fields of fixed length in GBK."""
        widths = (7, 6, 32, 12, 32)
        return b"".join(
            text.encode("gbk")[:width].ljust(width, b"\0") for text, width in zip(self.info, widths, strict=True)
        )

    def take(self, cdb: bytes, length: int) -> bytes:
        """Answer a command that reads."""
        self._hear(cdb, b"")
        if cdb[0] == 0x12:
            return (b"\0\x80\x02\x02\x1f\0\0\0" + self.inquiry.encode() + b"1.00")[:length]
        self._must_be(cdb, READS, length)
        if cdb[5] in self.says:
            return self.says[cdb[5]]
        answers = {
            2: self.model.ljust(6, b"\0"),
            3: self.fields(),
            7: struct.pack("<ii", 1920, 1080),
            8: struct.pack("<i", self.battery),
            12: bytes((self.has_card, 0, 0, 0)),
            13: self.password.ljust(16, b"\0"),
            14: bytes((not self.is_well, 0, 0, 0)),
        }
        if cdb[5] not in answers:
            raise _refused()
        return answers[cdb[5]]

    def give(self, cdb: bytes, data: bytes) -> None:
        """Do what a command says that writes."""
        self._hear(cdb, data)
        self._must_be(cdb, WRITES, len(data))
        match cdb[5]:
            case 1:
                self.greeted += 1
            case 5:
                self.clock = struct.unpack("<H5B", data)
            case 6:
                self.is_disk, self.is_there = True, self.is_there and not self.leaves
                if self.leaves == "at once":
                    raise Unplugged("read", "The recorder is no longer there.", "Plug it in again.")
                if self.leaves:
                    raise _refused()
            case 4 | 9 | 10 | 11:
                self.overwritten.append({4: "identity", 9: "everything", 10: "password", 11: "model"}[cdb[5]])
            case _:
                raise _refused()

    def _hear(self, cdb: bytes, data: bytes) -> None:
        if not self.is_there:
            raise Unplugged("read", "The recorder is no longer there.", "Plug it in again.")
        self.heard.append((cdb, data))

    def _must_be(self, cdb: bytes, way: tuple[int, int], length: int) -> None:
        if self.is_barred:
            raise NotAllowed("open", "The kernel lets this user send it no vendor commands.", "")
        blank = bytes(value for at, value in enumerate(cdb) if at not in {0, 1, 5, 7})
        if len(cdb) != 16 or (cdb[0], cdb[1]) != way or any(blank) or cdb[7] != length or cdb[5] in self.refuses:
            raise _refused()


def _refused() -> Misbehaved:
    return Misbehaved("read", "It refused a command (illegal request).", "Take it out and dock it again.")


class Connected:
    """One opening of a recorder; ``open`` counts those that were not closed."""

    def __init__(self, recorder: Dv16Recorder, rack: "Dv16Rack") -> None:
        self._recorder, self._rack = recorder, rack
        rack.opened += 1

    def take(self, cdb: bytes, length: int) -> bytes:
        """Pass it on."""
        return self._recorder.take(cdb, length)

    def give(self, cdb: bytes, data: bytes) -> None:
        """Pass it on."""
        self._recorder.give(cdb, data)

    def alive(self) -> bool:
        """Whether it is plugged in."""
        return self._recorder.is_there

    def close(self) -> None:
        """Let go of it."""
        self._rack.opened -= 1


class Dv16Rack:
    """Recorders by the node of their disk, as a kernel would tell of them."""

    def __init__(self, **recorders: Dv16Recorder) -> None:
        self.recorders = {f"/dev/{name}": each for name, each in recorders.items()}
        self.opened = 0

    def inquiry(self, source: str) -> str:
        """What the kernel heard; nothing of a disk that has its medium."""
        found = self.recorders.get(source)
        return found.inquiry if found and found.is_there and not found.is_disk else ""

    def connect(self, source: str) -> Connected:
        """Open its unit."""
        found = self.recorders.get(source)
        if found is None or not found.is_there:
            raise Unplugged("open", "The recorder is no longer there.", "Plug it in again.")
        return Connected(found, self)
