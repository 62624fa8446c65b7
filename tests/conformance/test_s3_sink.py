"""The sink suite against S3 stores of several kinds, by a credential that has the shipped policy's rights alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bwcdock import resources
from bwcdock.testing.s3_server import S3Server
from bwcdock.testing.s3_signing import User
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sink_suite import SinkSuite
from s3_beds import SUITE_SIZE, Account, S3Bed


def bed_on(server: S3Server, folder: Path, **more: Any) -> S3Bed:
    return S3Bed(
        server.endpoint,
        server.BUCKET,
        Account("dock", "dock's secret"),
        Account(server.OWNER, server.OWNERS_SECRET),
        folder / "uploads",
        more,
    )


class OnTheFake(SinkSuite):
    habits = Habits()
    more: ClassVar[dict[str, Any]] = {}
    size = SUITE_SIZE

    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[S3Bed]:
        policy = json.loads((resources.config_dir() / "s3-policy.json").read_text())
        with S3Server(self.habits, users={"dock": User(secret="dock's secret", policy=policy)}) as server:
            yield bed_on(server, tmp_path, **self.more)


class TestS3Store(OnTheFake):
    """A store that can do everything."""


class TestS3StoreOfAnOlderKind(OnTheFake):
    """Dates wrap, checksums are not heard, the end of an upload is not conditional; small pages, folder by folder."""

    habits = Habits(wraps=True, checksums=False, conditional_completes=False, ordered=False, page=2)


class TestS3StoreWithoutConditions(OnTheFake):
    """Only the versions keep what was there first; parts go by names of the store's own."""

    habits = Habits(conditional_puts=False, conditional_completes=False, md5_etags=False)


class TestS3StoreWithoutVersions(OnTheFake):
    habits = Habits(versions=False, object_lock=False)
    more: ClassVar = {"lock": False}
