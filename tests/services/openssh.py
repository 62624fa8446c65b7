"""OpenSSH's server with its own SFTP server, for one account with one key."""

import getpass
import os
import subprocess
from pathlib import Path

from processes import Server, answers_at, free_ports, program
from sftp_world import Place

HINT = "Install Debian's openssh-server."


class OpenSsh:
    """A server over ``folder``; ``options`` are internal-sftp's (``-R``: read-only, ``-P``: without these requests)."""

    def __init__(self, folder: Path, options: str = "") -> None:
        (self._port,) = free_ports(1)
        root = folder / "evidence"
        root.mkdir(parents=True)
        folder.chmod(0o700)
        for key in ("host", "id"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self._port}\n"
            f"HostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/id.pub\n"
            "StrictModes no\n"  # the folders of tests belong to nobody's home
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "AllowTcpForwarding no\nX11Forwarding no\nPidFile none\n"
            f"Subsystem sftp internal-sftp {options}\nForceCommand internal-sftp {options}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # it insists, and keeps nothing there
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self._port} {(folder / 'host.pub').read_text()}")
        self.place = Place(port=self._port, user=getpass.getuser(), key=folder / "id", known_hosts=known, root=root)
        sshd = program("sshd", hint=HINT)
        self._server = Server([sshd, "-D", "-e", "-f", folder / "sshd_config"], folder / "log")

    def start(self) -> None:
        """Listen, after an end at the same port."""
        self._server.start(answers_at(self._port))

    def kill(self) -> None:
        """End the server and all its sessions."""
        self._server.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._server.pid
