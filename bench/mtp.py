"""Recorders that speak MTP: how long a large one is listed, and how soon a large object is gone on with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bwcdock.core.facts import Sighting
from bwcdock.ports import Recorder
from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import ANDROID, MtpDevice, Sparse
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver

from bench.figures import Goal, Others, median, processor_s, tell, timed
from bench.scale import Scale

LARGE = 5 << 30
FAR = LARGE - (512 << 20)
A_FOLDER = 1000
ONE_BY_ONE = ANDROID - {0x9805}

Way = Callable[[MtpDevice], AbstractContextManager[Recorder]]


def mtp(scale: Scale) -> None:
    _listing(scale)
    _going_on(scale)


@contextmanager
def _usb(device: MtpDevice) -> Iterator[Recorder]:
    """Over the packets of USB, below pyusb."""
    there = Plugged(device)
    with MtpDriver(library=Library([there])).open(Sighting(port="usb-1", source=there.source)) as recorder:
        yield recorder


@contextmanager
def _ip(device: MtpDevice) -> Iterator[Recorder]:
    """Over TCP on the loopback."""
    with (
        IpResponder(device) as responder,
        MtpDriver().open(Sighting(port="net-1", source=responder.source)) as recorder,
    ):
        yield recorder


def _listing(scale: Scale) -> None:
    """Open a recorder and list it: by lists of all objects, and one by one where it has none."""
    for name, way, operations in (
        ("usb", _usb, ANDROID), ("ip", _ip, ANDROID), ("usb_one_by_one", _usb, ONE_BY_ONE),
        ("ip_one_by_one", _ip, ONE_BY_ONE),
    ):  # fmt: skip
        device = MtpDevice(operations=operations, props=())
        folders = [device.folder(f"{number:03}MEDIA") for number in range(-(-scale.listed_files // A_FOLDER))]
        for number in range(scale.listed_files):
            device.put(f"DCAM_D2F018_033021_20261121_{number:06}.mp4", b"", parent=folders[number // A_FOLDER])
        others, took, worked = Others(scale.calm_s), [], []
        for _ in range(scale.pairs):
            device.asked.clear()
            with others.watching():
                before = processor_s()
                took.append(timed(lambda: _listed(way, device, scale.listed_files)))  # noqa: B023 - called at once
                worked.append(processor_s() - before)
        note = f"processor's time, the played recorder's too; {median(took):.2f} s passed; {len(device.asked)} requests"
        # By the processor's time: nothing is waited for here, and what other programs take is no finding.
        figure, goal = f"mtp_listing_{scale.listed_files}_{name}", Goal(sign="<=", value=5)
        tell(figure, median(worked), "s", goal=goal, of=worked, others=others.share, note=note)


def _listed(way: Way, device: MtpDevice, wanted: int) -> None:
    with way(device) as recorder:
        assert len(recorder.items()) == wanted


def _going_on(scale: Scale) -> None:
    """From plugging in again to the first bytes of a large object behind what was brought of it before."""
    for name, way in (("usb", _usb), ("ip", _ip)):
        device = MtpDevice(props=())
        device.record("DCIM/long.mp4", Sparse(LARGE))
        others, took = Others(scale.calm_s), []
        for _ in range(scale.pairs):
            with others.watching():
                took.append(timed(lambda: _first(way, device)))  # noqa: B023 - called at once
        note = f"opened, listed, first bytes at {FAR / (1 << 30):g} of {LARGE >> 30} GiB"
        goal = Goal(sign="<=", value=1)
        tell(f"mtp_resume_5_gib_{name}", median(took), "s", goal=goal, of=took, others=others.share, note=note)


def _first(way: Way, device: MtpDevice) -> None:
    with way(device) as recorder:
        (item,) = recorder.items()
        view, true = memoryview(bytearray(1 << 16)), bytearray(1 << 16)
        got = recorder.read_into(item, FAR, view)
        Sparse(LARGE).fill(FAR, memoryview(true)[:got])
        assert got
        assert view[:got] == true[:got]
