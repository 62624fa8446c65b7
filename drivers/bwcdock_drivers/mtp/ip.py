"""Carries the same operations over TCP (PTP/IP, CIPA DC-005): one connection for operations, one for events."""

import select
import socket
import struct
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Final

from bwcdock.errors import NotAllowed, Unplugged

from .containers import Event, Malformed, Op, Response, pack_params, unpack_params
from .protocol import Broken, Patience
from .usb import gone

SCHEME: Final = "ptpip://"
PORT: Final = 15740

_HEAD = struct.Struct("<II")
_NAME = "bwcdock\0".encode("utf-16-le")
_VERSION = 0x0001_0000
_PACKET_MOST = 1 << 20  # bytes of a packet that is no data: names, parameters
_EVENTS_MOST = 32
_UNKNOWN_TOTALS = frozenset({0xFFFF_FFFF, (1 << 64) - 1})


class Packet(IntEnum):
    """What a packet is."""

    INIT_COMMAND = 1
    INIT_COMMAND_ACK = 2
    INIT_EVENT = 3
    INIT_EVENT_ACK = 4
    INIT_FAIL = 5
    REQUEST = 6
    RESPONSE = 7
    EVENT = 8
    START_DATA = 9
    DATA = 10
    CANCEL = 11
    END_DATA = 12
    PROBE = 13
    PROBE_ANSWER = 14


def packet(kind: Packet, body: bytes) -> bytes:
    """A whole packet."""
    return _HEAD.pack(_HEAD.size + len(body), kind) + body


