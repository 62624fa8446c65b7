"""A recorder with known content, also as a process that serves it by PTP/IP and does what it is told line by line."""

import hashlib
import sys
from random import Random

from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import ANDROID, CAMERA, MtpDevice

# Around blocks and packets: with its header of 12 bytes, 500 and 4084 fill the last packet of a transfer.
SIZES = (0, 1, 499, 500, 501, 512, 1012, 4084, 4096, 70_000, 3 * 65536 - 12, 1_234_567)


def content() -> dict[str, bytes]:
    chance = Random(7)
    files = {
        f"Media/DCAM_D2F018_033021_20261121_0830{at:02}.mp4": chance.randbytes(size) for at, size in enumerate(SIZES)
    }
    return files | {"IMP/王建国 录像.mp4": chance.randbytes(5000), "log.txt": b"usb attached\n"}


def device(**kind: object) -> MtpDevice:
    # Without a clock it is quicker: one is asked until its second turns.
    made = MtpDevice(**({"props": (0x5001,)} | kind))  # type: ignore[arg-type]
    for path, data in content().items():
        made.record(path, data)
    return made


def fingerprint(made: MtpDevice) -> str:
    told = hashlib.sha256(str(made.clock_set).encode())
    for handle, thing in sorted(made.things.items()):
        raw = bytearray(thing.content.size if thing.content else 0)
        if thing.content:
            thing.content.fill(0, memoryview(raw))
        told.update(f"{handle} {thing.name} {thing.parent} {thing.modified} {thing.protected}".encode())
        told.update(raw)
    return told.hexdigest()


def main(kind: str) -> None:
    made = device(operations=CAMERA if kind == "camera" else ANDROID)
    with IpResponder(made) as responder:
        print(responder.source, flush=True)
        for line in sys.stdin:
            if line == "fingerprint\n":
                print(fingerprint(made), flush=True)
            elif line == "vanish\n":
                made.unplug()
                responder.close()
                print("gone", flush=True)
            else:
                return


if __name__ == "__main__":
    main(sys.argv[1])
