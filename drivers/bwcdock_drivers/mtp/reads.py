"""Reads objects: by parts where the recorder can do that, else whole and in order.

- 0x95C1 reads any part of any object; 0x101B only below 4 GiB; without either an object is read whole, and an earlier
  place in it can be had only by reading from its beginning again.
- Never is a part asked for whose container fills its last packet: some recorders then forget the empty packet and
  hang. Such a part is asked for one byte shorter.
- Where a part cannot be had, smaller ones are tried, so that a bad sector costs its own block and not four megabytes.
"""

from typing import Final

from bwcdock.core.facts import Item, Span
from bwcdock.errors import BwcdockError, Misbehaved, Unplugged, Unreadable

from bwcdock_drivers.source import BLOCK, absent

from .containers import HEADER, UNKNOWN_LENGTH, Code, EventCode, Malformed, Op
from .datasets import object_info, whole_numbers
from .protocol import Broken, Refused, Session
from .tree import Object
from .usb import gone

PACKET: Final = 512
"""Bytes of a bulk packet at high speed; those of other speeds divide it or are a multiple of it."""

SHRINK: Final = 8
"""A part that cannot be had is asked for an eighth as long, down to a block: four megabytes in four steps."""

BROKEN_MOST: Final = 6
"""Transfers in a row that may break: one more than it takes to come from four megabytes to a block."""

_SKIP = 1 << 20
_NEVER = frozenset({Code.OPERATION_NOT_SUPPORTED, Code.PARAMETER_NOT_SUPPORTED})
_AWAY = frozenset({Code.STORE_NOT_AVAILABLE, Code.INVALID_STORAGE})


