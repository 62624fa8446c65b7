"""In the guest: answer what the host asks, one JSON line each way, over a serial port; lives through host restarts.

A request is ``{"id", "module", "function", "args"}``; the answer ``{"id", "value"}`` or ``{"id", "error"}``. Functions
are those of the modules beside this file, brought by the host, and ``put`` and ``run`` below. Each request has a thread
of its own, so that a cable can be pulled while something else waits.
"""

import base64
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback

PORT = "/dev/virtio-ports/bwcdock.lab"
HERE = os.path.dirname(os.path.abspath(__file__))

_writing = threading.Lock()


def put(path: str, data: str, mode: int = 0o644) -> int:
    """Write ``data`` (base64) as the file ``path``."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    content = base64.b64decode(data)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    return len(content)


def run(argv: list[str], timeout: float = 120, text: str = "", env: dict[str, str] | None = None) -> dict[str, object]:
    """A command: its status, what it said, and what it said against it. What it leaves running is not waited for."""
    began = time.monotonic()
    told = {**os.environ, **(env or {})}
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, env=told, check=False)
    took = time.monotonic() - began
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr, "took": took}


def clock(wall: float | None = None) -> float:
    """Set the clock, where told to; what it shows."""
    if wall is not None:
        time.clock_settime(time.CLOCK_REALTIME, wall)
    return time.clock_gettime(time.CLOCK_REALTIME)


def forget() -> int:
    """Forget the modules the host brought, so that the next call reads them anew."""
    gone = [
        name
        for name, module in sys.modules.items()
        if getattr(module, "__file__", None) and os.path.dirname(str(module.__file__)) == HERE and name != "__main__"
    ]
    for name in gone:
        del sys.modules[name]
    importlib.invalidate_caches()
    return len(gone)


def _answer(port: int, asked: dict[str, object]) -> None:
    told: dict[str, object] = {"id": asked["id"]}
    try:
        name = str(asked["module"])
        where = sys.modules[__name__] if name == "agent" else importlib.import_module(name)
        told["value"] = getattr(where, str(asked["function"]))(**asked["args"])  # type: ignore[arg-type]
    except BaseException:
        told["error"] = traceback.format_exc()
    _say(port, told)


def _say(port: int, told: dict[str, object]) -> None:
    line = json.dumps(told).encode() + b"\n"
    with _writing:
        while line:
            line = line[os.write(port, line) :]


def main() -> None:
    """Until the guest ends."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ.setdefault("HOME", os.path.expanduser("~root"))
    sys.path.insert(0, HERE)
    while not os.path.exists(PORT):
        time.sleep(0.05)
    port = os.open(PORT, os.O_RDWR)
    with open("/proc/sys/kernel/random/boot_id") as boot:
        _say(port, {"hello": boot.read().strip()})
    rest = b""
    while True:
        data = os.read(port, 1 << 16)
        if not data:  # nobody is at the other end
            time.sleep(0.05)
            continue
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            threading.Thread(target=_answer, args=(port, json.loads(line)), daemon=True).start()


if __name__ == "__main__":
    main()
