"""A NAS in place of the folder a station was made with, or beside it: one command takes it, or says why not."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from bwcdock import config, stores
from bwcdock.cli import main
from bwcdock.core.facts import Confirmed
from bwcdock.errors import Misused, Unreachable
from bwcdock.sinks.filesystem import MARKER, FilesystemSink
from bwcdock.testing.station import StationBed


def led_to(bed: StationBed, nas: Path) -> None:
    """[[sink]] path is another one now, as an operator writes it."""
    path = bed.directory / "station" / "bwcdock.toml"
    text = re.sub(r'(?m)^path = "central"$', f'path = "{nas}"', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    bed.settings = config.load(path)


async def confirmed(bed: StationBed, count: int, serial: str) -> None:
    card = bed.recorder(serial)
    card.record("a.mp4", Random(serial).randbytes(50_000))
    async with bed.at_work():
        card.plug()
        await bed.until(lambda: len(bed.facts(Confirmed)) == count)


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    made = tmp_path / "nas"
    (made / "lost+found").mkdir(parents=True)
    return made


def content(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def sinks_init(bed: StationBed) -> int:
    return main(["-C", str(bed.directory / "station"), "sinks", "init"])


async def test_a_nas_in_place_of_the_first_folder(
    tmp_path: Path, nas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bed = StationBed(tmp_path)
    led_to(bed, nas)
    with pytest.raises(Unreachable, match="bwcdock sinks init"):
        stores.sinks(bed.settings, bed.clock)["central"].stat("a")
    assert sinks_init(bed) == 0
    assert "central: marked" in capsys.readouterr().out
    assert sinks_init(bed) == 0
    assert "central: in use already" in capsys.readouterr().out
    await confirmed(bed, 1, "F1-0001")
    assert (nas / "unit").is_dir()
    bed.must_agree()


async def test_a_storage_that_other_stations_share(tmp_path: Path, nas: Path) -> None:
    marker = FilesystemSink("central", nas).initialise()
    (nas / "unit").mkdir()
    bed = StationBed(tmp_path)
    led_to(bed, nas)
    assert sinks_init(bed) == 0
    assert (nas / MARKER).read_text().strip() == marker
    await confirmed(bed, 1, "F1-0001")
    bed.must_agree()


def test_what_was_never_taken_into_use_is_not_accepted(tmp_path: Path) -> None:
    bed = StationBed(tmp_path)
    (bed.settings.paths.keys / "central.central").unlink()
    with pytest.raises(Unreachable, match="not taken into use"):
        stores.sinks(bed.settings, bed.clock)["central"].stat("a")


async def in_use(bed: StationBed, nas: Path) -> None:
    await confirmed(bed, 1, "F1-0001")
    led_to(bed, nas)


async def in_use_and_another(bed: StationBed, nas: Path) -> None:
    FilesystemSink("central", nas).initialise()
    await in_use(bed, nas)


async def foreign(bed: StationBed, nas: Path) -> None:
    (nas / "accounts.xls").write_bytes(b"x")
    led_to(bed, nas)


async def both_the_same(bed: StationBed, nas: Path) -> None:
    FilesystemSink("central", nas).initialise()
    led_to(bed, nas)
    path = bed.directory / "station" / "bwcdock.toml"
    layout = bed.settings.sink[0].layout
    again = bed.directory / "mounted-twice"
    again.symlink_to(nas)
    more = f'\n[[sink]]\nname = "vault"\nkind = "filesystem"\npath = "{again}"\nlayout = "{layout}"\n'
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    bed.settings = config.load(path)


@pytest.mark.parametrize("how", [in_use, in_use_and_another, foreign, both_the_same])
async def test_refused_with_nothing_changed(tmp_path: Path, nas: Path, how: Callable[..., object]) -> None:
    bed = StationBed(tmp_path)
    await how(bed, nas)  # type: ignore[misc]
    before = content(bed.settings.paths.keys, nas)
    with pytest.raises(Misused, match="nothing was changed"):
        stores.take(bed.settings)
    assert content(bed.settings.paths.keys, nas) == before
