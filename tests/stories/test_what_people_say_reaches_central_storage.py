"""Central storage alone can tell what is known of its recordings: all that was said since, signed, in order, once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bwcdock import config
from bwcdock.core.facts import Actor, Beat, LookedAgain
from bwcdock.desk import do
from bwcdock.desk.line import act_of
from bwcdock.errors import Unreachable
from bwcdock.manifest import MANIFEST, Annotation, DayCount, Heard, Manifest, Statement, heard, missing, open_signed
from bwcdock.steps import statements
from bwcdock.steps.bench import Bench
from bwcdock.steps.statements import Statements
from bwcdock.testing.sinks import MemorySink, SinkFault
from bwcdock.verify_central import verify
from desk_world import OFFICER, World, china

MORNING = china("2026-03-02 10:00")


def world(directory: Path, **more: Any) -> World:
    """A station to which an officer's recorder comes with two recordings."""
    made = World(directory, "S4-fuzhou", **more)
    made.issued()
    made.clock.set(MORNING + timedelta(hours=3))
    made.records("a.mp4", MORNING)
    made.records("b.mp4", MORNING + timedelta(hours=1))
    return made


def with_two(directory: Path) -> tuple[World, dict[str, MemorySink]]:
    """The same with a second central storage."""
    sinks = {name: MemorySink(name) for name in ("central", "mirror")}
    made = world(directory, sinks=sinks)
    path = directory / "station" / "bwcdock.toml"
    one = made.bed.settings.sink[0]
    told = f'\n[[sink]]\nname = "mirror"\nkind = "filesystem"\npath = "mirror"\nlayout = "{one.layout}"\n'
    path.write_text(path.read_text(encoding="utf-8") + told, encoding="utf-8")
    made.bed.settings = config.load(path)
    return made, sinks


def stated(bench: Bench, sink: str = "central") -> list[Statement]:
    """Every statement there, in the order of their names, opened with the station's key."""
    store, folder = bench.sinks[sink], statements.folder_of(bench.settings.station.name)
    names = sorted(store.newest(folder, ".json", 1000))
    found = [open_signed(store.recall(name) or b"", Statement, bench.signer.verifier) for name in names]
    assert [statement.key for statement in found] == names
    return found


def bring(made: World, sink: str = "central") -> list[Statement]:
    """As a station does that was just started."""
    with made.bed.bench() as bench:
        Statements(bench, sink).bring()
        return stated(bench, sink)


def by_path(made: World, told: Statement) -> dict[str, Annotation]:
    paths = {record.id: record.item.path for record in made.bed.records()}
    return {paths[annotation.record]: annotation for annotation in told.annotations}


async def test_everything_that_was_said_is_stated_with_whose_it_is(tmp_path: Path) -> None:
    made = world(tmp_path)
    await made.docks()
    ids = {path: made.record(path).id for path in ("a.mp4", "b.mp4")}
    (first,) = bring(made)
    assert (first.after, first.part, first.last) == (-1, 1, True)
    assert sorted(by_path(made, first)) == ["a.mp4", "b.mp4"]
    made.does(made.custodian, "open-case", case="案2026-1", category="占道经营", parties=["陈某"], handler=OFFICER)
    said = {"case": "案2026-1", "parties": ["王某"], "place": "五一广场", "event": "流动摊贩", "sensitive": "privacy"}
    made.does(made.custodian, "tag", records=[ids["a.mp4"]], tags=["dispute"], note="见笔录", **said)
    done = made.does(made.custodian, "hold", person=OFFICER, reason="投诉")
    second = bring(made)[-1]
    told = by_path(made, second)
    assert second.after == first.seq
    a, b = told["a.mp4"], told["b.mp4"]
    assert (a.parties, a.place, a.event, a.tags, a.note) == (("王某",), "五一广场", "流动摊贩", ("dispute",), "见笔录")
    assert a.sensitive == "privacy"
    assert a.case is not None
    assert (a.case.number, a.case.category, a.case.parties, a.case.state) == ("案2026-1", "占道经营", ("陈某",), "open")
    ours = next(officer for officer in a.officers if officer.id == OFFICER)
    assert (ours.name, ours.team, ours.unit) == ("李警官", "", "")
    assert a.kept is not None
    assert a.kept.permanent
    assert b.kept is not None
    assert b.kept.until is not None
    assert [(hold.id, hold.state, hold.reason) for hold in b.holds] == [(done.matter, "placed", "投诉")]
    assert a.is_held
    assert b.is_held
    assert b.judged is not None
    assert b.judged.kind == "met"
    made.does(made.custodian, "lift-hold", hold=done.matter, reason="撤诉")
    told = by_path(made, bring(made)[-1])
    assert not told["a.mp4"].is_held
    assert told["b.mp4"].holds[0].until == made.clock.now()
    made.does(made.custodian, "step-case", case="案2026-1", step="case_closed", moment=made.clock.now().isoformat())
    told = by_path(made, bring(made)[-1])
    assert list(told) == ["a.mp4"]
    assert told["a.mp4"].case is not None
    assert told["a.mp4"].case.state == "closed"
    made.bed.must_agree()


