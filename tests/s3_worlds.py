"""The S3 store of the tests with a bed in it, as several tests want it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bwcdock import resources
from bwcdock.core.facts import Digests
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_signing import User
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sinks import digests_of
from s3_beds import Account, S3Bed


def policy() -> dict[str, Any]:
    return json.loads((resources.config_dir() / "s3-policy.json").read_text())


@dataclass
class World:
    server: S3Server
    bed: S3Bed
    folder: Path

    def source(self, size: int, seed: int = 1) -> tuple[Path, bytes, Digests]:
        data = Random(seed).randbytes(size)
        path = self.folder / f"source-{seed}-{size}"
        path.write_bytes(data)
        return path, data, digests_of(data)

    def versions(self, key: str) -> list[bytes | None]:
        return [version.data for version in self.server.vault.objects.get(key, [])]


@contextmanager
def world(folder: Path, habits: Habits | None = None, **more: Any) -> Iterator[World]:
    """A store whose upload credential has the rights of the shipped policy; ``more`` are settings of the sink."""
    users = {"dock": User(secret="dock's secret", policy=policy())}
    with S3Server(habits, users=users) as server:
        bed = S3Bed(
            server.endpoint,
            server.BUCKET,
            Account("dock", "dock's secret"),
            Account(server.OWNER, server.OWNERS_SECRET),
            folder / "uploads",
            more,
        )
        server.requests.clear()
        yield World(server, bed, folder)
