"""What systemd itself says of the unit files: scores, syntax, the user, the directories, and what the filters let by.

Needs Debian's packages systemd and strace.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from bwcdock_drivers import reading
from bwcdock_drivers.dv16 import frames
from unit_files import NAMES, UNITS, text, told

SCORES = {
    "bwcdock.service": 1.5,
    "bwcdock-found.service": 1.5,
    "bwcdock-reader@.service": 1.0,
    "bwcdock-erase@.service": 2.0,
    "bwcdock-vendor@.service": 1.5,
    "bwcdock-metrics.service": 1.0,
    "bwcdock-web.service": 1.5,
    "bwcdock-catalogue.service": 1.5,
}
"""The most exposure of each, on systemd's scale of 0 to 10."""


def run(*command: str, **how) -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/bin:/usr/sbin")
    assert program, f"{command[0]} is missing: apt-get install systemd strace"
    how = {"stdout": subprocess.PIPE, **how}
    return subprocess.run([program, *command[1:]], stderr=subprocess.PIPE, text=True, timeout=100, check=False, **how)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The units as they are installed, with something to start."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("bwcdock", "bwcdock-catalogue", "python"):
        (commands / name).write_text("#!/bin/sh\n")
        (commands / name).chmod(0o755)
    units = tmp_path / "units"
    units.mkdir()
    for name in NAMES:
        (units / name).write_text(text(name).replace("@BIN@", str(commands)))
    return units


def exposure(unit: Path) -> float:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    assert not done.returncode, done.stderr
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


@pytest.mark.parametrize("name", SCORES)
def test_scores(rendered, name):
    limit = SCORES[name]
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={limit * 10:.0f}",
               str(rendered / name))  # fmt: skip
    assert not done.returncode, done.stdout
    assert exposure(rendered / name) <= limit


def test_a_score_sees_a_power_that_is_given(rendered):
    unit = rendered / "bwcdock.service"
    before = exposure(unit)
    unit.write_text(unit.read_text().replace("CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_SYS_ADMIN\n"))
    assert exposure(unit) > before


def verify(rendered: Path) -> str:
    paths = [str(rendered / name) for name in NAMES]
    done = run("systemd-analyze", "verify", "--man=no", *paths, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{rendered}:"})
    return done.stderr + done.stdout


def test_every_line_is_understood(rendered):
    assert verify(rendered) == ""


def test_every_line_of_the_example_is_understood(rendered):
    made = text("bwcdock-kiosk.service.example").replace("/usr/bin/cage", str(rendered.parent / "bin/bwcdock"))
    (rendered / "bwcdock-kiosk.service").write_text(made)
    done = run("systemd-analyze", "verify", "--man=no", str(rendered / "bwcdock-kiosk.service"),
               env={**os.environ, "SYSTEMD_UNIT_PATH": f"{rendered}:"})  # fmt: skip
    assert done.stderr + done.stdout == ""


def test_a_line_that_is_not_understood_is_seen(rendered):
    unit = rendered / "bwcdock.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in verify(rendered)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for kind in ("sysusers.d", "tmpfiles.d"):
        (tmp_path / "root" / "usr" / "lib" / kind).mkdir(parents=True)
        shutil.copy(UNITS / kind / "bwcdock.conf", tmp_path / "root" / "usr" / "lib" / kind)
    (tmp_path / "root" / "etc").mkdir()
    return tmp_path / "root"


def test_the_user_is_made_once_and_has_no_shell(root):
    dry = run("systemd-sysusers", f"--root={root}", "--dry-run", "bwcdock.conf")
    assert not dry.returncode, dry.stderr
    assert not (root / "etc" / "passwd").exists()
    for _ in range(2):
        done = run("systemd-sysusers", f"--root={root}", "bwcdock.conf")
        assert not done.returncode, done.stderr
    user, catalogue, pages = sorted(
        (root / "etc" / "passwd").read_text().splitlines(), key=lambda line: line.split(":")
    )
    assert re.fullmatch(r"bwcdock:x:(\d+):\1:[^:]+:/var/lib/bwcdock:/usr/sbin/nologin", user)
    assert re.fullmatch(r"bwcdock-catalogue:x:(\d+):\1:[^:]+:/var/lib/bwcdock-catalogue:/usr/sbin/nologin", catalogue)
    assert re.fullmatch(r"bwcdock-web:x:(\d+):\1:[^:]+:/var/lib/bwcdock-web:/usr/sbin/nologin", pages)
    groups = sorted((root / "etc" / "group").read_text().splitlines())
    assert re.fullmatch(
        r"bwcdock-catalogue:x:\d+:\nbwcdock-dock:x:\d+:\nbwcdock-web:x:\d+:\nbwcdock:x:\d+:bwcdock-catalogue,bwcdock-web",
        "\n".join(groups),
    )


def test_directories_are_made_with_their_modes(root):
    """As the user who runs this, for only root can give them away."""
    me = os.getuid()  # by number: names are looked up in this root, where nobody lives
    (root / "usr" / "lib" / "tmpfiles.d" / "bwcdock.conf").write_text(
        re.sub(r" (?:root|bwcdock) +(?:root|bwcdock(?:-web)?) ", f" {me} - ", text("tmpfiles.d/bwcdock.conf"))
    )
    (root / "etc" / "bwcdock").mkdir()
    (root / "etc" / "bwcdock" / "bwcdock.toml").write_text("")
    done = run("systemd-tmpfiles", f"--root={root}", "--create", "bwcdock.conf")
    assert not done.returncode, done.stderr
    assert done.stderr == ""
    modes = {
        path.relative_to(root).as_posix(): oct(path.stat().st_mode & 0o777)[2:]
        for path in sorted(root.rglob("*bwcdock*")) + sorted(root.glob("var/lib/bwcdock/*"))
        if path.relative_to(root).parts[0] != "usr"
    }
    assert modes == {
        "etc/bwcdock": "755", "etc/bwcdock/bwcdock.toml": "640", "run/bwcdock": "750", "var/lib/bwcdock": "750",
        "var/lib/bwcdock/central": "700", "var/lib/bwcdock/exports": "700", "var/lib/bwcdock/keys": "700",
        "var/lib/bwcdock/ledger": "750", "var/lib/bwcdock/spool": "700",
    }  # fmt: skip
    assert (root / "run/bwcdock/web").stat().st_mode & 0o7777 == 0o2710


# --- what the filters let by ------------------------------------------------------------------------------------------


def members(group: str) -> set[str]:
    """The calls of a group of systemd's, groups within it followed."""
    if not group.startswith("@"):
        return {group}
    done = run("systemd-analyze", "syscall-filter", group)
    assert not done.returncode, done.stderr
    names = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip() and "#" not in line]
    return set().union(*map(members, names))


