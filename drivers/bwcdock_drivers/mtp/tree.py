"""Lists everything on a recorder: handles folder by folder, and what each is called from as few answers as possible."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bwcdock.core.names import escape
from bwcdock.errors import Misbehaved, NotAllowed

from .containers import ASSOCIATION, ROOT, Malformed, ObjectProp, Op, Shown, shown
from .datasets import (
    ObjectInfo,
    StorageInfo,
    object_info,
    object_props,
    size_value,
    storage_info,
    whole_numbers,
)
from .protocol import Broken, Refused, Session

ENTRIES_MAX: Final = 200_000
DEPTH_MAX: Final = 64
PATH_BYTES_MAX: Final = 4096
"""The limits of a listing, the same as for a disk."""

STORAGES_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage that holds a medium; ``number`` counts from 0 in the order of their ids."""

    id: int
    number: int
    info: StorageInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A file as it was listed. ``name`` is its raw name, ``path`` where it lies, escaped; ``at`` is its time."""

    storage: Storage
    handle: int
    name: str
    path: str
    size: int
    protected: bool
    at: Shown | None

    @property
    def modified(self) -> datetime | None:
        """Its time, naive."""
        return self.at.naive if self.at else None


@dataclass(slots=True)
class Listing:
    """What was found, and what could not be taken: by code, the paths with a reason each."""

    storages: tuple[Storage, ...]
    objects: list[Object] = field(default_factory=list)
    odd: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note(self, code: str, path: str, why: str = "") -> None:
        """Remember what could not be taken as it should."""
        self.odd.setdefault(code, []).append((path, why))


def storages(session: Session) -> tuple[Storage, ...]:
    """Every storage that holds a medium. Where there is none, nothing is known of what the recorder holds."""
    ids = sorted(each for each in whole_numbers(session.fetch(Op.GET_STORAGE_IDS)) if each & 0xFFFF)
    if not ids:
        hint = "Put its card in, unlock it, and choose file transfer in its menu; then dock it again."
        raise NotAllowed("open", "It shows no storage.", hint)
    if len(ids) > STORAGES_MAX or len(set(ids)) < len(ids):
        raise Misbehaved("open", f"It shows {len(ids)} storages.", "Look at it by hand.")
    infos = [storage_info(session.fetch(Op.GET_STORAGE_INFO, each)) for each in ids]
    return tuple(Storage(id=each, number=n, info=info) for n, (each, info) in enumerate(zip(ids, infos, strict=True)))


def listed(session: Session, there: tuple[Storage, ...]) -> Listing:
    """Every object of these storages."""
    listing = Listing(there)
    walk = _Walk(session, listing)
    for storage in there:
        walk.storage(storage)
    return listing


@dataclass(frozen=True, slots=True)
class _Named:
    folder: bool
    protected: bool
    size: int | None
    name: str
    time: str


class _Walk:
    """One look at everything."""

    def __init__(self, session: Session, listing: Listing) -> None:
        self._session = session
        self._listing = listing
        self._seen: set[int] = set()
        self._tells_sizes = True
        self._props = _Props(session)

    def storage(self, storage: Storage) -> None:
        """Everything on one storage, without recursion: how deep folders lie is the recorder's word."""
        prefix = f"p{storage.number + 1}/" if storage.number else ""
        waiting: list[tuple[int, tuple[str, ...]]] = [(ROOT, ())]
        while waiting:
            parent, parts = waiting.pop()
            if len(parts) > DEPTH_MAX:
                what = f"More than {DEPTH_MAX} folders lie inside each other."
                raise Misbehaved("list", what, "Look at it by hand.")
            for handle in self._children(storage, parent, prefix + "/".join(parts)):
                found = self._described(handle, prefix + "/".join(parts))
                if found is None:
                    continue
                raw = found.name.encode("utf-8", "surrogatepass")
                inner = (*parts, escape(raw))
                if found.folder:
                    waiting.append((handle, inner))
                else:
                    self._take(storage, handle, found, prefix + "/".join(inner))

    def _children(self, storage: Storage, parent: int, where: str) -> Iterator[int]:
        try:
            handles = whole_numbers(self._session.fetch(Op.GET_OBJECT_HANDLES, storage.id, 0, parent))
        except Refused as refused:
            if parent == ROOT:
                raise
            self._listing.note("directory.unreadable", where, str(refused))
            return
        for handle in handles:
            if handle in self._seen or handle in {0, ROOT}:
                self._listing.note("directory.loop", where, f"object {handle:#010x}")
                continue
            self._seen.add(handle)
            if len(self._seen) > ENTRIES_MAX:
                raise Misbehaved("list", f"It has more than {ENTRIES_MAX} objects.", "Look at it by hand.")
            yield handle

    def _described(self, handle: int, where: str) -> _Named | None:
        try:
            return self._props.of(handle) or self._by_info(handle)
        except Refused as refused:
            self._listing.note("object.refused", f"{where}/{handle:#010x}", str(refused))
            return None

    def _by_info(self, handle: int) -> _Named:
        info: ObjectInfo = object_info(self._session.fetch(Op.GET_OBJECT_INFO, handle))
        size = info.size
        if not info.folder and self._tells_sizes:
            asked = self._size(handle)
            # Some cut a size to the 32 bits there are, and say 1 GiB of 5. Too large a size shows when the object is
            # read, too small a one never does: the larger is believed.
            size = max((each for each in (size, asked) if each is not None), default=None)
        return _Named(info.folder, info.protected, size, info.name, info.modified or info.captured)

    def _size(self, handle: int) -> int | None:
        """The size of an object in 64 bits; ``None`` where the recorder does not tell it so."""
        can = self._session.info.operations
        try:
            if Op.GET_OBJECT_PROP in can:
                return size_value(self._session.fetch(Op.GET_OBJECT_PROP, handle, ObjectProp.SIZE))
            if Op.GET_OBJECT_PROPS in can:
                raw = self._session.fetch(Op.GET_OBJECT_PROPS, handle, 0, ObjectProp.SIZE, 0, 0)
                told = dict(object_props(raw, ObjectProp.SIZE)).get(handle)
                return told if isinstance(told, int) else None
        except Broken:
            self._session.recover()
            self._tells_sizes = False  # it hangs over the question: not asked again
        except (Refused, Malformed):
            pass
        return None

    def _take(self, storage: Storage, handle: int, found: _Named, path: str) -> None:
        if found.size is None or found.size < 0:
            self._listing.note("object.refused", path, "4 GiB or more, and its size cannot be asked")
            return
        if len(path.encode()) > PATH_BYTES_MAX:
            self._listing.note("path.too_long", path)
            return
        at = shown(found.time)
        self._listing.objects.append(
            Object(
                storage=storage,
                handle=handle,
                name=found.name,
                path=path,
                size=found.size,
                protected=found.protected,
                at=at,
            )
        )


