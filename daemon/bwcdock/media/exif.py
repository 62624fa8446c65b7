"""JPEG photos: when EXIF says they were taken, and whether the picture is whole.

Sources: ITU-T T.81 annex B (segments), CIPA DC-008 (Exif: DateTimeOriginal, OffsetTimeOriginal, GPS stamps).
The segments are walked here; only the Exif block itself (at most 64 KiB, by its own segment's size) goes to exifread.
"""

import io
import logging
import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import exifread
from exifread.core.exceptions import ExifError

from bwcdock.media.riff import written_date
from bwcdock.media.source import Cut, Draft, Malformed, Source, printable

TAIL = 65_536
"""The end-of-image marker is looked for in the last 64 KiB: some recorders append padding or a small trailer."""

EXIF_BYTES = 512 * 1024
EXIF_READ_COST = 64
"""What exifread may read of the (at most 64 KiB) block, each read counted as 64 bytes more: an ordinary block takes
some 500 reads. Directories that send it round in circles are stopped after 30 ms, long texts after 0.25 s."""

EXIFREAD_FAULTS = (
    ArithmeticError, AttributeError, ExifError, LookupError, OSError, RecursionError, TypeError, ValueError,
    struct.error,
)  # fmt: skip
"""What exifread raises on broken blocks; all of it, since the block is a copy in memory and no disk can fail in it."""

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOS, APP1 = 0xDA, 0xE1

OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)

# Its warnings quote the picture; what matters of them is in `problems`, and a hostile card must not fill the journal.
logging.getLogger("exifread").setLevel(logging.CRITICAL)


class _Rationed(io.BytesIO):
    """Bytes that may be read only so much, and only so often."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = EXIF_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data) + EXIF_READ_COST
        if self._left < 0:
            raise Malformed("The Exif block is too tangled to follow.")
        return data


def jpeg(source: Source, draft: Draft) -> None:
    """Fill ``draft`` from a JPEG file."""
    draft.container = "jpeg"
    try:
        picture, block = _segments(source)
        if not _ended(source, picture):
            draft.truncated = True
            draft.problem("The picture has no end (EOI).")
    except Malformed as fault:
        draft.truncated = isinstance(fault, Cut)
        draft.problem(str(fault))
        return
    if block:
        _exif(block, draft)


def _segments(source: Source) -> tuple[int, bytes]:
    """Where the picture data starts, and the Exif block of the first APP1 that has one."""
    at, block = len(SOI), b""
    while True:
        source.structure()
        lead, marker = source.at(at, 2)
        if lead != 0xFF:
            raise Malformed("There is something that is no segment where a segment should be.")
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack(">H", source.at(at + 2, 2))
        if length < 2:
            raise Malformed("A segment is smaller than its own header.")
        if marker == APP1 and not block and length > 16 and source.at(at + 4, 6) == b"Exif\0\0":
            block = source.at(at + 10, length - 8)
        at += 2 + length
        if marker == SOS:
            return at, block


def _ended(source: Source, picture: int) -> bool:
    """Whether the end marker stands in the tail; inside picture data it cannot occur (T.81 stuffs every 0xFF)."""
    start = max(picture, source.size - TAIL)
    return EOI in source.at(start, max(source.size - start, 0))


def _exif(block: bytes, draft: Draft) -> None:
    """Date, zone, software and GPS time of an Exif block; exifread raises anything on a broken one."""
    try:
        tags: Mapping[str, Any] = exifread.process_file(_Rationed(block), details=False, extract_thumbnail=False)
    except Malformed as fault:
        draft.problem(str(fault))
        return
    except EXIFREAD_FAULTS:
        draft.problem("The Exif block is broken.")
        return
    taken = written_date(_tag(tags, "EXIF DateTimeOriginal"))
    if taken:
        # Where the recorder names its zone the moment is true UTC; otherwise it stands as if UTC.
        zone = OFFSET.fullmatch(_tag(tags, "EXIF OffsetTimeOriginal"))
        draft.started = _from_zone(taken, zone) if zone else taken
    draft.encoder = _tag(tags, "Image Software")
    draft.gps_time = _gps(tags)


def _tag(tags: Mapping[str, Any], name: str) -> str:
    values = getattr(tags.get(name), "values", "")
    return printable(values if isinstance(values, bytes) else str(values).encode("utf-8", "backslashreplace"))


def _from_zone(taken: datetime, zone: re.Match[str]) -> datetime:
    offset = timedelta(hours=int(zone[2]), minutes=int(zone[3]))
    try:
        return taken.replace(tzinfo=timezone(-offset if zone[1] == "-" else offset)).astimezone(UTC)
    except (OverflowError, ValueError):
        return taken


def _gps(tags: Mapping[str, Any]) -> datetime | None:
    """GPSDateStamp with GPSTimeStamp: true UTC, from the satellites."""
    day = written_date(_tag(tags, "GPS GPSDate") + " 00:00:00")
    clock = getattr(tags.get("GPS GPSTimeStamp"), "values", None)
    if day is None or not isinstance(clock, list) or len(clock) != 3:
        return None
    try:
        hours, minutes, seconds = (int(part) for part in clock)
        return day.replace(hour=hours, minute=minutes, second=seconds)
    except (ArithmeticError, TypeError, ValueError):
        return None
