"""A ZZX recorder in memory, with state: its service takes bytes and answers lines, and knows no driver.

It obeys also what the driver must never ask (writing identity, users, settings): a test sees by its state whether
anybody did. What it does not know it does not answer at all, as the real service.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bwcdock.clock import WallClock
from bwcdock.errors import Unplugged

WRITES = {4: "identity", 9: "gps", 14: "loop", 15: "serial", 23: "dial", 24: "dial", 25: "users", 26: "users"}


@dataclass(slots=True, kw_only=True)
class ZzxRecorder:
    """``offset_ms`` is how far its clock is from this machine's. ``says`` are bytes it sends instead of an answer, by
    request; ``silent`` are requests it does not answer. ``ends`` are those over which it ends the conversation.
    """

    model: str = "ZZX80"
    serial: str = "ZX20260"
    user: tuple[str, str] = ("033021", "王建国")
    unit: tuple[str, str] = ("350102000000", "鼓楼分局")
    password: str = "246810"  # noqa: S105  (of a recorder that is none)
    battery: int = 80
    room_mib: tuple[int, int] = (4096, 32768)
    offset_ms: int = 0
    now: Callable[[], float] = lambda: WallClock().now().timestamp()
    is_recording: bool = False
    is_there: bool = True
    is_disk: bool = False
    leaves: bool = False
    passwords: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    says: dict[int, bytes] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)
    ends: set[int] = field(default_factory=set)
    heard: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def hears(self, line: bytes) -> bytes | None:
        """What it sends upon a line; ``None`` where it ends the conversation."""
        told = json.loads(line[line.index(b"{") :])
        ask, body = int(told["header"]["id"]), told["body"]
        assert isinstance(told["header"]["id"], str)
        self.heard.append((ask, body))
        if ask in self.ends:
            return None
        if ask in self.says:
            return self.says[ask]
        answer = None if ask in self.silent else self._answer(ask, body)
        if answer is None:
            return b""
        said = {"header": {"version": "1.0", "id": ask, "device": "ZZX2080"}, "body": answer}
        return json.dumps(said, ensure_ascii=False).encode() + b"\r\n"

    def _answer(self, ask: int, body: dict[str, Any]) -> dict[str, str] | None:
        if ask in WRITES:
            self.overwritten.append(WRITES[ask])
        match ask:
            case 1:
                return {"Result": "true"}
            case 2:
                return {"IDCode": self.model}
            case 3:
                names = {"policeNo": self.user[0], "policeName": self.user[1]}
                return {"serial": self.serial, **names, "groupNo": self.unit[0], "groupName": self.unit[1]}
            case 8:
                return {"battery": str(self.battery)}
            case 16:
                return {"Time": str(int(self._shown()))}
            case 17:
                return {"password": self._knows(body)}
            case 18:
                return {"free": str(self.room_mib[0]), "total": str(self.room_mib[1])}
            case 5 | 6 if self._knows(body) == "false":
                return {"password": "false", "Result": "false"}
            case 5:
                self.offset_ms = round(int(body["Time"]) - self.now() * 1000)
                return {"password": "true", "Result": "true"}
            case 6:
                self.is_disk = not self.is_recording
                self.is_there = self.is_there and not (self.is_disk and self.leaves)
                return {"password": "true", "Result": str(self.is_disk).lower()} if self.is_there else None
        return None

    def _shown(self) -> float:
        return self.now() + self.offset_ms / 1000

    def _knows(self, body: dict[str, Any]) -> str:
        self.passwords.append(str(body.get("password")))
        return str(body.get("password") == self.password).lower()


class Conversation:
    """One conversation with a recorder; what it does not say comes as nothing, at once."""

    def __init__(self, recorder: ZzxRecorder, rack: "ZzxRack") -> None:
        self._recorder, self._rack = recorder, rack
        self._left: bytes | None = b""
        rack.opened += 1

    def send(self, data: bytes) -> None:
        """Have it hear a line."""
        if not self._recorder.is_there or self._left is None:
            raise self._rack.ended()
        said = self._recorder.hears(data)
        self._left = None if said is None or not self._recorder.is_there else self._left + said

    def receive(self, wait_s: float) -> bytes:  # noqa: ARG002
        """What it said, in small pieces."""
        if self._left is None or not self._recorder.is_there:
            raise self._rack.ended()
        data, self._left = self._left[:70], self._left[70:]
        return data

    def alive(self) -> bool:
        """Whether it is plugged in."""
        return self._recorder.is_there

    def close(self) -> None:
        """Hang up."""
        self._rack.opened -= 1


class ZzxRack:
    """Recorders by their USB node. ``ended`` makes the error of a conversation that has ended."""

    def __init__(self, ended: type[Exception], **recorders: ZzxRecorder) -> None:
        self.ended = ended
        self.recorders = {f"/dev/bus/usb/001/{name.removeprefix('n')}": each for name, each in recorders.items()}
        self.opened = 0

    def certainty(self, source: str) -> int:
        """30 for a recorder that is there."""
        found = self.recorders.get(source)
        return 30 if found is not None and found.is_there else 0

    def connect(self, source: str) -> Conversation:
        """Begin to speak with it."""
        found = self.recorders.get(source)
        if found is None or not found.is_there:
            raise Unplugged("open", "The recorder is no longer there.", "Plug it in again.")
        return Conversation(found, self)
