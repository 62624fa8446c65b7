"""The sink suite against S3 stores of several kinds, by a credential that has the shipped policy's rights alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bwcdock.testing.s3_vault import Habits
from bwcdock.testing.sink_suite import GivesSuite, ListsSuite, LocksSuite, SinkSuite
from s3_beds import SUITE_SIZE, S3Bed
from s3_worlds import world


class OnTheFake(SinkSuite, GivesSuite, ListsSuite):
    habits = Habits()
    more: ClassVar[dict[str, Any]] = {}
    size = SUITE_SIZE

    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[S3Bed]:
        with world(tmp_path, self.habits, **self.more) as made:
            yield made.bed


class TestS3Store(OnTheFake, LocksSuite):
    """A store that can do everything."""


class TestS3StoreOfAnOlderKind(OnTheFake, LocksSuite):
    """Dates wrap, checksums are not heard, the end of an upload is not conditional; small pages, folder by folder."""

    habits = Habits(wraps=True, checksums=False, conditional_completes=False, ordered=False, page=2)


class TestS3StoreWithoutConditions(OnTheFake):
    """Only the versions keep what was there first; parts go by names of the store's own."""

    habits = Habits(conditional_puts=False, conditional_completes=False, md5_etags=False)


class TestS3StoreWithoutVersions(OnTheFake):
    habits = Habits(versions=False, object_lock=False)
    more: ClassVar = {"lock": False}
