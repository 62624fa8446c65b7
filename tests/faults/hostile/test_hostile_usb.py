"""Twenty-five hostile things on the bus: what each is taken for, what is said of it; no property goes in raw."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from bwcdock.core.facts import Listed
from bwcdock.detect.bus import PROPERTY_MAX, Docks, Node, Policy, look
from bwcdock.testing.station import StationBed
from bwcdock_drivers.mass_storage import MassStorageDriver
from card_makers import exfat
from hostile_world import logged, must_be_told_harmless, raw_in

HOST = "pci-0000:00:14.0-usb-0:"
POLICY = Policy(slots={f"{HOST}1.{n}": n for n in range(1, 5)}, live_s=600, switch_s=15)
STEERS = "\x1b[31mred\n\u202e<b>"


def usb(interfaces: str = ":080650:", chain: str = "1.1", **more: str) -> Node:
    """A USB device as udev tells it."""
    properties = {"ID_PATH": f"{HOST}{chain}", "ID_USB_INTERFACES": interfaces, "ID_VENDOR_ID": "1209", **more}
    source = f"/dev/bus/usb/001/{int(chain[-1]):03}"
    path = f"/devices/usb1/1-{chain}"
    return Node(path=path, subsystem="usb", source=source, properties={**properties, "DEVNAME": source})


def disk(chain: str = "1.1", name: str = "sdb", *, blocks: int = 1000, lun: int = 0, **more: str) -> Node:
    """A disk as udev tells it, write-protected."""
    at = f"{HOST}{chain}:1.0-scsi-0:0:0:{lun}"
    properties = {"ID_PATH": at, "DISKSEQ": "1", "USEC_INITIALIZED": "1000000", **more}
    path = f"/devices/usb1/1-{chain}/1-{chain}:1.0/host0/0:0:0:{lun}/block/{name}"
    source = f"/dev/{name}"
    return Node(path=path, subsystem="block", source=source, blocks=blocks, readonly=True, properties=properties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """A thing on the bus: how many sightings it is to be, and which findings, in order."""

    name: str
    nodes: tuple[Node, ...]
    sighted: int
    codes: tuple[str, ...] = ()


def plugged(name: str, *nodes: Node, sighted: int = 0, codes: tuple[str, ...] = ()) -> Plugged:
    return Plugged(name=name, nodes=nodes, sighted=sighted, codes=codes)


COMPOSITE = ("usb.composite",)
CASES = (
    plugged("a keyboard", usb(":030101:")),
    plugged("a keyboard and a mouse", usb(":030101:030102:")),
    plugged("a hub", usb(":090000:")),
    plugged("a keyboard and a disk in one", usb(":080650:030101:"), disk(), sighted=1, codes=COMPOSITE),
    plugged("a keyboard, and a disk that is not there yet", usb(":030101:080650:"), codes=COMPOSITE),
    plugged("a network and a disk in one", usb(":020600:0a0000:080650:"), disk(), sighted=1),
    plugged("a hub with a disk in one", usb(":090000:080650:"), disk(), sighted=1),
    plugged("a keyboard and a camera in one", usb(":030101:060101:"), sighted=1),
    plugged("what the rules kept off", usb(":030101:080650:", BWCDOCK_DENIED="1"), codes=("usb.denied",)),
    plugged("a camera that the rules kept off", usb(":060101:", BWCDOCK_DENIED="1"), codes=("usb.denied",)),
    plugged("a hundred interfaces", usb(":" + "ff0000:" * 99 + "030101:"), sighted=1),
    plugged("interfaces that are no numbers", usb(":zz:\x1b[2J:::"), sighted=1),
    plugged("no interfaces at all", usb(""), sighted=1),
    plugged("a serial that steers", usb(ID_SERIAL_SHORT=STEERS), disk(ID_SERIAL_SHORT=STEERS), sighted=1),
    plugged("a model of a hundred thousand characters", usb(), disk(ID_MODEL="M" * 100_000), sighted=1),
    plugged("a vendor that steers", usb(":080650:030101:", ID_VENDOR=STEERS), disk(), sighted=1, codes=COMPOSITE),
    plugged("an empty serial", usb(ID_SERIAL_SHORT=""), disk(ID_SERIAL_SHORT=""), sighted=1),
    plugged("a serial of zeros", usb(ID_SERIAL_SHORT="0" * 32), disk(ID_SERIAL_SHORT="0" * 32), sighted=1),
    plugged(
        "one serial at two slots",
        usb(ID_SERIAL_SHORT="A"), usb(chain="1.2", ID_SERIAL_SHORT="A"),
        disk(ID_SERIAL_SHORT="A"), disk("1.2", "sdc", ID_SERIAL_SHORT="A"),
        sighted=2,
    ),
    plugged(
        "no serial at two slots", usb(), usb(chain="1.2"), disk(), disk("1.2", "sdc"), sighted=2
    ),
    plugged("eight units in one device", usb(), *(disk(name=f"sd{n}", lun=n) for n in range(8)), sighted=8),
    plugged("a unit twice", usb(), disk(), disk(name="sdc"), sighted=2),
    plugged("a disk of nothing", usb(), disk(blocks=0)),
    plugged("a disk of 16 EiB", usb(), disk(blocks=(1 << 55) - 1), sighted=1),
    plugged("a camera at no slot", usb(":060101:", chain="1.9"), codes=("usb.no_slot",)),
)  # fmt: skip


def test_each_is_taken_for_what_it_is(record_property) -> None:
    assert len(CASES) == len({case.name for case in CASES}) == 25
    wrong, worst = [], 0.0
    for case in CASES:
        began = time.process_time()
        docks = look(case.nodes, Docks(), POLICY, 2.0)
        worst = max(worst, time.process_time() - began)
        told = docks.sightings(2.0)
        if (len(told), tuple(f.code for f in docks.findings)) != (case.sighted, case.codes):
            wrong.append(f"{case.name}: {[s.port for s in told]}, {[f.code for f in docks.findings]}")
        assert len({sighting.port for sighting in told}) == len(told), case.name
        for value in (v for s in told for _, v in s.properties):
            assert not raw_in(value), case.name
            assert len(value) <= 10 * PROPERTY_MAX, case.name
        assert not any(raw_in(each) for f in docks.findings for pair in f.evidence for each in pair), case.name
    assert not wrong, "\n".join(wrong)
    assert worst < 1
    found = sum(bool(case.codes) for case in CASES)
    aside = sum(not case.codes and not case.sighted for case in CASES)
    row = ["composite devices, serials", 25, aside, found, 25 - found - aside]
    record_property("hostile", [*map(str, row), "0", f"{worst:.1f}"])


@pytest.mark.parametrize("serial", [0, 0x0417ABCD], ids=["of none", "of one"])
async def test_two_cameras_with_one_serial_are_both_brought(tmp_path: Path, serial: int) -> None:
    cards = []
    for number in (1, 2):
        image = tmp_path / f"{number}.img"
        exfat(image, ((f"{number}.mp4",), b"%d" % number), serial=serial)
        cards.append(image)
    (tmp_path / "dock").mkdir()
    bed = StationBed(tmp_path / "dock", drivers=[MassStorageDriver()])
    with logged() as log:
        async with bed.at_work():
            for number, image in enumerate(cards):
                bed.watch.show(f"usb-{number}", image)
            await bed.until(lambda: len([s for s in bed.sessions() if s.receipt]) == 2)
    assert {"1.mp4", "2.mp4"} <= {record.item.path for record in bed.records() if record.finished}
    assert {fact.session for fact in bed.facts(Listed)} == {session.id for session in bed.sessions()}
    weak = ["identity.weak" in {f.code for f in session.findings} for session in bed.sessions()]
    assert weak == [not serial] * 2
    must_be_told_harmless(bed, log.getvalue())
    bed.must_agree()
