"""What a station at work publishes of what moves: bytes and speed, what presses, what went, how storage stands."""

import time
from datetime import timedelta

from bwcdock import __version__, overview
from bwcdock.core.live import LiveView
from bwcdock.core.view import Lamp
from bwcdock.showing import Showing
from bwcdock.steps.pull import Progress
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.recorder import FakeRecorder
from bwcdock.testing.station import StationBed

MANY = 8 << 20


def told(bed: StationBed) -> LiveView | None:
    return overview.published(bed.settings)


def card(bed: StationBed, serial: str = "F1-0001", *, hours: float = 1, **files: int) -> FakeRecorder:
    made = bed.recorder(serial)
    for name, size in files.items():
        made.record(f"{name}.mp4", bytes(size), start=bed.clock.now() - timedelta(hours=hours))
    return made


async def test_it_tells_how_fast_bytes_come_and_how_long_the_rest_takes(tmp_path):
    bed = StationBed(tmp_path, {"pull": {"chunk": "4 KiB"}})
    async with bed.at_work():
        long = 8 * MANY  # seconds of pulling in such small pieces: what lasts less may be through before it is shown
        made = card(bed, a=long, b=long)
        made.plug()
        view = await bed.until(lambda: (v := told(bed)) and v.moving and v.moving[0].seconds_left is not None and v)
        (session,), (moving,) = view.sessions, view.moving
        assert moving.session == session.session
        assert 0 < session.moved < session.bytes == 2 * long
        assert moving.bytes_s > 0
        assert moving.seconds_left >= 1
        made.unplug()
        await bed.until(lambda: not told(bed).sessions)


class Held:
    """A docking whose pulls stand still until the test moves them."""

    def __init__(self, session: str, **moving: Progress) -> None:
        self.session = session
        self.moving = moving
        self.changing = False


async def test_bytes_that_were_there_before_are_progress_and_not_speed(tmp_path):
    """A resumed file starts in its middle: at a stroke, but not by anything that was read."""
    bed = StationBed(tmp_path, clock=VirtualClock())
    async with bed.at_work():
        made = card(bed, a=MANY, b=MANY)
        made.hang("read_into")
        made.plug()
        await bed.until(lambda: len(bed.records()) == 2 and bed.sessions()[0].can_drain)
        (session,), (first, second) = bed.sessions(), bed.records()
        made.let_go()
        made.unplug()
    with bed.bench() as bench:
        here = Held(session.id, **{first.id: Progress(size=MANY)})
        records = {record.id: record for record in (first, second)}
        showing = Showing(
            bench,
            docked=lambda: [here],
            session=lambda _: session,
            records=lambda: records,
            sinks=dict,
            short=lambda: 0,
        )
        for done in (1_000, 2_000, 3_000):
            here.moving[first.id].done = done
            view = showing.view()
            bed.clock.advance(1)
        assert round(view.moving[0].bytes_s) == 1_000
        here.moving[second.id] = Progress(size=MANY, done=6_000_000, resumed=6_000_000)
        view = showing.view()
        assert view.sessions[0].moved == 6_003_000
        assert view.moving[0].bytes_s < 1_000
        here.moving.clear()  # pulled, and no fact tells of it yet
        assert showing.view().sessions[0].moved == 6_003_000
        showing.close()


async def test_it_tells_what_is_late_with_its_article_even_when_nothing_of_it_is_open(tmp_path):
    bed = StationBed(tmp_path)
    async with bed.at_work():
        made = card(bed, hours=30, a=5000, b=300)
        made.record("new.mp4", b"x" * 100, start=bed.clock.now() - timedelta(hours=1))
        made.plug()
        await bed.until_settled(made)
        view = await bed.until(
            lambda: (v := told(bed)) and [d.count for each in v.moving for d in each.due] == [2] and v
        )
        (due,) = view.moving[0].due
        assert due.verdict == "late"
        assert due.article == "S4-fuzhou 第十七条"
        assert due.regulation == "福州市城市管理委员会行政执法音像记录设备配备使用管理监督规定"
        made.unplug()


async def test_it_tells_of_what_was_taken_away_for_a_while(tmp_path):
    bed = StationBed(tmp_path)
    async with bed.at_work():
        whole, part = card(bed, a=100), card(bed, "F1-0002", b=MANY)
        part.yank("b.mp4", 4096)
        whole.plug("usb-1")
        part.plug("usb-2")
        await bed.until_settled(whole)
        whole.unplug()
        view = await bed.until(lambda: (v := told(bed)) and len(v.gone) == 2 and v)
        assert {gone.recorder: gone.lamp for gone in view.gone} == {
            "F1-0001": Lamp.GONE,
            "F1-0002": Lamp.UNFINISHED,
        }
        assert view.sessions == ()


async def test_it_tells_how_central_storage_stands_and_what_waits_for_it(tmp_path):
    bed = StationBed(tmp_path)
    bed.settings.sink[0].path.rename(tmp_path / "away")
    async with bed.at_work():
        made = card(bed, a=5000, b=300)
        made.plug()
        view = await bed.until(lambda: (v := told(bed)) and v.sinks[0].up is False and v.sinks[0].waiting == 2 and v)
        (sink,) = view.sinks
        assert (sink.name, sink.bytes) == ("central", 5300)
        assert sink.oldest == min(record.sealed_at for record in bed.records())
        assert sink.since <= view.at
        (tmp_path / "away").rename(bed.settings.sink[0].path)
        view = await bed.until(lambda: (v := told(bed)) and v.sinks[0].up and not v.sinks[0].waiting and v)
        assert (view.sinks[0].bytes, view.sinks[0].oldest) == (0, None)
        made.unplug()


async def test_it_tells_of_a_station_at_which_nothing_happens_and_what_it_is(tmp_path):
    bed = StationBed(tmp_path)
    async with bed.at_work() as station:
        first = await bed.until(lambda: told(bed))
        begun = time.monotonic()
        again = await bed.until(lambda: (v := told(bed)) and v.at > first.at and v)
        assert time.monotonic() - begun < 20  # every two seconds on a machine that is not busy
        assert again.version == __version__
        assert again.started <= first.at
        assert again.spool.free > 0
        assert again.clock
        assert not again.clock.startswith("unvouched")
        assert again.sinks[0].up is None or again.sinks[0].up
        assert station.live().sessions == ()
