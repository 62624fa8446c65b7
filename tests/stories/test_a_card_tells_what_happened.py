"""A real card with a torn recording, a deleted one and a fast clock: kept, told, and set right."""

import os
from datetime import timedelta
from pathlib import Path

from bwcdock.core.facts import Checked, Found, Listed, Sealed
from bwcdock.testing.card import ZONE
from bwcdock.testing.cards import dcam_exfat
from bwcdock.testing.clock import VirtualClock
from bwcdock.testing.station import StationBed
from bwcdock_drivers.mass_storage import MassStorageDriver

FAST = timedelta(minutes=7)


async def test_torn_deleted_and_seven_minutes_fast(tmp_path: Path) -> None:
    clock = VirtualClock()
    (tmp_path / "cards").mkdir()
    card = dcam_exfat(tmp_path / "cards" / "dcam.img", clock.now(), seconds=1, clips=3, fast_by=FAST)
    before = (os.stat(card.path).st_mtime_ns, card.path.read_bytes())
    bed = StationBed(tmp_path, drivers=[MassStorageDriver()], clock=clock)
    async with bed.at_work():
        bed.watch.show("usb-1", card.path)
        await bed.until(lambda: bed.sessions() and bed.sessions()[0].receipt, limit_s=40)
    records = {r.item.path: r for r in bed.records()}
    assert {path: r.digests.sha256 for path, r in records.items()} == {f.path: f.sha256 for f in card.items}
    assert {r.recorder for r in records.values()} == {card.serial}

    # Torn: kept and proven as it is, marked, and told; also the one that was never published.
    torn = {records[file.path].id: file for file in card.truncated}
    assert [file.path.partition("/")[0] for file in torn.values()] == ["Media", "Temp"]
    for sealed in bed.facts(Sealed):
        assert sealed.media.truncated == (sealed.record in torn)
    assert all(records[file.path].digests.sha256 == file.sha256 for file in torn.values())
    told = [f for f in bed.facts(Found) if f.finding.code == "media.truncated"]
    assert {f.record for f in told} == set(torn)
    assert all("中断原因" in f.finding.remedy for f in told)
    staged = next(r for path, r in records.items() if path.startswith("Temp/"))
    assert staged.item.markers == ("stray",)

    # Deleted: named by its finding, never pulled.
    (gone,) = card.deleted
    (deleted,) = [f for f in bed.sessions()[0].findings if f.code == "deleted.before_docking"]
    assert gone.path in {name for name, _ in deleted.evidence}
    assert gone.path not in records
    assert gone.sha256 not in {r.digests.sha256 for r in records.values()}

    # Fast: measured by the file it wrote at docking, told, and every time set right within what is claimed for it.
    (checked,) = bed.facts(Checked)
    drift = checked.condition.drift
    assert drift.method == "plug-file"
    assert abs(timedelta(milliseconds=drift.offset_ms) - FAST) <= timedelta(milliseconds=drift.uncertainty_ms)
    assert [f.code for f in checked.findings if f.code == "clock.drift"]
    recordings = [f for f in card.items if f.start is not None]
    assert len(recordings) > 5
    for file in recordings:
        corrected = records[file.path].corrected
        assert corrected.method == "plug-file"
        true = file.start.astimezone(ZONE) - FAST
        assert abs(corrected.start - true) <= timedelta(milliseconds=corrected.uncertainty_ms), file.path
        assert corrected.uncertainty_ms < 120_000
    # The claim stands as the recorder made it.
    claimed = {f.item.path: f.item.claim.start for f in bed.facts(Listed)}
    assert all(claimed[file.path] == file.start for file in recordings)
    assert (os.stat(card.path).st_mtime_ns, card.path.read_bytes()) == before
    bed.must_agree()
