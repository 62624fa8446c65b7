"""Something is docked that no driver knows: it is said, nothing is pulled, and it holds up nobody."""

from pathlib import Path
from random import Random

from bwcdock.core.facts import Departed, Listed, Unclaimed
from bwcdock.core.session import State
from bwcdock.testing.station import StationBed
from bwcdock_drivers.folder import FolderDriver
from bwcdock_drivers.mass_storage import MassStorageDriver


async def test_unclaimed(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, drivers=[FolderDriver(), MassStorageDriver()])
    thing = tmp_path / "noise.img"
    thing.write_bytes(Random(1).randbytes(100_000))
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"x" * 1000)
    async with bed.at_work() as station:
        bed.watch.show("usb-1", thing)
        card.plug("usb-2")
        await bed.until_settled(card)
        (told,) = await bed.until(lambda: bed.facts(Unclaimed))
        assert told.reason == "no driver knows it"
        (session,) = [s for s in bed.sessions() if s.sighting.port == "usb-1"]
        assert session.state is State.UNCLAIMED
        assert await bed.until(lambda: station.is_done(["usb-1", "usb-2"]))
        bed.watch.take("usb-1")
        await bed.until(lambda: bed.facts(Departed, session=session.id))
    assert {f.session for f in bed.facts(Listed)} == {s.id for s in bed.sessions() if s.sighting.port == "usb-2"}
    bed.must_agree()


async def test_it_is_gone_before_it_is_opened(tmp_path: Path) -> None:
    bed = StationBed(tmp_path, drivers=[FolderDriver(), MassStorageDriver()])
    async with bed.at_work():
        bed.watch.show("usb-1", tmp_path / "never-there.img")
        await bed.until(lambda: bed.facts(Unclaimed))
        bed.watch.take("usb-1")
        await bed.until(lambda: bed.facts(Departed))
    bed.must_agree()
