"""The unit files against the program they start: names, paths, times and sizes agree, and no power came in unseen.

What only systemd itself can say of them (scores, syntax) is in tests/dock, which `make check-dock` runs.
"""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from bwcdock import install, settings
from bwcdock.desk import line
from bwcdock_drivers import reading, sandbox
from bwcdock_drivers.dv16 import unit
from bwcdock_drivers.zzx import adb
from unit_files import NAMES, UNITS, one, seconds, size, text, told

DAEMON, FOUND = "bwcdock.service", "bwcdock-found.service"
READER, ERASE = "bwcdock-reader@.service", "bwcdock-erase@.service"
VENDOR = "bwcdock-vendor@.service"
METRICS = "bwcdock-metrics.service"
WEB, KIOSK = "bwcdock-web.service", "bwcdock-kiosk.service.example"
CATALOGUE = "bwcdock-catalogue.service"
ADB = "bwcdock-adb.service.example"
SERVICES = (DAEMON, FOUND, READER, ERASE, VENDOR, METRICS, WEB, CATALOGUE)
SOCKETS = ("bwcdock-reader.socket", "bwcdock-erase.socket", "bwcdock-vendor.socket")
OTHERS = (*SOCKETS, "bwcdock-metrics.timer")
DOCK = "bwcdock-dock"
CONFS = ("sysusers.d/bwcdock.conf", "tmpfiles.d/bwcdock.conf")


def test_all_units_are_there_and_nothing_else():
    assert set(NAMES) == {*SERVICES, *OTHERS}
    assert sorted(p.relative_to(UNITS).as_posix() for p in UNITS.glob("*/*")) == list(CONFS)


@pytest.mark.parametrize("name", [*SERVICES, *OTHERS, *CONFS])
def test_every_placeholder_is_known(name):
    assert set(re.findall(r"@[^@\s]+@", text(name))) <= {"@BIN@"}
    assert "@BIN@" in text(name) or not name.endswith(".service")
    assert "/opt/" not in text(name)


@pytest.mark.parametrize("name", NAMES)
def test_units_name_only_units_that_there_are(name):
    for key, values in told(name).items():
        if key in {"[Unit] Requires", "[Unit] Wants", "[Unit] After", "[Unit] Before"}:
            for other in " ".join(values).split():
                assert other in NAMES or not other.startswith("bwcdock"), (key, other)


@pytest.mark.parametrize(
    ("name", "module"),
    [(READER, "bwcdock_drivers.reader"), (ERASE, "bwcdock.erase_helper"), (VENDOR, "bwcdock_drivers.dv16.helper")],
)
def test_what_is_started_is_there(name, module):
    assert one(name, "[Service] ExecStart") == f"@BIN@/python -I -m {module}"
    assert importlib.util.find_spec(module)


def test_the_daemon_finds_the_sockets_of_its_readers_and_of_vendor_commands():
    for variable, socket in ((reading.SOCKET_VARIABLE, "reader"), (unit.SOCKET_VARIABLE, "vendor")):
        listens = one(f"bwcdock-{socket}.socket", "[Socket] ListenStream")
        assert f"{variable}={listens}" in told(DAEMON)["[Service] Environment"]
    assert "bwcdock-vendor.socket" not in install.ENABLED, "most docks have no such recorders"
    for socket in SOCKETS:
        made = told(socket)
        assert made["[Socket] ListenStream"][0].startswith("/run/bwcdock/")
        assert made["[Socket] Accept"] == ["yes"]
        assert (made["[Socket] SocketUser"], made["[Socket] SocketGroup"]) == (["root"], [DOCK])
        assert made["[Socket] SocketMode"] == ["0660"]
    assert told(DAEMON)["[Service] RuntimeDirectoryPreserve"] == ["yes"], "stopping would take the sockets away"


