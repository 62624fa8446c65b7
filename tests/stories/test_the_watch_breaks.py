"""What is docked cannot be looked at for a while: told at once, and nothing that is docked is taken for gone."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from random import Random

from bwcdock.core.facts import Departed, Finding, Found, Settled, Severity, Sighting
from bwcdock.testing.station import FakeWatch, StationBed


class Breaking(FakeWatch):
    """Breaks when told to, and may have something to say about its places."""

    broken: OSError | None = None
    said: tuple[Finding, ...] = ()

    def current(self, now: datetime) -> Sequence[Sighting]:
        if self.broken:
            raise self.broken
        return super().current(now)

    @property
    def findings(self) -> Sequence[Finding]:
        return self.said


def codes(bed: StationBed) -> list[str]:
    return [fact.finding.code for fact in bed.facts(Found)]


async def test_a_mount_that_breaks_does_not_end_the_station(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    bed.watch = Breaking(bed.driver)
    recorder = bed.recorder("CAM1")
    recorder.record("a.mp4", Random(1).randbytes(100_000))
    async with bed.at_work():
        recorder.plug("usb-1")
        await bed.until_settled(recorder)
        bed.watch.broken = OSError(5, "Input/output error")
        await bed.until(lambda: "watch.failed" in codes(bed))
        assert not bed.facts(Departed)
        bed.watch.broken = None
        await bed.until(lambda: [f for f in bed.facts(Settled) if f.code == "watch.failed"])
    assert codes(bed).count("watch.failed") == 1
    bed.must_agree()


async def test_what_is_wrong_with_the_places_is_told_at_once_and_settled_at_once(tmp_path: Path) -> None:
    """The heartbeat comes every ten minutes; a custodian is not to wait for it."""
    bed = StationBed(tmp_path)
    bed.watch = Breaking(bed.driver)
    async with bed.at_work():
        bed.watch.said = (Finding(severity=Severity.WARN, code="drop.link", what="It is a link.", remedy="Copy it."),)
        await bed.until(lambda: "drop.link" in codes(bed))
        bed.watch.said = ()
        await bed.until(lambda: [f for f in bed.facts(Settled) if f.code == "drop.link"])
    bed.must_agree()
