"""The desk's tables: one judge before and in the fold, and nothing that is refused changes anything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from string import ascii_lowercase

import pytest
from bwcdock.core import desk
from bwcdock.core.desk import attribution, checking, equipment
from bwcdock.core.desk.devices import Device, Issue
from bwcdock.core.desk.holds import Hold
from bwcdock.core.desk.people import Person, Team
from bwcdock.core.facts import Actor, Entry
from bwcdock.core.record import Illegal
from bwcdock.core.rulepack import Equipment
from bwcdock.core.rules import longer_kept
from bwcdock.core.statements import STATEMENTS
from hypothesis import given
from hypothesis import strategies as st
from lives import at, life, listed, obliged, pulled, sealed

T0 = datetime(2026, 3, 2, tzinfo=UTC)
MOMENTS = st.integers(-5000, 5000).map(lambda minutes: T0 + timedelta(minutes=minutes))
WORDS = st.text(ascii_lowercase[:4], max_size=3)
st.register_type_strategy(datetime, MOMENTS)
st.register_type_strategy(str, WORDS)

FACTS = st.one_of([st.from_type(kind) for kind in STATEMENTS])
ACTORS = st.builds(Actor, name=WORDS, role=WORDS)


@given(st.lists(st.tuples(FACTS, ACTORS), max_size=12))
def test_what_is_allowed_folds_and_what_is_not_is_refused_with_a_sentence(told):
    """``why_not`` and ``apply`` never disagree, whatever comes in whatever order."""
    known = {}
    for seq, (fact, actor) in enumerate(told):
        entry = Entry(seq=seq, at=T0 + timedelta(minutes=seq), fact=fact, actor=actor)
        before = known.get(fact.about)
        why = desk.why_not(before, entry)
        if why:
            assert why.code
            assert why.what.endswith((".", "。"))
            with pytest.raises(Illegal):
                desk.apply(before, entry)
            continue
        after = desk.apply(before, entry)
        assert (after.id, after.by, after.at, after.entries[-1]) == (fact.matter, actor.name, entry.at, seq)
        assert after.entries == (*(before.entries if before else ()), seq)
        assert after.since == (before.since if before else entry.at)
        known[fact.about] = after


@pytest.mark.parametrize("name", sorted(desk.KINDS))
def test_every_state_of_a_table_can_be_reached_and_left_by_its_own_facts_only(name):
    kind = desk.KINDS[name]
    assert None in kind.table
    for row in kind.table.values():
        assert {fact.kind for fact in row} == {name}


# --- spot checks ------------------------------------------------------------------------------------------------------

IDS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=8), unique=True, max_size=40)


@given(IDS, st.integers(1, 100), WORDS, st.randoms())
def test_the_same_seed_draws_the_same_sample_from_any_order(ids, percent, seed, chance):
    sample = checking.draw(ids, percent, seed)
    shuffled = list(ids)
    chance.shuffle(shuffled)
    assert checking.draw(shuffled, percent, seed) == sample
    assert checking.digest(shuffled) == checking.digest(ids)
    assert set(sample) <= set(ids)
    assert len(sample) == -(-len(ids) * percent // 100)


def test_how_a_sample_is_drawn_never_changes():
    """Anyone may draw it again, years later, with a SHA-256 and what was published."""
    ids = [f"{n:04x}" for n in range(9)]
    assert checking.draw(ids, 34, "seed") == tuple(
        sorted(ids, key=lambda record: sha256(f"seed:{record}".encode()).hexdigest())[:4]
    )
    assert checking.digest(["b", "a"]) == sha256(b"a\nb\n").hexdigest()


def test_another_seed_draws_another_sample():
    ids = [f"{n:08x}" for n in range(200)]
    assert checking.draw(ids, 10, "a") != checking.draw(ids, 10, "b")
    assert checking.draw(ids, 10, "a") == checking.draw(ids, 20, "a")[:20]


# --- devices and people -----------------------------------------------------------------------------------------------


def matter(shape, of, /, **more):
    return shape(id=of, state=more.pop("state", "active"), since=T0, at=T0, by="x", **more)


def issue(to, start, end=None):
    back = None if end is None else T0 + timedelta(hours=end)
    return Issue(
        to=to, at=T0 + timedelta(hours=start), by="x", expected_back=None, checked=(), findings=(), returned_at=back
    )


def test_who_held_a_recorder_at_a_moment():
    device = matter(Device, "A001", state="in_service", issues=(issue("002", 1, 5), issue("003", 6)))
    hours = {0: "", 1: "002", 4: "002", 5: "", 6: "003", 99: "003"}
    assert {hour: device.holder_at(T0 + timedelta(hours=hour)) for hour in hours} == hours


def test_a_number_that_two_are_called_names_nobody():
    people = [
        matter(Person, "002", name="a", user_numbers=("7",)),
        matter(Person, "003", name="b", user_numbers=("7", "8")),
    ]
    assert [attribution.user_of(number, people) for number in ("7", "8", "002", "")] == ["", "003", "002", ""]


RULES = (Equipment(article="1", quote="q", officers=2), Equipment(article="2", quote="q", least=2))


@pytest.mark.parametrize(
    ("officers", "states", "missing"),
    [(5, [], (3, 2)), (5, ["in_service"] * 3, (0, 0)), (0, [], (0, 2)), (4, ["in_service", "repair", "lost"], (1, 1))],
)
def test_equipment_ratio(officers, states, missing):
    """S4 第五条: one for two officers, rounded up, and at least two a team; what is repaired or lost is not had."""
    team = matter(Team, "T", name="t", unit="u", officers=officers)
    devices = [matter(Device, f"D{n}", state=state, team="T") for n, state in enumerate(states)]
    assert tuple(ratio.missing for ratio in equipment.ratios(RULES, [team], devices)) == missing


# --- holds ------------------------------------------------------------------------------------------------------------

LONG_AGO, FAR_OFF = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
RECORD = life(listed(), obliged(), pulled(), sealed())


@pytest.mark.parametrize(
    ("named", "keeps"),
    [
        ({"records": ("r1",)}, True),
        ({"records": ("other",)}, False),
        ({"device": "A001"}, True),
        ({"device": "B"}, False),
        ({"person": "002"}, True),
        ({"person": "003"}, False),
        ({"place": "广场"}, False),
        ({"device": "A001", "person": "003"}, False),
        ({"until_recorded": LONG_AGO}, False),
        ({"since_recorded": FAR_OFF}, False),
        (
            {"since_recorded": datetime(2000, 1, 1, tzinfo=UTC), "until_recorded": datetime(2099, 1, 1, tzinfo=UTC)},
            True,
        ),
    ],
)
def test_a_hold_keeps_what_fits_all_that_it_names(named, keeps):
    hold = matter(Hold, "hold-1", state="placed", reason="x", placed_by="x", **named)
    assert hold.keeps(RECORD, {"002"}) is keeps
    assert not matter(Hold, "hold-1", state="lifted", reason="x", placed_by="x", **named).keeps(RECORD, {"002"})


# --- keeping ----------------------------------------------------------------------------------------------------------


@given(st.booleans(), st.integers(0, 3), st.booleans(), st.integers(0, 3))
def test_what_was_promised_is_never_shortened(permanent, days, was_permanent, was_days):
    new = obliged(permanent=permanent, keep_until=None if permanent else at(days * 86400)).obligation
    old = obliged(
        permanent=was_permanent, keep_until=None if was_permanent else at(was_days * 86400), keep_article="of then"
    ).obligation
    is_as_long = permanent or (not was_permanent and days >= was_days)
    promised = {"permanent": was_permanent, "keep_until": old.keep_until, "keep_article": "of then"}
    assert longer_kept(new, old) == (new if is_as_long else replace(new, **promised))
