"""The operations of PTP and MTP, one at a time, over whatever carries them.

Only what :class:`~bwcdock_drivers.mtp.containers.Op` names is ever sent: nothing here can write to a storage. What a
recorder says wrongly, slowly or never becomes an error of this recorder: :class:`Broken` inside this package while it
can still be mended, :class:`~bwcdock.errors.Misbehaved` or :class:`~bwcdock.errors.Unplugged` outside.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from bwcdock.errors import Misbehaved, Unplugged

from .containers import Code, Event, Malformed, Op, Response
from .datasets import DeviceInfo, device_info

DATASET_MAX: Final = 32 << 20
"""Bytes of one dataset: the names of 200,000 objects, and no more memory than that for a recorder that goes on."""

BUSY_S: Final = 5.0
"""How long a recorder may say that it is busy; some write their index after they were plugged in."""

_BUSY_WAIT_S: Final = 0.2
_STEP: Final = 1 << 16
_SESSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds for one call of a transport, for a look at events, and for a transfer that is given up to end.

    A call: less than the minute the station gives a read; a recorder that gathers a long listing or wakes its card
    needs half of it.
    """

    call_s: float = 40.0
    event_s: float = 0.002
    drain_s: float = 2.0


class Broken(Exception):
    """A transfer that did not come to its end; the transport may be used again after it is cancelled."""


class Refused(Exception):
    """The recorder answered an operation with something else than OK."""

    def __init__(self, operation: Op, code: int) -> None:
        super().__init__(f"{operation.name} was answered with {code:#06x}")
        self.operation = operation
        self.code = code


class Transport(Protocol):
    """What carries containers. One thread at a time, but for ``close``, which waits for a pending call.

    Every call comes back within its time, raises :class:`Broken` where a transfer did not come to its end, and
    :class:`~bwcdock.errors.Unplugged` where there is nobody any more.
    """

    def send_command(self, transaction: int, code: int, params: Sequence[int]) -> None:
        """Begin an operation."""
        ...

    def send_data(self, transaction: int, code: int, data: bytes) -> None:
        """Send the data of an operation that has some for the recorder."""
        ...

    def read_data_into(self, transaction: int, view: memoryview) -> int:
        """The next bytes of the data phase; 0 at its end, also where there is none. Fewer than asked for is fine."""
        ...

    def read_response(self, transaction: int) -> Response:
        """How the operation ended. What is left of the data phase must have been read."""
        ...

    def events(self) -> list[Event]:
        """What the recorder said unasked since the last time; a bounded number, without waiting."""
        ...

    def cancel(self, transaction: int) -> None:
        """Have an operation end, and throw away what is still under way."""
        ...

    def reset(self) -> None:
        """Put the recorder's side of the protocol back to where it begins; its sessions are gone then."""
        ...

    def alive(self) -> bool:
        """Whether there is still somebody, without asking him."""
        ...

    def close(self) -> None:
        """Let go of it. Never fails; waits for a call that is pending on another thread."""
        ...


