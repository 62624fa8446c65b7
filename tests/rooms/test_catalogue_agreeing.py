"""Stations that met the same recording agree on one, in whatever order, how often and in what pieces they say it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations

from bwcdock.catalogue.agreeing import Agreed, Copy, Known, Mark, Sighting, Source, agree, join
from bwcdock.core.facts import Kind
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.manifest import Annotation, CaseNote, Holding, Judged, Kept, Officer
from hypothesis import given
from hypothesis import strategies as st

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def known(**more: object) -> Known:
    said = {
        "recorder": "R1", "unit": "一大队", "path": "DCIM/1.mp4", "size": 1000, "state": State.SEALED,
        "kind": Kind.VIDEO, "recorded_at": T0, "start": T0, "end": None, "measured": False, "uncertainty_ms": 2000,
        "sha256": "ab" * 32, "received_at": T0 + timedelta(hours=1), "day": "2026-03-02", "article": "第十七条",
        "pack": "S4", "due": T0 + DAY, "basis_at": T0, "owed": ("nas",),
    }  # fmt: skip
    return Known(**{**said, **more})


def sighting(station: str = "a", seq: int = 10, source: Source = Source.LEDGER, **more: object) -> Sighting:
    of = Mark(source=source, seq=seq)
    given_ = {"known": known(), "known_of": of, "said_of": of, **more}
    return Sighting(record="r", station=station, **given_)


def annotation(**more: object) -> Annotation:
    return Annotation(record="r", manifest="", recorder="R1", **more)


moments = st.integers(0, 5).map(lambda n: T0 + n * DAY)
words = st.sampled_from(["", "五一路", "东街口"])
knowns = st.builds(
    known,
    state=st.sampled_from(State),
    recorded_at=moments,
    measured=st.booleans(),
    uncertainty_ms=st.integers(0, 2),
    sha256=st.sampled_from(["", "ab" * 32, "cd" * 32]),
    received_at=st.none() | moments,
    due=st.none() | moments,
    confirmed=st.lists(st.tuples(st.sampled_from(["nas", "cloud"]), moments), max_size=2, unique_by=lambda p: p[0]).map(
        lambda pairs: tuple(sorted(pairs))
    ),
    keep_until=st.none() | moments,
    permanent=st.booleans(),
)
annotations = st.builds(
    annotation,
    parties=st.lists(st.sampled_from(["张三", "李四"]), unique=True).map(tuple),
    place=words,
    event=words,
    tags=st.lists(st.sampled_from(["dispute", "secret"]), unique=True).map(tuple),
    officers=st.lists(st.builds(Officer, id=st.sampled_from(["001", "002"]), name=words), max_size=2).map(tuple),
    case=st.none() | st.builds(CaseNote, number=st.sampled_from(["A-1", "A-2"]), parties=st.just(("王五",))),
    judged=st.none()
    | st.builds(
        Judged, kind=st.just("late"), article=st.just("第十七条"), due=moments, met_at=st.none() | moments, excuse=words
    ),
)
copies = st.lists(
    st.builds(Copy, sink=st.sampled_from(["nas", "cloud"]), key=st.just("k"), confirmed_ms=st.integers(0, 3)),
    max_size=2,
    unique_by=lambda copy: copy.sink,
).map(lambda found: tuple(sorted(found)))


@st.composite
def sightings(draw: st.DrawFn) -> list[Sighting]:
    """What three stations say, several times; of one moment of its ledger a station says one thing."""
    told: dict[tuple[str, int], Sighting] = {}
    result = []
    for station in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=7)):
        source = draw(st.sampled_from(Source))
        seq = draw(st.integers(1, 3))
        of = Mark(source=source, seq=seq)
        new = Sighting(
            record="r",
            station=station,
            known=draw(st.none() | knowns) if source is Source.CENTRAL else draw(knowns),
            known_of=of,
            copies=draw(copies),
            said=draw(st.none() | annotations),
            said_of=of,
        )
        if source is Source.LEDGER:
            new = told.setdefault((station, seq), new)
        result.append(new)
    return result


def joined(told: list[Sighting]) -> dict[str, Sighting]:
    by: dict[str, Sighting] = {}
    for each in told:
        by[each.station] = join(by[each.station], each) if each.station in by else each
    return by


def test_two_of_one_mark_that_know_nothing_else_are_one_in_any_order():
    of = Mark(source=Source.CENTRAL, seq=1)
    bare = Sighting(record="r", station="a", known_of=of, said_of=of)
    more = replace(bare, copies=(Copy(sink="nas", key="k"),))
    assert join(bare, more) == join(more, bare)


@given(sightings(), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_ends_in_the_same(told, chance):
    first = joined(told)
    again = [*told, *chance.choices(told, k=3)]
    chance.shuffle(again)
    assert joined(again) == first
    of_each = list(first.values())
    chance.shuffle(of_each)
    assert agree(of_each) == agree(first.values())


@given(sightings(), st.integers(0, 7))
def test_any_pieces_end_in_the_same(told, cut):
    """Joined in two heaps, and the heaps then: as where a batch was joined in memory before it was written."""
    one, other = joined(told[:cut]), joined(told[cut:])
    for station in {*one, *other}:
        parts = [heap[station] for heap in (one, other) if station in heap]
        assert reduce(join, parts) == joined(told)[station]


def agreed(*told: Sighting) -> Agreed:
    found = {agree(some) for some in permutations(told)}
    assert len(found) == 1
    (result,) = found
    assert result is not None
    return result


def test_nobody_knows_it():
    assert agree([]) is None
    assert agree([Sighting(record="r", station="a", said=annotation(place="五一路"))]) is None


def test_what_it_is_comes_from_whoever_brought_it_furthest():
    listed = known(state=State.LOST, sha256="", received_at=None, recorded_at=T0 - DAY, measured=True)
    both = agreed(sighting("a", known=listed), sighting("b"))
    assert (both.state, both.recorded_at, both.stations) == (State.SEALED, T0, ("a", "b"))
    exact = known(recorded_at=T0 + DAY, measured=True, uncertainty_ms=9000)
    assert agreed(sighting("a"), sighting("b", known=exact)).recorded_at == T0 + DAY
    assert agreed(sighting("b"), sighting("a", known=known(unit="二大队"))).unit == "二大队"


def test_the_strictest_deadline_first_met_and_the_longest_keeping():
    one = sighting("a", known=known(keep_until=T0 + 9 * DAY, confirmed=(("nas", T0 + 3 * DAY),)))
    early = known(due=T0 + timedelta(hours=2), article="第十三条", confirmed=(("nas", T0 + DAY),), keep_until=T0 + DAY)
    both = agreed(one, sighting("b", known=early))
    assert (both.due, both.article, both.met_at) == (T0 + timedelta(hours=2), "第十三条", T0 + DAY)
    assert (both.keep_until, both.permanent) == (T0 + 9 * DAY, False)
    for_ever = replace(one, said=annotation(kept=Kept(article="第十九条", permanent=True)))
    assert agreed(for_ever, sighting("b", known=early)).permanent
    assert agreed(for_ever, sighting("b", known=early)).keep_until is None


def test_two_different_contents_under_one_id_are_told():
    assert not agreed(sighting("a"), sighting("b")).disputed
    assert not agreed(sighting("a"), sighting("b", known=known(sha256=""))).disputed
    assert agreed(sighting("a"), sighting("b", known=known(sha256="cd" * 32))).disputed


def test_whatever_anybody_said_is_there():
    hold = Holding(id="h1", state="placed", reason="复议", by="002", since=T0)
    one = sighting("a", said=annotation(place="五一路", tags=("dispute",), parties=("张三",)))
    other = sighting(
        "b", said=annotation(place="东街口", case=CaseNote(number="A-1", parties=("王五",)), holds=(hold,))
    )
    both = agreed(one, other)
    assert (both.place, both.parties, both.case) == ("五一路 / 东街口", ("张三", "王五"), "A-1")
    assert (both.tags, both.holds) == (("dispute",), (hold,))
    lifted = replace(other, said_of=Mark(source=Source.LEDGER, seq=11), said=annotation(place="东街口"))
    assert agreed(one, join(other, lifted)).holds == ()


def test_the_ledger_has_the_last_word_over_papers():
    paper = sighting(seq=99, source=Source.CENTRAL, known=known(uncertainty_ms=1), copies=(Copy(sink="x", key="k"),))
    own = sighting(seq=5, copies=(Copy(sink="nas", key="k"),))
    assert join(paper, own) == join(own, paper) == own


def test_papers_in_several_places_are_put_together():
    made = {"source": Source.CENTRAL, "known": known(owed=("cloud", "nas"), confirmed=(("nas", T0),))}
    nas = sighting(seq=5, copies=(Copy(sink="nas", key="k"),), **made)
    assert agreed(nas).met_at is None
    there = known(owed=("cloud", "nas"), confirmed=(("cloud", T0 + DAY),))
    cloud = sighting(seq=6, source=Source.CENTRAL, known=there, copies=(Copy(sink="cloud", key="k"),))
    both = join(cloud, nas)
    assert [copy.sink for copy in both.copies] == ["cloud", "nas"]
    assert agreed(both).met_at == T0 + DAY
    later = replace(cloud, known=replace(there, confirmed=(("cloud", T0 + 2 * DAY),)), known_of=Mark(
        source=Source.CENTRAL, seq=9))  # fmt: skip
    assert agreed(join(both, later)).met_at == T0 + DAY, "what a place had once it had from then on"


def test_it_is_judged_by_the_one_judge():
    owed = agreed(sighting())
    stands = {hours: owed.stands(T0 + timedelta(hours=hours), 0.25) for hours in (1, 19, 25)}
    kinds = [verdict.kind if verdict else None for verdict in stands.values()]
    assert kinds == [Standing.NOT_DUE, Standing.AT_RISK, Standing.OVERDUE]
    late = known(confirmed=(("nas", T0 + 2 * DAY),))
    judged = Judged(kind="excused", article="", due=T0, excuse="停电")
    both = agreed(sighting(known=late, said=annotation(judged=judged)))
    verdict = both.stands(T0 + 3 * DAY, 0.25)
    assert verdict is not None
    assert verdict.kind is Standing.EXCUSED
    assert agreed(sighting(known=known(due=None))).stands(T0, 0.25) is None
