"""MP4 and QuickTime: what the boxes say of date, duration, encoder and wholeness, without reading the footage.

Sources: ISO/IEC 14496-12 (boxes, movie fragments, sidx), Apple QuickTime File Format (udta text, no ftyp, 1904 epoch).
Boxes are followed only along the paths of two literal tables, so no file can make the reader go deeper than they do.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bwcdock.media.source import Draft, Malformed, Source, printable

EPOCH = datetime(1904, 1, 1, tzinfo=UTC)

HEADER = 8
LONG_HEADER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box: its kind, where its body starts and ends, and how many of its bytes its parent does not have.

    ``sized`` is false for a box that states no size and runs to the end of the file, which only an outermost one may.
    """

    kind: str
    start: int
    body: int
    end: int
    missing: int = 0
    sized: bool = True


@dataclass(slots=True, kw_only=True)
class _Track:
    """What moov says of one track."""

    number: int = 0
    scale: int = 0
    ticks: int | None = None


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one moof says of one track, in ticks of that track: its start (tfdt), its length (trun)."""

    number: int = 0
    start: int | None = None
    step: int | None = None
    ticks: int = 0


@dataclass(slots=True, kw_only=True)
class _Film:
    """Everything gathered from the boxes of one file."""

    created: int = 0
    scale: int = 0
    ticks: int | None = None
    tracks: list[_Track] = field(default_factory=list)
    steps: dict[int, int] = field(default_factory=dict)
    promised: int | None = None
    indexed: dict[int, tuple[int, int]] = field(default_factory=dict)
    runs: list[_Run] = field(default_factory=list)
    fragments: list[Box] = field(default_factory=list)
    open_fragment: Box | None = None
    whole: bool = False
    furthest: int = 0
    encoder: str = ""
    seen: set[str] = field(default_factory=set)


def boxes(source: Source, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, in order.

    A box that promises more than its parent has is the last, clipped, with ``missing`` set. A box of zero size and no
    kind ends the list: padding at the end of a file, or the terminator of a QuickTime list.
    """
    while end - start >= HEADER:
        source.structure()
        size, kind = struct.unpack(">I4s", source.at(start, HEADER))
        body, sized = start + HEADER, size > 0
        if not sized and kind == b"\0\0\0\0":
            return
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind):
            raise Malformed("There is something that is no box where a box should be.")
        if size == 1:
            if end - start < LONG_HEADER:
                raise Malformed("A long box header is cut.")
            body = start + LONG_HEADER
            size = int.from_bytes(source.at(start + HEADER, 8), "big")
        elif not sized:
            size = end - start
        if size < body - start:
            raise Malformed("A box is smaller than its own header.")
        stop = start + size
        yield Box(
            kind=kind.decode("latin-1"),
            start=start,
            body=body,
            end=min(stop, end),
            missing=max(stop - end, 0),
            sized=sized,
        )
        start = stop


def look(source: Source, draft: Draft) -> None:
    """Fill ``draft`` from the boxes of ``source``; what is broken becomes a problem, what is cut ``truncated``."""
    film = _Film()
    try:
        _top(source, film, draft)
    except Malformed as fault:
        draft.problem(str(fault))
    draft.encoder = film.encoder
    draft.fragmented = bool(film.fragments or film.open_fragment or "moov/mvex" in film.seen)
    draft.truncated = draft.truncated or _cut(film, source, draft)
    _date(film, draft)
    _duration(source, film, draft)


def _top(source: Source, film: _Film, draft: Draft) -> None:
    """Walk the top level by seeking, over mdat and not through it."""
    stop = 0
    for box in boxes(source, 0, source.size):
        stop = box.end
        film.seen.add(box.kind)
        if box.missing:
            draft.truncated = True
            draft.problem(f"Box {printable(box.kind.encode())} promises {box.missing} bytes more than the file has.")
            break
        if box.kind == "moof":
            film.open_fragment = box
        elif box.kind == "mdat" and film.open_fragment:
            film.fragments.append(film.open_fragment)
            film.open_fragment = None
        elif box.kind in ("moov", "sidx"):
            _guarded(source, film, draft, box)
    film.whole = True
    rest = source.size - stop
    # A few zeros behind the last box may be padding, but behind a fragment they are the start of the next one.
    if 0 < rest < HEADER and (film.fragments or source.at(stop, rest).strip(b"\0")):
        draft.truncated = True
        draft.problem("The last box header is cut.")


def _guarded(source: Source, film: _Film, draft: Draft, box: Box) -> None:
    """Read one top-level box; if it is broken, say so and go on behind it."""
    try:
        if box.kind == "sidx":
            _sidx(source, box, film)
        else:
            _walk(source, box, box.kind, film)
    except Malformed as fault:
        draft.problem(str(fault))


