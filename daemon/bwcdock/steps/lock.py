"""Lock one central copy as firmly as the recording has to be kept, and take the store's own word for what it is.

If it dies between the lock and its fact, the same act runs again, and finds the lock there.
"""

from bwcdock.core import locking
from bwcdock.core.facts import Fact, Lock, Locked, Settled
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.errors import Unlocked
from bwcdock.ledger import Ledger
from bwcdock.ports import Locks
from bwcdock.steps.bench import Bench
from bwcdock.steps.held import held


def lock(bench: Bench, record_id: str, sink: str) -> tuple[Fact, ...]:
    """Have it locked, judged as the ledger has it now. Raises Unreachable; Unlocked where the store's word is too weak.

    What the store told is recorded in any case, but once: asking every hour adds nothing to the ledger.
    """
    record, is_held = bench.book.ask(lambda ledger: _judged(ledger, record_id))
    store = bench.sinks[sink]
    copy = next((copy for copy in record.held if copy.sink == sink), None) if record else None
    if record is None or copy is None or not isinstance(store, Locks):
        return ()  # the copy was found bad meanwhile
    asked = locking.wanted(record, bench.clock.now(), is_held=is_held)
    told = store.lock(copy.key, copy.version, asked)
    if not locking.satisfies(told, asked):
        what = f"{sink} locks {show(record.item.path)} {_words(told)}; it has to be {_words(asked)}."
        hint = "Look whether its bucket locks objects and the credential may set locks. Nothing is dropped here for it."
        raise Unlocked("lock", what, hint, told)
    settled = Settled(record=record.id, code=f"sink.unlocked.{sink}", how="locked as it has to be")
    if told == copy.locked:
        return (settled,)
    return (Locked(record=record.id, recorder=record.recorder, sink=sink, lock=told), settled)


def _judged(ledger: Ledger, record_id: str) -> tuple[Record | None, bool]:
    record = ledger.record(record_id)
    return record, record is not None and record.id in held(ledger, [record])


def _words(lock: Lock) -> str:
    until = f"until {lock.until:%Y-%m-%d %H:%M} UTC" if lock.until else ""
    return " and ".join(filter(None, (until, "with a hold" if lock.hold else ""))) or "not at all"
