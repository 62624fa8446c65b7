"""PTP/IP for tests: an :class:`~bwcdock.testing.mtp_responder.MtpDevice` that listens on this machine's loopback."""

import contextlib
import socket
import struct
import threading
from typing import Any

from bwcdock.testing.mtp_responder import Answer, MtpDevice

_PIECE = 1 << 18
_TICK_S = 0.02


class IpResponder:
    """Listens until it is closed; one connected station at a time is enough for a test."""

    def __init__(self, device: MtpDevice) -> None:
        self.device = device
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_TICK_S)
        self._ends = threading.Event()
        self._connections: list[socket.socket] = []
        self._cancelled: set[int] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def source(self) -> str:
        """Where it is found."""
        return f"ptpip://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        """Hang up and end."""
        self._ends.set()
        self._listening.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._connections:
            connection.close()

    def __enter__(self) -> "IpResponder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._ends.is_set() and self.device.is_there:
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()
        self._listening.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            kind, body = _packet(connection)
            if kind == 1:
                name = "BodyCam\0".encode("utf-16-le")
                _send(connection, 2, struct.pack("<I", 1) + bytes(16) + name + struct.pack("<I", 0x10000))
                self._operations(connection)
            elif kind == 3:
                _send(connection, 4, b"")
                self._unasked(connection)
            del body
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def _operations(self, connection: socket.socket) -> None:
        self._cancelled.clear()
        while self.device.is_there:
            kind, body = _packet(connection)
            if kind != 6:
                continue
            phase, op, transaction = struct.unpack_from("<IHI", body)
            params = struct.unpack(f"<{(len(body) - 10) // 4}I", body[10:])
            if (phase == 2) != (op == 0x1016):  # whoever says wrongly which way data goes waits for ever
                return
            given = _given(connection) if op == 0x1016 else b""
            if self._answer(connection, op, transaction, params, given):
                return
        self.device.is_open = False

    def _answer(
        self, connection: socket.socket, op: int, transaction: int, params: tuple[int, ...], given: bytes
    ) -> bool:
        """Whether the connection is over."""
        fault = self.device.fault(op, "command")
        if fault is not None and fault.does != "refuse":
            return self._happens(fault.does)
        answer = Answer(fault.code) if fault else self.device.answer(op, params, given)
        if answer.length is not None and (over := self._send_data(connection, op, transaction, answer)) is not None:
            return over
        fault = self.device.fault(op, "response")
        if fault is not None and fault.does in {"silence", "stall", "vanish", "hang-up"}:
            return self._happens(fault.does)
        transaction += 7 if fault and fault.does == "stranger" else 0
        code = fault.code if fault and fault.does == "refuse" else answer.code
        _send(connection, 7, struct.pack(f"<HI{len(answer.params)}I", code, transaction, *answer.params))
        return False

    def _send_data(self, connection: socket.socket, op: int, transaction: int, answer: Answer) -> bool | None:
        """Whether the connection is over; ``None`` where a response follows."""
        fault, length = self.device.fault(op, "data"), answer.length or 0
        if fault is not None and fault.does == "swap":
            return None
        announced = length + {"longer": 1, "shorter": -1}.get(fault.does, 0) * fault.at if fault else length
        named = transaction + (7 if fault and fault.does == "stranger" else 0)
        if fault and fault.does == "garbage":
            connection.sendall(b"\xee" * 40)
            return None
        _send(connection, 9, struct.pack("<IQ", named, announced))
        stop = fault.at if fault and fault.does in {"silence", "stall", "vanish", "hang-up"} else length
        done = 0
        piece = memoryview(bytearray(_PIECE))
        assert answer.fill is not None
        while done < stop or (done == 0 == length):
            if transaction in self._cancelled:
                _send(connection, 7, struct.pack("<HI", 0x201F, transaction))
                return False
            part = piece[: min(len(piece), stop - done)]
            answer.fill(done, part)
            done += len(part)
            last = done == length
            head = struct.pack("<III", 12 + len(part), 12 if last else 10, named)
            connection.sendall(head)
            connection.sendall(part)
            self.device.served += len(part)
            if last:
                return None
        return self._happens(fault.does if fault else "")

    def _happens(self, does: str) -> bool:
        if does == "vanish":
            self.device.unplug()
        return does in {"vanish", "hang-up", "stall"}

    def _unasked(self, connection: socket.socket) -> None:
        connection.settimeout(_TICK_S)
        while self.device.is_there and not self._ends.is_set():
            with self.device.lock:
                events, self.device.events[:] = list(self.device.events), []
            for code, params in events:
                _send(connection, 8, struct.pack(f"<HI{len(params)}I", code, 0, *params))
            with contextlib.suppress(TimeoutError):
                kind, body = _packet(connection)
                if kind == 11:
                    self._cancelled.add(int.from_bytes(body[:4], "little"))


def _packet(connection: socket.socket) -> tuple[int, bytes]:
    length, kind = struct.unpack("<II", _exactly(connection, 8))
    return kind, _exactly(connection, length - 8)


def _exactly(connection: socket.socket, count: int) -> bytes:
    raw = b""
    while len(raw) < count:
        more = connection.recv(count - len(raw))
        if not more:
            raise EOFError
        raw += more
    return raw


def _send(connection: socket.socket, kind: int, body: bytes) -> None:
    connection.sendall(struct.pack("<II", 8 + len(body), kind) + body)


def _given(connection: socket.socket) -> bytes:
    raw: Any = b""
    while True:
        kind, body = _packet(connection)
        if kind in {10, 12}:
            raw += body[4:]
        if kind == 12:
            return bytes(raw)
