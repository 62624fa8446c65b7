"""A package over the line: the steps and bytes of the command, one at a time, fetched by whoever made it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from bwcdock import config
from bwcdock.clock import WallClock
from bwcdock.core.facts import Actor
from bwcdock.core.statements import AccessUsed
from bwcdock.desk import line
from bwcdock.desk.verbs import Exported, Progress
from bwcdock.errors import Misused, NotAllowed
from bwcdock.ledger import open_read_only
from cli_world import daemon, run, until, well
from line_world import ADMIN, AUDITOR, CONTENT, LEADER, OFFICER, SECOND, Made, answers, copied, made, records, used
from pycdlib import PyCdlib


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("handed") / "dock")


@pytest.fixture(scope="module")
def at_work(station, tmp_path_factory) -> Iterator[Made]:
    mine = copied(station, tmp_path_factory.mktemp("at work") / "dock")
    with daemon(mine.home):
        answers(mine.home / "run")
        yield mine


def export(station: Made, request: str, *numbers: int, actor: Actor = ADMIN, **more: object) -> Exported:
    ids = [record.id for record in records(station.home)]
    named = [ids[number] for number in numbers] or ids
    return line.export(station.home / "run", request=request, records=named, actor=actor, **more)


def unpacked(image: bytes, to: Path) -> Path:
    """Every file of an image, by its Joliet name."""
    disc = PyCdlib()
    disc.open_fp(BytesIO(image))
    for where, _, names in disc.walk(joliet_path="/"):
        for name in names:
            path = to / f"{where}/{name}".lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            disc.get_file_from_iso(str(path), joliet_path=f"{where}/{name}".replace("//", "/"))
    disc.close()
    return to


def verify(package: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-B", package / "verify.py"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_the_package_the_command_makes_and_proves_itself(at_work, tmp_path):
    heard: list[Progress] = []
    made_ = export(at_work, at_work.everything, copies=2, fields={"证明目的": "占道经营"}, tell=heard.append)
    with (fetched := line.fetch(at_work.home / "run", made_.export, ADMIN)).file as file:
        image = file.read()
    assert (fetched.answer.export, fetched.answer.size) == (made_.export, len(image))
    package = unpacked(image, tmp_path / "disc")
    told = verify(package)
    assert told.returncode == 0, told
    assert "VERIFIED: 3 original(s), 1 receipt(s)." in told.stdout
    assert made_.digest == hashlib.sha256((package / "tagmanifest-sha256.txt").read_bytes()).hexdigest()

    ids = [record.id for record in records(at_work.home)]
    who = ("--request", at_work.everything, "--as", "001", "--role", "administrator")
    by_command = ("--to", tmp_path / "out", "--copies", "2", "--field", "证明目的=占道经营", *who)
    assert "100 %" in well("-C", at_work.home, "export", *ids, *by_command)
    assert files(tmp_path / "out") == files(package)
    lines = used(at_work.home, at_work.everything)
    assert [(how, who, by) for how, who, by, _ in lines[-2:]] == [("exported", "当事人", "001")] * 2
    with open_read_only(config.load(at_work.home / "bwcdock.toml").paths.ledger) as ledger:
        (entry,) = ledger.entries(made_.export, made_.export + 1)
    assert isinstance(entry.fact, AccessUsed)
    assert (entry.actor, entry.fact.copies) == (ADMIN, 2)


def files(package: Path) -> dict[str, bytes]:
    """What does not tell of the moment it was made: originals, manifests, proofs, the program."""
    told = {path.relative_to(package).as_posix(): path.read_bytes() for path in package.rglob("*") if path.is_file()}
    kept = ("data/originals", "data/manifests", "data/receipts", "verify.py", "bagit.txt")
    return {name: data for name, data in told.items() if name.startswith(kept)}


@pytest.mark.parametrize(
    ("request_", "number", "actor", "kind", "says"),
    [
        ("waiting", 0, ADMIN, NotAllowed, "is requested, not granted"),
        ("refused", 0, ADMIN, NotAllowed, "is refused, not granted"),
        ("view", 0, ADMIN, NotAllowed, "granted for viewing"),
        ("copy", 1, ADMIN, NotAllowed, "does not name recording"),
        ("copy", 0, OFFICER, Misused, r"may not do this \(use-access\)"),
        ("copy", 0, Actor(name="099", role="administrator"), Misused, "no person '099'"),
    ],
)
def test_what_is_refused_by_command_is_refused_here_and_leaves_nothing(at_work, request_, number, actor, kind, says):
    request = getattr(at_work, request_)
    before = used(at_work.home, request), images(at_work)
    with pytest.raises(kind, match=says):
        export(at_work, request, number, actor=actor)
    assert (used(at_work.home, request), images(at_work)) == before


def images(station: Made) -> list[str]:
    place = station.home / "exports"
    return sorted(os.listdir(place)) if place.is_dir() else []


def test_what_is_wrong_with_it_is_said_before_anybody_is_asked(tmp_path):
    with pytest.raises(Misused, match="copies: Input should be greater"):
        line.export(tmp_path, request="access-1", records=["ff"], actor=ADMIN, copies=0)
    with pytest.raises(Misused, match="records: Tuple should have at least 1 item"):
        line.export(tmp_path, request="access-1", records=[], actor=ADMIN)


def test_it_is_fetched_by_whoever_made_it_or_an_auditor_and_by_its_number_alone(at_work):
    export_ = export(at_work, at_work.copy, 0).export
    run_ = at_work.home / "run"
    assert stat_of(at_work, f"{export_}.iso") == (0o440, 0o700)
    for actor in (ADMIN, AUDITOR):
        line.fetch(run_, export_, actor).file.close()
    for actor, says in (
        (SECOND, "was made by 001: he fetches it, or an auditor"),
        (LEADER, "was made by 001"),
        (Actor(name="001", role="auditor"), "is not 审计员"),
        (Actor(name="099", role="auditor"), "no person '099'"),
    ):
        with pytest.raises(Misused, match=says):
            line.fetch(run_, export_, actor)
    view = line.view(run_, request=at_work.view, record=records(at_work.home)[0].id, who="当事人", actor=ADMIN)
    view.file.close()
    for entry in (0, view.answer.entry, 10**9):
        with pytest.raises(Misused, match="no line of the register for a package"):
            line.fetch(run_, entry, AUDITOR)


def stat_of(station: Made, name: str) -> tuple[int, int]:
    place = station.home / "exports"
    return (place / name).stat().st_mode & 0o777, place.stat().st_mode & 0o777


# --- one at a time, and whoever goes away meanwhile -------------------------------------------------------------------

BIG = {**CONTENT, "DCIM/20260302_110000.mp4": os.urandom(1 << 20) * 96}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A station with a recording that takes a while."""
    before = dict(CONTENT)
    CONTENT.update(BIG)
    try:
        mine = made(tmp_path_factory.mktemp("busy") / "dock")
    finally:
        CONTENT.clear()
        CONTENT.update(before)
    with daemon(mine.home):
        answers(mine.home / "run")
        yield mine


