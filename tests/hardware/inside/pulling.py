"""In the guest: pull one object off a recorder that speaks MTP, by the program's own driver or by libgphoto2.

A program of its own, for the interpreter that has what it needs: `pulling.py WITH NODE PATH OFFSET TARGET`. TARGET gets
what is read; with `-` in its place only the first piece is read, and nothing is kept. It prints its seconds as JSON.
"""

import json
import os
import sys
import time


def own(node: str, path: str, offset: str, target: str) -> dict[str, float]:
    """By the driver, in pieces as the station asks for them: until the session was open, all was listed, and so on."""
    from bwcdock.core.facts import Sighting
    from bwcdock.reading import CHUNK
    from bwcdock_drivers.mtp.driver import MtpDriver

    began = time.monotonic()
    with MtpDriver().open(Sighting(port="lab", source=node)) as recorder:
        opened = time.monotonic() - began
        items = recorder.items()
        listed = time.monotonic() - began
        item = next(each for each in items if each.path == path)
        buffer, at = memoryview(bytearray(CHUNK)), int(offset)
        asked = time.monotonic()
        got = recorder.read_into(item, at, buffer[:4096] if target == "-" else buffer)
        first = time.monotonic()
        if target != "-":
            with open(target, "wb", buffering=0) as file:
                while got:
                    at += file.write(buffer[:got])
                    got = recorder.read_into(item, at, buffer)
        return {
            "opened": opened, "listed": listed, "first": first - asked, "began": first - began, "got": got,
            "pulled": time.monotonic() - asked, "size": item.size, "objects": len(items),
        }  # fmt: skip


def by_libgphoto2(node: str, path: str, offset: str, target: str) -> dict[str, float]:
    """By what the program gphoto2 is made of: straight into the file, as that does."""
    import gphoto2

    del node, offset  # it finds the one device there is, and reads whole objects
    camera = gphoto2.Camera()
    camera.init()
    folder = os.path.dirname(path)
    asked = time.monotonic()
    file = gphoto2.check_result(gphoto2.gp_file_new_from_fd(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)))
    gphoto2.check_result(
        gphoto2.gp_camera_file_get(
            camera, f"/store_ffff0001/{folder}", os.path.basename(path), gphoto2.GP_FILE_TYPE_NORMAL, file
        )
    )
    pulled = time.monotonic() - asked
    camera.exit()
    return {"pulled": pulled}


if __name__ == "__main__":
    print(json.dumps({"own": own, "libgphoto2": by_libgphoto2}[sys.argv[1]](*sys.argv[2:])))
