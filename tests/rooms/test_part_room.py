"""The room that a partial file takes: reserved while it is written, given back when it is let go of half way."""

import errno
import os
from pathlib import Path

from bwcdock.durable import PartFile
from bwcdock.reading import Buffers
from bwcdock.spool import Spool
from bwcdock.testing.calls import Fault, FaultySystem

MIB = 1 << 20
RECORD = "ab" * 16
BUFFERS = Buffers(1, MIB)


def begun(spool: Spool) -> PartFile:
    part = spool.open_part(RECORD)
    part.preallocate(16 * MIB)
    with BUFFERS.lend() as buffer:
        part.write_at(buffer, 0)
    return part


def test_what_was_not_written_is_given_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path, boot="one")
    part = begun(spool)
    assert spool.part_rooms()[RECORD] >= 16 * MIB
    part.hold()
    part.close()
    assert spool.part_length(RECORD) == MIB
    assert MIB <= spool.part_rooms()[RECORD] < 2 * MIB
    # Opened after a power cut, what was held still counts.
    with Spool(tmp_path, boot="two").open_part(RECORD) as part:
        assert part.length == MIB
    # And with nothing reserved nothing is cut again.
    system = FaultySystem()
    PartFile(tmp_path / "part" / f"{RECORD}.part", boot="two", system=system).close()
    assert "ftruncate" not in system.told


def test_room_that_cannot_be_given_back_costs_no_byte(tmp_path: Path) -> None:
    system = FaultySystem(Fault(nth=1, how="before", name="ftruncate", code=errno.EIO))
    spool = Spool(tmp_path, boot="one", system=system)
    begun(spool).close()
    assert spool.part_length(RECORD) == MIB
    assert spool.part_rooms()[RECORD] >= 16 * MIB


def test_a_whole_file_is_not_touched_at_its_close(tmp_path: Path) -> None:
    spool = Spool(tmp_path, boot="one")
    part = spool.open_part(RECORD)
    part.preallocate(MIB)
    with BUFFERS.lend() as buffer:
        part.write_at(buffer, 0)
    before = os.stat(part.path)
    part.close()
    assert os.stat(part.path).st_ctime_ns == before.st_ctime_ns
    assert spool.part_rooms() == {RECORD: before.st_blocks * 512}