def test_times_fit_into_each_other():
    stop_s = settings.Limits().stop_s
    assert seconds(DAEMON, "[Service] TimeoutStopSec") >= 2 * stop_s
    silence = seconds(DAEMON, "[Service] WatchdogSec")
    back = silence + seconds(DAEMON, "[Service] TimeoutAbortSec") + seconds(DAEMON, "[Service] RestartSec")
    assert silence == 30
    assert back <= 40, "a stopped daemon must be at work again within 45 s, its start among them"
    # A minute was too short on a slow machine, and a start that is cut off is begun anew for ever.
    assert seconds(WEB, "[Service] TimeoutStartSec") == seconds(DAEMON, "[Service] TimeoutStartSec") == 300
    # One that is asked at its oldest may take its longest, and still is not ended in the middle.
    assert seconds(READER, "[Service] RuntimeMaxSec") > reading.OLD_S + max(reading.LIST_S, reading.READ_S)


def test_it_never_gives_up():
    assert told(DAEMON)["[Service] Restart"] == ["always"]
    assert told(WEB)["[Service] Restart"] == ["always"]
    assert told(CATALOGUE)["[Service] Restart"] == ["always"]
    for name in (DAEMON, FOUND, WEB, CATALOGUE, *SOCKETS):
        assert one(name, "[Unit] StartLimitIntervalSec") == "0"
    for name in SOCKETS:
        assert one(name, "[Socket] TriggerLimitIntervalSec") == "0"
    for name in (READER, ERASE, VENDOR):
        assert one(name, "[Unit] CollectMode") == "inactive-or-failed", "failed instances would pile up"


def test_sizes_fit_the_program():
    assert int(one("bwcdock-reader.socket", "[Socket] MaxConnections")) >= 2 * settings.Limits().recorders_at_once
    # The interpreter takes some 40 MiB before it is locked in.
    assert size(READER, "[Service] MemoryMax") > sandbox.MEMORY_ROOM + (64 << 20)
    assert size(DAEMON, "[Service] MemoryMax") >= 1 << 30
    assert int(one("bwcdock-vendor.socket", "[Socket] MaxConnections")) >= settings.Limits().recorders_at_once
    assert "[Service] PrivateDevices" not in told(VENDOR), "it would take away the one capability"


# --- what each may do; a line that is added here is a power that is given on purpose ----------------------------------

