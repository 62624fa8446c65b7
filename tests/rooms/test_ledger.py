"""The ledger on real SQLite: what it keeps, what it refuses, what it finds at the next start."""

import json
import shutil
import sqlite3
import stat
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from bwcdock.core import record as record_fold
from bwcdock.core.facts import (
    Actor,
    Arrived,
    Beat,
    Founded,
    Listed,
    Obliged,
    Pulled,
    Sealed,
    Settled,
)
from bwcdock.core.record import Illegal, State
from bwcdock.errors import LedgerBroken, Misused
from bwcdock.ledger import Ledger, Unrecordable, check, open_read_only, schema, tree
from bwcdock.ledger.codec import to_ms
from bwcdock.ledger.ledger import boot_id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import (
    DIGESTS,
    ORIGIN,
    T0,
    after,
    found,
    leaving,
    life,
    listed,
    new_ledger,
    obliged,
    short_story,
    signer_of,
    visit,
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "station"


@pytest.fixture
def ledger(home):
    with new_ledger(home) as ledger:
        yield ledger


def reopened(directory) -> Ledger:
    return Ledger.open(directory, signer_of(directory))


def sound(directory) -> bool:
    return check(directory, signer_of(directory).verifier.vkey) == []


def copied(source, target):
    """The files as they lie there at this moment: what a power cut would leave, or a backup."""
    return shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-shm"))


# --- founding and opening --------------------------------------------------------------------------------------------


def test_a_new_ledger_is_founded_and_signed(ledger, home):
    first = next(ledger.entries())
    assert first.fact == Founded(origin=ORIGIN, pack="test", public_key=signer_of(home).verifier.vkey)
    head = ledger.last_head().checkpoint
    assert (head.size, head.root) == (1, ledger.root)
    assert sound(home)


def test_the_files_are_written_by_the_daemon_and_read_by_its_group(ledger, home):
    ledger.append([Beat(clock="x")], after(1))
    files = list(home.glob("*.db*"))
    assert len(files) == 6
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o640}


def test_every_commit_is_synced_to_the_disk(ledger):
    def pragma(name):
        return ledger._db.execute(f"PRAGMA {name}").fetchone()[0]

    settings = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    assert [pragma(name) for name in settings] == ["wal", 3, 1, 0]  # 3 is EXTRA


def test_a_second_founding_is_refused(ledger, home):
    ledger.close()
    with pytest.raises(Misused, match="holds a ledger"):
        Ledger.create(home, "test", signer_of(home), after(1))
    (home / schema.LEDGER_FILE).unlink()  # also over what is left of one
    with pytest.raises(Misused, match="what is left"):
        Ledger.create(home, "test", signer_of(home), after(1))


def test_there_must_be_a_ledger_to_open(home):
    home.mkdir()
    with new_ledger(home.parent / "other") as other:
        signer = signer_of(home.parent / "other")
        with pytest.raises(Misused):
            Ledger.open(home, signer)
        with pytest.raises(Misused):
            open_read_only(home)
        with pytest.raises(Misused):
            Ledger.create(home / "nowhere", "test", signer, T0)
        assert other.size == 1


@pytest.mark.parametrize("died_after", ["ledger.db", "heads.db", "heads tables"])
def test_an_interrupted_founding_is_repeated(home, died_after):
    home.mkdir()
    signer_of_other = new_ledger(home.parent / "other")
    signer_of_other.close()
    signer = signer_of(home.parent / "other")
    schema.connect(home / schema.LEDGER_FILE).close()
    if died_after != "ledger.db":
        heads = schema.connect(home / schema.HEADS_FILE)
        if died_after == "heads tables":
            with schema.transaction(heads):
                schema.install(heads, schema.HEADS_FILE)
        heads.close()
    with pytest.raises((Misused, LedgerBroken), match="init"):
        Ledger.open(home, signer)
    with Ledger.create(home, "test", signer, T0) as ledger:
        assert ledger.size == 1


def test_a_ledger_founded_but_not_signed_is_signed_before_it_grows(ledger, home):
    ledger.close()
    with sqlite3.connect(home / schema.HEADS_FILE) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE name = 'head_stays'").fetchall()
        db.execute("DROP TRIGGER head_stays")
        db.execute("DELETE FROM head")
        db.execute(triggers[0][1])
    db.close()
    with reopened(home) as again:
        assert again.last_head() is None
        again.append([Beat(clock="x")], after(1))
        assert again.last_head().checkpoint.size == 1
    assert sound(home)


