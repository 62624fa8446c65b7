"""Every forgery is found: each bit and each cut of an exported ledger, each cell of the tables, and named attacks."""

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache

import pytest
from bwcdock.core.facts import Beat, Entry, Founded, Pulled
from bwcdock.errors import Misused
from bwcdock.ledger import Ledger, Verifier, check, check_export, codec, export, schema, verify
from bwcdock.ledger.tree import Frontier, leaf_hash
from ledger_world import ORIGIN, T0, after, found, listed, new_ledger, short_story, signer_of

REALLY_OPEN = Verifier.open
FILES = (schema.LEDGER_FILE, schema.HEADS_FILE)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A closed ledger of 32 leaves, signed after its 1st, 17th and 32nd."""
    home = tmp_path_factory.mktemp("original")
    with new_ledger(home) as ledger:
        facts = short_story()
        ledger.append(facts[:16], after(10))
        ledger.checkpoint()
        ledger.append(facts[16:], after(20))
        ledger.checkpoint()
    return home


@pytest.fixture
def home(original, tmp_path):
    return shutil.copytree(original, tmp_path / "station")


@pytest.fixture(scope="module")
def public_key(original):
    return signer_of(original).verifier.vkey


@pytest.fixture(scope="module")
def exported(original):
    with Ledger.open(original, signer_of(original)) as ledger:
        return b"".join(export(ledger))


def codes(disagreements):
    return {d.code for d in disagreements}


def tampered(home, *statements, name=schema.LEDGER_FILE):
    """Change rows as somebody with the file in his hands can, and leave the tables looking as they were."""
    with closing(sqlite3.connect(home / name, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        db.execute("BEGIN")
        for trigger, _ in triggers:
            db.execute(f"DROP TRIGGER {trigger}")
        for statement, *values in statements:
            db.execute(statement, values)
        for _, sql in triggers:
            db.execute(sql)
        db.execute("COMMIT")


def bodies(home):
    with closing(sqlite3.connect(home / schema.LEDGER_FILE)) as db:
        return [row[0] for row in db.execute("SELECT body FROM leaf ORDER BY seq")]


def rewritten(home, leaves, signer=None):
    """Put other leaves in place of all, tree hashes and cache made right; with ``signer`` the heads too."""
    frontier, rows, entries = Frontier(), [], []
    for seq, body in enumerate(leaves):
        nodes = b"".join(frontier.push(leaf_hash(body)))
        entry = codec.decode(body).entry
        fact = entry.fact
        subject = (fact.record or None, fact.session or None, fact.recorder or None)
        rows.append((seq, codec.to_ms(entry.at), fact.ev, *subject, nodes, body))
        entries.append(entry)
    puts = [("INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row) for row in rows]
    tampered(home, ("DELETE FROM leaf",), *puts)
    if signer:
        head = signer.sign(frontier.size, frontier.root())
        row = (head.size, head.root, head.note)
        tampered(home, ("DELETE FROM head",), ("INSERT INTO head VALUES (?, ?, ?)", *row), name=schema.HEADS_FILE)


def exported_of(leaves, signer):
    frontier = Frontier()
    for body in leaves:
        frontier.push(leaf_hash(body))
    note = signer.sign(frontier.size, frontier.root()).note.encode()
    return b"".join(len(x).to_bytes(2, "big") + x for x in (note, *leaves))


def leaf(seq, fact, at=T0, origin=ORIGIN):
    return codec.encode(Entry(seq=seq, at=at, fact=fact), boot="b", mono=1, origin=origin)


# --- nothing is found where nothing is wrong -------------------------------------------------------------------------


def test_the_original_is_sound(original, public_key, exported):
    assert check(original, public_key) == []
    assert check_export(exported, public_key) == []
    assert len(bodies(original)) == 32


def test_looking_changes_nothing(home, public_key):
    before = [(home / name).read_bytes() for name in FILES]
    check(home, public_key)
    assert [(home / name).read_bytes() for name in FILES] == before


def test_it_can_be_checked_beside_the_daemon(home, public_key):
    with Ledger.open(home, signer_of(home)) as ledger:
        ledger.append([Beat(clock="x")], after(30))
        assert check(home, public_key) == []
        ledger.checkpoint()
        assert check(home, public_key) == []


# --- every bit, every cut --------------------------------------------------------------------------------------------


def test_every_flipped_bit_of_an_export_is_found(exported, public_key, monkeypatch):
    # The signature over a note without a flip is not computed 100,000 times: the answer for the same text is the same.
    opened = cache(lambda vkey, note: REALLY_OPEN(Verifier.parse(vkey), note))
    monkeypatch.setattr(Verifier, "open", lambda self, note: opened(self.vkey, note))
    data = bytearray(exported)
    for bit in range(8 * len(data)):
        data[bit >> 3] ^= 1 << (bit & 7)
        assert check_export(bytes(data), public_key), f"bit {bit} of {8 * len(data)}"
        data[bit >> 3] ^= 1 << (bit & 7)
    assert bytes(data) == exported


def test_every_cut_of_an_export_is_found(exported, public_key):
    for length in range(len(exported)):
        assert check_export(exported[:length], public_key), f"cut at {length}"
    assert codes(check_export(exported[:-5], public_key)) == {"export.unreadable"}
    assert check_export(exported + b"\x00", public_key)
    assert check_export(exported + b"\x00\x00", public_key)


def test_every_cell_of_every_table_is_covered(original, tmp_path, public_key):
    """Three bits of every cell: a flip that is not found would be a column nobody proves."""
    dice, flips = random.Random(6962), 0
    home = shutil.copytree(original, tmp_path / "station")
    for name, table in (
        (FILES[0], "leaf"),
        (FILES[0], "record"),
        (FILES[0], "session"),
        (FILES[0], "finding"),
        (FILES[1], "head"),
    ):
        pristine = (original / name).read_bytes()
        with closing(sqlite3.connect(original / name)) as db:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
        assert rows
        keys = 3 if table == "finding" else 1
        where = " AND ".join(f"{c} = ?" for c in columns[:keys])
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                for _ in range(3 if len(rows) < 10 else 1):
                    (home / name).write_bytes(pristine)
                    cast, changed = flipped(value, dice)
                    statement = f"UPDATE OR REPLACE {table} SET {column} = {cast} WHERE {where}"
                    tampered(home, (statement, changed, *row[:keys]), name=name)
                    assert check(home, public_key), (table, column, row[:keys], value, changed)
                    flips += 1
        (home / name).write_bytes(pristine)
    assert flips > 350
    assert check(home, public_key) == []


def flipped(value, dice):
    if value is None:
        return "?", 1  # an INTEGER column; a TEXT column stores it as '1'
    if isinstance(value, int):
        return "?", value ^ 1 << dice.randrange(41)
    if value == "":
        return "?", "x"
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return ("?" if isinstance(value, bytes) else "CAST(? AS TEXT)"), bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_found(home, public_key, name):
    whole = (home / name).read_bytes()
    for length in range(0, len(whole), 2048):
        (home / name).write_bytes(whole[:length])
        try:
            assert check(home, public_key), length
        except Misused:
            assert length == 0  # an empty file is an empty database, which is no ledger


# --- named attacks ---------------------------------------------------------------------------------------------------


def test_a_changed_leaf(home, public_key):
    changed = bodies(home)[3].replace(b'"R1"', b'"R2"')
    tampered(home, ("UPDATE leaf SET body = ? WHERE seq = 3", changed))
    found_codes = codes(check(home, public_key))
    assert {"tree.nodes", "head.root", "leaf.columns", "cache.differs"} <= found_codes


def test_a_changed_leaf_with_its_tree_and_cache_made_right(home, public_key):
    leaves = bodies(home)
    leaves[20] = leaf(20, Beat(clock="never synchronised"), after(20))
    rewritten(home, leaves)
    assert codes(check(home, public_key)) == {"head.root"}


def test_two_leaves_swapped(home, public_key):
    leaves = bodies(home)
    leaves[20], leaves[21] = leaves[21], leaves[20]
    rewritten(home, leaves)
    assert codes(check(home, public_key)) == {"head.root", "leaf.seq"}


@pytest.mark.parametrize(("seq", "codes_at_least"), [(0, {"leaf.order"}), (12, {"leaf.order"}), (31, {"head.ahead"})])
def test_a_leaf_taken_out(home, public_key, seq, codes_at_least):
    tampered(home, ("DELETE FROM leaf WHERE seq = ?", seq))
    assert codes_at_least <= codes(check(home, public_key))


@pytest.mark.parametrize("seq", [1, 12, 31])
def test_a_leaf_taken_out_and_the_rest_moved_up(home, public_key, seq):
    leaves = bodies(home)
    del leaves[seq]
    rewritten(home, leaves)
    assert codes(check(home, public_key)) & {"head.root", "head.ahead"}


def test_a_leaf_twice(home, public_key):
    leaves = bodies(home)
    rewritten(home, [*leaves[:25], leaves[24], *leaves[25:]])
    assert {"head.root", "leaf.seq"} <= codes(check(home, public_key))


def test_a_leaf_put_in(home, public_key):
    leaves = bodies(home)
    rewritten(home, [*leaves[:25], leaf(25, Beat(clock="x"), after(20)), *leaves[25:]])
    assert {"head.root", "leaf.seq"} <= codes(check(home, public_key))


def test_no_leaf_at_all(home, public_key):
    tampered(home, ("DELETE FROM leaf",), ("DELETE FROM record",), ("DELETE FROM session",), ("DELETE FROM finding",))
    assert {"leaf.order", "head.ahead"} <= codes(check(home, public_key))


def test_an_older_copy_of_the_ledger(home, public_key, tmp_path):
    backup = shutil.copytree(home, tmp_path / "backup")
    with Ledger.open(home, signer_of(home)) as ledger:
        ledger.append([Beat(clock="x")], after(30))
        kept = ledger.checkpoint()
    newer = (home / schema.LEDGER_FILE).read_bytes()
    (home / schema.LEDGER_FILE).write_bytes((backup / schema.LEDGER_FILE).read_bytes())
    assert codes(check(home, public_key)) == {"head.ahead"}
    # With the heads put back too, both files agree, and only a witness knows.
    assert check(backup, public_key) == []
    assert codes(check(backup, public_key, [kept.note])) == {"head.ahead"}
    # Newer leaves over older heads are what a power cut leaves before the signature.
    (backup / schema.LEDGER_FILE).write_bytes(newer)
    assert check(backup, public_key, [kept.note]) == []


def test_a_second_history_signed_with_the_stations_own_key(home, public_key, tmp_path):
    fork = shutil.copytree(home, tmp_path / "fork")
    with Ledger.open(home, signer_of(home)) as ledger:
        ledger.append([Beat(clock="x")], after(30))
        kept = ledger.checkpoint()
    with Ledger.open(fork, signer_of(fork)) as ledger:
        ledger.append([Beat(clock="y"), Beat(clock="z")], after(30))
        ledger.checkpoint()
    assert check(fork, public_key) == []
    assert codes(check(fork, public_key, [kept.note])) == {"head.root"}


def test_a_witness_that_is_none(home, public_key):
    for note in ("", "nonsense", signer_of(home).sign(5, b"x" * 32).note.replace("\n5\n", "\n4\n")):
        assert codes(check(home, public_key, [note])) == {"witness.signature"}


def test_the_newest_head_taken_away_is_seen_by_a_witness_or_harmless(home, public_key):
    tampered(home, ("DELETE FROM head WHERE size = 32",), name=schema.HEADS_FILE)
    assert check(home, public_key) == []  # leaves without a head yet; nothing under a head changed


def test_all_heads_taken_away(home, public_key):
    tampered(home, ("DELETE FROM head",), name=schema.HEADS_FILE)
    assert codes(check(home, public_key)) == {"head.missing"}


def test_an_old_head_played_back_as_the_newest(home, public_key):
    with closing(sqlite3.connect(home / schema.HEADS_FILE)) as db:
        row = db.execute("SELECT root, note FROM head WHERE size = 17").fetchone()
    tampered(home, ("UPDATE head SET root = ?, note = ? WHERE size = 32", *row), name=schema.HEADS_FILE)
    assert {"head.row", "head.root"} <= codes(check(home, public_key))


def test_everything_written_anew_with_another_key(home, public_key, tmp_path):
    new_ledger(tmp_path / "thief").close()
    thief = signer_of(tmp_path / "thief")
    leaves = bodies(home)
    leaves[0] = leaf(0, Founded(origin=ORIGIN, pack="test", public_key=thief.verifier.vkey))
    rewritten(home, leaves, thief)
    assert check(home, thief.verifier.vkey) == []  # a ledger, but nobody's
    assert codes(check(home, public_key)) == {"leaf.founding", "head.signature"}
    assert codes(check_export(exported_of(leaves, thief), public_key)) == {"head.signature"}


def test_the_ledger_of_another_station(home, tmp_path, public_key):
    other = tmp_path / "other"
    new_ledger(other, "example-bureau/dock-2").close()
    assert {"leaf.origin", "leaf.founding", "head.signature"} <= codes(check(other, public_key))
    shutil.copy(other / schema.HEADS_FILE, home / schema.HEADS_FILE)
    assert "head.signature" in codes(check(home, public_key))


def test_a_leaf_of_another_station_under_this_stations_key(home, public_key):
    leaves = [*bodies(home), leaf(32, Beat(clock="x"), after(30), origin="example-bureau/dock-2")]
    rewritten(home, leaves, signer_of(home))
    assert codes(check(home, public_key)) == {"leaf.origin"}
    assert codes(check_export(exported_of(leaves, signer_of(home)), public_key)) == {"leaf.origin"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (leaf(32, Beat(clock="x"), after(19)), "leaf.time"),
        (leaf(31, Beat(clock="x"), after(30)), "leaf.seq"),
        (leaf(32, Founded(origin=ORIGIN, pack="test", public_key="x"), after(30)), "leaf.founding"),
    ],
)
def test_what_even_the_stations_key_cannot_make_right(home, public_key, more, code):
    leaves = [*bodies(home), more]
    rewritten(home, leaves, signer_of(home))
    assert codes(check(home, public_key)) == {code}
    assert codes(check_export(exported_of(leaves, signer_of(home)), public_key)) == {code}


def test_a_ledger_founded_twice_or_not_at_all(home, public_key):
    first, *rest = bodies(home)
    again = leaf(32, Founded(origin=ORIGIN, pack="test", public_key=public_key), after(30))
    never = leaf(0, Beat(clock="x"))
    for leaves, places in (([first, *rest, again], ["leaf 32"]), ([never, *rest], ["leaf 0"])):
        rewritten(home, leaves, signer_of(home))
        assert [(d.code, d.place) for d in check(home, public_key)] == [("leaf.founding", p) for p in places]


def test_a_leaf_that_says_nothing(home, public_key):
    leaves = [*bodies(home), b"{}"]
    assert codes(check_export(exported_of(leaves, signer_of(home)), public_key)) == {"leaf.unreadable"}
    nodes = leaf_hash(b"{}")
    tampered(home, ("INSERT INTO leaf VALUES (32, 0, '', NULL, NULL, NULL, ?, ?)", nodes, b"{}"))
    assert codes(check(home, public_key)) == {"leaf.unreadable"}


def test_a_fact_that_the_transition_table_forbids(home, public_key):
    bad = Pulled(record="a", size=1, digests=None, edges="")
    bad = replace(bad, digests=short_story()[4].digests)
    leaves = [*bodies(home), leaf(32, listed("z"), after(30)), leaf(33, bad, after(30)), leaf(34, found(), after(30))]
    rewritten(home, leaves, signer_of(home))
    found_places = {(d.code, d.place) for d in check(home, public_key)}
    # The two good ones are folded all the same, and are missing from the cache, which was left as it was.
    assert found_places == {
        ("leaf.illegal", "leaf 33"),
        ("cache.differs", "record z"),
        ("cache.differs", "shelf z"),
        ("cache.differs", "finding station  clock.drift"),
    }


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE record SET state = 'released', doc = replace(doc, 'sealed', 'released') WHERE id = 'a'", "record a"),
        ("UPDATE record SET due_ms = due_ms + 86400000 WHERE id = 'b'", "record b"),
        ("DELETE FROM record WHERE id = 'a'", "record a"),
        ("DELETE FROM record WHERE id = 'c'", "record c"),
        ("INSERT INTO record SELECT 'bb', state, recorder, session, path, waits_for, waits_since_ms, 1, 1, 1, '', 0,"
         " '', 1, 1, '', 1, '', '', '', '', '', '', '', doc FROM record WHERE id = 'b'", "record bb"),
        ("UPDATE session SET departed_ms = 1", "session s1"),
        ("DELETE FROM finding", "finding session s1 clock.wrong"),
    ],
)  # fmt: skip
def test_a_cache_that_is_not_the_fold(home, public_key, statement, place):
    tampered(home, (statement,))
    assert [(d.code, d.place) for d in check(home, public_key)] == [("cache.differs", place)]


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        (FILES[0], "DROP TRIGGER leaf_stands"),
        (FILES[0], "DROP INDEX leaf_record"),
        (FILES[0], "CREATE TABLE more (a)"),
        (FILES[0], "CREATE TRIGGER more AFTER INSERT ON leaf BEGIN DELETE FROM record; END"),
        (FILES[0], "ALTER TABLE record ADD COLUMN more TEXT"),
        (FILES[0], "PRAGMA user_version = 9"),
        (FILES[1], "DROP TRIGGER head_grows"),
        (FILES[1], "PRAGMA application_id = 9"),
    ],
)
def test_tables_that_are_not_as_they_were_made(home, public_key, name, statement):
    with closing(sqlite3.connect(home / name)) as db:
        db.execute(statement)
    assert "db.schema" in codes(check(home, public_key))


def test_tables_of_another_type(home, public_key):
    """A table that is no longer strict can hold anything; that is an answer, not a crash."""
    with closing(sqlite3.connect(home / FILES[0], isolation_level=None)) as db:
        rows = db.execute("SELECT * FROM leaf").fetchall()
        db.execute("DROP TABLE leaf")
        db.execute("CREATE TABLE leaf (seq, t, ev, record, session, recorder, nodes, body)")
        db.executemany("INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [("x", *r[1:7], "text") for r in rows])
    assert {"db.schema", "db.unreadable"} <= codes(check(home, public_key))


def test_files_that_are_gone_or_no_database(home, public_key):
    (home / schema.HEADS_FILE).unlink()
    assert codes(check(home, public_key)) == {"db.unreadable"}
    (home / schema.HEADS_FILE).write_bytes(b"nonsense" * 1000)
    assert codes(check(home, public_key)) == {"db.unreadable"}
    shutil.rmtree(home)
    with pytest.raises(Misused):
        check(home, public_key)


def test_a_million_faults_are_not_a_million_lines(home, public_key, monkeypatch):
    monkeypatch.setattr(verify, "MAX_DISAGREEMENTS", 5)
    tampered(home, ("DELETE FROM leaf WHERE seq = 3",))
    assert len(check(home, public_key)) == 5


def test_a_disagreement_is_one_sentence(home, public_key):
    tampered(home, ("DELETE FROM leaf WHERE seq = 31",))
    for one in check(home, public_key):
        assert str(one).startswith(f"{one.code} at {one.place}: ")
        assert one.what.endswith(".")
        assert "\n" not in str(one)


def test_a_key_that_is_none(home):
    with pytest.raises(Misused):
        check(home, "nonsense")
    with pytest.raises(Misused):
        check_export(b"", "nonsense")