class Session:
    """An open session. ``resets`` counts how often it had to be begun anew: handles may name other objects since."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._transaction = 0
        self._streaming: Op | None = None
        self.resets = 0
        self.info: DeviceInfo = self._open()

    # --- operations ---------------------------------------------------------------------------------------------------

    def ask(self, operation: Op, *params: int) -> Response:
        """An operation without data."""
        return self._patiently(operation, params, self._plain)

    def fetch(self, operation: Op, *params: int, most: int = DATASET_MAX) -> bytes:
        """The dataset an operation answers with."""
        fetched = bytearray()

        def collect(operation: Op, params: Sequence[int]) -> Response:
            fetched.clear()
            self._begin(operation, params)
            # The first piece is what one packet holds beside the header: most datasets end there.
            piece = memoryview(bytearray(500))
            while got := self._transport.read_data_into(self._transaction, piece):
                fetched.extend(piece[:got])
                if len(fetched) > most:
                    raise Broken(f"{operation.name} was answered with more than {most} bytes")
                if len(piece) < _STEP:
                    piece = memoryview(bytearray(_STEP))
            return self._end(operation)

        self._patiently(operation, params, collect)
        return bytes(fetched)

    def fetch_into(self, operation: Op, params: Sequence[int], view: memoryview) -> int:
        """Bytes an operation answers with, straight into ``view``, which must hold all of them."""
        got = 0

        def collect(operation: Op, params: Sequence[int]) -> Response:
            nonlocal got
            got = 0
            self._begin(operation, params)
            while got < len(view) and (more := self._transport.read_data_into(self._transaction, view[got:])):
                got += more
            if self._transport.read_data_into(self._transaction, memoryview(bytearray(1))):
                raise Broken(f"{operation.name} was answered with more than the {len(view)} bytes that were asked for")
            return self._end(operation)

        self._patiently(operation, params, collect)
        return got

    def give(self, operation: Op, param: int, data: bytes) -> None:
        """An operation that has data for the recorder."""
        self._begin(operation, (param,))
        self._transport.send_data(self._transaction, operation, data)
        self._end(operation)

    # --- a data phase that is read in many calls ----------------------------------------------------------------------

    def start_stream(self, operation: Op, *params: int) -> None:
        """Begin an operation whose data is read by :meth:`stream_into`. Any other operation ends it first."""
        self._begin(operation, params)
        self._streaming = operation

    def stream_into(self, view: memoryview) -> int:
        """The next bytes of the stream; at its end 0, once."""
        assert self._streaming is not None
        got = self._transport.read_data_into(self._transaction, view)
        if not got:
            operation, self._streaming = self._streaming, None
            self._end(operation)
        return got

    @property
    def is_streaming(self) -> bool:
        """Whether a stream was begun and not ended."""
        return self._streaming is not None

    def stop_stream(self) -> None:
        """End a stream in its middle."""
        if self._streaming is not None:
            self._streaming = None
            self.recover()

    # --- beside operations --------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """What the recorder said unasked since the last time."""
        return self._transport.events()

    def alive(self) -> bool:
        """Whether there is still somebody."""
        return self._transport.alive()

    def recover(self) -> None:
        """After a transfer that broke: cancel it and, where that does not help, put the recorder's side back.

        Raises :class:`~bwcdock.errors.Misbehaved` where neither helps, and where another recorder answers then.
        """
        self._streaming = None
        for resets in (False, True):
            try:
                again = self._reset() if resets else self._cancel()
            except (Broken, Refused, Malformed):
                continue
            if again.serial != self.info.serial or again.operations != self.info.operations:
                raise Misbehaved("read", "It came back as another recorder.", "Take it out and dock it again.")
            return
        if not self._transport.alive():
            raise Unplugged(
                "read", "The recorder is no longer there.", "Plug it in again; it goes on where it stopped."
            )
        raise Misbehaved("read", "It no longer answers, also after a reset.", "Take it out and dock it again.")

    def close(self) -> None:
        """Close the session, where that is still possible."""
        with suppress(Broken, Refused, Malformed, Unplugged, Misbehaved):
            self.stop_stream()
            self.ask(Op.CLOSE_SESSION)

    # --- the mechanics ------------------------------------------------------------------------------------------------

    def _open(self) -> DeviceInfo:
        """Begin a session, whether or not one was left open; what the recorder says of itself."""
        self._transaction = -1  # a session is opened by transaction 0
        self._begin(Op.OPEN_SESSION, (_SESSION,))
        try:
            self._end(Op.OPEN_SESSION)
        except Refused as refused:
            if refused.code != Code.SESSION_ALREADY_OPEN:
                raise
        return device_info(self.fetch(Op.GET_DEVICE_INFO, most=_STEP))

    def _cancel(self) -> DeviceInfo:
        """End what is under way; the session goes on where the recorder kept it, and with it what handles mean."""
        self._transport.cancel(self._transaction)
        again = device_info(self.fetch(Op.GET_DEVICE_INFO, most=_STEP))
        try:
            self.fetch(Op.GET_STORAGE_IDS, most=_STEP)
        except Refused as refused:
            if refused.code == Code.SESSION_NOT_OPEN:
                self.resets += 1
                return self._open()
        return again

    def _reset(self) -> DeviceInfo:
        self._transport.reset()
        self.resets += 1
        return self._open()

    def _patiently(self, operation: Op, params: Sequence[int], do: "_Do") -> Response:
        self.stop_stream()
        until = time.monotonic() + BUSY_S
        while True:
            try:
                return do(operation, params)
            except Refused as refused:
                if refused.code != Code.DEVICE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_BUSY_WAIT_S)

    def _plain(self, operation: Op, params: Sequence[int]) -> Response:
        self._begin(operation, params)
        return self._end(operation)

    def _begin(self, operation: Op, params: Sequence[int]) -> None:
        self._transaction = (self._transaction + 1) % 0xFFFF_FFFF
        self._transport.send_command(self._transaction, operation, tuple(params))

    def _end(self, operation: Op) -> Response:
        scrap = memoryview(bytearray(_STEP))
        read = 0
        while got := self._transport.read_data_into(self._transaction, scrap):
            read += got
            if read > _STEP:
                raise Broken(f"{operation.name} was answered with data that was not asked for")
        response = self._transport.read_response(self._transaction)
        if response.code != Code.OK:
            raise Refused(operation, response.code)
        return response


class _Do(Protocol):
    def __call__(self, operation: Op, params: Sequence[int]) -> Response: ...