def test_what_was_appended_is_there_without_any_closing(ledger, home, tmp_path):
    entries = ledger.append(short_story(), after(1))
    cut = copied(home, tmp_path / "after-the-cut")
    with reopened(cut) as again:
        assert list(again.entries(1)) == list(entries)
        assert again.root == ledger.root
    assert sound(cut)


@pytest.mark.parametrize("damage", ["DROP TRIGGER leaf_stays", "CREATE TABLE more (a)", "PRAGMA user_version = 2"])
def test_other_tables_than_its_own_are_refused(ledger, home, damage):
    ledger.close()
    with sqlite3.connect(home / schema.LEDGER_FILE) as db:
        db.execute(damage)
    db.close()
    with pytest.raises(LedgerBroken, match="as they were made"):
        reopened(home)


def test_a_file_that_is_no_database_is_refused(ledger, home):
    ledger.close()
    for name in (schema.HEADS_FILE, schema.LEDGER_FILE):
        (home / name).write_bytes(b"not a database, but long enough to have a header" * 100)
        with pytest.raises(LedgerBroken):
            reopened(home)
        with pytest.raises(LedgerBroken):
            open_read_only(home)
        (home / name).unlink()
        with pytest.raises((LedgerBroken, Misused)):
            reopened(home)


def test_another_key_is_refused(ledger, home, tmp_path):
    new_ledger(tmp_path / "other").close()
    ledger.close()
    with pytest.raises(LedgerBroken, match="and the key is"):
        Ledger.open(home, signer_of(tmp_path / "other"))


# --- append ----------------------------------------------------------------------------------------------------------


def test_a_leaf_says_who_where_and_when(ledger):
    (entry,) = ledger.append([found(record="a")], after(1.5), Actor(name="王", role="custodian"))
    leaf = json.loads(ledger.leaf(entry.seq))
    assert entry.seq == 1
    assert leaf["t"] == 1772438401500
    assert (leaf["boot"], leaf["mono"], leaf["origin"]) == (boot_id(), 12500, ORIGIN)
    assert (leaf["actor"], leaf["subject"]) == ({"name": "王", "role": "custodian"}, {"record": "a"})
    assert leaf["data"].keys() == {"finding"}


def test_time_never_goes_back(ledger, home):
    at = [ledger.append([Beat(clock="x")], now)[0].at for now in (after(10), after(5), after(20))]
    assert at == [after(10), after(10), after(20)]
    ledger.close()
    with reopened(home) as again:
        assert again.append([Beat(clock="x")], T0 - timedelta(days=9000))[0].at == after(20)


def test_what_is_folded_is_what_was_written(ledger, home):
    now = T0 + timedelta(microseconds=1500)
    (entry,) = ledger.append([listed("a")], now)
    assert entry.at == T0 + timedelta(milliseconds=1)
    assert ledger.record("a").listed_at == entry.at
    assert sound(home)


def test_nothing_is_appended_by_nothing(ledger):
    assert ledger.append([], after(1)) == ()
    assert ledger.size == 1


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Pulled(record="b", size=1, digests=DIGESTS, edges=""), Illegal),
        (Arrived(session="s1", sighting=visit()[0].sighting), Illegal),
        (Beat(clock=1.5), Unrecordable),
        (Beat(clock="x" * 70_000), Unrecordable),
    ],
)
def test_one_bad_fact_and_none_is_written(ledger, home, bad, error):
    ledger.append(visit(), after(1))
    before = ledger.size, ledger.root
    with pytest.raises(error):
        ledger.append([listed("a"), found(record="a"), bad], after(2))
    assert (ledger.size, ledger.root) == before
    assert (ledger.record("a"), ledger.findings()) == (None, [])
    ledger.append([listed("a")], after(3))
    ledger.checkpoint()
    assert sound(home)


