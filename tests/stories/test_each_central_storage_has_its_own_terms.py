"""Each central storage is used in its own hours, with its own waits, and by as many calls at once as it is set."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bwcdock import config, metrics, overview
from bwcdock.app import law_of
from bwcdock.core.facts import Confirmed, LookedAgain
from bwcdock.ledger import open_read_only
from bwcdock.metrics.exposition import families
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.sinks import MemorySink
from bwcdock.testing.station import StationBed

NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)  # a Wednesday, 12:00 at the station
EVENING = NOON.replace(hour=11)


def with_two(directory: Path, clock: VirtualClock, told: str) -> tuple[StationBed, MemorySink, MemorySink]:
    """A station with a second storage "vault", for which its settings say ``told``."""
    first, second = MemorySink("central"), MemorySink("vault")
    half = {"spool": {"second_look_after_s": 43200}}
    bed = StationBed(directory, half, clock=clock, sinks={"central": first, "vault": second})
    path = directory / "station" / "bwcdock.toml"
    more = f'\n[[sink]]\nname = "vault"\npath = "vault"\n{told}\n'
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    bed.settings = config.load(path)
    return bed, first, second


def opens(bed: StationBed, name: str) -> datetime | None:
    (store,) = [
        store for store in bed.ask(lambda ledger: overview.status(bed.settings, ledger, bed.clock.now())).stores
        if store.name == name
    ]  # fmt: skip
    return store.opens


async def test_recordings_wait_for_the_hours_of_a_storage_and_heads_do_not(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    bed, _, second = with_two(tmp_path, clock, 'window = ["mon-fri 19:00-07:00"]')
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    async with bed.at_work() as station:
        card.plug()
        await bed.until(lambda: bed.facts(Confirmed))
        await station.witness()
        assert second.newest("checkpoints/test-dock", ".note", 1)  # what is small and signed goes at any time
        (shown,) = [queue for queue in station.live().sinks if queue.name == "vault"]
        assert (shown.up, shown.opens, shown.waiting) == (None, EVENING, 1)
        assert opens(bed, "vault") == EVENING
        assert opens(bed, "central") is None
        for _ in range(5):
            clock.advance(timedelta(hours=1))
            await asyncio.sleep(0.05)  # two rounds of the loop
        assert [fact.sink for fact in bed.facts(Confirmed)] == ["central"]
        assert not [call for call in second.calls if call[0] == "put"]
        clock.advance(timedelta(hours=2))
        await bed.until(lambda: len(bed.facts(Confirmed)) == 2)
        assert opens(bed, "vault") is None
        await bed.until_settled(card)
        # The second look falls due at seven in the morning, when the hours have just ended.
        clock.advance(timedelta(hours=12))
        await bed.until(lambda: clock.advance(600) or len(bed.facts(LookedAgain)) == 2)
    looked = [e.at for e in bed.entries() if isinstance(e.fact, LookedAgain) and e.fact.sink == "vault"]
    assert all(at >= EVENING + timedelta(days=1) for at in looked)
    bed.must_agree()


def test_what_is_closed_is_a_figure(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    bed, _, _ = with_two(tmp_path, clock, 'window = ["mon-fri 19:00-07:00"]')
    told = {}
    with open_read_only(bed.settings.paths.ledger) as ledger:
        for family in families(bed.settings, ledger, law_of(bed.settings), NOON, metrics.Memory(), None):
            told |= {s.labels["sink"]: s.value for s in family.samples if s.name == "bwcdock_sink_closed"}
    assert told == {"central": 0, "vault": 1}


async def test_each_waits_as_its_own_settings_say(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    bed, first, second = with_two(tmp_path, clock, "backoff_first_s = 3600\nbackoff_max_s = 3600")
    card = bed.recorder("F1-0001")
    card.record("a.mp4", Random(1).randbytes(50_000))
    first.down = second.down = True
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: bed.findings("sink.down.central") and bed.findings("sink.down.vault"))

        def puts(sink: MemorySink) -> int:
            return sum(1 for op, _ in sink.calls if op == "put")

        tried = puts(second)
        await bed.until(lambda: clock.advance(1) or puts(first) > 10)
        assert puts(second) == tried
        first.down = second.down = False
        await bed.until(lambda: clock.advance(60) or bed.record("a.mp4").finished)
        await bed.until_settled(card)
    bed.must_agree()


class Gathering(MemorySink):
    """Keeps every put until it is let go, and counts those that are there at once."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.there = self.most = 0
        self.gate, self._counted = threading.Event(), threading.Lock()

    def put(self, *args) -> None:  # type: ignore[no-untyped-def]
        with self._counted:
            self.there += 1
            self.most = max(self.most, self.there)
        self.gate.wait()
        with self._counted:
            self.there -= 1
            super().put(*args)


async def test_each_is_given_as_many_calls_at_once_as_it_is_set(tmp_path: Path) -> None:
    clock = VirtualClock(NOON)
    bed, _, _ = with_two(tmp_path, clock, "parallel = 3")
    first, second = Gathering("central"), Gathering("vault")
    bed.sinks = {"central": first, "vault": second}
    card = bed.recorder("F1-0001")
    for at in range(5):
        card.record(f"{at}.mp4", Random(at).randbytes(5_000))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: first.there == 2 and second.there == 3)
        first.gate.set()
        second.gate.set()
        await bed.until_settled(card)
    assert (first.most, second.most) == (2, 3)
    bed.must_agree()
