"""Cards with films whose containers lie: for the judge of media that runs in the daemon, and that of an intake."""

import struct
from pathlib import Path

from card_makers import exfat
from hostile_case import Files, Kind, Make

MEDIA = Kind(name="hostile containers")


def film(name: str, data: bytes) -> Make:
    """An exFAT card with this film."""

    def make(path: Path) -> Files:
        return {**exfat(path, ((name,), data)), name: data}

    return make


def box(kind: bytes, body: bytes = b"", *, size: int | None = None) -> bytes:
    """A box, of its true size or of any."""
    return struct.pack(">I4s", len(body) + 8 if size is None else size, kind) + body


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")
MDAT = box(b"mdat", b"footage " * 700)


def mvhd(created: int = 0, scale: int = 1000, ticks: int = 60_000) -> bytes:
    """A movie header."""
    return box(b"mvhd", struct.pack(">IIIII", 0, created, 0, scale, ticks) + bytes(80))


def nested(depth: int) -> bytes:
    """A film whose index is boxes within boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(b"trak", inner)
    return FTYP + box(b"moov", mvhd() + inner) + MDAT


def chunk(kind: bytes, body: bytes = b"", *, size: int | None = None) -> bytes:
    """A RIFF chunk, of its true size or of any."""
    return kind + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) & 1)


def avi(*chunks: bytes, size: int | None = None) -> bytes:
    """An AVI of these chunks."""
    return chunk(b"RIFF", b"AVI " + b"".join(chunks), size=size)


SILENT = chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", bytes(16)) + chunk(b"data", b"x" * 8))


def jpeg(exif: bytes, *, end: bytes = b"\xff\xd9") -> bytes:
    """A picture with this Exif block."""
    block = b"Exif\0\0" + exif
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(block) + 2) + block + b"\xff\xda\0\2scan" + end


def looped_tiff() -> bytes:
    """A TIFF whose directory leads to itself."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 8, 8)


MP4 = "a.mp4"
for what, data, problem, flaw in (
    ("a box smaller than its header", FTYP + box(b"moov", size=4), "smaller than its own header", "malformed"),
    ("a long box of 16 EiB", FTYP + box(b"moov", b"\xff" * 8, size=1), "promises", "cut"),
    ("a long box of nothing", FTYP + box(b"moov", bytes(8), size=1), "smaller than its own header", "malformed"),
    ("a box beyond the file", FTYP + box(b"mdat", size=0x7FFFFFFF), "promises", "cut"),
    ("an index that is none", FTYP + box(b"moov") + MDAT, "", ""),
    ("no index", FTYP + MDAT, "never written", "no-index"),
    ("boxes within boxes, a thousand deep", nested(1000), "", ""),
    ("a child larger than its parent", FTYP + box(b"moov", box(b"mvhd", size=4000)) + MDAT, "reaches past", ""),
    ("a box kind of control characters", FTYP + box(b"\x1b[2J") + MDAT, "no box", "malformed"),
    ("time in zero ticks", FTYP + box(b"moov", mvhd(scale=0)) + MDAT, "zero ticks", ""),
    ("a hundred years long", FTYP + box(b"moov", mvhd(scale=1, ticks=0xFFFFFFF0)) + MDAT, "cannot be true", ""),
    ("twenty-five thousand boxes", FTYP + box(b"free") * 25_000 + MDAT, "More than 20000", "malformed"),
    ("a date of the last second", FTYP + box(b"moov", mvhd(created=0xFFFFFFFF)) + MDAT, "", ""),
    ("a header too small for its fields", FTYP + box(b"moov", box(b"mvhd", b"\0\0")) + MDAT, "too small", ""),
    ("zeros", bytes(9000), "begins with zeros", "disguised"),
    ("a program", b"MZ" + bytes(9000), "no such container", "disguised"),
    ("a RIFF of all ones", avi(size=0xFFFFFFFF), "is avi", "disguised"),
):
    MEDIA.add(what, film(MP4, data), film=MP4, problem=problem, flaw=flaw)
for name, what, data, problem, flaw in (
    ("a.avi", "an AVI that was never closed", avi(size=0), "never closed", "open-ended"),
    ("a.avi", "an AVI with an index of lies", avi(chunk(b"idx1", size=0xFFFFFFF0)), "promises", "no-index"),
    ("a.avi", "an AVI with two empty lists", avi(chunk(b"LIST"), chunk(b"LIST", b"hdrl")), "idx1", "no-index"),
    ("a.wav", "a sound of no rate", SILENT, "zero", ""),
    ("a.jpg", "an Exif that leads to itself", jpeg(looped_tiff()), "", ""),
    ("a.jpg", "an Exif of noise", jpeg(b"\x1b[31m" * 100), "", ""),
    ("a.jpg", "a picture without an end", jpeg(looped_tiff(), end=b""), "no end", "cut"),
    ("a.jpg", "a picture of one marker", b"\xff\xd8\xff", "outside the file", "cut"),
):
    MEDIA.add(what, film(name, data), film=name, problem=problem, flaw=flaw)

KINDS = (MEDIA,)
