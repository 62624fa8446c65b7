"""One original out of central storage or the spool into a package, compared with its seal on the way and on arrival."""

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from blake3 import blake3

from bwcdock import durable
from bwcdock.core.facts import SPOOL, Digests
from bwcdock.core.record import Record
from bwcdock.durable_tree import created
from bwcdock.errors import BwcdockError, Unreachable, Untrue
from bwcdock.ports import Gives, Sink
from bwcdock.reading import Buffers, Reading, chunks, read_back

OP = "export"


def copy(
    record: Record, sinks: Mapping[str, Sink], whole: Path, target: Path, pace: Callable[[int], None]
) -> tuple[str, tuple[str, ...]]:
    """Copy a sealed recording to ``target``: from where, and what was wrong with the places tried before.

    Central storage first: what it holds is what will be asked for later. ``whole`` is the spool's file. Raises
    ``Untrue`` or ``Unreachable`` where no place gives the sealed bytes, ``OSError`` where the target fails.
    """
    assert record.digests is not None
    problems: list[BwcdockError] = []
    for place, give in _places(record, sinks, whole):
        try:
            carried(give, target, record.digests, record.item.size, pace, place)
        except (Unreachable, Untrue) as error:
            problems.append(error)
            continue
        return place, tuple(f"{error.what}" for error in problems)
    last = problems[-1] if problems else None
    what = f"No place gives recording {record.id[:12]} as it was sealed" + (f": {last.what}" if last else ".")
    kind = Untrue if any(isinstance(error, Untrue) for error in problems) else Unreachable
    raise kind(OP, what, "`bwcdock audit` looks at every copy; nothing was handed over.") from last


def _places(
    record: Record, sinks: Mapping[str, Sink], whole: Path
) -> Iterator[tuple[str, Callable[[], Generator[memoryview]]]]:
    for held in record.held:
        if held.sink not in record.copies or held.sink not in sinks:
            continue
        sink = sinks[held.sink]
        if isinstance(sink, Gives):
            yield held.sink, partial(sink.give, held.key)
    if SPOOL in record.copies:
        yield SPOOL, partial(_of_spool, whole)


def _of_spool(whole: Path) -> Generator[memoryview]:
    with _told("The spool's copy"), Reading(whole) as reading:
        yield from chunks(reading, Buffers(count=1))


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreachable(OP, f"{what} cannot be read: {error.strerror}.", "Check the spool's disk.") from error


def carried(
    give: Callable[[], Generator[memoryview]],
    target: Path,
    digests: Digests,
    size: int,
    pace: Callable[[int], None],
    place: str,
) -> None:
    """Write what ``give`` gives to ``target``, which must be the sealed bytes and come back as they are."""
    evidential, working, count = hashlib.sha256(), blake3(), 0
    # Both digests: the seal is made of both, and a package must not be weaker than the store it came from.
    with created(target) as stream, closing(give()) as given:
        for chunk in given:
            evidential.update(chunk)
            working.update(chunk)
            stream.write(chunk)
            count += len(chunk)
            pace(len(chunk))
        if (count, evidential.hexdigest(), working.hexdigest()) != (size, digests.sha256, digests.blake3):
            what = f"{place} gave other bytes than were sealed."
            raise Untrue(OP, what, "Find out what happened to that copy; `bwcdock audit` names it.")
    arrived = read_back(target, sha256=True, blake3=False, pace=pace)
    if (arrived.size, arrived.sha256) != (size, digests.sha256):
        durable.discard(target)
        what = f"{target.parent} gave back other bytes than were written to it."
        raise Untrue(OP, what, "Take another disk or stick; this one loses data.")
