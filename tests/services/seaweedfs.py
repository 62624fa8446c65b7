"""SeaweedFS as an S3 store: one program, everything on loopback, nothing told to its makers."""

import json
from pathlib import Path

from processes import Server, free_ports, program, s3_answers
from s3_beds import Account

HINT = "Run it by `make services`, which installs it into .venv-services."
TOOLS = Path(__file__).resolve().parents[2] / ".venv-services" / "bin"

OWNER = Account("owner", "of the store")
DOCK = Account("dock", "of the dock")
PRINCIPAL = f"arn:aws:iam::*:user/{DOCK.access}"
"""The dock's account in a bucket's policy."""

VOLUME_MB = 1024
"""Room is taken in volumes, as they are needed."""


class SeaweedFs:
    """A server over ``folder`` that keeps what it has across a stop and a kill."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        data, settings = folder / "data", folder / "s3.json"
        data.mkdir()
        self._port, *others = free_ports(8)
        self.endpoint = f"http://127.0.0.1:{self._port}"
        settings.write_text(
            json.dumps(
                {
                    "identities": [
                        _identity(OWNER, ["Admin", "Read", "Write", "List", "Tagging"]),
                        _identity(DOCK, []),  # it has what a bucket's policy gives it
                    ]
                }
            )
        )
        named = dict(zip(("master", "volume", "filer"), others[:3], strict=True))
        wired = dict(zip(("master", "volume", "filer", "s3"), others[3:], strict=True))
        command: list[str | Path] = [
            program("weed", TOOLS, hint=HINT),
            f"-logdir={folder}",
            "server",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-filer",
            "-s3",
            *(f"-{name}.port={port}" for name, port in named.items()),
            *(f"-{name}.port.grpc={port}" for name, port in wired.items()),
            f"-s3.port={self._port}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-s3.config={settings}",
            "-s3.localSocket=s3.sock",  # where it runs: a socket's whole path may have 107 bytes, and folders are deep
            "-filer.localSocket=filer.sock",
            "-master.telemetry=false",  # it tells its makers otherwise
            "-master.electionTimeout=1s",  # alone, it need not wait ten for others
            f"-master.volumeSizeLimitMB={VOLUME_MB}",
            "-volume.preStopSeconds=0",
            "-volume.max=1000",  # each bucket takes seven at once, and every test has a bucket
            "-volume.minFreeSpace=1GiB",
        ]
        self._server = Server(command, folder / "log")

    def start(self) -> None:
        """Come up, after an end with what it had."""
        self._server.start(self._answers)

    def stop(self) -> None:
        """Have it end by itself, as an administrator does; it takes its time."""
        self._server.stop()

    def kill(self) -> None:
        """End it, as a power cut does."""
        self._server.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._server.pid

    def _answers(self) -> bool:
        return s3_answers(self._port)


def _identity(who: Account, may: list[str]) -> dict[str, object]:
    keys = [{"accessKey": who.access, "secretKey": who.secret}]
    return {"name": who.access, "credentials": keys, "actions": may}
