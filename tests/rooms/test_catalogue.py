"""The catalogue of a single dock, in a file."""

from pathlib import Path

import pytest
from bwcdock.catalogue import Place
from catalogue_suite import TestAgreeing, TestCounting, TestFollowing, TestSearching, TestTables
from sqlalchemy import URL

__all__ = ["TestAgreeing", "TestCounting", "TestFollowing", "TestSearching", "TestTables"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(url=URL.create("sqlite", database=str(tmp_path / "catalogue.db")))
