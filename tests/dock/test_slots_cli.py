"""`bwcdock slots` and `bwcdock suggest` as they are typed, on a bus of files."""

import io
import json
import os
import signal
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from bwcdock import cli, slots
from bwcdock.slots import Slot
from bwcdock_drivers.linting import lint
from usb_world import ID_HOST, Bus, inside

BWCDOCK = Path(sys.executable).with_name("bwcdock")
STATION = Path("/run/lab/station")
RULES = Path("/run/lab/69-bwcdock-slots.rules")


def station():
    STATION.mkdir(parents=True)
    (STATION / "bwcdock.toml").write_text("")
    return Bus()


def typed(*words, status=0):
    """The command in this process: a new one takes a second to come up."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        ended = cli.main(["-C", str(STATION), *map(str, words)])
    told = out.buffer.getvalue().decode()
    assert ended == status, (ended, told, err.getvalue())
    return told if status == 0 else err.getvalue()


class Learning:
    """`slots learn` at work; ``next`` is the line it says next."""

    def __init__(self, *words):
        command = [BWCDOCK, "-C", STATION, "slots", "learn", "--rules", RULES, *words]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, bufsize=0
        )
        assert "Plug a device" in self.next()

    def next(self):
        return self.process.stdout.readline().decode().strip()

    def end(self):
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out.decode()


@inside
def test_slots_are_learnt_by_plugging_through_hubs_and_read_back():
    bus = station()
    learning = Learning("--count", "3", "--priority", "2")
    bus.plug("1", ":090000:")  # the hub the slots hang on
    bus.plug("1.1")
    assert learning.next() == f"slot 1: {ID_HOST}1.1"
    bus.plug("1.4.2", ":ff0000:")
    assert learning.next() == f"slot 2: {ID_HOST}1.4.2  (first)"
    bus.pull("/devices/pci0000:00/0000:00:14.0/usb1/1-1.1")
    bus.plug("1.1", ":060101:")
    assert learning.next() == "slot 1 is that port already"
    bus.plug("1.3", ":030101:")
    assert learning.next() == f"slot 3: {ID_HOST}1.3"
    status, out = learning.end()
    assert (status, str(RULES) in out) == (0, True)
    learnt = (
        Slot(number=1, port=f"{ID_HOST}1.1"),
        Slot(number=2, port=f"{ID_HOST}1.4.2", priority=True),
        Slot(number=3, port=f"{ID_HOST}1.3"),
    )
    assert slots.load(STATION / "slots.toml") == learnt
    assert RULES.read_text() == slots.rules_for(learnt)
    assert (STATION / "slots.toml").stat().st_mode & 0o777 == 0o644
    # What is there now.
    bus.disk("1.1", "sdb")
    told = json.loads(typed("slots", "--json"))
    assert told[0] == {"number": 1, "port": f"{ID_HOST}1.1", "priority": False, "there": ["/dev/sdb"]}
    assert [line.split()[0] for line in typed("slots").splitlines()] == ["slot", "1", "2", "3"]


@inside
def test_ctrl_c_ends_learning_and_keeps_what_was_learnt():
    bus = station()
    learning = Learning()
    bus.plug("2")
    assert learning.next() == f"slot 1: {ID_HOST}2"
    os.kill(learning.process.pid, signal.SIGINT)
    assert learning.end()[0] == 0
    assert [s.port for s in slots.load(STATION / "slots.toml")] == [f"{ID_HOST}2"]


@inside
def test_nothing_plugged_in_writes_nothing():
    station()
    learning = Learning()
    os.kill(learning.process.pid, signal.SIGINT)
    status, out = learning.end()
    assert (status, "Nothing was plugged in" in out) == (2, True)
    assert not (STATION / "slots.toml").exists()
    assert not RULES.exists()


@inside
def test_slots_that_are_there_are_replaced_only_when_that_is_said():
    bus = station()
    text = slots.render([Slot(number=1, port=f"{ID_HOST}7")])
    (STATION / "slots.toml").write_text(text)
    told = typed("slots", "learn", "--rules", RULES, status=2)
    assert "has 1 slots already" in told
    assert (STATION / "slots.toml").read_text() == text
    learning = Learning("--yes", "--count", "1")
    bus.plug("8")
    learning.end()
    assert [s.port for s in slots.load(STATION / "slots.toml")] == [f"{ID_HOST}8"]


@inside
def test_one_slot_is_set_and_the_others_stay():
    station()
    typed("slots", "set", "2", f"{ID_HOST}1.2", "--rules", RULES)
    typed("slots", "set", "1", f"{ID_HOST}1.1", "--priority", "--rules", RULES)
    typed("slots", "set", "2", f"{ID_HOST}1.3", "--rules", RULES)
    assert [(s.number, s.port[-3:], s.priority) for s in slots.load(STATION / "slots.toml")] == [
        (1, "1.1", True),
        (2, "1.3", False),
    ]
    before = (STATION / "slots.toml").read_text(), RULES.read_text()
    assert "has the port of slot" in typed("slots", "set", "3", f"{ID_HOST}1.1", "--rules", RULES, status=2)
    assert "Slots go from 1 to 999" in typed("slots", "set", "0", f"{ID_HOST}1.9", "--rules", RULES, status=2)
    assert "ID_PATH such as" in typed("slots", "set", "3", "sdb", "--rules", RULES, status=2)
    assert ((STATION / "slots.toml").read_text(), RULES.read_text()) == before


@inside
def test_udev_is_told_again_after_a_change_by_hand():
    station()
    chosen = [Slot(number=5, port=f"{ID_HOST}5")]
    (STATION / "slots.toml").write_text(slots.render(chosen))
    typed("slots", "write", "--rules", RULES)
    assert RULES.read_text() == slots.rules_for(chosen)
    assert "with sudo" in typed("slots", "write", "--rules", "/run/nowhere/x.rules", status=2)


@inside
def test_a_quirk_is_suggested_for_what_is_plugged_in_and_the_loader_takes_it():
    bus = station()
    assert typed("suggest").startswith("# Nothing")
    bus.plug("1.1")
    bus.disk("1.1", "sdb", ID_VENDOR="DV16", ID_MODEL="DEVICE_V1.00", ID_FS_LABEL="ZF00123", ID_FS_TYPE="exfat")
    bus.plug("1.2", ":060101:")
    told = typed("suggest")
    assert "/dev/bus/usb/001/003 at" in told
    assert tomllib.loads(told)["match"] == {"inquiry": r"^dv16devicev1\.00"}
    path = STATION / "mine.toml"
    path.write_text(told)
    assert lint([path]) == []


@inside
def test_no_slots_is_said():
    station()
    assert "slots learn" in typed("slots")
    assert json.loads(typed("slots", "--json")) == []
