"""What was begun and is not finished: a small file for each upload, written before the store is asked for one.

If it dies between the intent and the upload's id, the next try asks the store for the uploads under exactly that key;
if it dies anywhere later, the note leads back to the upload. So no upload of ours is ever unknown to us.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bwcdock import durable
from bwcdock.errors import SpoolBroken, SpoolFull

_ROOM = 4096  # bytes a note takes on the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An upload: of what, in parts of ``part`` bytes. ``upload`` is the store's id, empty for an intent."""

    key: str
    blake3: str
    size: int
    part: int
    upload: str = ""


class Uploads:
    """The notes in ``folder``, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, key: str) -> Begun | None:
        """What was begun under this key."""
        return self._read(self._path(key))

    def write(self, begun: Begun) -> None:
        """Note it; on return the note lasts."""
        with self._told():
            durable.make_dirs(self._folder)
            durable.write_small(self._path(begun.key), json.dumps(asdict(begun)).encode(), overwrite=True)

    def forget(self, key: str) -> None:
        """It is finished, or was given up. A note that a power cut brings back leads to an upload that is gone."""
        with self._told():
            durable.discard(self._path(key))

    def older(self, before: datetime) -> Iterator[Begun]:
        """Those that nobody has worked on since ``before``."""
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return
        for name in names:
            path = self._folder / name
            with suppress(FileNotFoundError):  # finished meanwhile
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before and (begun := self._read(path)):
                    yield begun

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:32]

    def _read(self, path: Path) -> Begun | None:
        """A note that is damaged, or no note, counts as none: its upload then goes by the store's own rules."""
        try:
            told = json.loads(path.read_bytes())
            begun = Begun(**told)
            good = self._path(begun.key) == path and begun.size >= 0 and begun.part > 0
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return begun if good else None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"An upload cannot be noted in the spool: {error.strerror or error}."
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise SpoolFull("note upload", what, "Make room in the spool.", _ROOM) from error
            raise SpoolBroken("note upload", what, "Check the spool's disk.") from error
