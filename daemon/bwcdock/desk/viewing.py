"""Opens what a viewing shows: the sealed bytes as they lie in the spool, or in central storage; never by their path."""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from io import FileIO

from bwcdock.core.facts import SPOOL, Actor
from bwcdock.core.record import Record, State
from bwcdock.core.refusal import because
from bwcdock.desk.verbs import View, Viewed
from bwcdock.errors import BwcdockError, Misused, Unreachable, Untrue
from bwcdock.ledger import Reader
from bwcdock.papers.export import permit
from bwcdock.ports import Opens
from bwcdock.reading import opened
from bwcdock.steps.bench import Bench

OP = "view"

_EXTENSION = re.compile(r"[a-z0-9]{1,8}")


def allowed(ledger: Reader, asked: View) -> Record:
    """The recording, if the request lets it be seen; raises ``NotAllowed`` and ``Misused`` as an export does."""
    record = ledger.record(asked.record)
    if record is None:
        why = because("record.none", f"There is no recording {asked.record!r}.", id=asked.record)
        raise Misused(OP, why, "Name it by its whole id.")
    permit.ask(ledger, (record.id,), asked.request, Actor(name=asked.name, role=asked.role), how="viewed")
    if record.state not in {State.SEALED, State.RELEASED} or record.digests is None:
        what = f"Recording {record.id[:12]} is {record.state}: there is no sealed original to show."
        why = because("view.unsealed", what, record=record.id, record_state=record.state)
        raise Misused(OP, why, "`bwcdock records` shows what it waits for.")
    return record


def open_sealed(bench: Bench, record: Record) -> tuple[FileIO, str]:
    """The sealed bytes, open for reading, and the place that has them.

    Only their number is compared: to read gigabytes before the first picture would cost minutes, and the spool and
    central storage are read again by rounds of their own. What leaves the station is compared in full (an export).
    """
    problems: list[BwcdockError] = []
    for place, give in _places(bench, record):
        try:
            file = give()
            if os.fstat(file.fileno()).st_size == record.item.size:
                return file, place
            file.close()
            what = f"{place} has another number of bytes of {record.id[:12]} than were sealed."
            why = because("view.untrue", what, record=record.id, place=place)
            problems.append(Untrue(OP, why, "`bwcdock audit` looks at every copy."))
        except OSError as error:
            what = f"The spool's copy cannot be opened: {error.strerror}."
            hint = "Check the spool's disk; `bwcdock audit` looks at every copy."
            problems.append(Unreachable(OP, because("view.unreadable", what), hint))
        except BwcdockError as error:
            problems.append(error)
    if problems:
        raise problems[-1]
    what = f"No place on this machine has recording {record.id[:12]}."
    why = because("view.elsewhere", what, record=record.id)
    raise Unreachable(OP, why, "It lies in central storage only: look at it there, or export it.")


def _places(bench: Bench, record: Record) -> Iterator[tuple[str, Callable[[], FileIO]]]:
    """The spool first: it is here, and a share may hang."""
    if SPOOL in record.copies and (path := bench.spool.whole(record.id)):
        yield SPOOL, partial(opened, path)
    for held in record.held:
        if held.sink not in record.copies or held.sink not in bench.sinks:
            continue
        sink = bench.sinks[held.sink]
        if isinstance(sink, Opens):
            yield held.sink, partial(sink.opened, held.key)


def told(record: Record, entry: int, place: str) -> Viewed:
    """What the pages are told of it: nothing of its name but the end, which a stranger chose."""
    end = record.item.path.rpartition("/")[2].rpartition(".")[2].lower()
    assert record.digests is not None
    return Viewed(
        record=record.id,
        entry=entry,
        size=record.item.size,
        sha256=record.digests.sha256,
        kind=record.item.kind,
        extension=end if _EXTENSION.fullmatch(end) else "",
        place=place,
    )
