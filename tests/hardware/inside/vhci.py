"""In the guest: recorders that speak MTP and cheat, as the program's own responder plays them on ports of vhci_hcd.

To the kernel they are USB devices in a hub. To us they are a few objects in this process, the same that the driver's
tests have: what was asked of them is known, and what goes wrong happens at the byte where it shall.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from recorders import DEPOT, film

sys.path.append("/opt/bwcdock/lib/python3.11/site-packages")

from bwcdock.testing.mtp_packets import Cable
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, Cheat, Fault, MtpDevice, Phase
from bwcdock.testing.mtp_usbip import UsbIp

HUB = Path("/sys/devices/platform/vhci_hcd.0")
FREE, HIGH_SPEED = 4, 3
"""As vhci_hcd calls a port with nothing in it, and a device of 480 Mbit/s."""
CHINA_S = 8 * 3600
FREE_S = 20.0

_made: dict[str, MtpDevice] = {}
_plugged: dict[str, UsbIp] = {}


def ports(count: int) -> list[str]:
    """Load the hub; the stable paths of its first ports."""
    subprocess.run(["modprobe", "vhci_hcd"], check=True)
    return [f"platform-vhci_hcd.0-usb-0:{port + 1}" for port in range(count)]


def make(name: str, files: int, size: int, *, whole: bool = False, zero_packets: bool = True) -> dict[str, str]:
    """A recorder with footage, not plugged in: the SHA-256 of each of its objects by its path; the first has ``size``.

    One that gives objects ``whole`` can do nothing else; without ``zero_packets`` it forgets to end full transfers.
    """
    store = DEPOT / f"{name}.vhci"
    sums = film(store, name, size, [f"DCIM/100MEDIA/DCAM_{name.upper()}_033021_{{stamp}}.mp4"] * files)
    _made[name] = made = MtpDevice(
        serial=name.upper(),
        maker="Lab",
        operations=CAMERA if whole else ANDROID,
        zero_packets=zero_packets,
        clock=lambda: _shown(time.clock_gettime(time.CLOCK_REALTIME)),
    )
    for path in sums:
        made.record(path, (store / path).read_bytes(), modified=_shown((store / path).stat().st_mtime))
    return sums


def _shown(at: float) -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(at + CHINA_S))


def cheat(name: str, *, op: int, phase: Phase, does: Cheat, at: int = 0, skip: int = 0) -> None:
    """Have this go wrong with it once, after so many bytes of data; ``skip`` times it goes well before."""
    _made[name].faults.append(Fault(op, phase, does, at=at, skip=skip))


def plug(name: str, port: int) -> float:
    """Put its cable into a port; the monotonic moment of that."""
    pull(name)
    until = time.monotonic() + FREE_S
    while not _is_free(port):
        if time.monotonic() > until:
            raise TimeoutError(f"port {port} does not become free")
        time.sleep(0.02)
    device = _made[name]
    device.is_there, device.is_open = True, False
    _plugged[name] = cabled = UsbIp(Cable(device))
    at = time.monotonic()
    (HUB / "attach").write_text(f"{port} {cabled.kernels.fileno()} {0x10000 + port} {HIGH_SPEED}")
    cabled.kernels.close()  # the kernel has it
    return at


def _is_free(port: int) -> bool:
    lines = (line.split() for line in (HUB / "status").read_text().splitlines()[1:])
    return any(hub == "hs" and (int(number), int(state)) == (port, FREE) for hub, number, state, *_ in lines)


def pull(name: str) -> float:
    """Pull the cable out; the monotonic moment of it."""
    at = time.monotonic()
    cabled = _plugged.pop(name, None)
    if cabled is not None:
        cabled.close()
    return at


def told(name: str) -> dict[str, Any]:
    """Whether its cable is in a port still, how many cheats are to come, and each operation that was asked of it."""
    made = _made[name]
    asked = [[op, list(params)] for op, params in made.asked]
    return {"there": made.is_there, "cheats": sum(each.times for each in made.faults), "asked": asked}
