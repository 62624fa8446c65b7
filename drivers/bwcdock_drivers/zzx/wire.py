"""The requests of the com.zzx.sdk service and what it answers: one JSON object a line. Pure.

Everything that is ever asked stands in :class:`Ask`. What writes identity, network, users or settings (4, 9, 14, 15, 23
to 28) has no name here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

LINE_MAX: Final = 64 << 10
"""Bytes of an answer: the longest known has some hundred."""

TEXT_MAX: Final = 200
"""Characters of a value that are looked at: a name has ten."""

MIB: Final = 1 << 20
_LARGEST_MIB = 1 << 30
_YEARS = (datetime(1970, 1, 1, tzinfo=UTC).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp())

NAMES: Final = frozenset({"serial", "serialNum", "policeNo", "policeName", "groupNo", "groupName"})
"""Keys whose values tell one recorder, or one person, from another."""

PASSWORD: Final = "password"  # noqa: S105  (a key, not its value)


class Ask(IntEnum):
    """What a recorder is asked or told."""

    INIT = 1
    MODEL = 2
    INFO = 3
    SET_CLOCK = 5
    TO_DISK = 6
    BATTERY = 8
    CLOCK = 16
    UNLOCK = 17
    ROOM = 18


class Malformed(ValueError):
    """Bytes that are not what they should be, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Who a recorder says it is and whose; text as it came, not fit for a screen yet."""

    serial: str
    user_number: str
    user_name: str
    unit_number: str
    unit_name: str


def request(ask: Ask, body: Mapping[str, str]) -> bytes:
    """A request as it goes over. Its id is text, where that of an answer is a number."""
    header = {"version": "1.0", "id": str(int(ask)), "device": "ZZX2080"}
    return json.dumps({"header": header, "body": dict(body)}, separators=(",", ":")).encode() + b"\n"


def answer(line: bytes) -> tuple[int, dict[str, str]]:
    """The id and the values of an answer; values that are neither text nor a whole number are left out."""
    if len(line) > LINE_MAX:
        raise Malformed(f"a line of more than {LINE_MAX} bytes")
    told = parsed(line)
    header, body = told.get("header"), told.get("body")
    if not isinstance(header, dict) or not isinstance(body, dict):
        raise Malformed("an answer without header or body")
    return _whole(header.get("id"), "id"), {k: _text(v) for k, v in body.items() if isinstance(v, str | int)}


def parsed(line: bytes) -> dict[str, Any]:
    """The object in a line; what stands before it is passed over."""
    try:
        told = json.loads(line[max(0, line.find(b"{")) :])
    except (ValueError, RecursionError) as error:
        raise Malformed("a line that is no JSON") from error
    if not isinstance(told, dict):
        raise Malformed("a line that is no object")
    return told


def info(body: Mapping[str, str]) -> Info:
    """Who it is and whose."""
    keys = ("serial", "policeNo", "policeName", "groupNo", "groupName")
    serial, user_number, user_name, unit_number, unit_name = (body.get(key, "").strip() for key in keys)
    return Info(
        serial=serial, user_number=user_number, user_name=user_name, unit_number=unit_number, unit_name=unit_name
    )


def battery(body: Mapping[str, str]) -> int | None:
    """Percent; ``None`` for what is none."""
    value = _whole(body.get("battery"), "battery")
    return value if 0 <= value <= 100 else None


def room(body: Mapping[str, str]) -> tuple[int, int]:
    """Bytes free and in all; told in mebibytes."""
    free, total = _whole(body.get("free"), "free"), _whole(body.get("total"), "total")
    if not 0 <= free <= total <= _LARGEST_MIB:
        raise Malformed("a room that no card has")
    return free * MIB, total * MIB


def clock(body: Mapping[str, str]) -> datetime:
    """What its clock shows, told in seconds."""
    return _moment(_whole(body.get("Time"), "Time"))


def clock_text(at: datetime) -> str:
    """What sets the clock: milliseconds, although it is read in seconds."""
    return str(round(at.timestamp()) * 1000)


def is_true(body: Mapping[str, str], key: str) -> bool:
    """Whether it says yes; ``Malformed`` where it says nothing that is either."""
    word = body.get(key, "").strip().lower()
    if word not in {"true", "false"}:
        raise Malformed(f"no {key}")
    return word == "true"


def without_names(line: bytes) -> str:
    """A line as it may stand on a tape: letters for whatever tells a recorder or person, nothing for a password."""
    try:
        told = parsed(line)
    except Malformed:
        return "X" * min(len(line), TEXT_MAX)
    body = told.get("body")
    if isinstance(body, dict):
        told["body"] = {key: _hidden(key, value) for key, value in body.items()}
    return json.dumps(told, separators=(",", ":"))[:LINE_MAX]


def _hidden(key: str, value: object) -> object:
    if key == PASSWORD:
        return value if str(value).lower() in {"true", "false"} else ""
    if key in NAMES:
        return "".join(chr(ord("A") + n % 26) for n in range(min(len(str(value)), TEXT_MAX)))
    return value


def _moment(seconds: int) -> datetime:
    if not _YEARS[0] <= seconds < _YEARS[1]:
        raise Malformed("a time that no clock shows")
    return datetime.fromtimestamp(seconds, UTC)


def _text(value: str | int) -> str:
    # A number of more digits than any value has is not written out: that takes long.
    return value[:TEXT_MAX] if isinstance(value, str) else str(value) if abs(value) < 1 << 63 else ""


def _whole(value: object, name: str) -> int:
    text = _text(value).strip() if isinstance(value, str | int) else ""
    if not text.removeprefix("-").isdecimal() or len(text) > 19:
        raise Malformed(f"no {name}")
    return int(text)
