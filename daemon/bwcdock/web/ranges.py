"""Bytes of an open file, whole or a part of it (RFC 9110, section 14), read on a lane and never kept by a browser."""

import os
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bwcdock.lanes import Lane

PIECE = 1 << 20
"""Bytes of one read: a second of footage, so that a viewer who jumps about costs the disk little."""

READ_S = 30.0
"""How long one piece may take: longer, and the share it lies on hangs."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

KEPT_BY_NOBODY: Final = {"cache-control": "no-store", "accept-ranges": "bytes"}


def part(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and length of what is asked for. The whole where nothing, or several parts, are asked for.

    ``None`` where there is no such part (RFC 9110, 15.5.17).
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return 0, size
    return (start, end - start + 1) if start < size else None


class Part(StreamingResponse):
    """The answer to a request for a file's bytes. ``done`` is called when it was sent, or broken off."""

    def __init__(
        self,
        lane: Lane,
        descriptor: int,
        size: int,
        *,
        asked: str | None,
        media_type: str,
        disposition: str,
        done: Callable[[], object] = lambda: None,
    ) -> None:
        """``asked`` is the Range header; what it names of the file's ``size`` bytes is read on ``lane``."""
        self._done = done
        found = part(asked, size)
        start, length = found or (0, 0)
        told = {**KEPT_BY_NOBODY, "content-disposition": disposition, "content-length": str(length)}
        if found is None:
            told["content-range"] = f"bytes */{size}"
        elif length < size:
            told["content-range"] = f"bytes {start}-{start + length - 1}/{size}"
        status = 416 if found is None else 206 if length < size else 200
        super().__init__(_pieces(lane, descriptor, start, length), status, told, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._done()


async def _pieces(lane: Lane, descriptor: int, start: int, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await lane.call(os.pread, descriptor, min(PIECE, length), start, timeout_s=READ_S)
        if not piece:
            return  # shorter than it was: the connection ends short, and the browser says so
        yield piece
        start, length = start + len(piece), length - len(piece)