class Reads:
    """Everything that is read from one session's objects. ``gone`` are ids of storages that were taken out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._can = set(session.info.operations)
        self._broke = 0
        self._careful: tuple[int, int, int] | None = None  # handle, place and length of what is tried next
        self._stream: tuple[int, int] | None = None  # handle and place of the object that is read whole
        self._resets = session.resets
        self._same: set[int] = set()  # handles that were compared since the last reset
        self.gone: set[int] = set()

    def notice(self) -> None:
        """Take what the recorder said unasked: a storage that was taken out is gone."""
        for event in self._session.events():
            if event.code == EventCode.STORE_REMOVED:
                self.gone.add(event.params[0] if event.params else 0)

    def is_gone(self, storage: int) -> bool:
        """Whether a storage was taken out; one without a number stands for all."""
        return storage in self.gone or 0 in self.gone

    def into(self, item: Item, found: Object, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset``; how many bytes. See :meth:`bwcdock.ports.Recorder.read_into`."""
        wanted = min(len(buffer), found.size - offset)
        if wanted <= 0:
            return 0
        if self.is_gone(found.storage.id):
            raise gone("read")
        if self._careful and self._careful[:2] == (found.handle, offset):
            wanted = min(wanted, self._careful[2])
        while True:
            try:
                self._compare(item, found)
                got = self._once(found, offset, buffer[:wanted])
            except Refused as refused:
                smaller = self._smaller(found, offset, wanted)
                if refused.code not in {Code.GENERAL_ERROR, Code.INCOMPLETE_TRANSFER} or smaller == wanted:
                    raise self._meant(item, found, offset, wanted, refused) from refused
                wanted = smaller
            except (Broken, Malformed) as error:
                raise self._mended(found, offset, wanted, str(error)) from error
            else:
                self._broke = 0
                if got:
                    return got
                raise self._bad(found, offset, wanted, "the recorder gives no byte of it")

    # --- one part -----------------------------------------------------------------------------------------------------

    def _once(self, found: Object, offset: int, view: memoryview) -> int:
        """One operation, by the best way this recorder has left."""
        for op in (Op.GET_PARTIAL_64, Op.GET_PARTIAL):
            if op not in self._can or (op is Op.GET_PARTIAL and found.size > UNKNOWN_LENGTH):
                continue
            view = _never_full(view)
            places = (offset & 0xFFFF_FFFF, offset >> 32) if op is Op.GET_PARTIAL_64 else (offset,)
            try:
                return self._session.fetch_into(op, (found.handle, *places, len(view)), view)
            except Refused as refused:
                if refused.code not in _NEVER:
                    raise
                self._can.discard(op)  # it says that it has it, and has it not
        return self._whole(found, offset, view)

    def _whole(self, found: Object, offset: int, view: memoryview) -> int:
        at = self._stream[1] if self._stream and self._stream[0] == found.handle else None
        if at is None or at > offset or not self._session.is_streaming:
            self._session.stop_stream()
            self._session.start_stream(Op.GET_OBJECT, found.handle)
            at = 0
        scrap = memoryview(bytearray(min(_SKIP, max(1, offset - at))))
        while at < offset:
            got = self._session.stream_into(scrap[: offset - at])
            if not got:
                raise Broken(f"it ended at {at} of {found.size} bytes")
            at += got
        got = self._session.stream_into(view)
        at += got
        self._stream = (found.handle, at)
        if got and at == found.size and self._session.stream_into(scrap[:1]):
            raise Broken(f"it goes on past its {found.size} bytes")
        return got

    def _compare(self, item: Item, found: Object) -> None:
        """After a reset a handle may name another object: then this one cannot be had until it is listed anew."""
        if self._resets != self._session.resets:
            self._resets = self._session.resets
            self._same.clear()
            self._stream = None
        if not self._resets or found.handle in self._same:
            return
        info = object_info(self._session.fetch(Op.GET_OBJECT_INFO, found.handle))
        if info.name != found.name or info.size not in {None, found.size}:
            raise absent(item)
        self._same.add(found.handle)

    # --- what is wrong ------------------------------------------------------------------------------------------------

    def _smaller(self, found: Object, offset: int, wanted: int) -> int:
        """How much is asked for next at a place that could not be had."""
        smaller = max(BLOCK, wanted // SHRINK // BLOCK * BLOCK) if wanted > BLOCK else wanted
        self._careful = (found.handle, offset, smaller)
        return smaller

    def _mended(self, found: Object, offset: int, wanted: int, why: str) -> BwcdockError:
        """The transfer broke: have the next one work, and say that this part cannot be had this time."""
        self._broke += 1
        self._stream = None
        if self._broke > BROKEN_MOST:
            what = f"Its transfers break, {self._broke} in a row ({why})."
            return Misbehaved("read", what, "Try another cable and slot; dock it again.")
        self._session.recover()
        self._smaller(found, offset, wanted)
        return self._bad(found, offset, wanted, why)

    def _meant(self, item: Item, found: Object, offset: int, wanted: int, refused: Refused) -> BwcdockError:
        if refused.code in _AWAY:
            return gone("read")
        if refused.code == Code.INVALID_HANDLE:
            return absent(item)
        if refused.code in {Code.SESSION_NOT_OPEN, Code.INVALID_TRANSACTION}:
            return self._mended(found, offset, wanted, str(refused))
        return self._bad(found, offset, wanted, str(refused))

    def _bad(self, found: Object, offset: int, wanted: int, why: str) -> Unreadable:
        what = f"{wanted} bytes from {offset} of {found.path}: {why}."
        hint = "What can be read is kept aside; keep the recorder."
        return Unreadable("read", what, hint, [Span(offset=offset, length=wanted)])


def _never_full(view: memoryview) -> memoryview:
    """A byte less where the container would end with a full packet; the last byte comes with the next part."""
    return view[:-1] if (HEADER.size + len(view)) % PACKET == 0 and len(view) > 1 else view


def is_there(session: Session, reads: Reads, storages: set[int]) -> bool:
    """Whether the recorder answers and still has all its storages. A stream is not disturbed for the question."""
    try:
        reads.notice()
        if not session.alive() or any(map(reads.is_gone, storages)):
            return False
        if session.is_streaming:
            return True
        return storages <= set(whole_numbers(session.fetch(Op.GET_STORAGE_IDS)))
    except (Refused, Broken, Malformed, Unplugged, Misbehaved):
        return False
