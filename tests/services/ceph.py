"""Ceph on one node: a monitor, a manager, one store in memory and its S3 gateway, all on loopback.

It is the kind of store that private clouds run for years: release 16, from Debian's packages.
"""

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from processes import Server, answers_at, free_ports, program, s3_answers
from s3_beds import Account

HINT = "Install Debian's ceph-mon, ceph-mgr, ceph-osd, radosgw and ceph-common."
OWNER = Account("owner", "secret-of-the-store")
DOCK = Account("dock", "secret-of-the-dock")
PRINCIPAL = f"arn:aws:iam:::user/{DOCK.access}"
"""The dock's account in a bucket's policy."""

ROOM = 8 << 30
"""Bytes that the store in memory says it has; it takes what is written."""

_CAPS = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "mgr.x": ("mon", "allow profile mgr", "osd", "allow *"),
    "osd.0": ("mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"),
    "client.rgw.x": ("mon", "allow rwx", "osd", "allow rwx", "mgr", "allow rw"),
}

_SETTINGS = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.sock
log file = {folder}/$name.log
log to stderr = false
mon cluster log file = {folder}/cluster.log
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
mgr initial modules =
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1
osd objectstore = memstore
memstore device bytes = {room}
[client.rgw.x]
rgw frontends = beast endpoint=127.0.0.1:{http}
rgw thread pool size = 64
rgw dns name = localhost
"""


class Ceph:
    """The four daemons over ``folder``; what they hold is gone when they end."""

    def __init__(self, folder: Path) -> None:
        for part in ("mon", "mgr", "osd"):
            (folder / part).mkdir(parents=True)
        self._folder = folder
        mon2, mon1, self._port = free_ports(3)
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._fsid = str(uuid.uuid4())
        self._settings = folder / "ceph.conf"
        told = _SETTINGS.format(fsid=self._fsid, folder=folder, mon1=mon1, mon2=mon2, http=self._port, room=ROOM)
        self._settings.write_text(told)
        self._mon_port = mon2
        self._servers: list[Server] = []

    def start(self) -> None:
        """Make it and bring it up, one after the other: each waits for the one before."""
        self._make()
        self._up("ceph-mon", "-i", "x", ready=answers_at(self._mon_port))
        self._run("ceph", "mon", "stat")
        self._up("ceph-mgr", "-i", "x", ready=lambda: True)
        self._run("ceph", "osd", "new", str(uuid.uuid4()), "0")
        (found,) = json.loads(self._run("ceph", "osd", "dump", "-f", "json"))["osds"]
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", found["uuid"])
        self._up("ceph-osd", "-i", "0", ready=lambda: "1 up" in self._run("ceph", "osd", "stat"))
        self._up("radosgw", "-n", "client.rgw.x", ready=self._answers)
        for who in (OWNER, DOCK):
            self._run(
                "radosgw-admin", "user", "create", f"--uid={who.access}", f"--display-name={who.access}",
                f"--access-key={who.access}", f"--secret-key={who.secret}",
            )  # fmt: skip

    def kill(self) -> None:
        """End all of it, the last first."""
        while self._servers:
            self._servers.pop().kill()

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [server.pid for server in self._servers]

    def _make(self) -> None:
        keyring, monmap = self._folder / "keyring", self._folder / "monmap"
        for name, caps in _CAPS.items():
            new = [] if keyring.exists() else ["--create-keyring"]
            pairs = zip(caps[::2], caps[1::2], strict=True)
            self._plain(
                "ceph-authtool", *new, keyring, "--gen-key", "-n", name,
                *(part for pair in pairs for part in ("--cap", *pair)),
            )  # fmt: skip
        address = self._settings.read_text().partition("mon host = ")[2].partition("\n")[0]
        self._plain("monmaptool", "--create", "--addv", "x", address, "--fsid", self._fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "x", "--monmap", str(monmap), "--keyring", str(keyring))

    def _up(self, name: str, *arguments: str, ready: Callable[[], bool]) -> None:
        command = [program(name, hint=HINT), "-c", self._settings, *arguments, "-f"]
        server = Server(command, self._folder / f"{name}.out")
        self._servers.append(server)
        server.start(ready)

    def _run(self, name: str, *arguments: str) -> str:
        more = ["--connect-timeout", "30"] if name == "ceph" else []
        return self._plain(name, "-c", self._settings, *more, *arguments)

    def _plain(self, name: str, *arguments: str | Path) -> str:
        command = [str(program(name, hint=HINT)), *map(str, arguments)]
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=self._folder,
        )
        if ran.returncode:
            raise OSError(f"{name}: {ran.stderr[-2000:]}")
        return ran.stdout

    def _answers(self) -> bool:
        return s3_answers(self._port)