POWERS = {
    DAEMON: {
        "User": ["bwcdock"], "SupplementaryGroups": [DOCK], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""],
        "DevicePolicy": ["closed"], "DeviceAllow": ["block-sd r", "char-usb_device rw"],
        "RestrictAddressFamilies": ["AF_UNIX AF_NETLINK"], "IPAddressDeny": ["any"],
    },
    FOUND: {
        "User": ["bwcdock"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["AF_UNIX"], "IPAddressDeny": ["any"],
    },
    READER: {
        "DynamicUser": ["yes"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["none"], "IPAddressDeny": ["any"],
    },
    METRICS: {
        "User": ["bwcdock"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["AF_UNIX"], "IPAddressDeny": ["any"],
    },
    ERASE: {
        "CapabilityBoundingSet": ["CAP_SYS_ADMIN"], "AmbientCapabilities": [""],
        "DevicePolicy": ["closed"], "DeviceAllow": ["block-sd rw"],
        "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["AF_UNIX"], "IPAddressDeny": ["any"],
    },
    # No device, so that it can open none: it has the one that the station hands over.
    VENDOR: {
        "CapabilityBoundingSet": ["CAP_SYS_RAWIO"], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["AF_UNIX"], "IPAddressDeny": ["any"],
    },
    WEB: {
        "User": ["bwcdock-web"], "SupplementaryGroups": ["bwcdock"],
        "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
        "IPAddressDeny": ["any"], "IPAddressAllow": ["localhost"],
    },
    CATALOGUE: {
        "User": ["bwcdock-catalogue"], "SupplementaryGroups": ["bwcdock"],
        "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
        "IPAddressDeny": ["any"], "IPAddressAllow": ["localhost"],
    },
}  # fmt: skip
WAYS = {
    "User", "DynamicUser", "SupplementaryGroups", "CapabilityBoundingSet", "AmbientCapabilities", "DevicePolicy",
    "DeviceAllow", "PrivateNetwork", "RestrictAddressFamilies", "IPAddressDeny", "IPAddressAllow", "ReadWritePaths",
}  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_the_powers_that_are_written_down(name):
    given = {key.removeprefix("[Service] "): value for key, value in told(name).items()}
    assert {key: value for key, value in given.items() if key in WAYS} == POWERS[name]
    assert given["NoNewPrivileges"] == ["yes"]
    assert given["ProtectSystem"] == ["strict"]


def test_figures_are_written_where_a_stranger_may_read_and_by_nobody_who_was_not_asked():
    (command,) = told(METRICS)["[Service] ExecStart"]
    place = f"/run/{one(METRICS, '[Service] RuntimeDirectory')}/"
    assert command == f"@BIN@/bwcdock -C /etc/bwcdock metrics --textfile {place}bwcdock.prom"
    assert one(METRICS, "[Service] RuntimeDirectoryMode") == "0755"
    assert "[Install] WantedBy" not in told(METRICS)
    assert not {METRICS, "bwcdock-metrics.timer"} & set(install.ENABLED)


def test_users_and_directories_are_those_of_the_units():
    users = [line.split()[1] for line in text(CONFS[0]).splitlines() if line.startswith("u ")]
    assert users == [one(name, "[Service] User") for name in (DAEMON, WEB, CATALOGUE)]
    assert users[0] == one(FOUND, "[Service] User")
    made = {line.split()[1]: line.split()[2:5] for line in text(CONFS[1]).splitlines() if line.startswith("d ")}
    for name in (DAEMON, FOUND):
        for directory, place in (("StateDirectory", "/var/lib/"), ("RuntimeDirectory", "/run/")):
            mode = one(name, f"[Service] {directory}Mode")
            assert made[place + one(name, f"[Service] {directory}")] == [mode, "bwcdock", "bwcdock"]
    for name in ("keys", "spool", "central", "exports"):
        assert made[f"/var/lib/bwcdock/{name}"][0] == "0700", "the pages are in the station's group"


def test_the_pages_reach_the_daemon_and_the_ledger_and_nothing_of_footage_or_keys():
    made = {line.split()[1]: line.split()[2:5] for line in text(CONFS[1]).splitlines() if line.startswith("d ")}
    assert made[f"/run/bwcdock/{line.WEB}"] == ["2710", "bwcdock", one(WEB, "[Service] Group")]
    assert "m bwcdock-web bwcdock" in text(CONFS[0]).splitlines()
    hidden = " ".join(told(WEB)["[Service] InaccessiblePaths"]).split()
    named = settings_of_an_installed_station()
    for place in (named.paths.keys, named.paths.spool, named.papers.exports, named.sink[0].path, named.drop[0].path):
        assert f"-{place}" in hidden
    assert not any(str(named.paths.ledger).startswith(each.removeprefix("-")) for each in hidden)
    assert str(named.paths.web) == f"/var/lib/{one(WEB, '[Service] StateDirectory')}"
    assert one(WEB, "[Service] StateDirectoryMode") == "0700"
    # A password is checked in 64 MiB, and several may be at once.
    assert size(WEB, "[Service] MemoryMax") >= 512 << 20


def test_the_catalogue_reaches_the_ledger_and_nothing_of_footage_keys_or_the_daemon():
    assert "m bwcdock-catalogue bwcdock" in text(CONFS[0]).splitlines()
    hidden = " ".join(told(CATALOGUE)["[Service] InaccessiblePaths"]).split()
    named = settings_of_an_installed_station()
    paths = named.paths
    for place in (paths.keys, paths.spool, paths.web, named.papers.exports, named.sink[0].path, named.drop[0].path):
        assert f"-{place}" in hidden
    assert f"-{paths.run / line.WEB}" in hidden, "what speaks to strangers has no way to have something done"
    assert not any(str(paths.ledger).startswith(each.removeprefix("-")) for each in hidden)
    assert told(CATALOGUE)["[Service] ExecStart"] == ["@BIN@/bwcdock-catalogue -C /etc/bwcdock"]
    shown = (UNITS.parent / "config" / "bwcdock.toml").read_text(encoding="utf-8")
    assert f'# file = "/var/lib/{one(CATALOGUE, "[Service] StateDirectory")}/catalogue.db"' in shown
    assert CATALOGUE not in install.ENABLED, "whoever opens the way to the database decides that"


def test_what_is_docked_is_the_daemons_alone_also_not_its_groups_to_which_the_pages_belong():
    lines = text(CONFS[0]).splitlines()
    assert f"g {DOCK} -" in lines
    assert not [line for line in lines if line.startswith("m ") and line.split()[2] == DOCK]
    rules = "".join(path.read_text(encoding="utf-8") for path in install.shipped_rules())
    assert set(re.findall(r'GROUP="([^"]+)"', rules)) == {"root", DOCK}


def settings_of_an_installed_station() -> settings.Settings:
    written = tomllib.loads(install.settings_text("dock-07", "unit", "S4-fuzhou"))
    return settings.Settings.model_validate(written, context={"base": install.ETC})


def test_the_screen_is_an_example_that_names_the_wall_where_the_pages_listen():
    example = text(KIOSK)
    assert f"http://{settings.Web().listen}/wall" in example
    assert "bwcdock-kiosk.service.example" in (UNITS.parent / "docs" / "systemd.md").read_text(encoding="utf-8")
    paths = [file.path for file in install.files(Path("/opt"), name="dock-07", unit="unit", rules="S4-fuzhou")]
    assert Path("/etc/systemd/system/bwcdock-web.service") in paths
    assert not any("kiosk" in path.name for path in paths)
    assert "bwcdock-web.service" not in install.ENABLED, "whoever opens the pages decides that"


def test_the_adb_server_is_an_example_that_reaches_usb_nodes_and_no_disk_and_no_network():
    socket = f"/run/{one(ADB, '[Service] RuntimeDirectory')}/adb.sock"
    assert f"{adb.SOCKET_VARIABLE}={socket}" in told(DAEMON)["[Service] Environment"]
    assert one(ADB, "[Service] ExecStart") == f"/usr/bin/adb -L localfilesystem:{socket} server nodaemon"
    given = {key.removeprefix("[Service] "): value for key, value in told(ADB).items()}
    assert {key: value for key, value in given.items() if key in WAYS} == {
        "DynamicUser": ["yes"], "CapabilityBoundingSet": [""], "AmbientCapabilities": [""], "DevicePolicy": ["closed"],
        "DeviceAllow": ["char-usb_device rw"], "PrivateNetwork": ["yes"], "RestrictAddressFamilies": ["AF_UNIX"],
        "IPAddressDeny": ["any"],
    }  # fmt: skip
    assert given["Group"] == [DOCK]
    # The group may ask, which is the daemon alone, and nobody else; its key is its own.
    assert (given["UMask"], given["RuntimeDirectoryMode"], given["StateDirectoryMode"]) == (
        ["0007"],
        ["0750"],
        ["0700"],
    )
    paths = [file.path for file in install.files(Path("/opt"), name="dock-07", unit="unit", rules="S4-fuzhou")]
    assert not any("adb" in path.name for path in paths)
    for page in ("systemd.md", "vendor.md"):
        assert f"`{ADB}`" in (UNITS.parent / "docs" / page).read_text(encoding="utf-8")


def test_the_screens_compositor_has_room_for_its_socket():
    """ProtectHome= hides /run/user, where a session would have put it; PAM's own word of it must not count."""
    assert one(KIOSK, "[Service] ProtectHome") == "yes"
    room = f"XDG_RUNTIME_DIR=/run/{one(KIOSK, '[Service] RuntimeDirectory')}"
    assert one(KIOSK, "[Service] ExecStart").startswith(f"/usr/bin/env {room} /usr/bin/cage ")


def test_every_unit_is_explained():
    page = (UNITS.parent / "docs" / "systemd.md").read_text(encoding="utf-8")
    for name in (*NAMES, *CONFS):
        assert f"`{name}`" in page, name
    for name in SERVICES:
        for key in told(name):
            line = key.removeprefix("[Service] ")
            assert key.startswith(("[Unit]", "[Install]")) or f"`{line}" in page, (name, line)