def allowed(unit: str) -> set[str]:
    """What is left of the calls after each line of a unit, as systemd.exec(5) reads them."""
    left = members("@default")
    for line in told(unit)["[Service] SystemCallFilter"]:
        named = set().union(*map(members, line.removeprefix("~").split()))
        left = left - named if line.startswith("~") else left | named
    return left


def called(tmp_path: Path, *command: str, **how) -> set[str]:
    """The names of all system calls of a command and its children."""
    log = tmp_path / "strace"
    done = run("strace", "-f", "-qq", "-o", str(log), *command, **how)
    assert not done.returncode, done.stderr
    return set(re.findall(r"^\d+ +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE))


def test_the_daemon_needs_no_call_that_its_filter_refuses(tmp_path):
    """A station from its founding to the receipt. SQLite changes owners where it is root, as who runs this may be."""
    bwcdock = Path(sys.executable).with_name("bwcdock")
    used = called(tmp_path, str(bwcdock), "demo", str(tmp_path / "demo"), cwd=tmp_path)
    assert {"openat", "fdatasync", "clock_adjtime"} & used == {"openat", "fdatasync", "clock_adjtime"}
    assert used - allowed("bwcdock.service") <= {"fchown"}


def test_the_reader_needs_no_call_that_its_filter_refuses(tmp_path):
    image = tmp_path / "card.img"
    image.write_bytes(b"\0" * (1 << 20))
    ours, its = socket.socketpair()
    with ours, its, image.open("rb") as card:
        socket.send_fds(ours, [b"\n"], [card.fileno()])
        ours.sendall(b'{"op": "list"}\n')
        ours.shutdown(socket.SHUT_WR)
        used = called(tmp_path, *reading.READER, stdin=its, stdout=its)
        assert b'"end"' in ours.recv(1 << 16)
    assert {"recvmsg", "pread64", "prctl"} <= used
    assert used <= allowed("bwcdock-reader@.service")


def test_the_helper_for_vendor_commands_needs_no_call_that_its_filter_refuses(tmp_path):
    """As far as it goes without a recorder: it takes a descriptor, finds that it is no disk's, says so and ends."""
    ours, its = socket.socketpair()
    with ours, its, Path("/dev/null").open("rb") as no_disk:
        socket.send_fds(ours, [frames.HELLO], [no_disk.fileno()])
        used = called(tmp_path, sys.executable, "-I", "-m", "bwcdock_drivers.dv16.helper", stdin=its, stdout=its)
        assert frames.read_reply(ours) == (frames.Standing.NOT_ONE, b"")
    assert {"recvmsg", "fcntl"} <= used
    assert used | {"ioctl"} <= allowed("bwcdock-vendor@.service")
