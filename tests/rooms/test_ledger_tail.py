"""The newest leaves proven at every start: each one changed is found, and what is older is not read."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from bwcdock.core.facts import Beat
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import Ledger, codec, open_read_only, schema, verify
from ledger_world import after, new_ledger, short_story, signer_of

SIZE = 40
SIGNED = 32


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A closed ledger of 40 leaves whose first 32 are signed."""
    home = tmp_path_factory.mktemp("original")
    with new_ledger(home) as ledger:
        ledger.append(short_story(), after(10))
        ledger.checkpoint()
        ledger.append([Beat(clock="synchronised")] * (SIZE - SIGNED), after(20))
    return home


@pytest.fixture
def home(original, tmp_path):
    return shutil.copytree(original, tmp_path / "station")


def tail(home, leaves=verify.TAIL):
    with open_read_only(home) as ledger:
        return [(d.code, d.place) for d in verify.tail(ledger, leaves)]


def change(home, statement, *values):
    """As somebody with the file in his hands can, leaving the tables looking as they were."""
    with closing(sqlite3.connect(home / schema.LEDGER_FILE, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for trigger, _ in triggers:
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(statement, values)
        for _, sql in triggers:
            db.execute(sql)


def body_of(home, seq):
    with open_read_only(home) as ledger:
        return ledger.leaf(seq)


@pytest.mark.parametrize("leaves", [1, 7, 8, 9, SIZE - 1, SIZE, SIZE + 1, verify.TAIL])
def test_a_sound_tail_agrees(original, leaves):
    assert tail(original, leaves) == []


@pytest.mark.parametrize("seq", range(SIZE))
def test_every_leaf_of_it_is_proven(home, seq):
    """One byte of a leaf, in a place that leaves it readable: a leaf under the head, or one that is not signed yet."""
    other = body_of(home, seq).replace(b'"mono":', b'"mono":1', 1)
    change(home, "UPDATE leaf SET body = ? WHERE seq = ?", other, seq)
    told = tail(home)
    if seq < SIGNED:
        assert ("head.root", f"the head over {SIGNED} leaves") in told
    assert ("tree.nodes", f"leaf {SIZE - 1}") in told


@pytest.mark.parametrize("seq", range(10, SIGNED - 1))
def test_tree_hashes_before_the_tail_are_proven_by_the_signed_root(home, seq):
    """Those that the tail stands on; what the others are is for the whole audit."""
    start = SIGNED - 1
    edge = {last for level in range(6) for last in [(start >> level << level) - 1] if start >> level & 1}
    change(home, "UPDATE leaf SET nodes = zeroblob(length(nodes)) WHERE seq = ?", seq)
    assert bool(tail(home, 1)) == (seq in edge)


def test_a_tail_is_no_more_than_was_asked_for_and_what_is_unsigned(home, monkeypatch):
    read = []
    with open_read_only(home) as ledger:
        leaf = ledger.leaf
        monkeypatch.setattr(ledger, "leaf", lambda seq: (read.append(seq), leaf(seq))[1])
        for leaves, first in ((1, SIGNED - 1), (8, SIGNED - 1), (12, SIZE - 12)):
            read.clear()
            assert verify.tail(ledger, leaves) == []
            assert read == list(range(first, SIZE))


def test_a_leaf_that_is_gone_or_no_leaf_is_told(home):
    change(home, "UPDATE leaf SET body = x'00' WHERE seq = ?", SIZE - 3)
    assert ("leaf.unreadable", f"leaf {SIZE - 3}") in tail(home)
    change(home, "DELETE FROM leaf WHERE seq = ?", SIZE - 2)
    with pytest.raises(LedgerBroken, match=f"no leaf {SIZE - 2}"):
        tail(home)


def test_time_that_goes_back_is_told(home):
    """Written with the right hashes: only the order of the times says it."""
    with Ledger.open(home, signer_of(home), mono=lambda: 1.0) as ledger:
        ledger._last_ms = 0
        ledger.append([Beat(clock="synchronised")], after(-1000))
    assert tail(home) == [("leaf.time", f"leaf {SIZE}")]


def test_a_ledger_that_was_just_founded_agrees(tmp_path):
    with new_ledger(tmp_path / "new") as ledger:
        assert verify.tail(ledger) == []
        ledger.append([Beat(clock="synchronised")], after(1))
        assert verify.tail(ledger) == []
    assert codec.decode(body_of(tmp_path / "new", 1)).entry.seq == 1
