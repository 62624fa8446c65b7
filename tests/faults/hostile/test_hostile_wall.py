"""What a card carries to the wall is text and nothing else: no markup, nothing that steers, in page and dialogue."""

import asyncio
from pathlib import Path

import httpx
import pytest
from bwcdock import app, slots
from bwcdock.core.facts import Sighting
from bwcdock.testing.station import StationBed
from bwcdock.web.application import build
from bwcdock_drivers.mass_storage import MassStorageDriver
from card_makers import HONEST, exfat
from hostile_case import Files
from hostile_world import logged, must_be_told_harmless, raw_in

PORT = "pci-0000:00:14.0-usb-0:1.1"
MARKED = "<script>"
STEERS = f"\x1b[31m{MARKED}\u202e\n"


def marked(path: Path) -> Files:
    """A card whose label, folders and names are markup and steer."""
    name = f"DCAM_D2F018_{STEERS}_20261121_080000.mp4"
    return exfat(path, ((STEERS, name), b"x"), ((STEERS, f"{MARKED}.mp4"), b"y"), label=MARKED + "\x1b\u202e")


def broken(path: Path) -> None:
    """A card that is refused with what stands in its boot sector."""
    marked(path)
    with path.open("r+b") as image:
        image.seek(0x6C)
        image.write(b"\xff")


@pytest.mark.parametrize("make", [marked, broken])
async def test_the_wall_shows_text_alone(tmp_path: Path, make) -> None:
    image = tmp_path / "1.img"
    make(image)
    (tmp_path / "dock").mkdir()
    bed = StationBed(tmp_path / "dock", drivers=[MassStorageDriver()])
    bed.settings.paths.slots.write_text(slots.render([slots.Slot(number=1, port=PORT)]), encoding="utf-8")
    house = app.house(bed.settings, clock=bed.clock)
    transport = httpx.ASGITransport(app=build(house), client=("127.0.0.1", 40000))
    properties = (("ID_MODEL", f"{MARKED}model"), ("ID_VENDOR", f"{MARKED}vendor"))
    try:
        with logged() as log:
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://localhost:8380") as screen,
                bed.at_work(),
            ):
                empty = (await screen.get("/wall?lang=en")).text
                bed.watch.others[PORT] = Sighting(port=PORT, source=str(image), slot=1, properties=properties)
                ended = lambda: [s for s in bed.sessions() if s.receipt or s.state.value == "faulted"]  # noqa: E731
                await bed.until(ended)
                told = [await _told(screen, lang, empty) for lang in ("zh", "en")]
    finally:
        house.close()
    for text in (each for pair in told for each in pair):
        assert f"{MARKED}m" not in text
        assert f"{MARKED}v" not in text
        assert text.count(MARKED) <= empty.count(MARKED)
        assert not raw_in(text), raw_in(text)
    must_be_told_harmless(bed, log.getvalue())
    assert HONEST.keys() <= {record.item.path for record in bed.records()} or make is broken


async def _told(screen: httpx.AsyncClient, lang: str, empty: str) -> tuple[str, str]:
    """The page once it is another than the empty dock's, and the dialogue of the slot."""
    for _ in range(100):
        page = (await screen.get(f"/wall?lang={lang}")).text
        if 'data-shows="empty"' not in page and page != empty:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("the wall shows nothing of it")
    return page, (await screen.get(f"/wall/slot/s1?lang={lang}")).text