def test_a_second_one_is_told_to_wait_and_everybody_else_is_served(busy):
    heard: list[Progress] = []
    others: list[str] = []

    def tell(progress: Progress) -> None:
        heard.append(progress)
        if not others and progress.export is not None:
            with pytest.raises(Misused, match="Another package is being made"):
                export(busy, busy.copy, 0)
            line.hello(busy.home / "run")
            record = records(busy.home)[0].id
            line.view(busy.home / "run", request=busy.view, record=record, who="当事人", actor=ADMIN).file.close()
            others.append("served")

    made_ = export(busy, busy.everything, tell=tell)
    assert others == ["served"]
    assert [each.done for each in heard] == sorted(each.done for each in heard)
    assert all(each.done <= each.of for each in heard)
    assert heard[-1].of == 4 * sum(map(len, BIG.values()))
    assert {each.export for each in heard} <= {None, made_.export}
    export(busy, busy.copy, 0)  # and now it may


def test_who_goes_away_in_the_middle_fetches_it_later(busy):
    class Away(Exception):
        pass

    numbers: list[int] = []

    def leave(progress: Progress) -> None:
        if progress.export is not None:
            numbers.append(progress.export)
            raise Away

    with pytest.raises(Away):
        export(busy, busy.everything, tell=leave)
    until(lambda: f"{numbers[0]}.iso" in images(busy))
    line.fetch(busy.home / "run", numbers[0], ADMIN).file.close()


def test_the_command_counts_the_image_too(busy, tmp_path):
    who = ("--request", busy.everything, "--as", "001", "--role", "administrator")
    ids = [record.id for record in records(busy.home)]
    told = well("-C", busy.home, "export", *ids, *who, "--to", tmp_path / "out", "--iso", tmp_path / "out.iso")
    assert "out: 100 %" in told


# --- what is left behind ----------------------------------------------------------------------------------------------


def test_a_start_removes_what_died_half_way_and_what_is_too_old(station, tmp_path):
    mine = copied(station, tmp_path / "dock")
    place = mine.home / "exports"
    (place / ".7.iso.0123456789abcdef.tmp/data").mkdir(parents=True)
    (place / ".7.iso.fedcba9876543210.tmp").write_bytes(b"half")
    (place / "5.iso").write_bytes(b"old")
    (place / "6.iso").write_bytes(b"new")
    week = WallClock().now().timestamp() - 8 * 86400
    os.utime(place / "5.iso", (week, week))
    with daemon(mine.home):
        until(lambda: images(mine) == ["6.iso"])


def test_a_package_that_is_gone_is_said_to_be(at_work):
    export_ = export(at_work, at_work.copy, 0).export
    (at_work.home / f"exports/{export_}.iso").unlink()
    with pytest.raises(Misused, match="is older than 7 days"):
        line.fetch(at_work.home / "run", export_, ADMIN)


def test_the_command_shows_how_far_it_is_only_where_there_is_something(station, tmp_path):
    mine = copied(station, tmp_path / "dock")
    who = ("--request", mine.copy, "--as", "001", "--role", "administrator", "--to", tmp_path / "out")
    told = run("-C", mine.home, "export", records(mine.home)[0].id, *who)
    tenths = [line_ for line_ in told.out.splitlines() if line_.endswith(" %")]
    assert tenths == sorted(tenths, key=lambda each: int(each.split()[-2]))
    assert tenths[-1] == "out: 100 %"
    refused = run("-C", mine.home, "export", records(mine.home)[1].id, *who[:-1], tmp_path / "more")
    assert " %" not in refused.out
