"""The udev rules, read strictly, and carried out by udev itself on a bus of files."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from bwcdock import slots
from bwcdock.slots import Slot
from usb_world import HOST, ID_HOST, Bus, inside

UDEV = Path(__file__).resolve().parents[2] / "udev"
SHIPPED = sorted(UDEV.glob("*.rules"))
DENY = UDEV / "71-bwcdock-deny.rules.example"
CHOSEN = [Slot(number=3, port=f"{ID_HOST}1.1"), Slot(number=12, port=f"{ID_HOST}1.2")]

# --- read -------------------------------------------------------------------------------------------------------------

MATCH, SET, EITHER = {"==", "!="}, {"=", "+=", "-=", ":="}, {"==", "!=", "=", "+=", ":="}
KEYS = {
    "ACTION": MATCH, "SUBSYSTEM": MATCH, "SUBSYSTEMS": MATCH, "KERNEL": MATCH, "TEST": MATCH,
    "ENV{}": EITHER, "ATTR{}": EITHER, "TAG": EITHER | SET, "GROUP": {"="}, "OWNER": {"="}, "MODE": {"="},
    "RUN": {"+="}, "GOTO": {"="}, "LABEL": {"="}, "IMPORT{}": {"="},
}  # fmt: skip
PART = re.compile(r'\s*([A-Z]+)(\{[A-Za-z0-9_./]+\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"\\]*)"\s*(,|$)')


def wrong(text):
    """What is wrong with a rules file (udev(7)): a key with an operator it cannot have, a GOTO that leads nowhere."""
    found, gotos = [], {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        at, sets = 0, False
        while at < len(line):
            part = PART.match(line, at)
            if not part:
                found.append(f"{number}: cannot be read: {line[at:]}")
                break
            name, brace, operator, value, comma = part.groups()
            allowed = KEYS.get(name + ("{}" if brace else ""), set())
            if operator not in allowed:
                found.append(f"{number}: {name}{brace or ''}{operator}")
            if operator in MATCH and sets and name != "IMPORT":
                found.append(f"{number}: matches after it has set something")
            sets = sets or operator in SET
            if name == "GOTO":
                gotos[value] = number
            if name == "LABEL":
                gotos.pop(value, None)
            at = part.end()
            if comma != "," and at != len(line):
                found.append(f"{number}: ends in the middle")
    return found + [f"{number}: GOTO {label} leads nowhere" for label, number in gotos.items()]


@pytest.mark.parametrize("file", [*SHIPPED, DENY], ids=lambda file: file.name)
def test_the_rules_that_ship_can_be_read(file):
    assert wrong(file.read_text()) == []


@pytest.mark.parametrize("chosen", [CHOSEN, []])
def test_the_rules_that_are_made_can_be_read(chosen):
    assert wrong(slots.rules_for(chosen)) == []


@pytest.mark.parametrize(
    "line",
    ['GROUP=="x"', 'ENV{A}="b" ENV{C}="d"', 'GOTO="nowhere"', 'MODE="0440', 'FOO=="1"', 'ENV{A}="b", KERNEL=="sd*"',
     'LABEL="x"\nGOTO="x"', "ENV{A}='b'", 'KERNEL="sdb"'],
)  # fmt: skip
def test_the_reader_of_rules_finds_what_is_wrong(line):
    assert wrong(line)


# --- carried out ------------------------------------------------------------------------------------------------------


FOREIGN = ("/usr/lib/udev/", "/lib/udev/")
"""How commands begin that no rule of ours runs."""


class Done:
    """What `udevadm test` says udev would do with a device: the last word on each thing."""

    def __init__(self, path, action="add"):
        ended = subprocess.run(
            ["udevadm", "test", f"--action={action}", f"/sys{path}"],
            env={**os.environ, "SYSTEMD_LOG_LEVEL": "debug"},
            capture_output=True,
            check=False,
        )
        out, log = ended.stdout.decode(), ended.stderr.decode()
        assert ended.returncode == 0, log
        ours = [line for line in log.splitlines() if "bwcdock" in line and "rules:" in line]
        assert not [line for line in ours if re.search(r"ignoring|Invalid|Unknown|Failed", line)], ours
        self.told = dict(re.findall(r"^(\w+)=(.*)$", out, re.MULTILINE))
        # The machine's own rules run more where more is installed, such as hdparm.
        self.runs = [run for run in re.findall(r"^run: '(.*)'$", out, re.MULTILINE) if not run.startswith(FOREIGN)]
        self.mode = (re.findall(r"rules:\d+ MODE (\d+)$", log, re.MULTILINE) or [""])[-1]
        self.group = (re.findall(r"rules:\d+ GROUP (\d+)$", log, re.MULTILINE) or [""])[-1]
        self.tags = set(self.told.get("CURRENT_TAGS", "").strip(":").split(":")) - {""}
        self.log = log


def with_rules(*, deny=False):
    folder = Path("/run/udev/rules.d")
    # What photo and media programs bring along, in the places they bring it to.
    (folder / "60-libgphoto2-6.rules").write_text('SUBSYSTEM=="usb", ENV{ID_GPHOTO2}="1", ENV{ID_MEDIA_PLAYER}="x"\n')
    (folder / "69-libmtp.rules").write_text(
        'ENV{MTP_NO_PROBE}=="1", GOTO="end"\nSUBSYSTEM=="usb", ENV{PROBED}="1", ENV{ID_MTP_DEVICE}="1"\nLABEL="end"\n'
    )
    (folder / slots.RULES_PATH.name).write_text(slots.rules_for(CHOSEN))
    for file in SHIPPED:
        (folder / file.name).write_text(file.read_text())
    if deny:
        (folder / DENY.name.removesuffix(".example")).write_text(DENY.read_text())
    return Bus(quiet=True)


@inside
def test_a_disk_at_a_slot_is_readable_by_the_station_and_writable_by_nobody():
    bus = with_rules()
    bus.plug("1.1")
    disk = bus.disk("1.1", "sdb")
    for action in ("add", "change"):
        done = Done(disk, action)
        assert done.told["BWCDOCK_SLOT"] == "3"
        assert done.told["ID_PATH"] == f"{ID_HOST}1.1:1.0-scsi-0:0:0:0"  # by udev's own path_id
        assert (done.mode, done.group) == ("0440", "999")
        assert done.runs == ["/usr/sbin/blockdev --setro /dev/sdb"]
        assert done.told["UDISKS_IGNORE"] == "1"
        assert {"bwcdock", "systemd"} <= done.tags


@inside
def test_its_partitions_and_raw_node_are_too():
    bus = with_rules()
    bus.plug("1.2")
    disk = bus.disk("1.2", "sdb", lun=1)
    done = Done(bus.partition(disk, 1))
    assert (done.told["BWCDOCK_SLOT"], done.mode, done.group) == ("12", "0440", "999")
    assert done.runs == ["/usr/sbin/blockdev --setro /dev/sdb1"]
    raw = Done(bus.raw(disk))
    assert (raw.told["BWCDOCK_SLOT"], raw.mode, raw.group, raw.runs) == ("12", "0600", "0", [])


@inside
def test_a_device_at_a_slot_is_left_alone_by_everything_else():
    bus = with_rules()
    done = Done(bus.plug("1.1", ":060101:"))
    assert done.told["BWCDOCK_SLOT"] == "3"
    assert (done.mode, done.group) == ("0660", "999")
    assert (done.told["MTP_NO_PROBE"], done.told["ID_MM_DEVICE_IGNORE"]) == ("1", "1")
    for cleared in ("ID_GPHOTO2", "ID_MTP_DEVICE", "ID_MEDIA_PLAYER", "PROBED"):
        assert not done.told.get(cleared), cleared
    assert not {"uaccess", "seat"} & done.tags
    assert Path(f"/sys{HOST}/1-1.1/power/control").read_text().startswith("on")


@inside
def test_requests_cannot_be_written_to_what_holds_a_disk():
    bus = with_rules()
    for interfaces in (":080650:", ":060101:080650:", ":080650:ff0000:"):
        path = bus.plug("1.1", interfaces)
        done = Done(path)
        assert (done.told["BWCDOCK_SLOT"], done.mode, done.group) == ("3", "0440", "999"), interfaces
        bus.pull(path)


@inside
def test_a_disk_of_a_make_that_only_speaks_at_first_is_marked_and_no_other():
    bus = with_rules()
    bus.plug("1.1")
    # What udev's usb_id would read of the disk's INQUIRY.
    told = Path("/run/udev/rules.d/61-usb-id.rules")
    disk = bus.disk("1.1", "sdb", size=0)
    raw, elsewhere = bus.raw(disk), bus.disk("1.3", "sdc", size=0)
    for vendor, marked in {"DV16": True, "dv16_dev": True, "Generic": False, "XDV16": False}.items():
        told.write_text(f'SUBSYSTEM=="block|scsi_generic", ENV{{ID_VENDOR}}="{vendor}"\n')
        done = Done(disk)
        assert (done.told.get("BWCDOCK_CONTROL") == "1") == marked, vendor
        assert (done.mode, done.group) == ("0440", "999")  # no more than any disk, also while it only speaks
        assert (Done(raw).mode, Done(raw).group) == ("0600", "0")
        assert "BWCDOCK_CONTROL" not in Done(elsewhere).told


@inside
def test_what_is_at_no_slot_is_not_touched():
    bus = with_rules()
    elsewhere = bus.plug("1.3"), bus.disk("1.3", "sdb"), bus.plug("1.1.4"), bus.disk("1.1.4", "sdc"), bus.plug("1.12")
    for path in (*elsewhere, bus.partition(elsewhere[1], 1), bus.inner("sda")):
        done = Done(path)
        assert not {name for name in done.told if "BWCDOCK" in name or "UDISKS" in name}, path
        assert "rules.d/70-bwcdock.rules" not in "".join(re.findall(r"\S+rules:\d+ \S+", done.log))
        assert not any("blockdev" in run for run in done.runs)
        assert "bwcdock" not in done.tags
    assert Done(elsewhere[0]).told["ID_GPHOTO2"] == "1"
    assert "uaccess" in Done(bus.plug("2", ":060101:")).tags
    assert Path(f"/sys{HOST}/1-1.3/power/control").read_text() == "auto\n"


@inside
def test_without_slots_nothing_is_touched():
    bus = with_rules()
    Path("/run/udev/rules.d", slots.RULES_PATH.name).write_text(slots.rules_for([]))
    bus.plug("1.1")
    done = Done(bus.disk("1.1", "sdb"))
    assert "BWCDOCK_SLOT" not in done.told
    assert done.runs == []


@inside
def test_default_deny_lets_in_disks_and_cameras_at_slots_and_hubs_anywhere():
    bus = with_rules(deny=True)
    cases = {
        ("1.1", ":080650:"): True,
        ("1.1", ":060101:"): True,
        ("1.1", ":080650:080662:"): True,
        ("1.2", ":060101:080650:"): True,
        ("4", ":090000:"): True,
        ("5", ":090001:090002:"): True,
        ("1.1", ":080650:030101:"): False,
        ("1.1", ":030101:080650:"): False,
        ("1.1", ":080650:080662:030101:"): False,
        ("1.1", ":030101:"): False,
        ("1.1", ":ff0000:"): False,
        ("1.1", ":020600:0a0000:"): False,
        ("3", ":080650:"): False,
        ("1.1.4", ":080650:"): False,
        ("3", ":030101:"): False,
        ("4", ":090000:030101:"): False,
    }
    for (chain, interfaces), let_in in cases.items():
        authorized = Path(f"/sys{HOST}/1-{chain}/authorized")
        for before in ("0", "1"):  # not let in by the kernel, or plugged in before the rules were in force
            path = bus.plug(chain, interfaces)
            authorized.write_text(before)
            done = Done(path)
            assert done.told.get("ID_USB_INTERFACES") == interfaces  # by udev's own usb_id, of the descriptors
            assert authorized.read_text() == ("1" if let_in else "0"), (chain, interfaces)
            assert bool(done.told.get("BWCDOCK_DENIED")) != let_in, (chain, interfaces)
            bus.pull(path)


@inside
def test_default_deny_tells_the_controllers_not_to_let_in():
    bus = with_rules(deny=True)
    bus.plug("1.1")
    default = Path(f"/sys{HOST}/authorized_default")
    default.write_text("1")
    Done(HOST)
    assert default.read_text() == "0"
