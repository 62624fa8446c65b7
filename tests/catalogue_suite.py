"""What holds for a catalogue on every kind of database: collected where there is a fixture ``place``."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from bwcdock.catalogue import Catalogue, Copy, Place, Sought, searching, versions, writing
from bwcdock.catalogue.agreeing import Mark, Sighting, Source
from bwcdock.catalogue.schema import copy, day_count, hold, metadata, recording, sighting, station
from bwcdock.core.facts import CopyBad
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.core.statements import (
    CaseOpened,
    DeviceIssued,
    DeviceRegistered,
    DeviceReturned,
    Excused,
    HoldLifted,
    HoldPlaced,
    Label,
    PersonEntered,
)
from bwcdock.errors import LedgerBroken, Misused
from catalogue_world import T0, Dock, caught_up, everything, following, found, made, one, rid, told
from ledger_world import life
from sqlalchemy import select, update

NOW = T0 + timedelta(days=2)
LABELS = (
    Label(),
    Label(case="榕城执罚〔2026〕7号", parties=("张三", "福州某餐饮店"), place="鼓楼区五一路12号", event="占道经营"),
    Label(case="A-2", place="东街口", event="纠纷冲突", sensitive="privacy", note="100%_sure 当事人拒绝签字"),
    Label(parties=("三张", "Li Si"), place="一路北五一", tags=frozenset({"dispute", "sudden"}), category="许可"),
)


class TestTables:
    async def test_the_first_form_is_the_tables_that_are_worked_with(self, place: Place) -> None:
        async with Catalogue(place) as catalogue:
            with pytest.raises(Misused, match="no tables yet"):
                await catalogue.run(versions.must_be_current)
            assert await catalogue.run(versions.upgrade) == ("", "0001")
            assert await catalogue.run(versions.upgrade) == ("0001", "0001")
            await catalogue.run(versions.must_be_current)
            assert await catalogue.run(lambda db: _differences(MigrationContext.configure(db))) == []

    async def test_what_a_newer_program_made_is_left_alone(self, place: Place) -> None:
        async with made(place) as catalogue:
            await catalogue.run(lambda db: db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
            for asked in (versions.upgrade, versions.must_be_current):
                with pytest.raises(Misused, match="newer program"):
                    await catalogue.run(asked)

    async def test_half_an_upgrade_is_none(self, place: Place) -> None:
        def dies(db: object) -> None:
            versions.upgrade(db)  # type: ignore[arg-type]
            raise RuntimeError

        async with Catalogue(place) as catalogue:
            with pytest.raises(RuntimeError):
                await catalogue.run(dies)
            with pytest.raises(Misused, match="no tables yet"):
                await catalogue.run(versions.must_be_current)


def _differences(context: MigrationContext) -> list[object]:
    """What Alembic would change; the index of words is of each database's own kind, and not among the tables."""
    return [
        change
        for change in compare_metadata(context, metadata)
        if "gram" not in str(getattr(change[1], "name", "")) and "alembic" not in str(change)
    ]