def test_leaves_are_only_ever_added_at_the_end(ledger):
    ledger.append(short_story(), after(1))
    columns = "seq, t, ev, nodes, body"
    for statement, why in (
        ("UPDATE leaf SET body = x'00' WHERE seq = 3", "never changed"),
        ("DELETE FROM leaf WHERE seq = 31", "never removed"),
        (f"INSERT INTO leaf ({columns}) VALUES (40, 0, '', x'', x'')", "at the end"),
        (f"INSERT INTO leaf ({columns}) VALUES (3, 0, '', x'', x'')", "at the end"),
        (f"INSERT OR REPLACE INTO leaf ({columns}) VALUES (3, 0, '', x'', x'')", "at the end"),
        (f"REPLACE INTO leaf ({columns}) VALUES (31, 0, '', x'', x'')", "at the end"),
    ):
        with pytest.raises(sqlite3.IntegrityError, match=why):
            ledger._db.execute(statement)


def test_a_failed_write_breaks_the_ledger_until_the_next_start(ledger, home):
    ledger.append(visit(), after(1))
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages + 1}")  # a full disk
    with pytest.raises(LedgerBroken, match="full"):
        ledger.append([listed(str(n)) for n in range(200)], after(2))
    ledger._db.execute("PRAGMA max_page_count = 1000000")
    for act in (
        lambda: ledger.append([Beat(clock="x")], after(3)),
        ledger.checkpoint,
        ledger.rebuild,
    ):
        with pytest.raises(LedgerBroken, match="full"):
            act()
    ledger.close()
    with reopened(home) as again:
        assert again.size == 3
        again.append([listed("a")], after(4))
    assert sound(home)


def test_a_second_writer_breaks_instead_of_forking(ledger, home):
    with reopened(home) as other:
        other.append([Beat(clock="theirs")], after(1))
        with pytest.raises(LedgerBroken):
            ledger.append([Beat(clock="ours")], after(1))
    with reopened(home) as again:
        assert [e.fact for e in again.entries(1)] == [Beat(clock="theirs")]


def test_the_wal_file_stays_small(ledger, home, monkeypatch):
    monkeypatch.setattr("bwcdock.ledger.ledger.COMMITS_PER_WAL", 10)
    for n in range(55):
        ledger.append([Beat(clock="x" * 10_000)], after(n))
        ledger.checkpoint()
    assert (home / "heads.db-wal").stat().st_size < 55 * 8_000 / 2
    assert (home / "ledger.db-wal").stat().st_size < 55 * 10_000 / 2
    assert (home / "ledger.db").stat().st_size > 50 * 10_000
    ledger.close()
    assert not (home / "ledger.db-wal").exists()


# --- what can be asked -----------------------------------------------------------------------------------------------


def test_the_fold_can_be_asked_for(ledger):
    entries = ledger.append([*visit(), *life("a"), *life("b")[:2], listed("c", "s2", "R2")], after(1))
    state = None
    for entry in entries:
        if entry.fact.record == "a":
            state = record_fold.apply(state, entry)
    assert ledger.record("a") == state
    assert ledger.record("nobody") is None
    assert ledger.session("nobody") is None
    assert [r.id for r in ledger.records()] == ["a", "b", "c"]
    assert [r.id for r in ledger.records(state=State.LISTED)] == ["b", "c"]
    assert [r.id for r in ledger.records(state=State.LISTED, recorder="R2")] == ["c"]
    assert [r.id for r in ledger.records(session="s1", limit=1)] == ["a"]
    assert [r.id for r in ledger.owed()] == ["b"]


def test_what_waits_can_be_asked_for_by_how_long(ledger):
    ledger.append([listed("late"), listed("early", path="b")], after(20))
    ledger.append(life("x")[:5], after(10))
    ledger.append([listed("last")], after(30))
    assert [r.id for r in ledger.waiting("work")] == ["late", "early", "last"]
    assert [r.id for r in ledger.waiting("work", after(25))] == ["late", "early"]
    assert [r.id for r in ledger.waiting("work", limit=1)] == ["late"]
    assert [r.id for r in ledger.waiting("work", limit=1, but={"late", "x"})] == ["early"]
    assert [r.id for r in ledger.waiting("look")] == ["x"]
    assert ledger.waiting("look", after(5)) == []
    assert ledger.waiting("nothing") == []


