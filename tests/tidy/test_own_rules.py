"""The repository's own rules hold, and each has samples that it must refuse."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from bwcdock.core import desk, facts, statements, vocabulary
from bwcdock.core import record as records
from bwcdock.core import session as sessions
from diagrams import diagrams
from own_rules import LONGEST_FILE, LONGEST_FUNCTION, misshapen, unlocked, unwanted, writes
from tree import DAEMON, ROOT, product, short, texts

# --- who opens for writing -------------------------------------------------------------------------------------------

WRITERS = {
    "durable.py": "the one place where bytes and names are made to last",
    "durable_tree.py": "durable.py for a whole folder on a volume that is carried away; with it too long to be read",
    "calls.py": "the system calls durable.py makes, as one object that a test can replace",
    "lock.py": "a lock belongs to an inode, so it cannot be written as a new file under an old name; it need not last",
    "ledger/schema.py": "SQLite writes its own files, by its own rules for what lasts",
    "web/accounts/store.py": "SQLite again: how people sign in, a file that the ledger's rules must not keep",
    "ledger/verify.py": "a scratch database of SQLite's own, which goes when it is closed",
}
WRITES_OTHERWISE = {
    ("cli/__init__.py", "….O_WRONLY"): "the null device, in place of an output that nobody reads any more",
    ("cli/demo.py", "….mkdir(…)"): "the new folder of a demo",
}


def found_writing() -> list[tuple[str, int, str]]:
    ours = [(path.relative_to(DAEMON).as_posix(), path) for path in product() if DAEMON in path.parents]
    drivers = [(short(path), path) for path in product() if DAEMON not in path.parents]
    return [
        (name, line, what)
        for name, path in ours + drivers
        if not name.startswith("testing/") and name not in WRITERS
        for line, what in writes(path.read_text())
    ]


def test_only_one_file_opens_for_writing():
    assert [told for told in found_writing() if (told[0], told[2]) not in WRITES_OTHERWISE] == []


def test_no_exception_is_left_over():
    assert {(name, what) for name, _, what in found_writing()} == set(WRITES_OTHERWISE)
    assert {name for name in WRITERS if list(writes((DAEMON / name).read_text()))} == set(WRITERS)


@pytest.mark.parametrize(
    "line",
    [
        "open('a', 'w')",
        "open('a', mode='ab')",
        "open('a', 'r+')",
        "open('a', 'xb')",
        "open('a', how)",
        "io.open('a', 'w')",
        "os.fdopen(fd, 'wb')",
        "path.open('w')",
        "path.open(mode='a', encoding='utf-8')",
        "os.open('a', os.O_RDONLY | os.O_CREAT)",
        "os.open('a', os.O_WRONLY)",
        "system.open('a', flags | os.O_RDWR)",
        "os.open('.', os.O_TMPFILE)",
        "from os import O_CREAT",
        "from os import open, rename",
        "path.write_text('a')",
        "path.write_bytes(b'a')",
        "path.touch()",
        "path.rename(other)",
        "path.replace(other)",
        "path.unlink(missing_ok=True)",
        "path.symlink_to(other)",
        "path.hardlink_to(other)",
        "path.mkdir(parents=True)",
        "path.rmdir()",
        "os.rename('a', 'b')",
        "os.replace('a', 'b')",
        "os.link('a', 'b')",
        "os.unlink('a')",
        "os.remove('a')",
        "os.truncate('a', 0)",
        "os.makedirs('a')",
        "move = os.rename",
        "self._system.unlink(path)",
        "SYSTEM.rename_noreplace('a', 'b')",
        "import shutil",
        "import shutil as quietly",
        "from tempfile import TemporaryDirectory",
        "sqlite3.connect('a.db')",
        "logging.FileHandler('a.log')",
    ],
)
def test_a_line_that_writes_is_found(line):
    assert list(writes(f"import os\n{line}\n"))


@pytest.mark.parametrize(
    "line",
    [
        "open('a')",
        "open('a', 'rb')",
        "open(fd, 'rb', closefd=False)",
        "path.open()",
        "path.read_bytes()",
        "os.open('a', os.O_RDONLY | os.O_NOFOLLOW)",
        "driver.open(sighting)",
        "Ledger.open(directory, signer)",
        "text.replace('a', 'b')",
        "moment.replace(microsecond=0)",
        "replace(record, state=state)",
        "dataclasses.replace(record, state=state)",
        "part.truncate(0)",
        "os.write(1, b'a')",
    ],
)
def test_a_line_that_does_not_write_is_let_through(line):
    assert not list(writes(f"import os\n{line}\n"))


# --- who reads the clock ---------------------------------------------------------------------------------------------


def ruff(*arguments: str, text: str = "") -> str:
    """What ruff says under the repository's own settings; empty when all is well."""
    command = [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "--quiet", "--output-format=concise"]
    told = subprocess.run([*command, *arguments], cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    assert told.returncode in {0, 1}, told.stderr
    return told.stdout


def test_only_the_clock_reads_the_clock():
    assert ruff("--select=TID251,TID253", "daemon", "drivers") == ""
    excused = {short(path) for path in product() if re.search(r"noqa:.*\bTID251\b|noqa\s*$", path.read_text(), re.M)}
    assert excused <= {"daemon/bwcdock/clock.py"}


@pytest.mark.parametrize(
    "line",
    [
        "from datetime import UTC, datetime; NOW = datetime.now(UTC)",
        "import datetime; NOW = datetime.datetime.now(datetime.UTC)",
        "import datetime as calendar; NOW = calendar.datetime.now(calendar.UTC)",
        "from datetime import datetime; NOW = datetime.utcnow()",
        "from datetime import datetime; NOW = datetime.today()",
        "from datetime import date; NOW = date.today()",
        "import time; NOW = time.time()",
        "from time import time; NOW = time()",
        "import time; NOW = time.time_ns()",
        "import asyncio; LATER = asyncio.to_thread(print)",
        "from concurrent.futures import ThreadPoolExecutor; POOL = ThreadPoolExecutor()",
    ],
)
@pytest.mark.parametrize("where", ["daemon/bwcdock/steps/sample.py", "daemon/bwcdock/core/sample.py"])
def test_whoever_else_reads_it_is_found(line, where):
    assert "TID251" in ruff(f"--stdin-filename={where}", "-", text=f'"""A sample."""\n{line}\n')


# --- shape -----------------------------------------------------------------------------------------------------------

LONG = {
    # Path: the most lines it may have, and why. Nothing else may be longer than the rule says.
    "daemon/bwcdock/core/facts.py": (700, "one vocabulary: every fact and value, to be read in one place"),
    "daemon/bwcdock/core/statements.py": (500, "one vocabulary: every statement of people, to be read in one place"),
}


def test_every_module_says_what_it_is_for_and_fits_into_a_head():
    found = [(short(path), *told) for path in product() for told in misshapen(path.read_text())]
    long = {name: line for name, line, what in found if what.startswith("the file has")}
    assert [told for told in found if not (told[0] in LONG and told[2].startswith("the file has"))] == []
    assert {name for name, (most, _) in LONG.items() if long.get(name, 0) > most} == set()
    assert set(LONG) == set(long), "an exception is left over"


@pytest.mark.parametrize(
    "sample",
    [
        "import os\n",
        "# a comment is no docstring\n",
        '"""Said."""\n' + "A = 1\n" * LONGEST_FILE,
        '"""Said."""\n\n\ndef long():\n' + "    pass\n" * LONGEST_FUNCTION,
        '"""Said."""\n\n\nclass Room:\n    async def long(self):\n' + "        pass\n" * LONGEST_FUNCTION,
    ],
)
def test_what_is_misshapen_is_found(sample):
    assert list(misshapen(sample))


def test_what_just_fits_is_let_through():
    assert not list(misshapen('"""Said."""\n' + "A = 1\n" * (LONGEST_FILE - 1)))
    assert not list(misshapen('"""Said."""\n\n\ndef long():\n' + "    pass\n" * (LONGEST_FUNCTION - 1)))


# --- words -----------------------------------------------------------------------------------------------------------


def test_no_file_holds_what_has_no_place_in_it():
    assert [(name, *told) for name, text in texts() for told in unwanted(text)] == []


@pytest.mark.parametrize(
    "sample",
    [
        "see /wo" + "rk/main/daemon",
        "HOME = '/ro" + "ot/x'",
        "/ho" + "me/somebody/x",
        "as in ../sha" + "red/design.md",
        "https://py" + "pi.org/simple",
        "files.python" + "hosted.org",
        "deb http://deb.deb" + "ian.org/",
        "# TO" + "DO later",
        "FIX" + "ME",
    ],
)
def test_each_such_word_is_found(sample):
    assert list(unwanted(f"first\n{sample}\nlast"))
    assert next(iter(unwanted(f"first\n{sample}\nlast")))[0] == 2


def test_the_files_are_all_looked_at():
    names = {name for name, _ in texts()}
    assert {
        "pyproject.toml",
        "README.md",
        "config/bwcdock.toml",
        "daemon/bwcdock/station.py",
        "tests/tidy/own_rules.py",
    } <= names


# --- facts -----------------------------------------------------------------------------------------------------------

TUPLES = {
    "station": facts.STATION_FACTS,
    "session": facts.SESSION_FACTS,
    "record": vocabulary.RECORD_FACTS,
    "matter": statements.STATEMENTS,
}


def misplaced(classes, tuples, tables) -> list[str]:
    """Facts that are in no tuple or in two, or that no table knows although they are not about the station."""
    wrong = [
        f"{fact.__name__} is in {n} tuples" for fact in classes if (n := sum(fact in t for t in tuples.values())) != 1
    ]
    for kind, table in tables.items():
        known = {fact for row in table.values() for fact in row}
        wrong += [f"{fact.__name__} is in no row" for fact in tuples[kind] if fact not in known]
        wrong += [f"{fact.__name__} is in the table of a {kind}" for fact in known if fact not in tuples[kind]]
    return wrong


MATTERS = {None: {fact: "" for kind in desk.KINDS.values() for row in kind.table.values() for fact in row}}
TABLES = {"record": records.TABLE, "session": sessions.TABLE, "matter": MATTERS}
CLASSES = {
    thing
    for module in (facts, statements)
    for thing in vars(module).values()
    if isinstance(thing, type) and issubclass(thing, facts.Fact)
}


def test_every_fact_has_its_one_place():
    classes = [fact for fact in CLASSES if fact not in {facts.Fact, statements.Statement}]
    assert misplaced(classes, TUPLES, TABLES) == []
    assert set(vocabulary.ALL_FACTS) == set(classes)
    assert len(vocabulary.ALL_FACTS) == len(classes)


def test_every_statement_is_in_the_tables_of_its_own_kind_alone():
    for name, kind in desk.KINDS.items():
        assert {fact.kind for row in kind.table.values() for fact in row} == {name}
    assert set(desk.KINDS) == {fact.kind for fact in statements.STATEMENTS}


def test_every_fact_has_a_name_of_its_own_in_the_ledger():
    names = [fact.ev for fact in vocabulary.ALL_FACTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in names)
    for kind in ("session", "record"):
        assert all(fact.ev.startswith(f"{kind}.") for fact in TUPLES[kind])


def test_a_fact_without_a_place_or_with_two_is_found():
    class Stranger(facts.Fact):
        """A fact nobody placed."""

    assert misplaced([Stranger], TUPLES, {}) == ["Stranger is in 0 tuples"]
    twice = {**TUPLES, "station": (*facts.STATION_FACTS, facts.Listed)}
    assert misplaced([facts.Listed], twice, {}) == ["Listed is in 2 tuples"]
    no_row = {**TUPLES, "record": (*vocabulary.RECORD_FACTS, Stranger)}
    assert misplaced([Stranger], no_row, TABLES) == ["Stranger is in no row"]
    foreign = {None: {facts.Arrived: records.State.LISTED}}
    assert "Arrived is in the table of a record" in misplaced([], TUPLES, {"record": foreign})


# --- the lock --------------------------------------------------------------------------------------------------------

LOCK = (ROOT / "requirements.lock").read_text()
HOST = "https://packages.example/simple"
GOOD = "rich==14.0.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_each_lock_pins_everything_by_hash_and_names_no_host(lock):
    assert list(unlocked((ROOT / lock).read_text())) == []


def test_the_lock_holds_everything_that_is_needed():
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in LOCK.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {
        re.match(r"[\w.-]+", line)[0].lower() for line in [*project["dependencies"], *extras["demo"], *extras["dev"]]
    }
    assert asked - {"bwcdock"} <= pinned


@pytest.mark.parametrize(
    "sample",
    [
        "rich==14.0.0\n",
        "rich>=14 --hash=sha256:" + "a" * 64 + "\n",
        "rich --hash=sha256:" + "a" * 64 + "\n",
        "rich==14.0.0 --hash=md5:" + "a" * 32 + "\n",
        "rich==14.0.0 --hash=sha256:" + "a" * 63 + "\n",
        f"--index-url {HOST}\n" + GOOD,
        f"--extra-index-url={HOST}\n" + GOOD,
        "# from https://packages.example\n" + GOOD,
        "# from packages.example.org\n" + GOOD,
        "rich @ https://packages.example/rich.whl --hash=sha256:" + "a" * 64 + "\n",
        GOOD + "-e .\n",
        GOOD[:-1] + " \\",
    ],
)
def test_a_lock_that_is_open_is_found(sample):
    assert list(unlocked(sample))


def test_a_lock_that_is_shut_is_let_through():
    assert list(unlocked("# everything\n" + GOOD + GOOD.replace("rich", "av"))) == []


# --- diagrams --------------------------------------------------------------------------------------------------------


def test_the_printed_machines_are_the_ones_that_run():
    """When this fails: python tests/tidy/diagrams.py."""
    assert (ROOT / "docs" / "diagrams.md").read_text() == diagrams(records.TABLE, sessions.TABLE)


def test_any_change_of_a_table_shows_in_the_diagrams():
    now = diagrams(records.TABLE, sessions.TABLE)
    for table in (records.TABLE, sessions.TABLE):
        for state, row in table.items():
            for fact in row:
                less = {**table, state: {f: to for f, to in row.items() if f is not fact}}
                pair = (less, sessions.TABLE) if table is records.TABLE else (records.TABLE, less)
                assert diagrams(*pair) != now, (state, fact)