class Ip:
    """A connected responder."""

    def __init__(self, host: str, port: int, patience: Patience) -> None:
        self._where, self._patience = (host, port), patience
        self._busy = threading.Lock()
        self._operations: socket.socket | None = None
        self._unasked: socket.socket | None = None
        self._response: Response | None = None
        self._piece = 0
        self._left: int | None = None
        self._is_last = False
        self._waiting = bytearray()
        with self._busy:
            self._connect()

    # --- operations ---------------------------------------------------------------------------------------------------

    def send_command(self, transaction: int, code: int, params: Sequence[int]) -> None:
        """Begin an operation."""
        with self._busy:
            self._response, self._piece, self._left, self._is_last = None, 0, None, False
            phase = 2 if code == Op.SET_PROP_VALUE else 1
            self._send(packet(Packet.REQUEST, struct.pack("<IHI", phase, code, transaction) + pack_params(params)))

    def send_data(self, transaction: int, code: int, data: bytes) -> None:  # noqa: ARG002  the command named it
        """Send the data of an operation."""
        body = struct.pack("<I", transaction)
        with self._busy:
            self._send(packet(Packet.START_DATA, body + struct.pack("<Q", len(data))))
            self._send(packet(Packet.END_DATA, body + data))

    def read_data_into(self, transaction: int, view: memoryview) -> int:
        """The next bytes of the data phase."""
        until = time.monotonic() + self._patience.call_s
        with self._busy:
            while not self._piece:
                if self._is_last or self._response is not None or not self._next(transaction, until):
                    return 0
            got = self._receive_into(view[: self._piece], until)
            self._piece -= got
            if self._left is not None:
                self._left -= got
                if self._left < 0:
                    raise Broken("more data than was announced")
            return got

    def read_response(self, transaction: int) -> Response:
        """How the operation ended."""
        until = time.monotonic() + self._patience.call_s
        with self._busy:
            if self._left:
                raise Broken(f"{self._left} bytes less than were announced")
            while self._response is None:
                if self._next(transaction, until) and self._piece:
                    raise Broken("more data instead of a response")
            return self._response

    def events(self) -> list[Event]:
        """What came over the connection for events."""
        found: list[Event] = []
        with self._busy:
            connection = self._unasked
            if connection is None:
                return found
            with suppress(OSError):
                while select.select([connection], [], [], 0)[0] and len(self._waiting) < _PACKET_MOST:
                    more = connection.recv(4096)
                    if not more:
                        break
                    self._waiting += more
            while len(found) < _EVENTS_MOST and (each := self._waited()) is not None:
                kind, body = each
                if kind == Packet.EVENT and len(body) >= 6:
                    with suppress(Malformed):
                        found.append(Event(int.from_bytes(body[:2], "little"), unpack_params(body[6:])))
        return found

    # --- mending ------------------------------------------------------------------------------------------------------

    def cancel(self, transaction: int) -> None:
        """Ask the responder to end the operation, and read until it says that it has."""
        until = time.monotonic() + self._patience.drain_s
        scrap = memoryview(bytearray(1 << 16))
        with self._busy:
            if self._unasked is None:
                raise Broken("not connected")
            self._send(packet(Packet.CANCEL, struct.pack("<I", transaction)), self._unasked)
            while self._response is None:
                if self._piece:
                    self._piece -= self._receive_into(scrap[: self._piece], until)
                else:
                    self._is_last = False
                    self._next(transaction, until)

    def reset(self) -> None:
        """Connect anew: the responder forgets the session with its connection."""
        with self._busy:
            self._hang_up()
            self._connect()

    def alive(self) -> bool:
        """Whether the responder has not hung up."""
        connection = self._unasked
        if connection is None:
            return False
        try:
            readable = select.select([connection], [], [], 0)[0]
            return not readable or bool(connection.recv(1, socket.MSG_PEEK))
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Hang up, once nothing is pending."""
        with self._busy:
            self._hang_up()

    # --- packets ------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        until = time.monotonic() + self._patience.call_s
        try:
            self._operations = socket.create_connection(self._where, timeout=self._patience.call_s)
            self._operations.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = uuid.uuid4().bytes + _NAME + struct.pack("<I", _VERSION)
            self._send(packet(Packet.INIT_COMMAND, hello))
            kind, body = self._packet(until)
            if kind == Packet.INIT_FAIL:
                raise NotAllowed("open", "It refuses the connection.", "Allow this station in the recorder's menu.")
            if kind != Packet.INIT_COMMAND_ACK or len(body) < 4:
                raise Broken(f"a packet of the kind {kind} instead of a greeting")
            self._unasked = socket.create_connection(self._where, timeout=self._patience.call_s)
            self._send(packet(Packet.INIT_EVENT, body[:4]), self._unasked)
            kind, _ = self._packet(until, self._unasked)
            if kind != Packet.INIT_EVENT_ACK:
                raise Broken(f"a packet of the kind {kind} instead of a greeting")
        except OSError as error:
            self._hang_up()
            raise gone("open") from error
        except BaseException:
            self._hang_up()
            raise
        self._response, self._piece, self._left = None, 0, None
        self._waiting.clear()

    def _hang_up(self) -> None:
        for connection in (self._operations, self._unasked):
            if connection is not None:
                connection.close()
        self._operations = self._unasked = None

    def _next(self, transaction: int, until: float) -> bool:
        """Take the next packet; whether it begins a piece of data, which is not read yet."""
        kind, length = self._head(until)
        if kind in {Packet.DATA, Packet.END_DATA}:
            if length < 4 or int.from_bytes(self._exactly(4, until), "little") != transaction:
                raise Broken("data of another transaction")
            self._piece, self._is_last = length - 4, kind == Packet.END_DATA
            return True
        if length > _PACKET_MOST:
            raise Broken(f"a packet of {length} bytes")
        body = self._exactly(length, until)
        try:
            if kind == Packet.START_DATA and length == 12:
                total = int.from_bytes(body[4:], "little")
                self._left = None if total in _UNKNOWN_TOTALS else total
                return True
            if kind == Packet.RESPONSE and length >= 6:
                if int.from_bytes(body[2:6], "little") != transaction:
                    return True  # of an operation that was cancelled
                self._response = Response(int.from_bytes(body[:2], "little"), unpack_params(body[6:]))
                return False
        except Malformed as error:
            raise Broken(str(error)) from error
        if kind == Packet.PROBE:
            self._send(packet(Packet.PROBE_ANSWER, b""))
            return True
        raise Broken(f"a packet of the kind {kind} where data or a response was due")

    def _waited(self) -> tuple[int, bytes] | None:
        """The next whole packet of events."""
        if len(self._waiting) < _HEAD.size:
            return None
        length, kind = _HEAD.unpack_from(self._waiting)
        if not _HEAD.size <= length <= _PACKET_MOST:
            self._waiting.clear()
            return None
        if len(self._waiting) < length:
            return None
        body = bytes(self._waiting[_HEAD.size : length])
        del self._waiting[:length]
        return kind, body

    def _packet(self, until: float, connection: socket.socket | None = None) -> tuple[int, bytes]:
        kind, length = self._head(until, connection)
        if length > _PACKET_MOST:
            raise Broken(f"a packet of {length} bytes")
        return kind, self._exactly(length, until, connection)

    def _head(self, until: float, connection: socket.socket | None = None) -> tuple[int, int]:
        length, kind = _HEAD.unpack(self._exactly(_HEAD.size, until, connection))
        if length < _HEAD.size:
            raise Broken(f"a packet of {length} bytes")
        return kind, length - _HEAD.size

    def _exactly(self, count: int, until: float, connection: socket.socket | None = None) -> bytes:
        raw = bytearray(count)
        done = 0
        with memoryview(raw) as view:
            while done < count:
                done += self._receive_into(view[done:], until, connection)
        return bytes(raw)

    def _receive_into(self, view: memoryview, until: float, connection: socket.socket | None = None) -> int:
        connection = connection or self._operations
        if connection is None:
            raise gone("read")
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise Broken("it took too long")
        connection.settimeout(left_s)
        try:
            got = connection.recv_into(view)
        except TimeoutError as error:
            raise Broken("it took too long") from error
        except OSError as error:
            raise self._lost() from error
        if not got:
            raise self._lost()
        return got

    def _send(self, data: bytes, connection: socket.socket | None = None) -> None:
        connection = connection or self._operations
        if connection is None:
            raise gone("read")
        connection.settimeout(self._patience.call_s)
        try:
            connection.sendall(data)
        except TimeoutError as error:
            raise Broken("it took too long") from error
        except OSError as error:
            raise self._lost() from error

    def _lost(self) -> Unplugged:
        self._hang_up()
        return gone("read")


def connected(source: str, patience: Patience) -> Ip:
    """The responder at ``ptpip://host[:port]``."""
    host, _, port = source.removeprefix(SCHEME).partition(":")
    if not host or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16)):
        raise NotAllowed("open", f"{source} names no address.", "Write ptpip://host or ptpip://host:port.")
    return Ip(host, int(port) if port else PORT, patience)
