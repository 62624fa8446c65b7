"""The daemon is killed at random moments, again and again; nothing is lost, nothing is there twice, every proof holds.

Recorders come and go meanwhile, as on any day. Most daemons are forked from one process that has everything imported
(a `bwcdock run` of its own, with its own pid and lock), so that a kill costs what the work costs and not the start of
an interpreter; some are started as an operator starts them. BWCDOCK_CAMPAIGN=long kills five times as often.
"""

import hashlib
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from bwcdock import app
from bwcdock.core.record import Record, State
from bwcdock.ledger import open_read_only
from bwcdock.settings.sinks import FolderSink, folders
from bwcdock.verify_central import verify
from kill_world import (
    IDLE,
    PULL,
    Dock,
    finish,
    forker,
    kill_at_work,
    kill_forked,
    kill_in_a_pull,
    kill_started,
    one_round_s,
)

LONG = os.environ.get("BWCDOCK_CAMPAIGN") == "long"
KILLS = 500 if LONG else 100
AUDIT_EVERY = 20
SHARE = 0.7
"""The latest moment of a kill, as a share of a round: most kills are to fall into work, some to what follows it."""


@pytest.mark.timeout(3600 if LONG else 900)
def test_killed_at_any_moment(tmp_path: Path) -> None:
    seed = int(os.environ.get("BWCDOCK_SEED") or random.SystemRandom().randrange(10**6))
    print(f"BWCDOCK_SEED={seed}")
    dock = Dock(tmp_path, random.Random(seed))
    fell: Counter[str] = Counter()
    began = time.monotonic()
    with forker(tmp_path / "log") as forked:
        round_s = one_round_s(forked, dock)
        dock.new_image()
        for kill in range(1, KILLS + 1):
            dock.day_goes_on()
            parts, told = dock.parts(), dock.told()
            if kill % 40 == 0:
                kill_started(dock)
            elif kill % 10 == 0:
                kill_in_a_pull(forked, dock, SHARE * round_s)
            elif kill % 2:
                kill_forked(forked, dock, SHARE * round_s)
            else:
                kill_at_work(forked, dock, SHARE * round_s)
            fell[dock.fell_into(parts, told)] += 1
            if kill % AUDIT_EVERY == 0:
                dock.audit()
        killed = time.monotonic() - began
        finish(forked, dock)
    print(f"{KILLS} kills in {killed:.0f} s, a round {round_s:.2f} s, {len(dock.recorded)} files: {fell}")

    # Nothing is lost: every file that was ever recorded is sealed with its own digest, and in central storage.
    records = dock.records()
    assert {(r.recorder, r.item.path): r.digests.sha256 for r in records if r.digests} == dock.recorded
    assert all(r.state is State.SEALED and r.finished for r in records)
    # Nothing is there twice.
    assert len(records) == len(dock.recorded)
    for sink in folders(dock.settings.sink):
        _holds_each_once(sink, records)
    # No docking is left open by a daemon that was killed.
    with open_read_only(dock.settings.paths.ledger) as ledger:
        assert not ledger.open_sessions()
        # The others died before they had said so; on a busy machine these are many.
        assert KILLS // 5 < len(ledger.history(ev="station.started")) <= KILLS + 2
        assert len(ledger.history(ev="station.stopped")) == 1
    # Nothing had to be set aside, and nothing half done is left.
    spool = dock.settings.paths.spool
    assert not list((spool / "quarantine").iterdir())
    assert not list((spool / "part").iterdir())
    assert sorted(path.name for path in (spool / "whole").iterdir()) == sorted(r.id for r in records)
    dock.audit()
    for sink in folders(dock.settings.sink):
        told = verify(sink.path, app.public_key(dock.settings))
        assert told.ok, told.disagreements
        assert told.objects == len(records)
    # And the kills did fall into the work.
    assert KILLS - fell[IDLE] > KILLS / 4
    assert fell[PULL]
    assert len(fell) >= 3, fell


def _holds_each_once(sink: FolderSink, records: list[Record]) -> None:
    """This central storage has every recording under its own name with its own bytes, and nothing else."""
    own = ("checkpoints", "receipts", "statements")
    objects = [
        path
        for path in sink.path.rglob("*")
        if path.is_file() and path.relative_to(sink.path).parts[0] not in own and not path.name.startswith(".")
    ]
    stored = [path for path in objects if ".incoming" not in path.parts and not path.name.endswith(".manifest.json")]
    keys = {held.key: r.digests.sha256 for r in records if r.digests for held in r.held if held.sink == sink.name}
    assert len(keys) == len(records)
    assert sorted(path.relative_to(sink.path).as_posix() for path in stored) == sorted(keys)
    for path in stored:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == keys[path.relative_to(sink.path).as_posix()]
