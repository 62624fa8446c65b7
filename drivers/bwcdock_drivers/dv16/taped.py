"""A unit that keeps what passes through it on a tape, and one that answers from a tape.

Never on a tape: the password, and the characters of number, wearer and unit.
"""

from collections.abc import Iterable

from bwcdock.errors import Misbehaved, Unplugged

from bwcdock_drivers.scripted import Script
from bwcdock_drivers.tape import Writing, told

from . import wire
from .unit import Unit
from .wire import Command

NAME = "dv16"

_SECRET = wire.asking(Command.PASSWORD)
_NAMES = wire.asking(Command.INFO)


class Taped:
    """Another unit, and everything that passes through it on a tape."""

    def __init__(self, inner: Unit, tape: Writing) -> None:
        self._inner, self._tape = inner, tape

    def take(self, cdb: bytes, length: int) -> bytes:
        """Pass it on, and keep what came."""
        asked = {"cdb": cdb.hex()}
        try:
            raw = self._inner.take(cdb, length)
        except Unplugged:
            self._tape.exchange(**asked, gone=True)
            raise
        except Misbehaved as error:
            self._tape.exchange(**asked, broke=error.what)
            raise
        if cdb == _SECRET:
            self._tape.exchange(**asked, length=len(raw))
        else:
            self._tape.exchange(**asked, hex=(wire.without_names(raw) if cdb == _NAMES else raw).hex())
        return raw

    def give(self, cdb: bytes, data: bytes) -> None:
        """Pass it on."""
        asked = {"cdb": cdb.hex(), "given": data.hex()}
        try:
            self._inner.give(cdb, data)
        except Unplugged:
            self._tape.exchange(**asked, gone=True)
            raise
        except Misbehaved as error:
            self._tape.exchange(**asked, broke=error.what)
            raise
        self._tape.exchange(**asked)

    def alive(self) -> bool:
        """Pass it on."""
        return self._inner.alive()

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()


class Played:
    """Answers from a tape; the password comes as zeros."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._script = Script(lines, NAME)

    def take(self, cdb: bytes, length: int) -> bytes:
        """What came then."""
        found = self._script.find({"cdb": cdb.hex()})
        if "broke" in found:
            raise Misbehaved("read", str(found["broke"]), "It was so then.")
        kept = told(found)
        raw = b"" if kept is None else kept.raw if kept.raw is not None else bytes(min(kept.length, length))
        return raw[:length]

    def give(self, cdb: bytes, data: bytes) -> None:  # noqa: ARG002  (it may be another time of day than then)
        """As it went then."""
        found = self._script.find({"cdb": cdb.hex()})
        if "broke" in found:
            raise Misbehaved("read", str(found["broke"]), "It was so then.")

    def alive(self) -> bool:
        """Until the tape says that it went."""
        return not self._script.is_gone

    def close(self) -> None:
        """Nothing is held."""