def _walk(source: Source, parent: Box, path: str, film: _Film) -> None:
    """Follow the boxes inside ``parent`` along the tables below."""
    start = parent.body
    if path.endswith("/meta") and source.at(start, min(8, parent.end - start))[4:] != b"hdlr":
        start += 4  # ISO meta carries version and flags before its boxes, QuickTime meta does not
    for box in boxes(source, start, parent.end):
        where = f"{path}/{box.kind}"
        if box.missing or not box.sized:
            raise Malformed(f"Box {printable(where.encode())} reaches past the box that holds it.")
        if where in CONTAINERS:
            film.seen.add(where)
            if where == "moov/trak":
                film.tracks.append(_Track())
            elif where == "moof/traf":
                film.runs.append(_Run())
            _walk(source, box, where, film)
        elif reader := READERS.get(where):
            reader(source, box, film)


def _fields(source: Source, box: Box, offset: int, layout: str) -> tuple[Any, ...]:
    """Numbers at ``offset`` of the body; :class:`Malformed` if the box is too small for them."""
    length = struct.calcsize(layout)
    if box.body + offset + length > box.end:
        raise Malformed(f"Box {printable(box.kind.encode())} is too small for its fields.")
    return struct.unpack(layout, source.at(box.body + offset, length))


def _version_flags(source: Source, box: Box) -> tuple[int, int]:
    (word,) = _fields(source, box, 0, ">I")
    return word >> 24, word & 0xFFFFFF


def _times(source: Source, box: Box) -> tuple[int, int, int | None]:
    """Creation, ticks per second and duration of mvhd or mdhd; a duration of all ones is "not known"."""
    long = _version_flags(source, box)[0] == 1
    created, _, scale, ticks = _fields(source, box, 4, ">QQIQ" if long else ">IIII")
    return created, scale, None if ticks == (1 << (64 if long else 32)) - 1 else ticks


def _mvhd(source: Source, box: Box, film: _Film) -> None:
    film.created, film.scale, film.ticks = _times(source, box)


def _tkhd(source: Source, box: Box, film: _Film) -> None:
    long = _version_flags(source, box)[0] == 1
    film.tracks[-1].number = _fields(source, box, 4, ">QQI" if long else ">III")[2]


def _mdhd(source: Source, box: Box, film: _Film) -> None:
    created, film.tracks[-1].scale, film.tracks[-1].ticks = _times(source, box)
    film.created = film.created or created


def _mehd(source: Source, box: Box, film: _Film) -> None:
    long = _version_flags(source, box)[0] == 1
    (film.promised,) = _fields(source, box, 4, ">Q" if long else ">I")


def _trex(source: Source, box: Box, film: _Film) -> None:
    number, _, step = _fields(source, box, 4, ">III")
    film.steps[number] = step


def _chunk_offsets(source: Source, box: Box, film: _Film) -> None:
    """The last chunk offset of a track: if it lies outside the file, the footage it points at is gone."""
    width, layout = (8, ">Q") if box.kind == "co64" else (4, ">I")
    (count,) = _fields(source, box, 4, ">I")
    if count:
        (last,) = _fields(source, box, 8 + width * (count - 1), layout)
        film.furthest = max(film.furthest, last)


def _sidx(source: Source, box: Box, film: _Film) -> None:
    """A segment index: the sum of its references is the duration of its stream; nested indexes are not counted."""
    long = _version_flags(source, box)[0] >= 1
    number, scale = _fields(source, box, 4, ">II")
    offset = 12 + (16 if long else 8)
    (count,) = _fields(source, box, offset + 2, ">H")
    words = _fields(source, box, offset + 4, f">{3 * count}I")
    ticks = sum(span for kind, span in zip(words[::3], words[1::3], strict=True) if not kind >> 31)
    film.indexed[number] = (film.indexed.get(number, (0, 0))[0] + ticks, scale)


def _tfhd(source: Source, box: Box, film: _Film) -> None:
    _, flags = _version_flags(source, box)
    (number,) = _fields(source, box, 4, ">I")
    film.runs[-1].number = number
    film.runs[-1].step = film.steps.get(number)
    if flags & 0x8:  # default-sample-duration-present, behind two optional fields
        offset = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
        (film.runs[-1].step,) = _fields(source, box, offset, ">I")


def _tfdt(source: Source, box: Box, film: _Film) -> None:
    long = _version_flags(source, box)[0] == 1
    (film.runs[-1].start,) = _fields(source, box, 4, ">Q" if long else ">I")


def _trun(source: Source, box: Box, film: _Film) -> None:
    _, flags = _version_flags(source, box)
    (count,) = _fields(source, box, 4, ">I")
    run = film.runs[-1]
    if not flags & 0x100:  # no duration per sample: the default of the fragment or of the movie
        run.ticks += count * (run.step or 0)
        return
    offset = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    words = sum(1 for flag in (0x100, 0x200, 0x400, 0x800) if flags & flag)
    run.ticks += sum(_fields(source, box, offset, f">{words * count}I")[::words])


def _plain_text(source: Source, box: Box, film: _Film) -> None:
    """QuickTime user data: u16 length, u16 language, text."""
    (length, _) = _fields(source, box, 0, ">HH")
    _encoder(source, film, box.body + 4, min(length, box.end - box.body - 4))


