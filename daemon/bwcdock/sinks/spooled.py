"""The spool copy that a sink is given."""

from collections.abc import Iterator
from pathlib import Path

from bwcdock.errors import Untrue
from bwcdock.reading import Buffers, Reading, chunks


def size_of(source: Path) -> int:
    """Its bytes; 0 where that cannot be said, for reading it says why."""
    try:
        return source.stat().st_size
    except OSError:
        return 0


def chunks_of(source: Path) -> Iterator[memoryview]:
    """All of it in order, as :func:`~bwcdock.reading.chunks` gives it; ``Untrue`` where it cannot be read."""
    try:
        with Reading(source) as reading:
            yield from chunks(reading, Buffers(count=1))
    except OSError as error:
        what = f"The spool copy of {source.name} cannot be read: {error.strerror or error}."
        raise Untrue("put", what, "Check the spool's disk; the copy is verified and fetched again.") from error
