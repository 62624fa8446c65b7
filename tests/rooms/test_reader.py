"""The reader process: its walls hold, its starter believes nothing, and no card costs more than itself."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from bwcdock.errors import Misbehaved, Unplugged, Unreadable
from bwcdock.testing.driver_suite import held
from bwcdock.testing.exfat import ExfatImage
from bwcdock_drivers import reading, sandbox, walk
from bwcdock_drivers.reading import Reader
from bwcdock_drivers.volume import Volume
from odd_cards import MIB, WALL, card_with, node

READY = "import os, sys, json, time; os.write(1, b'{\"ready\": true}\\n'); os.read(0, 4096)\n"


def script(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", code)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    with ExfatImage(path, 2 * MIB, label="BWC") as volume:
        volume.add("a.mp4", b"x" * 5000, modified=WALL)
    return path


def listing(path: Path, command: tuple[str, ...] = reading.READER, seconds: float = 30.0) -> reading.Listing:
    fd = os.open(path, os.O_RDONLY)
    before = held()
    try:
        return Reader(fd, path.stat().st_size, path.exists, command=command, list_s=seconds).listing()
    finally:
        assert held() == before, "a reader was left behind"
        os.close(fd)


# --- the walls --------------------------------------------------------------------------------------------------------

TRIES = """
import errno, os, sys, json, socket
from bwcdock_drivers import sandbox
os.dup2(int(sys.argv[2]), sandbox.SOURCE_FD)
filtered = sandbox.confine(int(sys.argv[1]))
def can(call):
    try:
        call()
    except BaseException as error:
        return type(error).__name__
    return "yes"
