"""Papers that were just made, kept for a while by the SHA-256 of their bytes: what is issued is what was given out."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

MOST = 64
"""Papers that are kept: those of a busy hour. The oldest goes, and is made anew by whoever still wants it."""

MOST_BYTES = 64 << 20
"""Bytes of all of them; a register of years is a few MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A paper as it is given out."""

    data: bytes
    media: str
    name: str

    @property
    def sha256(self) -> str:
        """What it is found by, and entered under when it is issued."""
        return hashlib.sha256(self.data).hexdigest()


class Made:
    """The newest papers, in memory alone: a start of the pages forgets them. Used from the event loop's thread."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0

    def put(self, file: File) -> str:
        """Keep it; its digest."""
        digest = file.sha256
        if digest not in self._files:
            self._files[digest] = file
            self._bytes += len(file.data)
        self._files.move_to_end(digest)
        while len(self._files) > 1 and (len(self._files) > MOST or self._bytes > MOST_BYTES):
            self._bytes -= len(self._files.popitem(last=False)[1].data)
        return digest

    def get(self, digest: str) -> File | None:
        """The paper with this digest; ``None`` where it was never made here, or long ago."""
        return self._files.get(digest)