async def test_a_statement_names_the_manifest_it_belongs_to(tmp_path: Path) -> None:
    made = world(tmp_path)
    await made.docks()
    (told,) = bring(made)
    with made.bed.bench() as bench:
        for annotation in told.annotations:
            data = bench.sinks["central"].recall(annotation.manifest)
            assert data is not None
            manifest = open_signed(data, Manifest, bench.signer.verifier)
            assert (manifest.record, manifest.key + MANIFEST) == (annotation.record, annotation.manifest)


async def test_a_name_in_the_register_changes_whose_it_is(tmp_path: Path) -> None:
    made = world(tmp_path)
    await made.docks()
    bring(made)
    made.does(made.custodian, "enter-person", person=OFFICER, name="李小明", roles=["officer"], user_numbers=["000002"])
    told = by_path(made, bring(made)[-1])
    assert {officer.name for annotation in told.values() for officer in annotation.officers} == {"李小明"}


async def test_what_is_not_there_is_not_spoken_of(tmp_path: Path) -> None:
    made, sinks = with_two(tmp_path)
    sinks["mirror"].down = True
    async with made.bed.at_work():
        made.card.plug()
        await made.bed.until(lambda: [len(record.held) for record in made.bed.records()] == [1, 1])
    made.does(made.custodian, "tag", records=[made.record("a.mp4").id], place="五一广场")
    sinks["mirror"].down = False
    assert len(bring(made, "central")[-1].annotations) == 2
    with made.bed.bench() as bench:
        Statements(bench, "mirror").bring()
        (told,) = stated(bench, "mirror")
    assert told.annotations == ()
    assert [(day.received, day.stored, day.readable) for day in told.days] == [(2, 0, 0)]