def is_open(fd):
    try:
        os.lseek(fd, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno != errno.EBADF
    return True
told = {
    "filtered": filtered,
    "open": can(lambda: os.open("/etc/passwd", os.O_RDONLY)),
    "socket": can(socket.socket),
    "fork": can(os.fork),
    "exec": can(lambda: os.execv("/bin/true", ["true"])),
    "signal": can(lambda: os.kill(os.getppid(), 0)),
    "write source": can(lambda: os.write(sandbox.SOURCE_FD, b"x")),
    "dup": can(lambda: os.dup(0)),
    "256 MiB and more": can(lambda: bytearray(260 << 20)),
    "128 MiB": can(lambda: bytearray(128 << 20)),
    "open fds": [fd for fd in range(256) if is_open(fd)],
}
os.write(1, json.dumps(told).encode())
"""


def test_what_a_locked_in_process_can_do(image):
    with image.open("rb") as source:
        out = subprocess.run(
            [*script(TRIES), str(os.getpid()), str(source.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(source.fileno(),),
            env={"TZ": "UTC"},
            timeout=30,
            check=True,
        )
    told = json.loads(out.stdout)
    assert told.pop("open fds") == [0, 1, 2, sandbox.SOURCE_FD]
    assert told.pop("128 MiB") == "yes"
    assert told.pop("256 MiB and more") == "MemoryError"
    assert told.pop("write source") == "OSError"
    assert told.pop("filtered"), "this kernel has no seccomp: the rest of this test says nothing"
    assert set(told.values()) == {"PermissionError"}, told


def test_limits_hold_without_the_filter(image):
    """The walls that every kernel has: no new descriptor, bounded memory, no grown file."""
    without = TRIES.replace("filtered = ", "sandbox._filter = lambda libc: False\nfiltered = ")
    for call in ('"exec": can(lambda: os.execv("/bin/true", ["true"])),', '"fork": can(os.fork),'):
        without = without.replace(call, "")  # as root, who is exempt from the limit on processes, these would succeed
    with image.open("rb") as source:
        out = subprocess.run(
            [*script(without), str(os.getpid()), str(source.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(source.fileno(),),
            env={"TZ": "UTC"},
            timeout=30,
            check=True,
        )
    told = json.loads(out.stdout)
    assert not told["filtered"]
    assert told["open"] == told["dup"] == told["socket"] == "OSError"
    assert told["256 MiB and more"] == "MemoryError"


def test_a_reader_whose_starter_is_gone_does_not_start(image):
    with image.open("rb") as source:
        wrong = subprocess.run(
            [*reading.READER, "1", str(source.fileno())], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, pass_fds=(source.fileno(),), timeout=30, check=False,
        )  # fmt: skip
    assert wrong.returncode
    assert not wrong.stdout


# --- its starter believes nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "os.abort()",
        "sys.exit(3)",
        "os.kill(os.getpid(), 9)",
        "bytearray(1 << 50)",
        "while True: pass",
        "time.sleep(60)",
        "os.write(1, b'{' * 5_000)\ntime.sleep(60)",
    ],
)
def test_a_reader_that_dies_or_hangs_is_the_cards_fault_in_time(image, code):
    began = time.monotonic()
    with pytest.raises(Misbehaved) as error:
        listing(image, script(READY + code), 0.5)
    assert time.monotonic() - began < 5
    assert error.value.op == "list"


@pytest.mark.parametrize(
    "code", ["while True: os.write(1, b'x' * 65536)", "while True: os.write(1, b'{\"files\": []}\\n')"]
)
def test_a_reader_that_floods_is_stopped_by_its_volume_and_not_by_the_clock(image, code):
    with pytest.raises(Misbehaved, match="nonsense"):
        listing(image, script(READY + code), 30)


END = {"entries": 1, "deleted": 0, "errors": 0, "notes": []}
FILE = {"v": 0, "i": 5, "p": ["61"], "s": 10, "n": 10, "m": "", "z": "", "a": [], "x": [[0, 10]]}
VOLUME = {
    "kind": "exfat", "offset": 0, "size": 1000, "serial": "0", "label": "", "free": None, "dirty": None,
    "entries_at": 0, "cluster": 0, "heap_at": 0,
}  # fmt: skip


def say(*lines: object) -> tuple[str, ...]:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return script(f"{READY}os.write(1, {text.encode()!r})\ntime.sleep(60)")


def test_a_sound_reply_is_believed(image):
    told = listing(image, say({"files": [FILE]}, {"volume": VOLUME}, {"end": END}))
    assert [row.p for row in told.files] == [("61",)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"s": -1}, {"s": 1 << 63}, {"s": "10"}, {"s": 5}, {"p": []}, {"p": ["6"]}, {"p": ["zz"]}, {"p": "61"},
        {"x": [[1 << 40, 10]]}, {"x": [[-2, 10]]}, {"x": [[0, 1 << 62]]}, {"m": "yesterday"}, {"z": "+99:00"},
        {"a": ["root"]}, {"v": 1}, {"v": -1}, {"extra": 1}, {"i": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_does_not_fit_is_refused(image, wrong):
    with pytest.raises(Misbehaved):
        listing(image, say({"files": [FILE | wrong]}, {"volume": VOLUME}, {"end": END}))


def test_a_listing_that_is_longer_in_all_than_a_card_can_be_is_refused(image, monkeypatch):
    rows = [{"files": [FILE]}] * 10
    sound = (*rows, {"volume": VOLUME}, {"end": END})
    assert len(listing(image, say(*sound)).files) == 10
    monkeypatch.setattr(reading, "_LISTING_MAX", 500)
    with pytest.raises(Misbehaved, match="nonsense"):
        listing(image, say(*sound))


@pytest.mark.parametrize("raw", [b"\xff\xfe\n", b"[]\n", b"7\n", b"{}\n", b'{"end": 1}\n', b'{"files": {"a": 1}}\n'])
def test_nonsense_is_refused(image, raw):
    with pytest.raises(Misbehaved):
        listing(image, script(f"{READY}os.write(1, {raw!r})\ntime.sleep(60)"), 5)


def test_nesting_without_end_is_refused(image):
    with pytest.raises(Misbehaved):
        listing(image, script(READY + "os.write(1, b'[' * 200_000 + b'\\n')\ntime.sleep(60)"), 5)


def test_an_error_text_cannot_steer_a_screen(image):
    with pytest.raises(Misbehaved) as error:
        listing(image, say({"error": ["damaged", "\x1b[2J\u202egone\n"]}))
    assert error.value.what.isprintable()


def test_a_killed_reader_is_the_cards_fault_and_is_reaped(image):
    fd = os.open(image, os.O_RDONLY)
    reader = Reader(fd, image.stat().st_size, lambda: True, command=script(READY + "time.sleep(60)"))

    def kill() -> None:
        while reader.pid is None:
            time.sleep(0.01)
        time.sleep(0.2)
        with suppress(ProcessLookupError):
            os.kill(reader.pid, signal.SIGKILL)

    killer, before = threading.Thread(target=kill), held()[1]
    killer.start()
    with pytest.raises(Misbehaved, match="died"):
        reader.listing()
    killer.join()
    os.close(fd)
    assert held()[1] == before


def test_a_card_pulled_out_while_it_is_listed_is_unplugged(image):
    remove = f"os.unlink({str(image)!r})\n"
    for end in ("os.abort()", "time.sleep(60)"):
        image.touch()
        with pytest.raises(Unplugged):
            listing(image, script(READY + remove + end), 0.5)


def test_more_names_than_the_limit_are_refused(tmp_path):
    """With a lower limit, since two hundred thousand names take five seconds."""
    assert walk.ENTRIES_MAX == 200_000
    lower = "from bwcdock_drivers import reader, walk; reader.ENTRIES_MAX = walk.ENTRIES_MAX = 500; reader.main()"
    with pytest.raises(Misbehaved, match="500 names"):
        listing(card_with(tmp_path / "card.img", node("n.mp4"), copies=500), script(lower))
    assert len(listing(card_with(tmp_path / "card.img", node("n.mp4"), copies=400), script(lower)).files) == 401


# --- files that only a file system's own reader can read --------------------------------------------------------------


def test_a_file_is_read_through_the_process_and_by_fresh_ones(image, monkeypatch):
    monkeypatch.setattr(reading, "READS_PER_PROCESS", 2)
    before = held()[1]
    fd = os.open(image, os.O_RDONLY)
    reader = Reader(fd, image.stat().st_size, image.exists)
    told = reader.listing()
    (row,) = told.files
    pids, data = set(), b""
    while len(data) < row.s:
        data += reader.read(told.volumes[0], row.i, len(data), 1000)
        pids.add(reader.pid)
    assert data == b"x" * 5000
    assert len(pids) == 3
    with pytest.raises(Unreadable) as error:
        reader.read(told.volumes[0], 1 << 40, 4000, 100_000)
    assert [(s.offset, s.length) for s in error.value.spans] == [(4000, 96)]
    reader.close()
    os.close(fd)
    assert held()[1] == before


@pytest.mark.parametrize(
    "frame", [b'{"frame": 1001}\n', b'{"frame": -1}\n', b'{"frame": "x"}\n', b'{"frame": 10}\nshort']
)
def test_a_frame_that_does_not_fit_is_refused(image, frame):
    fd = os.open(image, os.O_RDONLY)
    code = script(f"{READY}os.write(1, {frame!r})\ntime.sleep(60)")
    reader = Reader(fd, 10, lambda: True, command=code, read_s=0.5)
    with pytest.raises(Misbehaved):
        reader.read(Volume(kind="exfat", offset=0, size=10), 5, 0, 1000)
    assert reader.pid is None
    os.close(fd)
