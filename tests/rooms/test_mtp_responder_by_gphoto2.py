"""libgphoto2 asks the responder of these tests, of which it knows nothing: what both understand is the protocol."""

import hashlib
import json
import subprocess
import sys

from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import MtpDevice, Sparse

# In a process of its own: it loads its parts by dlopen, and a camera that breaks off can take it down.
ASKS = """
import hashlib, json, sys, gphoto2 as gp
camera, ports, abilities = gp.Camera(), gp.PortInfoList(), gp.CameraAbilitiesList()
ports.load()
abilities.load()
camera.set_abilities(abilities[abilities.lookup_model("PTP/IP Camera")])
camera.set_port_info(ports[ports.lookup_path(sys.argv[1])])
camera.init()
def names(listed):
    return [listed.get_name(at) for at in range(listed.count())]
def below(folder):
    for name in names(camera.folder_list_files(folder)):
        file = camera.file_get(folder, name, gp.GP_FILE_TYPE_NORMAL)
        data = bytes(file.get_data_and_size())
        yield folder + "/" + name, len(data), hashlib.sha256(data).hexdigest()
    for name in names(camera.folder_list_folders(folder)):
        yield from below(folder.rstrip("/") + "/" + name)
room = camera.get_storageinfo()[0]
print(json.dumps({
    "files": list(below("/")), "clock": camera.get_single_config("5011").get_value(),
    "room": [room.capacitykbytes, room.freekbytes], "summary": camera.get_summary().text,
}))
camera.exit()
"""


def test_it_lists_reads_and_tells_the_same_to_another_program():
    device = MtpDevice(serial="BWC-0042", clock=lambda: "20261121T120000")
    contents = {"DCIM/100/a.jpg": bytes(range(256)) * 4000, "DCIM/b.avi": b"b" * 500, "DCIM/empty.avi": b""}
    for path, data in contents.items():
        device.record(path, data)
    large = Sparse(9 << 20)
    device.record("DCIM/large.avi", large)
    raw = bytearray(large.size)
    large.fill(0, memoryview(raw))
    with IpResponder(device) as responder:
        host, port = responder.source.removeprefix("ptpip://").split(":")
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ASKS, f"ptpip:{host}:{port}:{port}"],
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    heard = json.loads(ran.stdout)
    true = {f"/store_00010001/{path}": data for path, data in {**contents, "DCIM/large.avi": bytes(raw)}.items()}
    assert {path: (size, digest) for path, size, digest in heard["files"]} == {
        path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in true.items()
    }
    assert heard["clock"] == "20261121T120000"
    assert heard["room"] == [(64 << 30) // 1024, (32 << 30) // 1024]
    assert "Serial Number: BWC-0042" in heard["summary"]
