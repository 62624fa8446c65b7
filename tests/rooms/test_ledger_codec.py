"""Every fact comes back from its leaf as it was, and nothing else is taken for a leaf."""

import json
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from random import Random
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import rfc8785
from bwcdock.core.desk import SHAPES
from bwcdock.core.facts import Actor, Beat, Departed, Entry, Fact, Inventoried, Pulled, Stopped
from bwcdock.core.record import Record
from bwcdock.core.session import Session
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.errors import LedgerBroken
from bwcdock.ledger import codec
from bwcdock.ledger.codec import Unrecordable
from bwcdock.testing.station import StationBed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import T0, listed, short_story

WHERE = {"boot": "b" * 36, "mono": 7, "origin": "o/1"}
MOMENTS = st.integers(0, 4_102_444_800_000).map(codec.from_ms)
SAFE = 2**53 - 1


def values(hint):
    """Any value of this type; written anew here, so that it does not repeat a mistake of the codec."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is str:
        return st.text(max_size=8)
    if hint is int:
        return st.integers(-SAFE, SAFE)
    if hint is bool:
        return st.booleans()
    if hint is datetime:
        return MOMENTS
    if origin is Literal:
        return st.sampled_from(args)
    if NoneType in args:
        return st.none() | st.deferred(lambda: values(next(a for a in args if a is not NoneType)))
    if origin is tuple and args[1] is Ellipsis:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, args))
    if origin is frozenset:
        return st.frozensets(values(args[0]), max_size=3)
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    assert is_dataclass(hint), hint
    hints = get_type_hints(hint)
    return st.builds(hint, **{f.name: values(hints[f.name]) for f in fields(hint)})


SUBJECT = ("record", "session", "recorder", "matter")


@pytest.mark.parametrize("kind", ALL_FACTS, ids=lambda k: k.ev)
def test_every_fact_comes_back(kind):
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values(kind), values(Actor), st.integers(0, SAFE), MOMENTS)
    def comes_back(fact, actor, seq, at):
        entry = Entry(seq=seq, at=at, fact=fact, actor=actor)
        leaf = codec.encode(entry, **WHERE)
        assert codec.decode(leaf) == codec.Leaf(entry=entry, **WHERE)
        assert leaf == rfc8785.dumps(json.loads(leaf))
        subject = json.loads(leaf)["subject"]
        assert subject == {n: v for n in SUBJECT if (v := getattr(fact, n, ""))}

    comes_back()


@pytest.mark.parametrize("kind", [Record, Session, *SHAPES])
def test_every_folded_value_comes_back(kind):
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values(kind))
    def comes_back(value):
        text = codec.dump(value)
        assert codec.load(kind, text) == value
        assert text.encode() == rfc8785.dumps(json.loads(text))

    comes_back()


def test_the_kinds_have_names_of_their_own():
    assert len({kind.ev for kind in ALL_FACTS}) == len(ALL_FACTS)


def test_names_that_differ_by_normalisation_alone_stay_two():
    composed, decomposed = listed("a", path="caf\u00e9"), listed("a", path="cafe\u0301")
    one, two = (codec.encode(Entry(seq=0, at=T0, fact=f), **WHERE) for f in (composed, decomposed))
    assert one != two
    assert codec.decode(two).entry.fact == decomposed


def test_times_are_whole_milliseconds_rounded_down():
    at = T0 + timedelta(microseconds=1999)
    assert codec.decode(codec.encode(Entry(seq=0, at=at, fact=Beat(clock="")), **WHERE)).entry.at == T0 + timedelta(
        milliseconds=1
    )
    assert codec.from_ms(codec.to_ms(datetime(1969, 12, 31, 23, 59, 59, 999999, UTC))) < codec.EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger(Beat):
    """A subclass of a fact is not the fact: its own fields would be lost."""

    more: str = ""


@pytest.mark.parametrize(
    "fact",
    [
        Beat(clock=1.5),
        Stranger(clock="x", more="y"),
        Fact(),
        Beat(clock="\ud800"),
        Beat(clock=None),
        Beat(clock="", record=b"a"),
        Pulled(record="a", size=2**53, digests=None, edges=""),
        Pulled(record="a", size=True, digests=None, edges=""),
        replace(listed("a"), item=listed("a").item.claim),
        replace(listed("a"), item=replace(listed("a").item, modified=datetime(2026, 1, 1))),  # noqa: DTZ001
        replace(listed("a"), item=replace(listed("a").item, markers=["x"])),
        replace(listed("a"), item=replace(listed("a").item, kind="video")),
        Inventoried(records=("a" * 64,) * 1000, new=0, known=0, size=0, findings=()),
        Stopped(reason="x" * codec.MAX_LEAF),
    ],
)
def test_what_cannot_be_a_leaf_is_refused(fact):
    with pytest.raises(Unrecordable):
        codec.encode(Entry(seq=0, at=T0, fact=fact), **WHERE)


def test_a_long_inventory_is_split_and_sums_to_the_same():
    ids = tuple(f"{i:064x}" for i in range(1201))
    whole = Inventoried(session="s", records=ids, new=7, known=5, size=99, findings=())
    some = codec.parts(whole)
    assert sum((p.records for p in some), ()) == ids
    assert (sum(p.new for p in some), sum(p.size for p in some), len(some)) == (7, 99, 3)
    for part in some:
        codec.encode(Entry(seq=0, at=T0, fact=part), **WHERE)
    assert codec.parts(replace(whole, records=())) == (replace(whole, records=()),)


GOOD = json.loads(codec.encode(Entry(seq=3, at=T0, fact=listed("a")), **WHERE))


def spoilt(**changes):
    return json.dumps({**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf" + spoilt(),
        spoilt().decode().encode("utf-16"),
        b"[" * 100_000,
        spoilt(v=2),
        spoilt(v=True),
        spoilt(more=1),
        json.dumps({k: v for k, v in GOOD.items() if k != "boot"}).encode(),
        spoilt(ev="record.unheard_of"),
        spoilt(ev=["record.listed"]),
        spoilt(seq=3.0),
        spoilt(seq="3"),
        spoilt(seq=True),
        spoilt(t=10**30),
        spoilt(t=None),
        spoilt(boot=1),
        spoilt(actor={"name": "x", "rank": "y"}),
        spoilt(actor=[]),
        spoilt(subject={"record": ""}),
        spoilt(subject={"record": "a", "room": "b"}),
        spoilt(subject=None),
        spoilt(data={**GOOD["data"], "more": 1}),
        spoilt(data={**GOOD["data"], "record": "b"}),
        spoilt(data={k: v for k, v in GOOD["data"].items() if k != "item"}),
        spoilt(data={**GOOD["data"], "item": {**GOOD["data"]["item"], "kind": "smell"}}),
        spoilt(data={**GOOD["data"], "item": {**GOOD["data"]["item"], "markers": "abc"}}),
        spoilt()[:-1] + b',"seq":3}',
        spoilt().replace(b'"mono": 7', b'"mono": NaN'),
    ],
)
def test_what_is_not_a_leaf_is_refused(leaf):
    assert codec.decode(spoilt()).entry.fact == listed("a")
    with pytest.raises(LedgerBroken):
        codec.decode(leaf)


@given(st.data())
def test_a_leaf_cut_or_changed_is_refused_or_means_something_else(data):
    facts = short_story()
    entry = Entry(seq=1, at=T0, fact=data.draw(st.sampled_from(facts)))
    leaf = codec.encode(entry, **WHERE)
    changed = bytearray(leaf)
    changed[data.draw(st.integers(0, len(leaf) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for bad in (bytes(changed), leaf[: data.draw(st.integers(0, len(leaf) - 1))]):
        with suppress(LedgerBroken):
            assert codec.decode(bad) != codec.decode(leaf)


def test_a_cached_value_that_is_none_is_refused():
    for text in ("{}", "nonsense", "[]"):
        with pytest.raises(LedgerBroken):
            codec.load(Record, text)


def texts(value, path=""):
    """Every text and every empty set in a value, by where it stands; without the ids, of which each is another one."""
    if isinstance(value, str) or value == frozenset():
        yield path, value
    elif isinstance(value, tuple):
        for at, one in enumerate(value):
            yield from texts(one, f"{path}[{at}]")
    elif is_dataclass(value):
        for one in fields(value):
            if one.name != "records":
                yield from texts(getattr(value, one.name), f"{path}.{one.name}")


async def test_what_many_recordings_and_dockings_have_alike_they_share(tmp_path: Path) -> None:
    """A station has hundreds of them at hand: the words of an article are there once, not once for each."""
    bed = StationBed(tmp_path)
    card = bed.recorder("F1-0001")
    for number in range(2):
        card.record(f"{number}.mp4", Random(number).randbytes(5000))
    async with bed.at_work():
        card.plug()
        await bed.until_settled(card)
        card.unplug()
        await bed.until(lambda: bed.facts(Departed))
        card.plug()
        await bed.until_settled(card)
        card.unplug()
        await bed.until(lambda: len(bed.facts(Departed)) == 2)
    for pair in (bed.records(), bed.sessions()):
        one, other = (dict(texts(each)) for each in pair)
        alike = [path for path, text in one.items() if other.get(path) == text and not isinstance(text, Enum)]
        assert ".recorder" in alike
        assert [path for path in alike if one[path] is not other[path]] == []
