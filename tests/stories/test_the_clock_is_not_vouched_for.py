"""Nobody vouches for the station's own clock: that stands in the findings and in every manifest of that time."""

from pathlib import Path

from bwcdock.clock import WallClock
from bwcdock.core.facts import Settled, Started
from bwcdock.manifest import MANIFEST, Manifest, open_signed
from bwcdock.testing.station import SYNCHRONISED, StationBed


async def test_told_in_findings_and_manifests_until_it_is_mended(tmp_path: Path) -> None:
    kernel = ["the kernel does not say"]
    clock = WallClock(kernel=lambda: kernel[0] if kernel else SYNCHRONISED)
    bed = StationBed(tmp_path, {"ledger": {"beat_s": 0.2}}, clock=clock)
    card = bed.recorder("F1-0001")
    card.record("a.mp4", b"x" * 1000)
    async with bed.at_work() as station:
        card.plug("usb-1")
        await bed.until_settled(card)
        (told,) = bed.findings("clock.unvouched")
        assert told.what == "The station's own clock is not vouched for: unvouched: the kernel does not say."
        assert "chrony" in told.remedy
        kernel.clear()
        await bed.until(lambda: not bed.findings("clock.unvouched"))
        card.record("b.mp4", b"y" * 1000)
        card.plug("usb-2")
        await bed.until_settled(card)
        verifier = station.bench.signer.verifier
    said = {}
    for path in ("a.mp4", "b.mp4"):
        data = bed.central(bed.record(path).held[0].key + MANIFEST).read_bytes()
        said[path] = open_signed(data, Manifest, verifier).station_clock
    assert said == {
        "a.mp4": "unvouched: the kernel does not say",
        "b.mp4": "synchronised, wrong by at most 1 ms (estimated 1 ms)",
    }
    assert bed.facts(Started)[0].clock == said["a.mp4"]
    assert [f.code for f in bed.facts(Settled)] == ["clock.unvouched"]
    bed.must_agree()
