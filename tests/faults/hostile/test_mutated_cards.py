"""Thousands of cards with a few bytes of their tables changed, each through a locked-in reader of its own.

Judged of each: a refusal of the product's own kind, or a listing whose files can be read to their ends or say which
bytes they lack; never another exception, never more than 256 MiB or 10 s, and the card's bytes stay as they were.
BWCDOCK_SEED and the number of a card make it again (of NTFS nearly: its maker writes the time of the day into it);
BWCDOCK_CAMPAIGN=long tries 20,000.
"""

import os
import random
import signal
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import Misbehaved, Unreadable
from bwcdock.media import look
from bwcdock.testing.driver_suite import page_aligned
from bwcdock.testing.exfat_records import upcase_table
from bwcdock_drivers import reading
from bwcdock_drivers.mass_storage import MassStorageDriver
from card_makers import MIB, WALL, exfat, ext, fat
from hostile_world import LIMIT_S, PEAK_MIB
from ntfs_cards import NEEDS, can_be_made, compressed, ntfs
from reader_house import Readers, readers

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
CARDS = 20_000 if LONG else 1_000
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
FILM = bytes(range(256)) * 100
AT_ONCE = 50
"""Cards between two looks at what their readers cost."""

NTFS_UPCASE = struct.pack("<97H", *range(97))
"""How the table of capitals of NTFS begins: 128 KiB that nobody reads."""

MOST_READ = 4 * MIB
"""Bytes of a file that are read: a mutated one may claim as much as its card."""


def _filled(volume) -> None:
    for name in ("DCIM/A.MP4", "DCIM/SUB/B.MP4", "C.JPG"):
        volume.add(name, FILM, modified=WALL)


def bases(directory: Path) -> list[Path]:
    """One card of every file system that can be made here, each with files in folders."""
    names = [directory / f"{n}.img" for n in range(1, 7)]
    exfat(names[0], (("DCIM", "A.mp4"), FILM), (("DCIM", "SUB", "B.mp4"), FILM), (("C.jpg",), FILM), label="BWC")
    fat(names[1], _filled, bits=12)
    fat(names[2], _filled, bits=16)
    fat(names[3], _filled, bits=32)
    ext(names[4], "mkdir d", "mkdir d/e", "symlink l /etc/passwd")
    exfat(names[5], (("DCIM", "A.mp4"), FILM), partitioned=True, size=3 * MIB)
    if not can_be_made():
        print(f"WITHOUT NTFS: {NEEDS}")
        return names
    ntfs(directory / "7.img", _windows, size=8 * MIB)
    return [*names, directory / "7.img"]


def _windows(at: Path) -> None:
    (at / "DCIM").mkdir()
    for folder in (at / "DCIM", compressed(at / "DCIM/SUB")):
        (folder / "A.mp4").write_bytes(FILM)
        (folder / "small.txt").write_bytes(b"in the table")
    (at / "DCIM" / ("long " * 40)).write_bytes(FILM)


def sectors(base: Path) -> list[int]:
    """Where a card's tables lie: every sector that is not empty, no copy, no up-case table and no film."""
    data = base.read_bytes()
    table = upcase_table()[1].ljust(8192, b"\0")
    seen = {FILM[at : at + 512] for at in range(0, len(FILM), 256)}
    seen |= {table[at : at + 512] for at in range(0, len(table), 512)} | {bytes(512)}
    windows = data.find(NTFS_UPCASE)
    skipped = range(windows, windows + (128 << 10)) if windows >= 0 else ()
    found = []
    for at in range(0, len(data), 512):
        sector = data[at : at + 512]
        if at not in skipped and sector not in seen and b"honest recorder" not in sector:
            found.append(at)
        seen.add(sector)  # a second copy of a table is not read
    return found


