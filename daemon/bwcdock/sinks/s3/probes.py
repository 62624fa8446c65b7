"""What an S3 store can and allows, in sentences for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bwcdock.ports import Probe
from bwcdock.sinks.s3 import rights
from bwcdock.sinks.s3.abilities import Probing
from bwcdock.sinks.s3.bucket import Bucket
from bwcdock.sinks.s3.telling import told

NEAR_S = 60.0
"""How far the clocks may be apart: a store refuses what was signed a quarter of an hour off, and moments of locks are
ours."""


def probes(bucket: Bucket, probing: Probing, now: datetime) -> Iterator[Probe]:
    """What the credential may beyond its policy, how far the clocks are apart, and every ability that was tried."""
    more = rights.too_many(bucket, probing)
    yield Probe(
        word="rights",
        good=not more,
        what=f"The credential may also {', '.join(more)}." if more else "The credential can neither delete nor bypass.",
        remedy="Give it the rights in config/s3-policy.json and no more." if more else "",
    )
    yield _clock(bucket, now)
    can = probing.all()
    for has, yes, no in (
        (can.versions, "It keeps every version.", "It keeps no versions: what is written later overwrites."),
        (can.object_lock, "It locks objects.", "It does not lock objects."),
    ):
        yield Probe(word="ability", good=has, what=yes if has else no, remedy="" if has else "See docs/storage.md.")
    for has, yes, no in (  # what it lacks of these is done another way
        (can.conditional_puts, "It refuses to write over an object.", "It writes over; looked before each write."),
        (can.conditional_completes, "So it does with parts.", "It writes over with parts; looked before each write."),
        (can.checksums, "It checks SHA-256.", "It checks no SHA-256; every part goes with its MD5."),
        (can.md5_etags, "It names parts by their MD5.", "It does not name parts by their MD5; an upload begins anew."),
        (can.ordered, "It lists in order.", "It lists in no order; folder by folder is sorted here."),
    ):
        yield Probe(word="ability", good=True, what=yes if has else no)


def _clock(bucket: Bucket, now: datetime) -> Probe:
    with told("look at the clock", bucket.sink):
        answered = bucket.client.list_objects_v2(Bucket=bucket.name, MaxKeys=1)
    date = answered["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        off_s = (parsedate_to_datetime(date).astimezone(UTC) - now).total_seconds()
    except ValueError:
        return Probe(word="clock", good=True, what="It does not tell its time.")
    if abs(off_s) <= NEAR_S:
        return Probe(word="clock", good=True, what=f"Its clock and ours agree within {NEAR_S:g} s.")
    remedy = "Let both ask the same time server."
    return Probe(word="clock", good=False, what=f"Its clock is {off_s:+.0f} s from ours.", remedy=remedy)
