"""Salvage what can be read of a recording with bad places: each good run aside in a file of its own, never padded."""

from collections.abc import Callable
from dataclasses import dataclass

from bwcdock.core.facts import Run, Span
from bwcdock.core.record import Record
from bwcdock.errors import Unreadable
from bwcdock.ports import Recorder
from bwcdock.reading import BLOCK
from bwcdock.spool import Spool

BAD_SPANS = 256
"""Bad places after which salvaging ends: each costs the recorder's own retries, up to half a minute on a worn card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """The first error, every span that could not be read, and the runs that could, in the order of the files kept."""

    error: Unreadable
    spans: tuple[Span, ...]
    runs: tuple[Run, ...]


def salvage(
    record: Record,
    recorder: Recorder,
    spool: Spool,
    buffer: memoryview,
    error: Unreadable,
    *,
    start: int,
    moved: Callable[[int], None],
    tried: bool = True,
) -> Bad:
    """Set aside the good beginning of ``start`` bytes, then every later run that can be read.

    ``tried`` says that ``error`` was met at ``start``; otherwise it lies before, and ``start`` may well be readable.
    ``buffer`` is page-aligned; ``moved`` is told how far it has come and may raise to end it. If it dies in the middle
    the record is still listed, and the next docking tries the whole file again; what was set aside stays aside, and is
    not kept a second time where the next docking salvages the same bytes.
    """
    size = record.item.size
    beginning = Span(offset=0, length=start)
    runs = [kept] if (kept := spool.keep_run(record.id, beginning, of_part=True)) else []
    spans: list[Span] = []
    offset = start
    failed: Unreadable | None = error if tried else None
    while offset < size:
        if failed is not None:
            told = next((s for s in failed.spans if s.offset <= offset < s.offset + s.length), None)
            length = told.offset + told.length - offset if told else BLOCK - offset % BLOCK
            spans.append(Span(offset=offset, length=min(length, size - offset)))
            offset += spans[-1].length
            if len(spans) == BAD_SPANS:
                spans[-1] = Span(offset=spans[-1].offset, length=size - spans[-1].offset)
                break
        begin, offset, failed = offset, *_run(record, recorder, spool, buffer, offset, moved)
        if kept := spool.keep_run(record.id, Span(offset=begin, length=offset - begin)):
            runs.append(kept)
    return Bad(error=error, spans=tuple(_joined(spans)), runs=tuple(runs))


def _run(
    record: Record,
    recorder: Recorder,
    spool: Spool,
    buffer: memoryview,
    offset: int,
    moved: Callable[[int], None],
) -> tuple[int, Unreadable | None]:
    """Read on from ``offset`` into a file of its own; where it ended, and by what."""
    begin = offset
    with spool.open_run(record.id) as part:
        while offset < record.item.size:
            try:
                got = recorder.read_into(record.item, offset, buffer)
            except Unreadable as error:
                part.sync()
                return offset, error
            if got == 0:
                part.sync()
                what = f"The file ends at {offset} of {record.item.size} bytes."
                return offset, Unreadable("salvage", what, "The recorder listed it longer than it is.")
            got = min(got, record.item.size - offset)
            part.write_at(buffer[:got], offset - begin)
            offset += got
            moved(offset)
        part.sync()
    return offset, None


def _joined(spans: list[Span]) -> list[Span]:
    """Spans that touch are one."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].offset + joined[-1].length == span.offset:
            joined[-1] = Span(offset=joined[-1].offset, length=joined[-1].length + span.length)
        else:
            joined.append(span)
    return joined
