"""A card as a directory of the test, the machine around it, and the helper at work on a real socket."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic

from blake3 import blake3
from bwcdock.erase_helper.card import FileSystem
from bwcdock.erase_helper.serve import serve
from bwcdock.erase_helper.system import Disk, Place, Refusal
from bwcdock.erasing import ANSWER, ClockFileRequest, End, FileTold, Request, Target
from bwcdock.ledger import Signer
from bwcdock.manifest import sign

FAT32 = FileSystem(kind="fat32", sector=512, cluster=32768, serial=0x1234ABCD, label="CARD")
DEVICE = "/dev/sdb"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class Machine:
    """As :class:`bwcdock.erase_helper.system.System`; the card is the directory ``card``, and may be written when told.

    ``meanwhile`` is done when the card is mounted, ``breaks`` is raised when it is let go of.
    """

    card: Path
    key: str
    slot: int = 3
    diskseq: int = 17
    uid: int = field(default_factory=os.getuid)
    places: tuple[Place, ...] = (Place(node="/dev/sdb1", disk=DEVICE, holds=FAT32),)
    mounts: list[bool] = field(default_factory=list)
    formatted: int = 0
    meanwhile: Callable[[], object] | None = None
    breaks: OSError | None = None

    def now(self) -> datetime:
        return NOW

    def station_uid(self) -> int:
        return self.uid

    def station_key(self) -> str:
        return self.key

    def disk(self, device: str) -> Disk:
        if device != DEVICE:
            raise Refusal(f"{device} is in no slot of the dock.")
        return Disk(slot=self.slot, diskseq=self.diskseq, places=self.places)

    @contextmanager
    def mounted(self, place: Place, *, writable: bool) -> Iterator[int]:
        assert place in self.places
        self.mounts.append(writable)
        root = os.open(self.card, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if self.meanwhile:
                self.meanwhile()
            yield root
        finally:
            os.close(root)
            if self.breaks:
                raise self.breaks

    def format(self, place: Place) -> None:
        assert place in self.places
        self.formatted += 1
        for path in sorted(self.card.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def target(path: str | bytes, data: bytes, **changes: object) -> Target:
    """A permit for a file with this content."""
    raw = path if isinstance(path, bytes) else path.encode()
    plain: dict[str, object] = {
        "record": "ab" * 16,
        "path": tuple(part.hex() for part in raw.split(b"/")),
        "size": len(data),
        "sha256": sha256(data).hexdigest(),
        "blake3": blake3(data).hexdigest(),
        "ground": "confirmed and looked at again in central",
    }
    return Target.model_validate(plain | changes)


def request(*files: Target, **changes: object) -> Request:
    """A request for these files of the card in slot 3."""
    plain: dict[str, object] = {"session": "s1", "device": DEVICE, "slot": 3, "diskseq": 17, "files": files}
    return Request.model_validate(plain | changes)


def clock_file(**changes: object) -> ClockFileRequest:
    """A request for a file that sets the clock of the recorder in slot 3."""
    plain: dict[str, object] = {
        "session": "s1",
        "device": DEVICE,
        "slot": 3,
        "diskseq": 17,
        "name": "TIMESET.TXT",
        "content": b"2026-11-21 20:00:00".hex(),
        "asked_ms": int(NOW.timestamp() * 1000),
    }
    return ClockFileRequest.model_validate(plain | changes)


def ask(machine: Machine, line: bytes) -> tuple[list[FileTold], End, list[str]]:
    """Send this to a helper on that machine: what it told of files, its last word, and its journal."""
    notes: list[str] = []
    ours, theirs = socket.socketpair()

    def work() -> None:
        with theirs:
            serve(theirs, machine, monotonic=monotonic, note=notes.append)

    helper = threading.Thread(target=work)
    helper.start()
    with ours, ours.makefile("rb") as answers:
        with suppress(BrokenPipeError):
            ours.sendall(line)
        told = []
        with suppress(ConnectionResetError):  # it hung up on a request that it did not read to its end
            for answer in answers:
                told.append(ANSWER.validate_json(answer))  # noqa: PERF401 (what came before a reset counts)
        helper.join()
    assert isinstance(told[-1], End)
    return [one for one in told if isinstance(one, FileTold)], told[-1], notes


def asked(
    machine: Machine, signer: Signer, wanted: Request | ClockFileRequest
) -> tuple[list[FileTold], End, list[str]]:
    """The same for a request that is properly signed."""
    return ask(machine, sign(wanted, signer) + b"\n")


def outcomes(told: Sequence[FileTold]) -> list[str]:
    """``erased``, or the reason why not, file by file."""
    assert [one.n for one in told] == list(range(len(told)))
    return [one.reason or one.outcome for one in told]
