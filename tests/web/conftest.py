"""What holds for every test of the pages: passwords cost little, except where their cost is what is tested."""

from collections.abc import Iterator

import pytest
from bwcdock.web.accounts import hashing


@pytest.fixture(autouse=True, scope="module")
def cheap_passwords(request: pytest.FixtureRequest) -> Iterator[None]:
    """Argon2 at its least; `test_accounts.py` has it as it is."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__ != "test_accounts":
            patch.setattr(hashing, "MEMORY_KIB", 64)
            patch.setattr(hashing, "PASSES", 1)
        yield