def test_what_waits_can_be_asked_for_by_what_can_be_done_and_by_what_is_due_first(ledger):
    for name, due in (("later", 50), ("soon", 5)):
        ledger.append([replace(f, obligation=replace(f.obligation, due=after(due))) if isinstance(f, Obliged) else f
                       for f in life(name)[:4]], after(60 - due))  # fmt: skip
    ledger.append(life("x")[:5], after(61))
    ledger.append([listed("card")], after(62))
    ((sink, _),) = ledger.awaited().items()
    assert [r.id for r in ledger.waiting("work")] == ["soon", "later", "card"]
    assert [r.id for r in ledger.waiting("work", sinks=[sink, "other"])] == ["soon", "later"]
    assert ledger.waiting("work", sinks=[sink[:-1], f"{sink}2"]) == []
    assert [r.id for r in ledger.waiting("look", sinks=[sink])] == ["x"]
    assert ledger.waiting("look", sinks=["other"]) == []
    assert [(w.record, w.sinks) for w in ledger.waits()] == [("later", (sink,)), ("soon", (sink,))]
    assert {(w.size, w.sealed_at) for w in ledger.waits()} == {
        (r.item.size, r.sealed_at) for r in map(ledger.record, ("soon", "later"))
    }


def test_sessions_can_be_asked_for(ledger):
    ledger.append([*visit("s1"), *leaving("s1")], after(1))
    ledger.append(visit("s2", "R2", "usb-2"), after(2))
    ledger.append(visit("s3", "R1"), after(3))
    assert [s.id for s in ledger.open_sessions()] == ["s2", "s3"]
    assert [s.id for s in ledger.sessions(recorder="R1")] == ["s3", "s1"]
    assert [s.id for s in ledger.sessions(limit=2)] == ["s3", "s2"]
    assert ledger.session("s1").departed_at == after(1)


def test_recorders_and_their_newest_records_can_be_asked_for(ledger):
    ledger.append(
        [*visit(), *visit("s2", "R2"), *life("a"), listed("b"), listed("c", "s2", "R2"), listed("d")], after(1)
    )
    assert ledger.recorders() == ["R1", "R2"]
    assert [r.id for r in ledger.recent("R1", 2)] == ["d", "b"]
    assert [rid for rid, _ in ledger.items("R1", 2)] == ["d", "b"]
    assert all(ledger.record(rid).item == item for rid, item in ledger.items("R1", 5))
    assert ledger.only_listed("R1") == ["b", "d"]
    assert ledger.ids("listed") == {"b", "c", "d"}
    assert ledger.ids("listed", "sealed") == {"a", "b", "c", "d"}
    assert [ledger.next_id(after, "listed", "sealed") for after in ("", "a", "bb", "d")] == ["a", "b", "c", None]
    assert [ledger.next_id(after, "listed") for after in ("", "c")] == ["b", "d"]
    assert (ledger.many("listed"), ledger.many("listed", "sealed"), ledger.many("lost")) == (3, 4, 0)
    for ask in ("SELECT min(id) FROM record WHERE state = ? AND id > ?", "SELECT count(*) FROM record WHERE state = ?"):
        told = [row[3] for row in ledger._db.execute(f"EXPLAIN QUERY PLAN {ask}", ("sealed", "")[: ask.count("?")])]
        assert "USING COVERING INDEX record_state" in told[-1]  # of a million records, as of ten
    sealed = ledger.record("a")
    assert ledger.sealed_in(next(iter(sealed.copies))) == {"a"}
    assert ledger.sealed_in("nowhere") == set()


def test_a_finding_stands_until_it_is_settled(ledger):
    ledger.append([found(record="a", session="s1", recorder="R1"), found("sink.full")], after(1))
    ledger.append([found(record="a")], after(2))
    subjects = [(f.subject_kind, f.subject, f.seq, f.since, f.finding.code) for f in ledger.findings()]
    assert subjects == [("record", "a", 1, after(1), "clock.drift"), ("station", "", 2, after(1), "sink.full")]
    ledger.append([Settled(record="b", code="clock.drift", how="x"), Settled(code="clock.drift", how="x")], after(3))
    assert len(ledger.findings()) == 2
    ledger.append([Settled(record="a", code="clock.drift", how="set")], after(4))
    assert [f.finding.code for f in ledger.findings()] == ["sink.full"]


def test_records_are_counted(ledger):
    ledger.append([*life("done"), *life("sealed")[:4], *life("open")[:2], listed("new")], after(1))
    ledger.append([obliged("new", after(100))], after(2))
    counts = ledger.counts(after(50))
    assert dict(counts.by_state) == {"listed": 2, "sealed": 2}
    assert dict(counts.by_waiting) == {"work": 3, "release": 1}
    assert (counts.owed, counts.late) == (3, 0)
    assert ledger.counts(after(99.999)).late == 0
    assert ledger.counts(after(100)).late == 1  # at the moment it is due, it is too late
    assert ledger.counts(after(86401)).late == 3