async def test_received_stored_readable_of_each_local_day(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.at("2026-03-02 23:30")
    await made.docks()
    (first,) = bring(made)
    assert first.days == (DayCount(day="2026-03-02", received=2, stored=2, readable=0),)
    made.at("2026-03-03 00:30")
    made.records("c.mp4", china("2026-03-03 00:10"))
    await made.docks()
    second = bring(made)[-1]
    assert second.days == (DayCount(day="2026-03-03", received=1, stored=1, readable=0),)
    async with made.bed.at_work():
        await made.bed.until(lambda: made.clock.advance(600) or len(made.bed.facts(LookedAgain)) == 3)
    told = {day.day: day for statement in bring(made) for day in statement.days}
    assert told["2026-03-02"] == DayCount(day="2026-03-02", received=2, stored=2, readable=2)
    assert told["2026-03-03"] == DayCount(day="2026-03-03", received=1, stored=1, readable=1)
    made.bed.central(made.record("b.mp4").held[0].key).chmod(0o644)
    made.bed.must_agree()


async def test_nothing_new_is_no_statement_and_twice_is_the_same_bytes(tmp_path: Path) -> None:
    sink = MemorySink()
    made = world(tmp_path, sinks={"central": sink})
    await made.docks()
    with made.bed.bench() as bench:
        telling = Statements(bench, "central")
        telling.bring()
        before = dict(sink.objects)
        telling.bring()
        assert sink.objects == before
        bench.book.record([Beat(clock="vouched")])
        telling.bring()
        assert not [key for key in sink.objects if key not in before and "statements" in key]
        # Of a statement that is lost, and told again by a station that has not moved, not one byte is otherwise.
        (name,) = [key for key in sink.objects if key.startswith("statements/")]
        first = sink.objects.pop(name)
        do(bench, act_of("tag", {"records": [made.record("a.mp4").id], "place": "东街口"}), KEEPER)
        Statements(bench, "central").bring()
        (again,) = [key for key in sink.objects if key.startswith("statements/")]
        kept = sink.objects.pop(again)
        Statements(bench, "central").bring()
        assert sink.objects[again] == kept != first


KEEPER = Actor(name="001", role="administrator")


@pytest.mark.parametrize(
    ("broken", "how", "arrived"), [(2, "before", 1), (2, "after", 2), (3, "before", 2), (3, "after", 3)]
)
async def test_many_recordings_come_in_parts_and_a_broken_line_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: int, how: Any, arrived: int
) -> None:
    monkeypatch.setattr(statements, "ROOM", 1)
    sink = MemorySink()
    made = world(tmp_path, sinks={"central": sink})
    made.records("c.mp4", MORNING + timedelta(hours=2))
    await made.docks()
    with made.bed.bench() as bench:
        bench.witnesses["central"].bring()
        nth = len([call for call in sink.calls if call[0] == "note"]) + broken
        sink._faults["note", nth] = SinkFault(op="note", nth=nth, how=how)
        telling = Statements(bench, "central")
        with pytest.raises(Unreachable):
            telling.bring()
        assert len(stated(bench)) == arrived
        do(bench, act_of("tag", {"records": [made.record("a.mp4").id], "place": "东街口"}), KEEPER)
        telling.bring()
        found = stated(bench)
    assert list(missing(map(heard, found))) == []
    if arrived == 3:  # it was whole, though nobody heard of it
        assert [(told.after, told.part, told.last) for told in found[3:]] == [(found[0].seq, 1, True)]
    else:
        whole = [told for told in found if told.seq == found[-1].seq]
        assert [(told.part, told.last, len(told.annotations)) for told in whole] == [
            (1, False, 1),
            (2, False, 1),
            (3, True, 1),
        ]
        assert {told.after for told in found} == {-1}
    newest = {annotation.record: annotation for told in found for annotation in told.annotations}
    assert (len(newest), newest[made.record("a.mp4").id].place) == (3, "东街口")
    made.bed.must_agree()


async def test_it_is_told_within_a_minute_at_work_and_to_every_storage(tmp_path: Path) -> None:
    made, sinks = with_two(tmp_path)
    async with made.bed.at_work() as station:
        made.card.plug()
        await made.bed.until_settled(made.card)
        began = made.clock.now()

        def are_told(count: int) -> bool:
            made.clock.advance(5)
            return all(len(stated(station.bench, name)) >= count for name in sinks)

        await made.bed.until(lambda: are_told(1))
        for _ in range(30):
            made.clock.advance(60)
            await asyncio.sleep(0.02)
        assert all(len(stated(station.bench, name)) <= 2 for name in sinks)
        said = made.clock.now()
        await station.ask(
            do, station.bench, act_of("tag", {"records": [made.record("a.mp4").id], "place": "东街口"}), KEEPER
        )
        before = {name: len(stated(station.bench, name)) for name in sinks}
        await made.bed.until(lambda: are_told(max(before.values()) + 1))
        newest = stated(station.bench, "mirror")[-1]
        assert [annotation.place for annotation in newest.annotations] == ["东街口"]
        assert newest.at >= said > began
    made.bed.must_agree()


async def test_what_lies_among_them_and_is_none_is_told_and_passed_over(tmp_path: Path) -> None:
    sink = MemorySink()
    made = world(tmp_path, sinks={"central": sink})
    await made.docks()
    bring(made)
    strange = f"{statements.folder_of('test-dock')}/{10**19:020d}.json"
    sink.objects[strange] = b"{}"
    made.does(made.custodian, "tag", records=[made.record("a.mp4").id], place="东街口")
    with made.bed.bench() as bench:
        Statements(bench, "central").bring()
        assert [finding.code for finding in made.bed.findings("sink.statements.central")]
        del sink.objects[strange]
        assert stated(bench)[-1].annotations[0].place == "东街口"
        Statements(bench, "central").bring()
    assert not made.bed.findings("sink.statements.central")


