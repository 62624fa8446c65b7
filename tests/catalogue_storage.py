"""Central storage with signed papers of several stations in it, quickly made, for the tests of the catalogue."""

import base64
import multiprocessing
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.catalogue.papers import Papers
from bwcdock.core.facts import Claim, Corrected, Digests, Entry, Identity, MediaFacts, Obligation, Sealed
from bwcdock.ledger import Signer, Verifier, codec
from bwcdock.manifest import MANIFEST, Annotation, DayCount, Manifest, Position, Statement, sign
from bwcdock.sinks.filesystem import FilesystemSink
from bwcdock.testing.sinks import digests_of
from catalogue_world import T0, ZONE, rid
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Storage:
    """A folder of central storage in which stations of any name have put recordings."""

    def __init__(self, root: Path, name: str = "nas") -> None:
        root.mkdir()
        self.root, self.name = root, name
        self.sink = FilesystemSink(name, root)
        self.sink.initialise()
        self.signers: dict[str, Signer] = {}

    def signer(self, station: str) -> Signer:
        seed = station.encode().ljust(32, b"-")[:32]
        return self.signers.setdefault(station, Signer(station, Ed25519PrivateKey.from_private_bytes(seed)))

    def papers(self) -> Papers:
        return Papers(self.name, self.sink, self.keys, ZONE)

    @property
    def keys(self) -> list:
        return [signer.verifier for signer in self.signers.values()]

    def put(self, number: int, *, station: str = "bureau/dock-1", by: Signer | None = None, **more: object) -> str:
        """A recording with its manifest; the key of the manifest."""
        data = f"footage {number}".encode()
        made = self.manifest(number, station, digests_of(data), len(data), **more)
        self.sink.note(made.key, data)
        self.sink.note(made.key + MANIFEST, sign(made, by or self.signer(station)))
        return made.key + MANIFEST

    def manifest(self, number: int, station: str, digests: Digests, size: int, **more: object) -> Manifest:
        at = T0 + timedelta(minutes=number)
        corrected = Corrected(start=at, end=None, method="uncorrected", offset_ms=0, uncertainty_ms=2000)
        media = MediaFacts(container="mp4", duration_ms=60_000)
        sealed = Sealed(
            record=rid(number), session="s1", recorder="R1", size=size, digests=digests, readback="direct", media=media,
            corrected=corrected,
        )  # fmt: skip
        leaf = codec.encode(
            Entry(seq=number, at=at + timedelta(hours=1), fact=sealed), boot="b", mono=1, origin=station
        )
        said = {
            "key": f"unit/2026-03-02/R1/{number:05d}.mp4", "record": rid(number), "path": f"DCIM/{number}.mp4",
            "recorder": Identity(serial="R1", basis="label"), "driver": "folder", "size": size,
            "sha256": digests.sha256, "blake3": digests.blake3, "corrected": corrected, "station_clock": "synchronised",
            "claim": Claim(start=at, end=None, source="name", zone="+08:00"), "media": media, "officer": "000002",
            "unit": "一大队", "obligation": _owed(at), "verdict": "not_due", "sessions": ("s1",),
            "position": Position(
                origin=station, seq=number, leaf=base64.b64encode(leaf).decode(), path=(),
                checkpoint=f"{station}\n{number + 1}\nabc\n",
            ),
            "station_version": "1.0", "at": at + timedelta(hours=2),
        }  # fmt: skip
        return Manifest(**{**said, **more})

    def state(
        self, seq: int, annotations: Sequence[Annotation] = (), days: Sequence[DayCount] = (), *,
        station: str = "bureau/dock-1", at: datetime = T0, by: Signer | None = None,
    ) -> str:  # fmt: skip
        """A statement; its key."""
        made = Statement(
            station=station.rpartition("/")[2], origin=station, sink=self.name, after=-1, seq=seq, at=at,
            annotations=tuple(annotations), days=tuple(days), station_version="1.0",
        )  # fmt: skip
        self.sink.note(made.key, sign(made, by or self.signer(station)))
        return made.key


def _owed(at: datetime) -> Obligation:
    return Obligation(
        pack="S4", article="第十七条", quote="24小时内导出", due=at + timedelta(days=1), basis="recorded", basis_at=at,
        met_by="confirmed", sinks=("nas",), keep_article="第十九条", keep_until=None, permanent=True,
    )  # fmt: skip


def papers_in(root: Path, name: str, keys: Sequence[str]) -> Papers:
    """The papers in a folder, for a process that opens them once more."""
    return Papers(name, FilesystemSink(name, root), [Verifier.parse(key) for key in keys], ZONE)


def papers_here_alone(root: Path, name: str, keys: Sequence[str]) -> Papers:
    """As :func:`papers_in`, but for another process, which dies of it."""
    if multiprocessing.parent_process() is not None:
        os._exit(3)
    return papers_in(root, name, keys)


def papers_unmounted(root: Path, name: str, keys: Sequence[str]) -> Papers:
    """As :func:`papers_in`, but another process finds the folder empty."""
    there = root.with_name("nowhere") if multiprocessing.parent_process() is not None else root
    return papers_in(there, name, keys)