def test_entries_can_be_asked_for(ledger, monkeypatch):
    monkeypatch.setattr("bwcdock.ledger.reader.PAGE", 10)
    facts = [*visit(), *life("a"), *life("b"), found(record="a"), *[Beat(clock="x")] * 12]
    entries = ledger.append(facts, after(1))
    assert [e.fact for e in ledger.entries(1)] == facts
    assert list(ledger.entries(5, 9)) == list(entries[4:8])
    assert list(ledger.entries(99)) == []
    assert [e.fact for e in ledger.history(record="a")] == [*life("a"), found(record="a")]
    assert [e.fact for e in ledger.history(record="a", ev=Sealed.ev)] == [life("a")[3]]
    assert len(ledger.history(session="s1")) == 2 + 2 * 5 - 0
    assert ledger.last(Listed.ev).fact == life("b")[0]
    assert ledger.last(Beat.ev).seq == ledger.size - 1
    assert ledger.last("nothing.such") is None
    with pytest.raises(LedgerBroken):
        ledger.leaf(99)


def test_no_question_walks_through_all_records(ledger):
    """With 200,000 finished records behind it, every question of the loop must go by an index."""
    ledger.append(short_story(), after(1))
    asked = []
    ledger._db.set_trace_callback(asked.append)
    ledger.record("a"), ledger.session("s1"), ledger.open_sessions(), ledger.counts(T0)
    ledger.owed(), ledger.waiting("work", T0, 5), ledger.history(record="a"), ledger.history(session="s1")
    ledger.last("station.beat"), ledger.records(state="listed"), ledger.records(session="s1"), ledger.size
    ledger.sessions(recorder="R1"), ledger.records(recorder="R1"), ledger.history(ev="station.beat")
    ledger._db.set_trace_callback(None)
    assert len(asked) > 15
    for sql in asked:
        plan = [row[3] for row in ledger._db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        walks = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
        assert not walks, (sql, plan)


def test_another_process_can_look_but_not_write(ledger, home):
    with open_read_only(home) as reader:
        ledger.append(short_story(), after(1))
        assert reader.size == ledger.size == 32
        assert reader.record("a") == ledger.record("a")
        assert reader.root == ledger.root
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._db.execute("DELETE FROM record")
        assert not hasattr(reader, "append")


# --- proofs and heads ------------------------------------------------------------------------------------------------


def test_every_leaf_is_proven_under_the_head(ledger):
    ledger.append(short_story(), after(1))
    head = ledger.checkpoint()
    for seq in range(head.size):
        path = ledger.inclusion(seq, head.size)
        assert tree.verify_inclusion(tree.leaf_hash(ledger.leaf(seq)), seq, head.size, path, head.root)


def test_every_head_extends_the_one_before(ledger):
    heads = [ledger.last_head().checkpoint]
    for n, fact in enumerate(short_story(), 1):
        ledger.append([fact], after(n))
        heads.append(ledger.checkpoint())
    assert [head.checkpoint for head in ledger.heads()] == heads
    assert [head.t for head in ledger.heads()] == [to_ms(after(n)) for n in range(32)]
    for old, new in pairwise(heads):
        assert tree.verify_consistency(old.size, new.size, ledger.consistency(old.size, new.size), old.root, new.root)
        ledger.must_extend(old)


def test_nothing_new_is_not_signed_again(ledger):
    ledger.append([Beat(clock="x")], after(1))
    assert ledger.checkpoint() is not ledger.checkpoint()
    assert ledger.checkpoint() == ledger.checkpoint() == ledger.checkpoint()


def test_a_clock_set_back_stops_nothing(ledger, home):
    """One start with the clock years ahead must not silence the station until then: time only stands still."""
    ledger.append([Beat(clock="x")], after(10))
    ledger.close()
    with reopened(home) as again:
        again.append([Beat(clock="x")], after(9))
        assert again.checkpoint().size == 3
        assert again.last_head().t == to_ms(after(10))


def test_an_older_copy_put_back_is_found(ledger, home, tmp_path):
    ledger.append(visit(), after(1))
    ledger.close()
    old = copied(home, tmp_path / "backup")
    with reopened(home) as again:
        again.append([Beat(clock="x")], after(2))
        again.checkpoint()
    shutil.copy(old / schema.LEDGER_FILE, home / schema.LEDGER_FILE)
    with pytest.raises(LedgerBroken, match="older copy"):
        reopened(home)


def test_a_second_history_is_found(ledger, home, tmp_path):
    ledger.append(visit(), after(1))
    ledger.close()
    other = copied(home, tmp_path / "fork")
    with reopened(home) as again:
        again.append([Beat(clock="x")], after(2))
        again.checkpoint()
    with reopened(other) as fork:
        fork.append([Beat(clock="y"), Beat(clock="z")], after(2))
    shutil.copy(other / schema.LEDGER_FILE, home / schema.LEDGER_FILE)
    with pytest.raises(LedgerBroken, match="forked"):
        reopened(home)


def test_both_files_put_back_are_found_by_a_witness(ledger, home, tmp_path):
    ledger.append(visit(), after(1))
    ledger.checkpoint()
    ledger.close()
    old = copied(home, tmp_path / "backup")
    with reopened(home) as again:
        again.append([Beat(clock="x")], after(2))
        kept = again.checkpoint()
    with reopened(old) as restored:
        with pytest.raises(LedgerBroken, match="older copy"):
            restored.must_extend(restored.verifier.open(kept.note))
        restored.append([Beat(clock="y")], after(2))
        with pytest.raises(LedgerBroken, match="forked"):
            restored.must_extend(kept)


def test_a_tree_changed_under_the_running_daemon_is_not_signed(ledger, home):
    ledger.append(visit(), after(1))
    with sqlite3.connect(home / schema.LEDGER_FILE) as db:
        db.execute("DROP TRIGGER leaf_stands")
        db.execute("UPDATE leaf SET nodes = zeroblob(32) WHERE seq = 2")
    db.close()
    with pytest.raises(LedgerBroken, match="not the one that was written"):
        ledger.checkpoint()


def test_heads_that_are_gone_or_of_another_station_are_found(ledger, home, tmp_path):
    ledger.append(visit(), after(1))
    ledger.close()
    new_ledger(tmp_path / "other", "example-bureau/dock-2").close()
    new_ledger(tmp_path / "twin").close()
    for other in ("other", "twin"):
        shutil.copy(tmp_path / other / schema.HEADS_FILE, home / schema.HEADS_FILE)
        with pytest.raises(LedgerBroken, match="checkpoint"):
            reopened(home)
    (home / schema.HEADS_FILE).unlink()
    with pytest.raises(LedgerBroken, match="missing"):
        reopened(home)
    db = schema.connect(home / schema.HEADS_FILE)
    with schema.transaction(db):
        schema.install(db, schema.HEADS_FILE)
    db.close()
    with pytest.raises(LedgerBroken, match="gone"):
        reopened(home)


# --- the cache is nothing but the fold -------------------------------------------------------------------------------


def cached(ledger):
    return {t: sorted(ledger._db.execute(f"SELECT * FROM {t}")) for t in ("record", "session", "finding")}


def test_a_lost_cache_is_made_again(ledger, home):
    ledger.append(short_story(), after(1))
    before = cached(ledger)
    ledger._db.execute("DELETE FROM record")
    ledger._db.execute("UPDATE session SET state = 'departed'")
    assert not sound(home)
    ledger.rebuild()
    assert cached(ledger) == before
    assert all(before.values())


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_however_the_facts_come_the_ledger_is_sound(tmp_path_factory, data):
    """Any interleaving, any grouping into transactions, signed now and then, closed and opened now and then."""
    home = tmp_path_factory.mktemp("station")
    ledger = new_ledger(home)
    lines = [life("a"), life("b", "s2", "R2"), [*visit("s1"), *leaving("s1")], visit("s2", "R2"), [found(), found("b")]]
    seconds = 0
    while any(lines):
        count = min(data.draw(st.integers(1, 6)), sum(map(len, lines)))
        facts = [data.draw(st.sampled_from([line for line in lines if line])).pop(0) for _ in range(count)]
        seconds += data.draw(st.integers(0, 3))
        ledger.append(facts, after(seconds))
        match data.draw(st.sampled_from(["go on", "sign", "restart"])):
            case "sign":
                ledger.checkpoint()
            case "restart":
                ledger.close()
                ledger = reopened(home)
    folded = cached(ledger)
    ledger.rebuild()
    assert cached(ledger) == folded
    ledger.close()
    assert sound(home)
