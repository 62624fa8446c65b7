"""What the program says to somebody is a promise, and stands in the recording where it was said."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bwcdock import durable
from bwcdock.durable import PartFile
from bwcdock.ledger import Ledger
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.spool import Spool

from power.fuse_names import MARK


@dataclass(slots=True)
class Promises:
    """Everything that was said up to a moment and not taken back since."""

    leaves: int = 0
    head: int = 0
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 by path: small files, central objects and documents."""
    wholes: dict[str, str] = field(default_factory=dict)
    """BLAKE3 by record, of files in the spool."""
    held: dict[str, int] = field(default_factory=dict)
    """Bytes of an interrupted pull, by record."""

    def hear(self, text: str) -> None:
        told = json.loads(text)
        match told:
            case {"leaves": int(size)}:
                self.leaves = size
            case {"head": int(size)}:
                self.head = size
            case {"file": path, "sha256": digest}:
                self.files[path] = digest
            case {"rewriting": path}:
                self.files.pop(path, None)
            case {"whole": record, "blake3": digest}:
                self.wholes[record] = digest
                self.held.pop(record, None)
            case {"held": record, "length": length}:
                self.held[record] = length
            case {"dropping": record}:
                self.wholes.pop(record, None)
                self.held.pop(record, None)

    def copy(self) -> "Promises":
        return Promises(self.leaves, self.head, dict(self.files), dict(self.wholes), dict(self.held))


def said(root: Path, **told: object) -> None:
    os.setxattr(root, MARK, json.dumps(told).encode())


@contextmanager
def promising(root: Path) -> Iterator[None]:
    """Whatever the program's own functions answer is put into the recording at that moment."""

    def after(real: Callable, tell: Callable) -> Callable:
        def call(*args: Any, **named: Any) -> Any:
            answer = real(*args, **named)
            if told := tell(answer, *args, **named):
                said(root, **told)
            return answer

        return call

    def before(real: Callable, tell: Callable) -> Callable:
        def call(*args: Any, **named: Any) -> Any:
            if told := tell(*args, **named):
                said(root, **told)
            return real(*args, **named)

        return call

    def inside(path: Path) -> str:
        return f"/{Path(path).relative_to(root)}"

    def central(sink: FilesystemSink, key: str) -> str:
        return inside(sink._root / key)

    def appended(entries: Sequence, *_: object) -> dict:
        return {"leaves": entries[-1].seq + 1} if entries else {}

    def small(_: object, path: Path, data: bytes, **__: object) -> dict:
        return {"file": inside(path), "sha256": hashlib.sha256(data).hexdigest()} if path.is_relative_to(root) else {}

    def gone(path: Path, **_: object) -> dict:
        return {"rewriting": inside(path)} if path.is_relative_to(root) and path.suffix == ".new" else {}

    def failed(part: PartFile, op: str, *_: object, **__: object) -> dict:
        return {"dropping": part.path.stem} if part.path.parent.name == "part" and op != "open" else {}

    def kept(_: object, part: PartFile) -> dict:
        return {"held": part.path.stem, "length": part.length} if part.path.parent.name == "part" else {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "append", after(Ledger.append, appended))
        patch.setattr(Ledger, "checkpoint", after(Ledger.checkpoint, lambda head, _: {"head": head.size}))
        patch.setattr(durable, "write_small", after(durable.write_small, small))
        patch.setattr(durable, "discard", before(durable.discard, gone))
        patch.setattr(PartFile, "_failure", before(PartFile._failure, failed))
        patch.setattr(PartFile, "hold", after(PartFile.hold, kept))
        patch.setattr(
            Spool,
            "seal",
            after(Spool.seal, lambda _, __, record, digests, ___: {"whole": record, "blake3": digests.blake3}),
        )
        patch.setattr(Spool, "drop", before(Spool.drop, lambda _, record, __: {"dropping": record}))
        patch.setattr(
            FilesystemSink,
            "put",
            after(
                FilesystemSink.put,
                lambda _, sink, key, __, digests, ___: {"file": central(sink, key), "sha256": digests.sha256},
            ),
        )
        patch.setattr(
            FilesystemSink,
            "note",
            after(
                FilesystemSink.note,
                lambda _, sink, key, data: {"file": central(sink, key), "sha256": hashlib.sha256(data).hexdigest()},
            ),
        )
        yield
