"""What was freed goes back to the system, in a process whose threads and large blocks come and go."""

import ctypes
import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from bwcdock import allocator
from bwcdock.core.facts import Beat
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import Ledger, codec
from bwcdock.testing.station import StationBed
from ledger_world import T0, new_ledger

CHURN = """
import sys, threading
from bwcdock import allocator

def resident():
    with open("/proc/self/status") as status:
        return int(status.read().split("VmRSS:")[1].split()[0]) >> 10

if sys.argv[1] == "settled":
    allocator.settle()
small, before = [], resident()

def dock():
    large = [bytearray(1 << 20)]
    for _ in range(20):
        small.append(bytes(2000))  # above what Python keeps house of itself
        large.append(bytearray(1 << 20))

bytearray(16 << 20)  # freed at once: what glibc learns from
for _ in range(12):
    docked = [threading.Thread(target=dock) for _ in range(4)]
    for each in docked:
        each.start()
    for each in docked:
        each.join()
print(resident() - before)
"""


SCATTER = """
import sys
from bwcdock import allocator

def resident():
    with open("/proc/self/status") as status:
        return int(status.read().split("VmRSS:")[1].split()[0]) >> 10

blocks = [bytes(2000) for _ in range(20_000)]
before = resident()
blocks = blocks[::50]
if sys.argv[1] == "given back":
    allocator.give_back()
print(before - resident())
"""


AWAITED = """
import asyncio, sys
from bwcdock import allocator

ARENA = 1 << 20  # of Python's allocator

if sys.argv[1] == "settled":
    allocator.settle()

async def busy():
    future = asyncio.get_running_loop().create_future()
    held, blocks = [], []
    for _ in range(50):  # each about a megabyte further on than the last: what is held has the size of an await
        held.append([(n,) for n in range(20_000)])
        blocks.append(iter(future))
    return len({id(block) // ARENA for block in blocks})

print(asyncio.run(busy()))
"""


def told(program: str, how: str) -> int:
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_was_freed_goes_back():
    left, settled = told(CHURN, "left alone"), told(CHURN, "settled")
    assert settled < 8
    assert left > settled + 8, "nothing to mend: the test no longer shows what the allocator does when it is left alone"


def test_pages_between_blocks_in_use_go_back_when_asked() -> None:
    assert told(SCATTER, "given back") > 20
    assert told(SCATTER, "left alone") < 5


def test_awaits_of_a_busy_hour_do_not_lie_all_over_memory() -> None:
    assert told(AWAITED, "settled") < 10
    assert told(AWAITED, "left alone") > 20, "nothing to mend: this Python puts them together itself"


def test_freed_tuples_that_python_keeps_go_as_well() -> None:
    before = sys.getallocatedblocks()
    many = [tuple(range(size)) for size in range(2, 20) for _ in range(1000)]
    del many
    kept = sys.getallocatedblocks() - before
    allocator.give_back()
    assert sys.getallocatedblocks() - before < 1000
    assert kept > 10_000, "nothing to mend: this Python keeps none"


def test_names_that_attributes_were_looked_up_by_go_as_well() -> None:
    allocator.give_back()  # or what is kept now takes the places of what was kept before
    before = sys.getallocatedblocks()
    names = [b"settle".decode() for _ in range(10_000)]  # C code makes a new string each time it asks for one
    for name in names:
        getattr(allocator, name)
    del names, name
    kept = sys.getallocatedblocks() - before
    allocator.give_back()
    assert sys.getallocatedblocks() - before < 100
    assert kept > 400, "nothing to mend: this Python keeps none"


def dead_notes() -> tuple[object, ...]:
    """What connections have noted of cursors that ended."""
    lists = [each for each in gc.get_objects() if type(each) is list and each]
    noted = [each for each in lists if all(type(one) is weakref.ref for one in each)]
    return tuple(one for each in noted for one in each if one() is None)  # no list, which would be found as well


class Malloc(ctypes.Structure):
    """``struct mallinfo2`` of mallinfo(3)."""

    _fields_ = [(f"field{number}", ctypes.c_size_t) for number in range(7)] + [
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


def in_use() -> int:
    """Bytes that C code has taken from the heaps, in blocks too small to be mapped for themselves."""
    told = ctypes.CDLL(None).mallinfo2
    told.restype = Malloc
    return int(told().uordblks)


def test_what_is_kept_of_the_ledger_goes_as_well(tmp_path: Path) -> None:
    elsewhere = dead_notes()
    with new_ledger(tmp_path / "station") as ledger:
        for _ in range(10):
            ledger.append([Beat(clock="synchronised")] * 500, T0)
        assert sum(1 for _ in ledger.entries()) > 5000
        pages, noted = in_use(), dead_notes()  # held, so that no other is where one of them was
        own = set(map(id, noted)) - set(map(id, elsewhere))
        assert own, "nothing to mend: this Python notes no cursors"
        ledger.give_back()
        assert pages - in_use() > 500_000
        assert not own & set(map(id, dead_notes()))
        assert ledger.size > 5000


async def test_a_station_gives_back_with_each_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(Ledger, "give_back", lambda _: given.append(2))
    monkeypatch.setattr(allocator, "give_back", lambda: given.append(1))
    bed = StationBed(tmp_path, {"ledger": {"beat_s": 0.05}})
    async with bed.at_work():
        codec._common("what many records have alike")
        await bed.until(lambda: given[:4] == [2, 1, 2, 1] and not codec._common.cache_info().currsize)


def test_a_ledger_that_is_closed_gives_nothing_back(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path / "station")
    ledger.close()
    with pytest.raises(LedgerBroken, match="give back"):
        ledger.give_back()
