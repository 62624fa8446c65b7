"""Look a second time at one central copy: read it in full a day later and compare."""

from bwcdock.core.facts import CopyBad, Fact, Finding, Found, LookedAgain, Settled, Severity
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.steps.bench import Bench


def look_again(bench: Bench, record: Record, sink: str) -> tuple[Fact, ...]:
    """What the sink still holds, by a full read. Raises Unreachable."""
    assert record.digests is not None
    key = next(held.key for held in record.held if held.sink == sink)
    held = bench.sinks[sink].stat(key)
    subject = {"record": record.id, "recorder": record.recorder}
    if held is not None and held.size == record.item.size and held.digests == record.digests:
        agreed = Settled(record=record.id, code=f"sink.conflict.{sink}", how="looked at again")
        return LookedAgain(**subject, sink=sink), agreed
    what = "is gone" if held is None else "no longer has the sealed digest"
    finding = Finding(
        severity=Severity.WARN,
        code=f"copy.bad.{sink}",
        what=f"The copy of {show(record.item.path)} in {sink} {what}.",
        remedy="Find out who changed central storage. A missing copy is pushed again, a wrong one never overwritten.",
        evidence=(("sink", sink), ("key", key), ("sealed", record.digests.sha256)),
    )
    return (
        CopyBad(**subject, place=sink, what=f"The copy in {sink} {what}."),
        Found(record=record.id, finding=finding),
    )