async def test_other_bytes_in_place_of_a_statement_are_told_and_it_goes_beside(tmp_path: Path) -> None:
    sink = MemorySink()
    made = world(tmp_path, sinks={"central": sink})
    await made.docks()
    with made.bed.bench() as bench:
        telling = Statements(bench, "central")
        telling.bring()
        do(bench, act_of("tag", {"records": [made.record("a.mp4").id], "place": "东街口"}), KEEPER)
        size = bench.book.ask(lambda ledger: ledger.size)
        wrong = f"{statements.folder_of('test-dock')}/{size - 1:020d}.json"
        sink.objects[wrong] = b"{}"
        with pytest.raises(Unreachable):
            telling.bring()
        assert made.bed.findings("sink.statements.central")
        telling.bring()
        assert sink.objects.pop(wrong) == b"{}"
        assert stated(bench)[-1].annotations[0].place == "东街口"


@pytest.mark.parametrize(
    ("told", "lacks"),
    [
        ([(-1, 5, 1, True), (5, 9, 1, True)], []),
        ([(-1, 5, 1, True), (5, 9, 1, False), (5, 12, 1, True)], []),  # one whose last part never came
        ([(-1, 5, 1, False), (-1, 5, 2, True), (5, 9, 1, True)], []),
        ([(-1, 5, 2, True), (5, 9, 1, True)], [5]),
        ([(-1, 5, 1, False), (-1, 5, 3, True)], [5]),
        ([(5, 9, 1, True)], [9]),
        ([(-1, 5, 1, True), (7, 9, 1, True), (9, 11, 1, True)], [9]),
        ([(-1, 5, 1, True), (-1, 9, 1, True)], [9]),
    ],
)
def test_what_is_missing_shows_by_what_is_there(told: list[tuple[int, int, int, bool]], lacks: list[int]) -> None:
    found = [Heard(str(seq), after, seq, part, last) for after, seq, part, last in told]
    assert [int(key) for key, _ in missing(reversed(found))] == lacks
    assert list(missing(found[-1:], behind=None)) == []


# --- who checks them -------------------------------------------------------------------------------------------------


async def several(made: World) -> list[Path]:
    """Four statements in a real folder, oldest first."""
    await made.docks()
    bring(made)
    for place in ("东街口", "五一广场", "南门兜"):
        made.does(made.custodian, "tag", records=[made.record("a.mp4").id], place=place)
        bring(made)
    found = sorted(made.bed.central(statements.folder_of("test-dock")).glob("*.json"))
    assert len(found) == 4
    return found


def told(made: World) -> tuple[set[str], str]:
    """What the audit says by code, and what whoever has central storage alone is told."""
    key = made.bed.ask(lambda ledger: ledger.verifier.vkey)
    report = verify(made.bed.central("."), key)
    return {each.code for each in made.bed.audit().disagreements}, "\n".join(report.disagreements)


async def test_whole_they_hold(tmp_path: Path) -> None:
    made = world(tmp_path)
    await several(made)
    assert told(made) == (set(), "")
    key = made.bed.ask(lambda ledger: ledger.verifier.vkey)
    assert verify(made.bed.central("."), key).statements == 4


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace("五一广场".encode(), "五二广场".encode()))


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (lambda found: found[1].unlink(), "statement.missing", "it continues the statement up to leaf"),
        (lambda found: change(found[2]), "statement.untrue", "the signature is wrong"),
        (lambda found: found[2].rename(found[2].with_name(f"{1:020d}.json")), "statement.differs", "it was moved"),
        (lambda found: found[3].write_bytes(b""), "statement.untrue", "does not hold"),
    ],
    ids=["one is gone", "one was changed", "one was moved", "one is empty"],
)
async def test_damage_is_told(tmp_path: Path, damage: Any, code: str, words: str) -> None:
    made = world(tmp_path)
    found = await several(made)
    for path in found:
        path.chmod(0o644)
    damage(found)
    codes, said = told(made)
    assert code in codes
    assert words in said


async def test_a_statement_over_no_head_is_told(tmp_path: Path) -> None:
    made = world(tmp_path)
    found = await several(made)
    seq = int(found[-1].stem)
    made.bed.central(f"checkpoints/test-dock/{seq + 1:020d}.note").unlink()
    made.bed.central(f"checkpoints/test-dock/{seq + 1:020d}.consistency").unlink()
    _, said = told(made)
    assert f"leads to the checkpoint of {seq + 1} leaves" in said
