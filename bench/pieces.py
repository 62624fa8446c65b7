"""Single steps, with the floor under each: listing, reading back, appending, pushing."""

import os
import shutil
import subprocess
from pathlib import Path

from bwcdock import app
from bwcdock.clock import WallClock
from bwcdock.core.facts import Digests, Fact, Listed, Obliged, Sighting
from bwcdock.core.record import Record
from bwcdock.ports import Driver
from bwcdock.reading import CHUNK, Buffers, Reading, read_back
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.spool import Spool

from bench import cards, stations
from bench.figures import Others, median, tell, timed
from bench.history import finished
from bench.scale import Scale

MIB = 1 << 20
A_BATCH = 250
"""Facts in one transaction, as docking writes them."""


def pieces(scale: Scale) -> None:
    _listing(scale)
    _seal(scale)
    _appends(scale)
    _push(scale)


def _listing(scale: Scale) -> None:
    """Open a card and list it, with the reader process that this takes."""
    card = cards.hollow(scale.work / "listed.exfat", "LISTED", files=scale.listed_files, size_each=4096)
    with stations.alone(scale.work / "station") as settings:
        (driver,) = (driver for driver in app.drivers(settings) if driver.name == "mass-storage")
        others, took = Others(scale.calm_s), []
        for _ in range(scale.pairs):
            with others.watching():
                took.append(timed(lambda: _listed(driver, card)))
    card.unlink()
    speeds = [scale.listed_files / seconds for seconds in took]
    tell("listing_speed", median(speeds), "files/s", of=speeds, others=others.share, note=f"{scale.listed_files} files")


def _listed(driver: Driver, card: Path) -> None:
    with driver.open(Sighting(port="bench", source=str(card))) as recorder:
        recorder.items()


def _seal(scale: Scale) -> None:
    """Sync, read back past the page cache, compare, publish; the floor is reading without looking."""
    spool = Spool(scale.work / "spool")
    others, took, floor = Others(scale.calm_s), [], []
    for number in range(scale.pairs):
        record, digests = f"{number:032x}", _part(spool, f"{number:032x}", scale.piece)
        with others.watching():
            took.append(timed(lambda: spool.seal(record, digests, scale.piece)))  # noqa: B023 - called at once
            path = spool.whole(record)
            assert path is not None
            floor.append(timed(lambda: _read(path)))  # noqa: B023
        path.unlink()
    shutil.rmtree(scale.work / "spool")
    speeds = [scale.piece / MIB / seconds for seconds in took]
    note = f"reading alone: {scale.piece / MIB / median(floor):.0f} MiB/s"
    tell("seal_speed", median(speeds), "MiB/s", of=speeds, others=others.share, note=note)


def _part(spool: Spool, record: str, size: int) -> Digests:
    """A partial file of ``size`` bytes that are not zeros."""
    with Buffers(1).lend() as buffer, spool.open_part(record) as part:
        buffer[:] = os.urandom(len(buffer))
        for offset in range(0, size, len(buffer)):
            part.write_at(buffer[: size - offset], offset)
        part.sync()
        told = read_back(part.fileno())
    return Digests(sha256="", blake3=told.blake3)


def _read(path: Path) -> None:
    with Buffers(1).lend() as buffer, Reading(path) as reading:
        for offset in range(0, reading.size, CHUNK):
            reading.fill(buffer, offset)


def _appends(scale: Scale) -> None:
    """Facts of new recordings into a new ledger: each committed alone, and as many at once as docking commits."""
    with finished(scale) as (settings, known), app.opened(settings) as bench:
        facts = _facts(known[0].session, known[0].recorder, scale.appends + 10 * A_BATCH, known)
        alone, rest = facts[: scale.appends], facts[scale.appends :]
        others = Others(scale.calm_s)
        with others.watching():
            one = timed(lambda: [bench.book.record([fact]) for fact in alone])
            many = timed(lambda: [bench.book.record(rest[at : at + A_BATCH]) for at in range(0, len(rest), A_BATCH)])
    tell("ledger_appends_alone", len(alone) / one, "facts/s", others=others.share, note="each durable before the next")
    tell("ledger_appends_batch", len(rest) / many, "facts/s", others=others.share, note=f"{A_BATCH} facts a commit")


def _facts(session: str, recorder: str, wanted: int, known: list[Record]) -> list[Fact]:
    made: list[Fact] = []
    for number in range(wanted // 2):
        like = known[number % len(known)]
        name = f"{number:032x}"
        assert like.obligation
        made += [
            Listed(record=name, session=session, recorder=recorder, item=like.item, corrected=like.corrected),
            Obliged(record=name, session=session, recorder=recorder, obligation=like.obligation),
        ]
    return made


def _push(scale: Scale) -> None:
    """A B A B: put one file and read it back whole with both digests, then ``cp`` + ``sync``."""
    size = scale.piece // 2
    spool, root = Spool(scale.work / "spool"), scale.work / "central"
    root.mkdir()
    sink = FilesystemSink("central", root)
    sink.initialise()
    digests = _part(spool, "0" * 32, size)
    source = spool.root / "part" / f"{'0' * 32}.part"
    digests = Digests(sha256=read_back(source, sha256=True).sha256, blake3=digests.blake3)
    others, pushed, copied = Others(scale.calm_s), [], []
    for number in range(scale.pairs):
        with others.watching():
            key = f"bench/{number}"
            pushed.append(timed(lambda: _pushed(sink, key, source, digests)))  # noqa: B023 - called at once
            copied.append(timed(lambda: _copied(source, scale.work / "copy")))
        (scale.work / "copy").unlink()
        (root / key).unlink()
        os.sync()
    shutil.rmtree(root)
    shutil.rmtree(spool.root)
    ratios = [a / b for a, b in zip(pushed, copied, strict=True)]
    speed = size / MIB / median(pushed)
    note = f"{speed:.0f} MiB/s; written, then read back whole with SHA-256 and BLAKE3, which cp does not do"
    tell("push_vs_copy", median(ratios), "ratio", of=ratios, others=others.share, note=note)


def _pushed(sink: FilesystemSink, key: str, source: Path, digests: Digests) -> None:
    sink.put(key, source, digests, WallClock().now())
    held = sink.stat(key)
    assert held is not None
    assert held.digests == digests


def _copied(source: Path, copy: Path) -> None:
    subprocess.run(["cp", "--reflink=never", source, copy], check=True)
    subprocess.run(["sync", copy], check=True)
