"""The sink suite against every sink."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from bwcdock.core.facts import Digests
from bwcdock.errors import Unreachable
from bwcdock.ports import Sink
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.testing.calls import Died, Fault, FaultySystem
from bwcdock.testing.sink_suite import SinkBed, SinkSuite
from bwcdock.testing.sinks import MemorySink, SinkFault


class NamedThenFailed(FaultySystem):
    """The name is there, and the sync of its folder fails."""

    def _done(self, name: str, call: Any, args: Any, options: Any) -> Any:
        if name == "fsync" and {"link", "rename", "rename_noreplace"} & set(self.told):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super()._done(name, call, args, options)


class FolderBed:
    def __init__(self, root: Path, refused: dict[str, int] | None = None) -> None:
        self.root = root
        self.root.mkdir()
        self.refused = refused or {}
        self.identity = self.sink().initialise()

    def sink(self, fault: Fault | None = None) -> FilesystemSink:
        identity = getattr(self, "identity", "")
        return FilesystemSink("nas", self.root, identity=identity, system=FaultySystem(fault, self.refused))

    def failing(self, how: Literal["before", "after"]) -> Sink:
        if how == "before":
            return self.sink(Fault(name="fsync", nth=1, how="before"))
        return FilesystemSink("nas", self.root, system=NamedThenFailed(refused=self.refused))

    def cut(self, key: str, source: Path, digests: Digests, at: int) -> None:
        system = FaultySystem(Fault(name="link", nth=1, how="die_before"), {})
        with pytest.raises(Died):
            FilesystemSink("nas", self.root, identity=self.identity, system=system).put(key, source, digests, None)
        (part,) = (p for p in (self.root / ".incoming").iterdir() if _incoming(key) in p.name)
        os.chmod(part, 0o600)
        os.truncate(part, at)

    def published(self) -> dict[str, bytes]:
        found = {}
        for path in self.root.rglob("*"):
            inside = path.relative_to(self.root)
            if path.is_file() and not inside.parts[0].startswith(".") and path.name != ".bwcdock-publish.lock":
                found[str(inside)] = path.read_bytes()
        return found

    def plant(self, key: str, data: bytes) -> None:
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / key).write_bytes(data)


def _incoming(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class MemoryBed:
    def __init__(self) -> None:
        self.memory = MemorySink()

    def sink(self, *faults: SinkFault) -> MemorySink:
        sink = MemorySink(faults=faults)
        sink.objects, sink.arrived = self.memory.objects, self.memory.arrived
        return sink

    def failing(self, how: Literal["before", "after"]) -> Sink:
        return self.sink(SinkFault(op="put", nth=1, how=how), SinkFault(op="note", nth=1, how=how))

    def cut(self, key: str, source: Path, digests: Digests, at: int) -> None:
        with pytest.raises(Unreachable):
            self.sink(SinkFault(op="put", nth=1, how="cut", at=at)).put(key, source, digests, None)

    def published(self) -> dict[str, bytes]:
        return dict(self.memory.objects)

    def plant(self, key: str, data: bytes) -> None:
        self.memory.objects[key] = data


class TestFilesystemSink(SinkSuite):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> SinkBed:
        return FolderBed(tmp_path / "central")


class TestFilesystemSinkWithoutLinks(SinkSuite):
    """A share without hard links, direct I/O or fallocate, as many a NAS is."""

    @pytest.fixture
    def bed(self, tmp_path: Path) -> SinkBed:
        return FolderBed(tmp_path / "central", {"link": errno.EOPNOTSUPP, "reserve": errno.EOPNOTSUPP})


class TestFilesystemSinkWithLockOnly(SinkSuite):
    """Neither links nor a rename that refuses to overwrite: the lock file is all there is."""

    @pytest.fixture
    def bed(self, tmp_path: Path) -> SinkBed:
        return FolderBed(tmp_path / "central", {"link": errno.EPERM, "rename_noreplace": errno.EINVAL})


class TestMemorySink(SinkSuite):
    @pytest.fixture
    def bed(self) -> SinkBed:
        return MemoryBed()
