"""The catalogue that docks share: what holds for every kind of database, on a real PostgreSQL."""

import pytest
from bwcdock.catalogue import Place
from bwcdock.catalogue.store import parsed
from catalogue_suite import TestAgreeing, TestCounting, TestFollowing, TestSearching, TestTables

__all__ = ["TestAgreeing", "TestCounting", "TestFollowing", "TestSearching", "TestTables"]


@pytest.fixture
def place(postgres_url: str) -> Place:
    return Place(url=parsed(postgres_url.replace("postgresql:", "postgresql+psycopg:", 1)))
