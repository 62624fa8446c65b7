"""A transport that keeps what passes through it on a tape, and one that answers from a tape."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from bwcdock.core.facts import Sighting
from bwcdock.errors import Misbehaved, Unplugged

from bwcdock_drivers.tape import KEPT_MAX, Kept, Pseudonyms, Writing, exchanges, told

from .containers import Event, Malformed, Op, Response
from .datasets import device_info
from .protocol import Broken, Transport

NAME: Final = "mtp"

_FOOTAGE = frozenset({Op.GET_OBJECT, Op.GET_PARTIAL, Op.GET_PARTIAL_64})


def about(sighting: Sighting) -> dict[str, str]:
    """What the first line of a tape says of the device: its make, and nothing that tells it from its sisters."""
    wanted = {"ID_VENDOR_ID", "ID_MODEL_ID", "ID_VENDOR", "ID_MODEL", "ID_REVISION", "ID_USB_INTERFACES"}
    return {name: value for name, value in sighting.properties if name in wanted}


class Taped:
    """Another transport, and everything that passes through it on a tape."""

    def __init__(self, inner: Transport, tape: Writing, salt: bytes) -> None:
        self._inner, self._tape = inner, tape
        self._hidden = Pseudonyms(salt)
        self._asked: dict[str, Any] = {}
        self._unasked: list[Event] = []
        self._code = 0
        self._came = bytearray()
        self._length = 0
        self._digest = hashlib.sha256()

    def send_command(self, transaction: int, code: int, params: Sequence[int]) -> None:
        """Pass it on."""
        self._told()  # of an operation that was given up
        self._asked, self._code = {"op": f"{code:#06x}", "params": list(params)}, code
        self._came.clear()
        self._length, self._digest = 0, hashlib.sha256()
        self._passing(lambda: self._inner.send_command(transaction, code, params))

    def send_data(self, transaction: int, code: int, data: bytes) -> None:
        """Pass it on."""
        self._asked["given"] = self._hidden.hide(data).hex()
        self._passing(lambda: self._inner.send_data(transaction, code, data))

    def read_data_into(self, transaction: int, view: memoryview) -> int:
        """Pass it on, and keep what came."""
        got = self._passing(lambda: self._inner.read_data_into(transaction, view))
        self._length += got
        self._digest.update(view[:got])
        if self._code not in _FOOTAGE and len(self._came) <= KEPT_MAX:
            self._came += view[:got]
        return int(got)

    def read_response(self, transaction: int) -> Response:
        """Pass it on: the exchange is whole."""
        response: Response = self._passing(lambda: self._inner.read_response(transaction))
        self._told(code=f"{response.code:#06x}", answered=list(response.params))
        return response

    def events(self) -> list[Event]:
        """Pass it on."""
        found = self._inner.events()
        self._unasked += found
        if not self._asked:
            self._told()
        return found

    def cancel(self, transaction: int) -> None:
        """Pass it on."""
        self._told()
        self._asked = {"mend": "cancel"}
        self._passing(lambda: self._inner.cancel(transaction))
        self._told()

    def reset(self) -> None:
        """Pass it on."""
        self._told()
        self._asked = {"mend": "reset"}
        self._passing(self._inner.reset)
        self._told()

    def alive(self) -> bool:
        """Pass it on."""
        return self._inner.alive()

    def close(self) -> None:
        """Pass it on."""
        self._told()
        self._inner.close()

    def _passing(self, call: Any) -> Any:
        try:
            return call()
        except Broken as error:
            self._told(broke=str(error))
            raise
        except Unplugged:
            self._told(gone=True)
            raise

    def _told(self, **ended: Any) -> None:
        """Write the exchange that is under way, if there is one, and what was said unasked meanwhile."""
        asked, self._asked = self._asked, {}
        if asked:
            self._exchange(asked, ended)
        for event in self._unasked:
            self._tape.exchange(event=f"{event.code:#06x}", params=list(event.params))
        self._unasked.clear()

    def _exchange(self, asked: dict[str, Any], ended: dict[str, Any]) -> None:
        raw = bytes(self._came)
        if self._code == Op.GET_DEVICE_INFO and "op" in asked:
            with suppress(Malformed):
                self._hidden.learn(device_info(raw).serial)
        if not self._length or "op" not in asked:
            data: Mapping[str, Any] = {}
        elif len(raw) == self._length and len(raw) <= KEPT_MAX:
            data = {"hex": self._hidden.hide(raw).hex()}
        else:
            data = {"length": self._length, "sha256": self._digest.hexdigest()}
        self._tape.exchange(**asked, **data, **ended)


class Played:
    """Answers from a tape. What was only counted on it comes as zeros.

    A question that is asked once more or less often than then, as a clock is, gets the last answer to it. Any other
    that is not the next on the tape is :class:`~bwcdock.errors.Misbehaved`; at its end the recorder is gone.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._tape = exchanges(lines, NAME)
        self._at = 0
        self._exchange: dict[str, Any] = {}
        self._data: Kept | None = None
        self._done = 0
        self._is_gone = False

    def send_command(self, transaction: int, code: int, params: Sequence[int]) -> None:  # noqa: ARG002
        """Find the exchange."""
        self._find({"op": f"{code:#06x}", "params": list(params)})
        self._data, self._done = told(self._exchange), 0

    def send_data(self, transaction: int, code: int, data: bytes) -> None:
        """It may be another time of day than then."""

    def read_data_into(self, transaction: int, view: memoryview) -> int:  # noqa: ARG002
        """What came then."""
        if self._data is not None and self._done < self._data.length:
            got = min(len(view), self._data.length - self._done)
            raw = self._data.raw
            view[:got] = raw[self._done : self._done + got] if raw is not None else bytes(got)
            self._done += got
            return got
        if "code" not in self._exchange:
            self._failed()
        return 0

    def read_response(self, transaction: int) -> Response:  # noqa: ARG002
        """How it ended then."""
        if "code" not in self._exchange:
            self._failed()
        return Response(_number(self._exchange["code"]), _numbers(self._exchange.get("answered")))

    def events(self) -> list[Event]:
        """Those that are next."""
        found = []
        while self._at < len(self._tape) and "event" in self._tape[self._at]:
            each = self._tape[self._at]
            self._at += 1
            found.append(Event(_number(each["event"]), _numbers(each.get("params"))))
        return found

    def cancel(self, transaction: int) -> None:  # noqa: ARG002
        """As it went then."""
        self._mended("cancel")

    def reset(self) -> None:
        """As it went then."""
        self._mended("reset")

    def alive(self) -> bool:
        """Until the tape says that it went."""
        return not self._is_gone

    def close(self) -> None:
        """Nothing is held."""

    def _mended(self, how: str) -> None:
        self._find({"mend": how})
        if "broke" in self._exchange or "gone" in self._exchange:
            self._failed()

    def _find(self, asked: dict[str, Any]) -> None:
        """The next exchange, past events nobody asked for and past repetitions of the last one."""
        at, last = self._at, self._exchange
        while at < len(self._tape) and not _fits(self._tape[at], asked):
            if "event" not in self._tape[at] and not (last and _same(self._tape[at], last)):
                break
            at += 1
        if at < len(self._tape) and _fits(self._tape[at], asked):
            self._at, self._exchange = at + 1, self._tape[at]
        elif not (last and _fits(last, asked)):
            if self._at >= len(self._tape):
                self._is_gone = True
                raise Unplugged("read", "The tape is at its end.", "Record a longer one.")
            raise Misbehaved("read", f"The tape goes on otherwise than with {asked}.", "Record a new one.")

    def _failed(self) -> None:
        if "gone" in self._exchange:
            self._is_gone = True
            raise Unplugged("read", "The recorder was taken away then.", "Record a new tape.")
        raise Broken(str(self._exchange.get("broke", "it was given up then")))


def _fits(exchange: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    return all(exchange.get(name) == value for name, value in asked.items())


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("op", "params", "mend"))


def _numbers(given: object) -> tuple[int, ...]:
    return tuple(each for each in given if isinstance(each, int)) if isinstance(given, list) else ()


def _number(word: object) -> int:
    try:
        return int(str(word), 16)
    except ValueError as error:
        raise Broken(f"{word} is no number") from error
