"""The sink suite on Ceph 16, whose gaps are found by trying and told here: `make services-ceph`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from buckets import bed_with_policy, cannot_undo, locked_until
from bwcdock.sinks.s3.abilities import Abilities
from bwcdock.testing.sink_suite import KEEP, GivesSuite, ListsSuite, LocksSuite, SinkSuite
from bwcdock.testing.sinks import digests_of
from ceph import DOCK, OWNER, PRINCIPAL, Ceph
from processes import LOOPBACK, listening
from s3_beds import SUITE_SIZE, S3Bed


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    server = Ceph(tmp_path_factory.mktemp("ceph"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


UNKNOWN = ("s3:PutEncryptionConfiguration",)
"""It refuses a whole policy for a right that it has no word for; a deployment leaves these out."""


@pytest.fixture
def bed(ceph: Ceph, tmp_path: Path) -> S3Bed:
    return bed_with_policy(ceph.endpoint, OWNER, DOCK, PRINCIPAL, tmp_path / "uploads", unknown=UNKNOWN)


class TestOnCeph(SinkSuite, GivesSuite, ListsSuite, LocksSuite):
    size = SUITE_SIZE


def test_its_gaps(bed: S3Bed) -> None:
    """What it cannot do, by trying; the suite above holds all the same."""
    found = bed.sink().abilities()
    print(f"Ceph 16: {found}")
    assert found == Abilities(
        conditional_puts=False,  # it heeds If-None-Match in buckets without versions only, and those have no locks
        conditional_completes=False,
        versions=True,
        object_lock=True,
        checksums=False,  # a wrong SHA-256 is taken; Content-MD5 is checked
        md5_etags=True,
        ordered=True,
    )
    # It looks for an object before it asks whether a lock on it may be bypassed; of one that is there, see below.
    assert set(bed.sink().can_more()) <= {"s3:BypassGovernanceRetention"}
    with pytest.raises(ClientError):
        bed_with_policy(bed.endpoint, OWNER, DOCK, PRINCIPAL, bed.uploads)


def test_what_is_locked_stays(bed: S3Bed, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    bed.sink().put("a", source, digests_of(source), KEEP)
    assert locked_until(bed, "a") >= KEEP
    cannot_undo(bed, "a")


def test_it_listens_here_alone(ceph: Ceph) -> None:
    assert [listening(pid) for pid in ceph.pids] == [LOOPBACK] * 4