def mutation(dice: random.Random, where: list[int], data: bytes) -> list[tuple[int, bytes]]:
    """A few bytes at a few places of the tables: bits, extremes, whole words, and pieces of other tables."""
    changes = []
    for _ in range(dice.randint(1, 8)):
        sector = dice.choice(where)
        written = [at for at in range(512) if data[sector + at]] if dice.random() < 0.8 else range(512)
        at = min(sector + dice.choice(written), len(data) - 8)
        width = dice.choice((1, 1, 2, 4, 8))
        value = dice.choice((0, 1, 2, (1 << 8 * width) - 1, 1 << (8 * width - 1), dice.getrandbits(8 * width)))
        changes.append((at, (value & (1 << 8 * width) - 1).to_bytes(width, dice.choice(("little", "big")))))
    return changes


@contextmanager
def mutated(fd: int, changes: list[tuple[int, bytes]]) -> Iterator[None]:
    """The card with these bytes, and as it was afterwards."""
    before = [(at, os.pread(fd, len(data), at)) for at, data in changes]
    for at, data in changes:
        os.pwrite(fd, data, at)
    try:
        yield
    finally:
        for at, data in reversed(before):
            os.pwrite(fd, data, at)


def outcome(driver: MassStorageDriver, card: Path) -> str:
    """What a docking makes of it: ``refused``, ``found``, or ``let in``."""
    buffer = page_aligned(MIB)
    try:
        with driver.open(Sighting(port="p", source=str(card))) as recorder:
            found = bool(recorder.condition(NOW).notes)
            for item in recorder.items():
                data = bytearray()
                try:
                    while len(data) < min(item.size, MOST_READ):
                        got = recorder.read_into(item, len(data), buffer)
                        assert got, f"{item.path} ends at {len(data)} of {item.size}"
                        data += buffer[:got]
                except Unreadable as lacking:
                    found = bool(lacking.spans)
                    if not found:
                        raise AssertionError(f"{item.path}: {lacking} names no bytes") from lacking
                assert item.path.isprintable()
                look(lambda at, length, d=data: bytes(d[at : at + length]), len(data), item.path)
            return "found" if found else "let in"
    except (Misbehaved, Unreadable):
        return "refused"


@pytest.mark.timeout(7200 if LONG else 600)
def test_no_mutated_card_harms_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property) -> None:
    seed = int(os.environ.get("BWCDOCK_SEED") or random.SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    cards = bases(tmp_path)
    told = [(card, sectors(card), card.read_bytes()) for card in cards]
    came: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    driver = MassStorageDriver()
    worst = [0.0, 0.0]
    with readers(tmp_path, forked=True) as house:
        monkeypatch.setenv(reading.SOCKET_VARIABLE, str(house.address))
        fds = [os.open(card, os.O_RDWR) for card in cards]
        try:
            for number in range(CARDS):
                dice = random.Random(f"{seed} {number}")
                place = number % len(cards)
                card, where, data = told[place]
                changes = mutation(dice, where, data)
                with mutated(fds[place], changes):
                    try:
                        came[outcome(driver, card)] += 1
                    except Exception as error:
                        error.add_note(f"BWCDOCK_SEED={seed}, card {number} ({card.name}): {changes}")
                        raise
                if number % AT_ONCE == AT_ONCE - 1:
                    ended += _weighed(house, worst, f"BWCDOCK_SEED={seed}, before card {number}")
        finally:
            for fd in fds:
                os.close(fd)
    for card, _, data in told:
        assert card.read_bytes() == data, card.name
    died = dict(ended) or "none"
    print(f"{CARDS} cards: {came}, readers ended by a signal: {died}, at most {worst[0]:.0f} MiB and {worst[1]:.1f} s")
    assert all(came[each] for each in ("refused", "found", "let in")), came
    row = ["mutated tables", CARDS, came["refused"], came["found"], came["let in"]]
    record_property("hostile", [*map(str, row), f"{worst[0]:.0f}", f"{worst[1]:.1f}"])


def _weighed(house: Readers, worst: list[float], where: str) -> Counter[str]:
    """Which signals ended readers since this was last asked; none of all may have cost too much."""
    weighed = house.weighed(AT_ONCE)
    worst[0] = max(worst[0], *(each.peak_mib for each in weighed))
    worst[1] = max(worst[1], *(each.cpu_s for each in weighed))
    assert worst[0] <= PEAK_MIB, where
    assert worst[1] <= LIMIT_S, where
    return Counter(signal.Signals(each.signal).name for each in weighed if each.signal)
