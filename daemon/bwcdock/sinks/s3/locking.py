"""Object lock (WORM) on one version of an object: set, read back, never shortened, never lifted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from bwcdock.errors import Unreachable
from bwcdock.ports import Lock
from bwcdock.sinks.s3.bucket import Bucket
from bwcdock.sinks.s3.telling import missing, told

LAST = datetime(2105, 12, 31, tzinfo=UTC)
"""The last day asked for. Ceph 16 keeps dates in 32 bits: later ones wrap, and what was to be kept can be deleted."""

FOR_EVER = Lock(until=LAST, hold=True)


def kept(keep_until: datetime | None) -> Lock:
    """How an object is locked that is to be kept until then; ``None`` is for ever."""
    return FOR_EVER if keep_until is None else Lock(until=keep_until)


def possible(wanted: Lock) -> Lock:
    """What is asked of a store instead: whole seconds, no date it might not know, and then a hold."""
    if wanted.until is None:
        return wanted
    if wanted.until > LAST:
        return Lock(until=LAST, hold=True)
    whole = wanted.until.astimezone(UTC)
    if whole.microsecond:
        whole = whole.replace(microsecond=0) + timedelta(seconds=1)
    return Lock(until=whole, hold=wanted.hold)


class Locking:
    """Locks versions in ``bucket``; ``now`` is the station's clock."""

    def __init__(self, bucket: Bucket, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._now = now

    def secure(self, key: str, version: str, wanted: Lock) -> Lock:
        """Have it locked at least so; what the store itself says of it afterwards, which is never less.

        Reads first: what is locked for longer stays so. If it dies between the two, the next call sets the other.
        """
        asked = possible(wanted)
        there = self.read(key, version)
        until = asked.until if asked.until and asked.until > self._now() else None
        later = until is not None and (there.until is None or there.until < until)
        hold = asked.hold and not there.hold
        if not later and not hold:
            return there
        client, at = self._bucket.client, {**self._bucket.at(key), "VersionId": version}
        with told("lock", self._bucket.sink):
            if later and until is not None:
                client.put_object_retention(**at, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
            if hold:
                client.put_object_legal_hold(**at, LegalHold={"Status": "ON"})
        said = self.read(key, version)
        if (later and (said.until is None or (until and said.until < until))) or (hold and not said.hold):
            what = f"{self._bucket.sink} says that it locked {key}, and does not keep it locked as was asked."
            hint = "It cannot be relied on to keep what is stored. Look into its object lock; nothing is confirmed."
            raise Unreachable("lock", what, hint, self._bucket.sink)
        return said

    def read(self, key: str, version: str) -> Lock:
        """How the store says this version is locked; a retention that some may lift (GOVERNANCE) is none."""
        client, at = self._bucket.client, {**self._bucket.at(key), "VersionId": version}
        with told("read lock", self._bucket.sink):
            try:
                retention = client.get_object_retention(**at).get("Retention", {})
            except ClientError as error:
                if not missing(error):
                    raise
                retention = {}
            try:
                hold = client.get_object_legal_hold(**at).get("LegalHold", {})
            except ClientError as error:
                if not missing(error):
                    raise
                hold = {}
        until = retention.get("RetainUntilDate") if retention.get("Mode") == "COMPLIANCE" else None
        return Lock(until=until, hold=hold.get("Status") == "ON")
