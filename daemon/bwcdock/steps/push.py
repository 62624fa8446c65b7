"""Push one sealed recording to one sink, read it back there in full, and put a signed manifest beside it.

If it dies anywhere, the same push runs again: the sink resumes or finds its own object, the manifest is recognised as
ours, and only then is the confirmation written.
"""

import base64
import hashlib
from contextlib import suppress

from bwcdock import __version__
from bwcdock.core import rules
from bwcdock.core.facts import Confirmed, Fact, Settled
from bwcdock.core.names import sink_key, unescape
from bwcdock.core.record import Record
from bwcdock.errors import Conflict, SpoolBroken, Unreachable, Untrue
from bwcdock.ledger import Checkpoint, Ledger
from bwcdock.manifest import MANIFEST, Manifest, Position, open_signed, sign
from bwcdock.steps.bench import Bench
from bwcdock.steps.scrub import strike_off
from bwcdock.steps.witness import folder_of


def push(bench: Bench, record: Record, sink: str) -> tuple[Fact, ...]:
    """Store, read back, describe. Raises Unreachable, Conflict, SpoolBroken."""
    assert record.digests is not None
    assert record.obligation is not None
    store = bench.sinks[sink]
    key = key_of(bench, record, sink)
    subject = {"record": record.id, "recorder": record.recorder}
    path = bench.spool.whole(record.id)
    with suppress(Unreachable):  # then the put says so
        bench.witnesses[sink].bring()  # an older ledger put in place of ours is found out before anything goes there
    try:
        if path is None:
            raise Untrue("push", "The sealed file is gone from the spool.", "The recorder must be docked again.")
        store.put(key, path, record.digests, record.obligation.keep_until)
    except Untrue:
        # The spool's own bytes seem bad. Looked at again before they are struck off; never blamed on the sink.
        try:
            bench.spool.verify(record.id, record.digests)
        except Untrue as error:
            strike_off(bench, record, error)
            return ()
        hint = "Check the station's disk; it is tried again."
        raise SpoolBroken("push", "The spool gave other bytes once, and the right ones again.", hint) from None
    begun = bench.clock.monotonic()
    held = store.stat(key)
    bench.meters.took("confirm", bench.clock.monotonic() - begun, record.item.size)
    if held is None:
        raise Conflict("push", f"{sink} took {key} and does not have it.", "Look at central storage.", key)
    if held.size != record.item.size or held.digests != record.digests:
        what = f"{sink} holds other bytes than were sealed under {key}."
        raise Conflict("push", what, "Find out what is there; it is never overwritten.", key)
    digest = _describe(bench, record, sink, key)
    confirmed = Confirmed(
        **subject,
        sink=sink,
        key=key,
        version=held.version,
        digests=held.digests,
        readback=held.readback,
        manifest=digest,
    )
    settled = [
        Settled(record=record.id, code=code, how=f"confirmed in {sink}")
        for code in (f"sink.conflict.{sink}", f"sink.declined.{sink}", f"copy.bad.{sink}", "recording.gone")
    ]
    return (confirmed, *settled)


def key_of(bench: Bench, record: Record, sink: str) -> str:
    """The key of this record in this sink; the same for ever once it is held there."""
    for held in record.held:
        if held.sink == sink:
            return held.key
    return sink_key(
        bench.layouts[sink],
        unit=bench.settings.station.unit,
        serial=record.recorder,
        record=record.id,
        item=record.item,
        start=record.corrected.start or record.corrected.end or record.listed_at,
        zone=bench.settings.station.zone,
    )


def _describe(bench: Bench, record: Record, sink: str, key: str) -> str:
    """Put the manifest beside the object, or recognise the one that is there; its SHA-256 in hex.

    A manifest that an earlier try left is ours when our own key signed it for this record and these bytes.
    """
    store = bench.sinks[sink]
    there = store.recall(key + MANIFEST)
    if there is not None:
        manifest = open_signed(there, Manifest, bench.signer.verifier)
        assert record.digests is not None
        if manifest.key != key or manifest.record != record.id or manifest.sha256 != record.digests.sha256:
            raise Conflict("push", f"{sink} holds the manifest of another record beside {key}.", "Look at it.", key)
        return hashlib.sha256(there).hexdigest()
    data = sign(manifest_of(bench, record, key, _head_over(bench, record, sink)), bench.signer)
    store.note(key + MANIFEST, data)
    return hashlib.sha256(data).hexdigest()


def _head_over(bench: Bench, record: Record, sink: str) -> Checkpoint:
    """A head over the sealed leaf that the sink has: brought before the manifest whose proof leads to it.

    A head is signed here only where the sink has none that covers the leaf.
    """
    assert record.sealed_seq is not None
    witness = bench.witnesses[sink]
    head = witness.bring()
    if head is None or head.size <= record.sealed_seq:
        bench.book.ask(lambda ledger: ledger.checkpoint())
        head = witness.bring()
    if head is None or head.size <= record.sealed_seq:
        key = folder_of(bench.settings.station.name)
        what = f"{sink} holds something else in place of the newest head of the ledger."
        raise Conflict("push", what, f"Find out who put it into {key}; the next head goes beside it.", key)
    return head


def manifest_of(bench: Bench, record: Record, key: str, head: Checkpoint) -> Manifest:
    """Everything central storage must know of this record without any database, with its proof up to ``head``."""
    return bench.book.ask(lambda ledger: _manifest(bench, ledger, record, key, head))


def _manifest(bench: Bench, ledger: Ledger, record: Record, key: str, head: Checkpoint) -> Manifest:
    now = bench.clock.now()
    session = ledger.session(record.session)
    assert record.digests
    assert record.media
    assert record.obligation
    assert session
    assert session.identity
    item = record.item
    name = item.path.rpartition("/")[2]
    raw = unescape(name)
    return Manifest(
        key=key,
        record=record.id,
        recorder=session.identity,
        driver=session.driver,
        path=item.path,
        name_hex=raw.hex() if raw != name.encode() else "",
        size=item.size,
        sha256=record.digests.sha256,
        blake3=record.digests.blake3,
        claim=item.claim,
        corrected=record.corrected,
        drift=record.drift,
        station_clock=bench.station_clock(),
        media=record.media,
        officer=item.officer,
        unit=bench.settings.station.unit,
        markers=item.markers,
        obligation=record.obligation,
        verdict=rules.verdict(record.obligation, record.met_at, now, bench.settings.law.at_risk_ratio).kind.value,
        sessions=record.sessions,
        position=_position(ledger, record, head),
        station_version=__version__,
        at=now,
    )


def _position(ledger: Ledger, record: Record, head: Checkpoint) -> Position:
    """The sealed leaf, proven up to the signed ``head``."""
    assert record.sealed_seq is not None
    return Position(
        origin=ledger.origin,
        seq=record.sealed_seq,
        leaf=base64.b64encode(ledger.leaf(record.sealed_seq)).decode(),
        path=tuple(base64.b64encode(h).decode() for h in ledger.inclusion(record.sealed_seq, head.size)),
        checkpoint=head.note,
    )
