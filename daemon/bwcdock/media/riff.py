"""AVI and WAV: what the RIFF chunks say of date, duration, encoder and wholeness, without reading the footage.

Sources: Microsoft RIFF/AVI reference (avih, strh, idx1, LIST INFO), OpenDML AVI 1.02 (RIFF AVIX, dmlh, indx),
EBU Tech 3285 (bext) and 3306 (RF64).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bwcdock.media.source import Cut, Draft, Malformed, Source, printable

HEADER = 8

UNKNOWN_SIZE = (0, 0xFFFFFFFF)
"""Sizes written before the real one is known; a recorder that is cut off leaves them so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk: its kind, its stated size, where its body starts and ends, and what of it is not there."""

    kind: bytes
    size: int
    body: int
    end: int
    missing: int


def chunks(source: Source, start: int, end: int) -> Iterator[Chunk]:
    """The chunks between two offsets, in order; one that promises more than there is comes clipped, as the last."""
    while end - start >= HEADER:
        source.structure()
        kind, size = struct.unpack("<4sI", source.at(start, HEADER))
        if kind == b"\0\0\0\0":  # padding
            return
        body = start + HEADER
        stop = body + size
        yield Chunk(kind=kind, size=size, body=body, end=min(stop, end), missing=max(stop - end, 0))
        start = stop + (size & 1)


def _fields(source: Source, chunk: Chunk, offset: int, layout: str) -> tuple[int, ...]:
    length = struct.calcsize(layout)
    if chunk.body + offset + length > chunk.end:
        raise Malformed(f"Chunk {printable(chunk.kind)} is too small for its fields.")
    return struct.unpack(layout, source.at(chunk.body + offset, length))


def _form(source: Source, chunk: Chunk) -> bytes:
    """The four letters behind the header of RIFF and LIST."""
    return source.at(chunk.body, 4) if chunk.end - chunk.body >= 4 else b""


def _text(source: Source, chunk: Chunk) -> str:
    return printable(source.at(chunk.body, min(chunk.end - chunk.body, 256)))


# --- AVI ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Reel:
    """Everything gathered from one AVI file."""

    frame_us: int = 0
    frames: int = 0
    all_frames: int = 0
    streams: list[tuple[int, int]] = field(default_factory=list)
    footage: bool = False
    indexed: bool = False


def avi(source: Source, draft: Draft) -> None:
    """Fill ``draft`` from an AVI file."""
    draft.container = "avi"
    reel = _Reel()
    try:
        _riffs(source, reel, draft)
    except Malformed as fault:
        draft.problem(str(fault))
    if not reel.indexed:
        draft.truncated = True
        draft.problem("The index (idx1) was never written or is not reached.")
    elif not reel.footage:
        draft.truncated = True
        draft.problem("There is an index but no footage (movi).")
    frames = max(reel.frames, reel.all_frames)
    if frames and reel.frame_us:
        draft.lasts(frames * reel.frame_us, 1_000_000)
    elif reel.streams:
        draft.lasts(*max(reel.streams, key=lambda span: span[0] / span[1]))


def _riffs(source: Source, reel: _Reel, draft: Draft) -> None:
    """The RIFF AVI and the RIFF AVIX behind it."""
    for riff in chunks(source, 0, source.size):
        if riff.kind != b"RIFF":
            draft.problem("There is something behind the end of the container.")
            return
        if riff.missing:
            draft.truncated = True
            draft.problem(f"The container promises {riff.missing} bytes more than the file has.")
        unclosed = riff.size in UNKNOWN_SIZE
        if unclosed:
            draft.truncated = True
            draft.problem("The container was never closed: it states no size.")
        for chunk in chunks(source, riff.body + 4, source.size if unclosed else riff.end):
            if chunk.kind == b"LIST":
                form = _form(source, chunk)
                reel.footage = reel.footage or form == b"movi"
                if form in (b"hdrl", b"INFO"):
                    _list(source, chunk, reel, draft)
                elif form == b"movi" and chunk.size in UNKNOWN_SIZE:
                    return  # what follows is footage, not chunks of the container
            elif chunk.kind == b"idx1":
                reel.indexed = True
            if chunk.missing:
                draft.truncated = True
                draft.problem(f"Chunk {printable(chunk.kind)} promises {chunk.missing} bytes more than there are.")
        if unclosed:
            return


def _list(source: Source, parent: Chunk, reel: _Reel, draft: Draft) -> None:
    """The header list, with the lists of its streams one level below: never deeper."""
    for chunk in chunks(source, parent.body + 4, parent.end):
        if chunk.kind == b"LIST":
            for inner in chunks(source, chunk.body + 4, chunk.end):
                _leaf(source, inner, reel, draft)
        else:
            _leaf(source, chunk, reel, draft)


def _leaf(source: Source, chunk: Chunk, reel: _Reel, draft: Draft) -> None:
    if chunk.kind == b"avih":
        (reel.frame_us,) = _fields(source, chunk, 0, "<I")
        (reel.frames,) = _fields(source, chunk, 16, "<I")
    elif chunk.kind == b"strh":
        scale, rate = _fields(source, chunk, 20, "<II")
        (length,) = _fields(source, chunk, 32, "<I")
        if scale and rate:
            reel.streams.append((length * scale, rate))
    elif chunk.kind == b"dmlh":  # OpenDML: avih counts the frames of the first RIFF only
        (reel.all_frames,) = _fields(source, chunk, 0, "<I")
    elif chunk.kind == b"indx":
        reel.indexed = reel.indexed or _fields(source, chunk, 4, "<I")[0] > 0
    elif chunk.kind in (b"IDIT", b"ICRD"):
        draft.started = draft.started or written_date(_text(source, chunk))
    elif chunk.kind == b"ISFT":
        draft.encoder = draft.encoder or _text(source, chunk)


# --- WAV ----------------------------------------------------------------------------------------------------------


def wav(source: Source, draft: Draft) -> None:
    """Fill ``draft`` from a WAV file; a cut one lasts as long as the sound that is there."""
    draft.container = "wav"
    try:
        _wave(source, draft)
    except Malformed as fault:
        draft.truncated = draft.truncated or isinstance(fault, Cut)
        draft.problem(str(fault))


def _wave(source: Source, draft: Draft) -> None:
    rate = 0
    sound = real_size = None
    for chunk in chunks(source, 12, source.size):
        if chunk.kind == b"ds64":
            (real_size,) = _fields(source, chunk, 8, "<Q")
        elif chunk.kind == b"fmt ":
            (rate,) = _fields(source, chunk, 8, "<I")
        elif chunk.kind == b"bext":
            # description 256, originator 32, its reference 32, then date and time
            _fields(source, chunk, 320, "<18x")
            draft.started = written_date(source.at(chunk.body + 320, 18).decode("latin-1"))
        elif chunk.kind == b"LIST" and _form(source, chunk) == b"INFO":
            _list(source, chunk, _Reel(), draft)
        elif chunk.kind == b"data":
            there = source.size - chunk.body
            if real_size is not None and chunk.size == 0xFFFFFFFF:
                sound, draft.truncated = min(real_size, there), real_size > there
            elif chunk.size in UNKNOWN_SIZE:
                sound, draft.truncated = there, True
            else:
                sound, draft.truncated = chunk.end - chunk.body, bool(chunk.missing)
            if draft.truncated:
                draft.problem("The sound was never closed, or ends before its stated size.")
            if draft.truncated or real_size is not None:
                break  # what follows cannot be found by a size that is not true
    if sound is None:
        draft.truncated = True
        draft.problem("There is no sound (data) in the container.")
    else:
        draft.lasts(sound, rate)


# --- dates --------------------------------------------------------------------------------------------------------

NUMBERS = re.compile(r"(\d{4})\D(\d\d)\D(\d\d)\D{0,3}(\d\d)\D(\d\d)\D(\d\d)", re.ASCII)
"""``2024-05-01 09:30:00`` with any separators (bext: none before the hour), as EXIF and some recorders' IDIT have."""

WORDS = re.compile(r"[A-Za-z]{3} ([A-Za-z]{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})", re.ASCII)
"""``Wed May 01 09:30:00 2024``, as C's ctime has it; the usual IDIT."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def written_date(text: str) -> datetime | None:
    """A date written out in a container, as if UTC; ``None`` where it is none."""
    if found := NUMBERS.match(text):
        year, month, day, hour, minute, second = (int(part) for part in found.groups())
    elif (found := WORDS.match(text)) and found[1].lower() in MONTHS:
        month = MONTHS.index(found[1].lower()) + 1
        day, hour, minute, second, year = (int(found[group]) for group in range(2, 7))
    else:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