def _tagged_text(source: Source, box: Box, film: _Film) -> None:
    """Metadata value (``data``): u32 type, u32 locale, text."""
    _encoder(source, film, box.body + 8, box.end - box.body - 8)


def _encoder(source: Source, film: _Film, offset: int, length: int) -> None:
    if not film.encoder and length > 0:
        film.encoder = printable(source.at(offset, min(length, 256)))


CONTAINERS = frozenset(
    {
        "moov/trak", "moov/trak/mdia", "moov/trak/mdia/minf", "moov/trak/mdia/minf/stbl", "moov/mvex",
        "moov/udta", "moov/udta/meta", "moov/udta/meta/ilst", "moov/udta/meta/ilst/\xa9too", "moof/traf",
    }
)  # fmt: skip
"""Boxes that are entered, by path: deeper than the longest of these nothing is followed."""

READERS: dict[str, Callable[[Source, Box, _Film], None]] = {
    "moov/mvhd": _mvhd,
    "moov/trak/tkhd": _tkhd,
    "moov/trak/mdia/mdhd": _mdhd,
    "moov/trak/mdia/minf/stbl/stco": _chunk_offsets,
    "moov/trak/mdia/minf/stbl/co64": _chunk_offsets,
    "moov/mvex/mehd": _mehd,
    "moov/mvex/trex": _trex,
    "moov/udta/\xa9too": _plain_text,
    "moov/udta/\xa9swr": _plain_text,
    "moov/udta/\xa9enc": _plain_text,
    "moov/udta/meta/ilst/\xa9too/data": _tagged_text,
    "moof/traf/tfhd": _tfhd,
    "moof/traf/tfdt": _tfdt,
    "moof/traf/trun": _trun,
}
"""Boxes that are read, by path."""


def _cut(film: _Film, source: Source, draft: Draft) -> bool:
    """Whether the file stops short: no index, no footage, or a last fragment without its bytes."""
    if "moov" not in film.seen:
        draft.problem("The index (moov) was never written or is not reached.")
    elif film.whole and film.open_fragment:
        draft.problem("The last fragment has no footage.")
    elif film.whole and draft.fragmented and not film.fragments:
        draft.problem("The file stops before its first fragment.")
    elif not draft.fragmented and film.ticks and "mdat" not in film.seen:
        draft.problem("There is an index but no footage (mdat).")
    elif film.furthest >= source.size:
        draft.problem("The index points at footage behind the end of the file.")
    else:
        return False
    return True


def _date(film: _Film, draft: Draft) -> None:
    """Seconds since 1904, 0 for unset; no zone is stated, so it stands as if UTC."""
    if film.created:
        try:
            draft.started = EPOCH + timedelta(seconds=film.created)
        except OverflowError:
            draft.problem("The container states a date that cannot be true.")


def _duration(source: Source, film: _Film, draft: Draft) -> None:
    """The duration: from the fragments themselves, else what the headers promise.

    A fragmented file is measured from the first to the last whole fragment, because live recorders leave mvhd and
    mehd at zero and a cut file has less than they promise. Where the budget ran out on the way to the last fragment, no
    fragment can be read any more and the promises count.
    """
    measured = None
    if film.fragments:
        try:
            measured = _measured(source, film)
        except Malformed as fault:
            draft.problem(str(fault))
    promises = [
        (film.promised, film.scale) if draft.fragmented else (None, 0),
        *film.indexed.values(),
        (film.ticks, film.scale),
        _longest([(track.ticks or 0, track.scale) for track in film.tracks]) or (None, 0),
    ]
    known = measured or next(((ticks, scale) for ticks, scale in promises if ticks), None)
    if known:
        draft.lasts(*known)


def _longest(spans: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The longest of several spans in ticks and their rate; ``None`` where none lasts."""
    return max((span for span in spans if min(span) > 0), key=lambda span: span[0] / span[1], default=None)


def _measured(source: Source, film: _Film) -> tuple[int, int] | None:
    """Ticks and their rate of the longest track over all whole fragments.

    With tfdt only the first and last fragment are read; without it the runs of all are summed.
    """
    scales = {track.number: track.scale for track in film.tracks if track.scale}
    first, last = _fragment(source, film, film.fragments[0]), _fragment(source, film, film.fragments[-1])
    ticks: dict[int, int] = {}
    if all(run.start is not None for run in (*first, *last)):
        starts = {run.number: run.start or 0 for run in reversed(first)}
        for run in last:
            reach = (run.start or 0) + run.ticks - starts.get(run.number, 0)
            if reach < 0:
                raise Malformed("The fragments run backwards in time.")
            ticks[run.number] = max(ticks.get(run.number, 0), reach)
    else:
        for moof in film.fragments:
            for run in _fragment(source, film, moof):
                ticks[run.number] = ticks.get(run.number, 0) + run.ticks
    return _longest([(count, scales.get(number, 0)) for number, count in ticks.items()])


def _fragment(source: Source, film: _Film, moof: Box) -> list[_Run]:
    film.runs = []
    _walk(source, moof, "moof", film)
    return film.runs
