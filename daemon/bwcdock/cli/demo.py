"""The demo: realistic cards made from nothing, docked, proven, judged and receipted; then everything proven again."""

import argparse
import sys
from pathlib import Path

from bwcdock import app, config, logs, stores
from bwcdock.audit import audit
from bwcdock.cli.common import DISAGREES, say, size
from bwcdock.cli.work import carry_through
from bwcdock.clock import WallClock
from bwcdock.errors import Misused
from bwcdock.settings import Settings
from bwcdock.settings.sinks import folders
from bwcdock.verify_central import verify


def demo(asked: argparse.Namespace) -> int:
    """`bwcdock demo`."""
    try:
        from bwcdock.testing import cards  # needs the extra `demo`, which a working station does without
    except ImportError as error:
        what = f"The demo makes footage with {error.name}, which is not installed."
        raise Misused("demo", what, "Run: pip install 'bwcdock[demo]'.") from error

    directory: Path = asked.directory
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise Misused("demo", f"{directory} is not empty.", "Name a new directory; nothing was changed.")
    station = directory / "station"
    clock = WallClock()
    app.found(station, rules=asked.rules, name="demo-dock", unit="福州市城市管理委员会", now=clock.now())
    say(f"Station made in {station} under {asked.rules}. Making four recorders' cards …")
    (directory / "cards").mkdir()
    images = []
    for name, make in (
        ("dcam", cards.dcam_exfat),
        ("dahua", cards.dahua_fat32),
        ("zzx", cards.zzx_fat32),
        ("novatek", cards.novatek_fat32),
    ):
        card = make(directory / "cards" / f"{name}.img", clock.now())
        total = sum(file.size for file in card.items)
        say(f"  {name}.img: {len(card.items)} files, {size(total)}; clock {card.clock_offset_s:+.0f} s")
        images.append(card.path)
    settings = config.load(station / config.SETTINGS_NAME)
    logs.configure(settings.log.format, "error", sys.stderr)
    # Made this minute, each with what its recorder writes when it is plugged in: so they are, as no copy is.
    status = carry_through(settings, images, live=True)
    return status if _prove(settings, clock, station) else DISAGREES


def _prove(settings: Settings, clock: WallClock, station: Path) -> bool:
    key = app.public_key(settings)
    proven = audit(settings, stores.sinks(settings, clock), key)
    folder = folders(settings.sink)[0].path
    central = verify(folder, key)
    say(
        "",
        f"audit:  {proven.leaves} ledger entries, {proven.records} records, {proven.central_objects} central copies:"
        f" {'all agree' if proven.agrees else 'DISAGREE'}",
        f"verify: {central.objects} objects, {central.receipts} receipts, {central.checkpoints} checkpoints:"
        f" {'all hold' if central.ok else 'DO NOT HOLD'}",
        *map(str, (*proven.disagreements, *central.disagreements)),
        "",
        f"Look further:  bwcdock -C {station} status | records | audit",
        f"               and the files in {folder}",
        f"               bwcdock -C {station} web, then http://{settings.web.listen}/wall",
    )
    return proven.agrees and central.ok
