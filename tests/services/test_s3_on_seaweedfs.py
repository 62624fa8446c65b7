"""The sink suite on SeaweedFS, by a credential that has the shipped policy's rights alone."""

from pathlib import Path

import pytest
from buckets import bed_with_policy, cannot_undo, locked_until
from bwcdock.sinks.s3.abilities import Abilities
from bwcdock.testing.sink_suite import KEEP, GivesSuite, ListsSuite, LocksSuite, SinkSuite
from bwcdock.testing.sinks import digests_of
from s3_beds import SUITE_SIZE, S3Bed
from seaweedfs import DOCK, OWNER, PRINCIPAL, SeaweedFs


@pytest.fixture
def bed(seaweedfs: SeaweedFs, tmp_path: Path) -> S3Bed:
    return bed_with_policy(seaweedfs.endpoint, OWNER, DOCK, PRINCIPAL, tmp_path / "uploads")


class TestOnSeaweedFs(SinkSuite, GivesSuite, ListsSuite, LocksSuite):
    size = SUITE_SIZE
    component = 246  # it keeps the versions of an object in a folder of that name and nine bytes


def test_what_it_can_do(bed: S3Bed) -> None:
    assert bed.sink().abilities() == Abilities(
        conditional_puts=True,
        conditional_completes=True,
        versions=True,
        object_lock=True,
        checksums=True,
        md5_etags=True,
        ordered=False,  # names beyond ASCII come first
    )
    # It looks for an object before it asks whether a lock on it may be bypassed; of one that is there, see below.
    assert set(bed.sink().can_more()) <= {"s3:BypassGovernanceRetention"}


def test_what_is_locked_stays(bed: S3Bed, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    store = bed.sink()
    store.put("a", source, digests_of(source), KEEP)
    if locked_until(bed, "a") < KEEP:
        pytest.fail("it is not locked as long as it is kept")
    cannot_undo(bed, "a")