class _Props:
    """What property lists tell of all objects at once: five answers instead of one an object.

    Some recorders have the operation and get it wrong; what a list does not tell of an object is asked of it alone.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._works = Op.GET_OBJECT_PROPS in session.info.operations
        self._names = self._of_all(ObjectProp.NAME)
        self._formats = self._of_all(ObjectProp.FORMAT)
        self._sizes = self._of_all(ObjectProp.SIZE)
        self._times = self._of_all(ObjectProp.MODIFIED)
        self._protections = self._of_all(ObjectProp.PROTECTION)

    def _of_all(self, prop: ObjectProp) -> dict[int, int | str]:
        if not self._works:
            return {}
        try:
            found: dict[int, int | str] = {}
            for handle, value in object_props(self._session.fetch(Op.GET_OBJECT_PROPS, ROOT, 0, prop, 0, 0), prop):
                found[handle] = value
                if len(found) > ENTRIES_MAX:
                    raise Misbehaved("list", f"It has more than {ENTRIES_MAX} objects.", "Look at it by hand.")
        except Broken:
            self._session.recover()
            self._works = False
        except (Refused, Malformed):
            # Names, formats and sizes are needed together: without one of them every object is asked anyway.
            self._works = prop in {ObjectProp.MODIFIED, ObjectProp.PROTECTION}
        else:
            return found
        return {}

    def of(self, handle: int) -> _Named | None:
        """What the lists tell of one object; ``None`` where they do not tell enough."""
        name, kind, size = self._names.get(handle), self._formats.get(handle), self._sizes.get(handle)
        if not isinstance(name, str) or not name or not isinstance(kind, int):
            return None
        folder = kind == ASSOCIATION
        if not folder and not isinstance(size, int):
            return None
        time, protection = self._times.get(handle, ""), self._protections.get(handle, 0)
        return _Named(folder, bool(protection), size if isinstance(size, int) else None, name, str(time))
