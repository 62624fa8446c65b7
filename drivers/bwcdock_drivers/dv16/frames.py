"""What station and helper say to each other: a command block with its data, a standing with its data. Bounded."""

import socket
from enum import IntEnum
from typing import Final

from . import wire

HELLO: Final = b"\1"
"""What the first descriptor comes with."""

_HEAD = 1 + 1 + 1  # bytes of the command block, bytes wanted, bytes given


class Standing(IntEnum):
    """How a command ended."""

    WELL = 0
    FORBIDDEN = 1
    GONE = 2
    FAILED = 3
    NOT_ONE = 4
    NOT_LET = 5


def request(cdb: bytes, wanted: int, data: bytes) -> bytes:
    """A command as it goes over."""
    return bytes((len(cdb), wanted, len(data))) + cdb + data


def read_request(connection: socket.socket) -> tuple[bytes, int, bytes] | None:
    """The next command with how much it wants and brings; ``None`` at the end. A broken one is an ``OSError``."""
    if not (first := connection.recv(1)):
        return None
    head = first + _exactly(connection, _HEAD - 1)
    length, wanted, given = head
    return _exactly(connection, length), wanted, _exactly(connection, given)


def reply(standing: Standing, data: bytes = b"") -> bytes:
    """How it ended, as it goes over."""
    return bytes((standing, len(data))) + data


def read_reply(connection: socket.socket) -> tuple[int, bytes]:
    """How a command ended. Anything that does not fit is an ``OSError``."""
    standing, length = _exactly(connection, 2)
    if length > max(wire.INQUIRY_BYTES, *wire.ANSWERS.values()):
        raise OSError(f"an answer of {length} bytes")
    return standing, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionResetError("it ended in the middle")
        data += more
    return data