class TestFollowing:
    async def test_what_the_ledger_says_is_there_and_nothing_is_told_twice(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        for number in range(7):
            dock.bring(number, steps=number, label=LABELS[number % 4] if number else None)
        async with made(place) as catalogue:
            assert await told(dock, catalogue) == 1
            before = await catalogue.run(everything)
            assert [row[3] for row in before["recording"]] == [
                "listed", "listed", "pulled", "sealed", "sealed", "sealed",
            ]  # fmt: skip
            assert await told(dock, catalogue) == 0
            assert await catalogue.run(everything) == before
            shown = await one(catalogue, rid(6))
            record = dock.ledger.record(rid(6))
            assert record is not None
            assert (shown.agreed.state, shown.agreed.sha256) == (State.SEALED, record.digests.sha256)
            assert (shown.agreed.due, shown.agreed.met_at) == (record.due, record.met_at)
            assert (shown.agreed.place, shown.agreed.case) == ("东街口", "A-2")
            assert [c.sink for _, c in shown.copies] == ["nas"]
            assert shown.copies[0][1].looked_ms is not None
        dock.close()

    @pytest.mark.parametrize("batch", [1, 3, 500])
    async def test_pieces_of_any_size_end_in_the_same(self, place: Place, tmp_path: Path, batch: int) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        _work(dock)
        async with made(place) as catalogue:
            rounds = await told(dock, catalogue, batch=batch)
            assert rounds == -(-dock.ledger.size // batch)
            _must_be_as_the_ledger(await catalogue.run(everything), dock)
        dock.close()

    async def test_a_statement_reaches_what_was_told_before(self, place: Place, tmp_path: Path) -> None:
        """Holds, cases, names, issues: each changes what is said of recordings it does not name."""
        dock = Dock(tmp_path / "dock")
        dock.docked()
        dock.bring(1, label=LABELS[1], officer="000002")
        dock.bring(2, label=LABELS[2], recorder="R2")
        async with made(place) as catalogue, following(dock, catalogue) as follower:
            await caught_up(follower)
            dock.say(PersonEntered(matter="002", name="李警官", user_numbers=("000002",)))
            dock.say(CaseOpened(matter="A-2", parties=("王五",)))
            dock.say(HoldPlaced(matter="h1", reason="复议", place="五一路"))
            assert await caught_up(follower) == 1
            assert await found(catalogue, Sought(officer="李警官")) == [rid(1)]
            assert await found(catalogue, Sought(own="002")) == [rid(1)]
            assert await found(catalogue, Sought(party="王五")) == [rid(2)]
            assert await found(catalogue, Sought(held=True)) == [rid(1)]
            assert [(row.id, row.is_open) for row in await catalogue.run(_holds)] == [("h1", True)]
            dock.say(HoldLifted(matter="h1", reason="结束"))
            await caught_up(follower)
            assert await found(catalogue, Sought(held=True)) == []
            assert [(row.id, row.is_open) for row in await catalogue.run(_holds)] == [("h1", False)]
        dock.close()

    async def test_a_statement_reaches_it_after_a_restart_too(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        record = dock.bring(1, label=LABELS[1])
        async with made(place) as catalogue:
            await told(dock, catalogue)
            dock.say(HoldPlaced(matter="h1", reason="复议", records=(record,)))
            dock.say(HoldPlaced(matter="h2", reason="诉讼", person="002", device="R1"))
            await told(dock, catalogue, batch=1)
            assert [hold.id for hold in (await one(catalogue, record)).agreed.holds] == ["h1"]
        dock.close()

    async def test_a_ledger_that_is_an_older_copy_is_not_followed(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        async with made(place) as catalogue:
            await told(dock, catalogue)
            await catalogue.run(lambda db: db.execute(update(station).values(seq=1000)))
            with pytest.raises(LedgerBroken, match="older copy"):
                await told(dock, catalogue)
        dock.close()

    async def test_two_stations_of_one_name_are_not_mixed(self, place: Place, tmp_path: Path) -> None:
        docks = [Dock(tmp_path / "one"), Dock(tmp_path / "other")]
        async with made(place) as catalogue:
            await told(docks[0], catalogue)
            with pytest.raises(Misused, match="another key"):
                await told(docks[1], catalogue)
        for dock in docks:
            dock.close()

    async def test_a_catalogue_made_anew_is_told_all_of_it_again(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        _work(dock)
        async with made(place) as catalogue, following(dock, catalogue) as follower:
            await caught_up(follower)
            before = await catalogue.run(everything)
            follower._asked_at -= 3600  # what a minute of waiting does
            for table in (station, recording, sighting, copy, hold, day_count):
                await catalogue.run(lambda db, table=table: db.execute(table.delete()))
            await caught_up(follower)
            assert _without_numbers(await catalogue.run(everything)) == _without_numbers(before)
        dock.close()

    async def test_a_position_that_moved_meanwhile_stands(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        async with made(place) as catalogue:
            await catalogue.run(lambda db: writing.settle(db, dock.who, 0, 5, T0))
            with pytest.raises(writing.Moved):
                await catalogue.run(lambda db: writing.settle(db, dock.who, 0, 9, T0))
            assert await catalogue.run(lambda db: writing.position(db, dock.who)) == 5
        dock.close()


def _holds(db: object) -> list:
    return list(db.execute(select(hold)))


def _without_numbers(content: dict) -> dict:
    return {name: rows for name, rows in content.items() if name != "station"}


def _work(dock: Dock) -> None:
    """A busy day: issues, persons, labels before and after, holds, a case, excuses."""
    dock.say(
        PersonEntered(matter="002", name="李警官", user_numbers=("000002",)),
        PersonEntered(matter="003", name="赵警官", user_numbers=("000003", "77")),
        DeviceRegistered(matter="R1", recorder="R1"),
    )
    for number in range(12):
        recorder = f"R{number % 3 + 1}"
        if number == 4:
            dock.say(DeviceIssued(matter="R1", recorder="R1", to="003"))
        dock.bring(
            number, recorder=recorder, steps=1 + number % 6, label=LABELS[number % 4], officer=("", "77")[number % 2],
            recorded_at=T0 + timedelta(hours=number),
        )  # fmt: skip
    dock.say(CaseOpened(matter="A-2", parties=("王五",)), HoldPlaced(matter="h1", reason="复议", person="003"))
    dock.say(DeviceReturned(matter="R1", recorder="R1"), Excused(record=rid(2), explanation="e", why="停电"))
    dock.tag(rid(0), LABELS[3])


def _must_be_as_the_ledger(content: dict, dock: Dock) -> None:
    """What stands in the catalogue is what a teller says of the whole ledger at once."""
    size = dock.ledger.size
    whole = dock.teller().told(dock.ledger, 0, size)
    assert {row[0] for row in content["recording"]} == {record.id for record in dock.ledger.records()}
    said = {(each.record, each.station): each for each in whole.sightings}
    for record, origin, _source, _seq, known, _said_source, _said_seq, words, *_ in content["sighting"]:
        expected = said[record, origin]
        assert expected.known is not None
        assert expected.said is not None
        assert writing.KNOWN.validate_json(known) == expected.known
        stood = writing.Annotation.model_validate_json(words)
        # How it stood then is of its moment, and is not looked at.
        judged = expected.said.judged and expected.said.judged.model_copy(update={"kind": stood.judged.kind})
        assert stood == expected.said.model_copy(update={"judged": judged})


class TestAgreeing:
    async def test_any_order_of_batches_of_any_stations_gives_the_same(self, place: Place, tmp_path: Path) -> None:
        batches = []
        for number, name in enumerate(("dock-1", "dock-2", "dock-3")):
            dock = Dock(tmp_path / name, name, unit=f"{number + 1}大队")
            dock.docked()
            for record in range(6):
                dock.bring(record, steps=1 + (record + number) % 6, label=LABELS[(record + number) % 4])
                whole = dock.teller().told(dock.ledger, 0, dock.ledger.size)
                batches.append(whole.sightings)
            dock.say(HoldPlaced(matter="h1", reason="复议", records=(rid(number),)))
            batches.append(dock.teller().told(dock.ledger, 0, dock.ledger.size).sightings)
            dock.close()
        async with made(place) as catalogue:
            contents = []
            for seed in range(4):
                chance = random.Random(seed)
                told_ = [*batches, *chance.choices(batches, k=5)]
                chance.shuffle(told_)
                for batch in told_:
                    some = list(batch)
                    chance.shuffle(some)
                    await catalogue.run(lambda db, some=some: _take(db, some))
                contents.append(await catalogue.run(everything))
                for table in (recording, sighting, copy, hold, day_count):
                    await catalogue.run(lambda db, table=table: db.execute(table.delete()))
            assert contents[0]["recording"]
            assert all(content == contents[0] for content in contents[1:])

    async def test_papers_and_ledger_in_any_order(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        dock.bring(1, label=LABELS[1])
        (own,) = dock.teller().told(dock.ledger, 0, dock.ledger.size).sightings
        of = Mark(source=Source.CENTRAL, seq=2)
        papers = [
            Sighting(
                record=own.record, station=own.station, known=own.known, known_of=of, copies=(Copy(sink=s, key=s),)
            )
            for s in ("nas", "cloud")
        ]
        async with made(place) as catalogue:
            for order in ((own, *papers), (papers[1], own, papers[0]), (*papers, own)):
                for each in order:
                    await catalogue.run(lambda db, each=each: _take(db, [each]))
                assert [c.sink for _, c in (await one(catalogue, own.record)).copies] == ["nas"]
                for table in (recording, sighting, copy):
                    await catalogue.run(lambda db, table=table: db.execute(table.delete()))
            for each in papers:
                await catalogue.run(lambda db, each=each: _take(db, [each]))
            assert [c.sink for _, c in (await one(catalogue, own.record)).copies] == ["cloud", "nas"]
        dock.close()


def _take(db: object, some: list[Sighting]) -> None:
    writing.take(db, some)  # type: ignore[arg-type]
    writing.recount(db, writing.days_of(some))  # type: ignore[arg-type]


class TestCounting:
    async def test_received_stored_readable(self, place: Place, tmp_path: Path) -> None:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        for number, steps in enumerate((3, 4, 5, 6, 6)):  # one is not sealed, one not confirmed, one not looked at
            dock.bring(number, steps=steps)
        async with made(place) as catalogue, following(dock, catalogue) as follower:
            await caught_up(follower)
            assert await catalogue.run(_days) == [("bureau/dock-1", "nas", "2026-03-02", 4, 3, 2)]
            subject = {"record": rid(4), "session": "s1", "recorder": "R1"}
            dock.say(_bad(subject))
            for fact in life(rid(1))[4:]:
                dock.say(fact)
            dock.bring(5, steps=4)
            await caught_up(follower)
            assert await catalogue.run(_days) == [("bureau/dock-1", "nas", "2026-03-02", 5, 3, 2)]
            await catalogue.run(lambda db: db.execute(day_count.delete()))
            await catalogue.run(writing.recount)
            assert await catalogue.run(_days) == [("bureau/dock-1", "nas", "2026-03-02", 5, 3, 2)]
        dock.close()


def _bad(subject: dict[str, str]) -> object:

    return CopyBad(**subject, place="nas", what="rot")


def _days(db: object) -> list[tuple]:
    return [tuple(row) for row in db.execute(select(day_count).order_by(day_count.c.day))]


class TestSearching:
    @pytest.fixture
    def dock(self, tmp_path: Path) -> Dock:
        dock = Dock(tmp_path / "dock")
        dock.docked()
        dock.say(
            PersonEntered(matter="002", name="李警官", user_numbers=("000002",)),
            PersonEntered(matter="003", name="欧阳警官", user_numbers=("77",)),
            CaseOpened(matter="A-2", parties=("王五",)),
            HoldPlaced(matter="h1", reason="复议", person="003"),
        )
        for number in range(40):
            dock.bring(
                number, recorder=f"R{number % 3 + 1}", steps=1 + number % 6, label=LABELS[number % 4],
                officer=("", "000002", "77", "0031")[number % 4], recorded_at=T0 + timedelta(hours=number),
            )  # fmt: skip
            if number % 10 == 0:
                dock.say(Excused(record=rid(number), explanation="e", why="停电"))
        yield dock
        dock.close()

    async def test_what_is_sought_is_what_fits(self, place: Place, dock: Dock) -> None:
        def label(n: int) -> Label:
            return LABELS[n % 4]

        cases = [
            (Sought(), lambda n: True),
            (Sought(party="张"), lambda n: n % 4 in {1, 3}),
            (Sought(party="张三"), lambda n: n % 4 == 1),
            (Sought(party="三张"), lambda n: n % 4 == 3),
            (Sought(party="li si"), lambda n: n % 4 == 3),
            (Sought(party="王五"), lambda n: n % 4 == 2),
            (Sought(party="某餐饮店"), lambda n: n % 4 == 1),
            (Sought(case="A-2"), lambda n: n % 4 == 2),
            (Sought(case="a-2"), lambda n: n % 4 == 2),
            (Sought(case="A-"), lambda n: False),
            (Sought(place="五一路"), lambda n: n % 4 == 1),
            (Sought(place="五一"), lambda n: n % 4 in {1, 3}),
            (Sought(place="五一路口"), lambda n: False),
            (Sought(event="占道经营"), lambda n: n % 4 == 1),
            (Sought(officer="李警官"), lambda n: n % 4 == 1),
            (Sought(officer="警官"), lambda n: n % 4 in {1, 2}),
            (Sought(officer="欧"), lambda n: n % 4 == 2),
            (Sought(officer="003"), lambda n: n % 4 in {2, 3}),
            (Sought(own="003"), lambda n: n % 4 == 2),
            (Sought(recorder="R2"), lambda n: n % 3 == 1),
            (Sought(unit="一大队"), lambda n: True),
            (Sought(unit="一大"), lambda n: False),
            (Sought(station="bureau/dock-1", tag="dispute"), lambda n: n % 4 == 3),
            (Sought(station="bureau/dock"), lambda n: False),
            (Sought(tag="privacy"), lambda n: n % 4 == 2),
            (Sought(tag="disp"), lambda n: False),
            (Sought(text="拒绝签字"), lambda n: n % 4 == 2),
            (Sought(text="榕城执罚〔2026〕7号 鼓楼"), lambda n: n % 4 == 1),
            (Sought(text="100%_sure"), lambda n: n % 4 == 2),
            (Sought(text="100_%"), lambda n: False),
            (Sought(text="鼓楼 东街口"), lambda n: False),
            (Sought(text="张"), lambda n: n % 4 in {1, 3}),
            (Sought(text=rid(7)), lambda n: n == 7),
            (Sought(text="R2"), lambda n: n % 3 == 1),
            (Sought(state="listed"), lambda n: n % 6 < 2),
            (Sought(kind="other"), lambda n: True),
            (Sought(kind="video"), lambda n: False),
            (Sought(held=True), lambda n: n % 4 == 2),
            (Sought(disputed=True), lambda n: False),
            (Sought(since=T0 + timedelta(hours=5), until=T0 + timedelta(hours=9)), lambda n: 5 <= n < 9),
            (Sought(party="张", since=T0 + timedelta(hours=30)), lambda n: n % 4 in {1, 3} and n >= 30),
        ]  # fmt: skip
        async with made(place) as catalogue:
            await told(dock, catalogue)
            for sought, fits in cases:
                expected = [rid(n) for n in reversed(range(40)) if fits(n)]
                assert await found(catalogue, sought, NOW, limit=7) == expected, sought
            assert await found(catalogue, Sought(party="张"), NOW, limit=100) == [
                rid(n) for n in reversed(range(40)) if label(n).parties
            ]

    async def test_what_is_frequent_and_what_is_rare(self, place: Place, dock: Dock, monkeypatch) -> None:
        """Also where the newest few do not fill a page, or are not as many as asked for."""
        async with made(place) as catalogue:
            await told(dock, catalogue)
            for newest, limit in product((1, 3, 10, 1000), (1, 4, 50)):
                monkeypatch.setattr(searching, "NEWEST", newest)
                fitting = [rid(n) for n in reversed(range(40)) if n % 4 == 1]
                assert await found(catalogue, Sought(party="张三"), NOW, limit=limit) == fitting

    async def test_how_it_stands_is_what_the_judge_says(self, place: Place, dock: Dock) -> None:
        async with made(place) as catalogue:
            await told(dock, catalogue)
            for hours in (0, 10, 18, 19, 24, 26, 60):
                now = T0 + timedelta(hours=hours)
                for standing in Standing:
                    expected = []
                    for n in reversed(range(40)):
                        verdict = (await one(catalogue, rid(n))).agreed.stands(now, 0.25)
                        expected += [rid(n)] if verdict and verdict.kind is standing else []
                    assert await found(catalogue, Sought(standing=standing), now) == expected, (hours, standing)

    async def test_every_border_of_a_deadline(self, place: Place, dock: Dock) -> None:
        async with made(place) as catalogue:
            await told(dock, catalogue)
            agreed = (await one(catalogue, rid(7))).agreed
            assert agreed.due is not None
            assert agreed.basis_at is not None
            quarter = agreed.due - (agreed.due - agreed.basis_at) * 0.25
            for moment, off in product((agreed.due, quarter), (-1, 0, 1)):
                now = moment + timedelta(milliseconds=off)
                verdict = agreed.stands(now, 0.25)
                assert verdict is not None
                assert rid(7) in await found(catalogue, Sought(standing=verdict.kind), now)

    async def test_what_cannot_be_looked_for_is_refused(self, place: Place, dock: Dock) -> None:
        async with made(place) as catalogue:
            await told(dock, catalogue)
            for sought in (Sought(place="五"), Sought(event="x"), Sought(party="x")):
                with pytest.raises(Misused, match="too short"):
                    await found(catalogue, sought)
            with pytest.raises(Misused, match="end of any page"):
                await catalogue.run(lambda db: searching.search(db, Sought(), NOW, 0.25, after="1; DROP"))

    async def test_a_word_as_long_as_a_remark(self, place: Place, dock: Dock) -> None:
        dock.tag(rid(0), replace(LABELS[2], note="长" * 3000 + "尾"))
        async with made(place) as catalogue:
            await told(dock, catalogue)
            assert await found(catalogue, Sought(text="长" * 500)) == [rid(0)]
            assert await found(catalogue, Sought(text="长长尾")) == []

    async def test_what_cannot_be_printed_is_kept_as_it_was_said_and_does_no_harm(
        self, place: Place, dock: Dock
    ) -> None:
        """PostgreSQL takes no NUL: one in a remark must not keep a station from telling ever again."""
        odd = "当事\x00人\x1f拒绝\t签\u202e字"
        dock.tag(rid(0), replace(LABELS[2], note=odd, parties=("张\x00三",), place="五一\x1f路"))
        dock.say(HoldPlaced(matter="h2", reason="复\x00议", records=(rid(0),)))
        async with made(place) as catalogue:
            await told(dock, catalogue)
            agreed = (await one(catalogue, rid(0))).agreed
            assert (agreed.note, agreed.parties[:1], agreed.place) == (odd, ("张\x00三",), "五一\x1f路")
            assert rid(0) in await found(catalogue, Sought(text="拒绝"))
            assert await found(catalogue, Sought(party="张\x00三")) == [rid(0)]
            assert await found(catalogue, Sought(place="五一 路")) == [rid(0)]
