"""The one thing to do about a docking: what failed before what is kept, what is refused, what is owed, what warns."""

from dataclasses import replace

import pytest
from bwcdock.core.facts import Severity
from bwcdock.core.session import State
from bwcdock.core.todo import Do, Todo, choose, english
from lives import DEPARTED, DRAINED, DRAINING, NOON, STAYS, finding, stay

DOCKED = stay(*DRAINING, DRAINED)
GONE = stay(*DRAINING, DRAINED, DEPARTED)
MEND = Todo(do=Do.MEND, fault="read: It hung.", hint="Dock it again.")
REFUSED, WARNED, NOTED = finding(Severity.REFUSE), finding(), finding(Severity.NOTE)


@pytest.mark.parametrize("listed_at", [None, NOON], ids=["not listed", "listed"])
@pytest.mark.parametrize("waiting", [0, 1])
@pytest.mark.parametrize("session", [DOCKED, GONE], ids=["docked", "gone"])
def test_what_failed_is_mended_where_it_is_docked_or_something_is_still_owed(session, waiting, listed_at):
    failed = replace(session, fault=MEND.fault, fault_hint=MEND.hint, listed_at=listed_at)
    chosen = choose(failed, waiting=waiting, bad=0, unlisted=())
    is_over = session is GONE and not waiting and listed_at is not None
    assert chosen == (Todo(do=Do.NOTHING) if is_over else MEND)


@pytest.mark.parametrize(
    ("findings", "bad", "unlisted", "todo"),
    [
        ((), 0, (), Todo(do=Do.NOTHING)),
        ((NOTED,), 0, (), Todo(do=Do.NOTHING)),
        ((NOTED, WARNED), 0, (), Todo(do=Do.FOLLOW, finding=WARNED)),
        ((WARNED, REFUSED), 0, (), Todo(do=Do.FOLLOW, finding=REFUSED)),
        ((WARNED,), 0, (REFUSED,), Todo(do=Do.FOLLOW, finding=REFUSED)),
        ((REFUSED,), 2, (WARNED,), Todo(do=Do.KEEP, count=2)),
    ],
)
def test_what_is_kept_comes_before_what_is_refused_and_that_before_what_warns(findings, bad, unlisted, todo):
    assert choose(replace(DOCKED, findings=findings), waiting=0, bad=bad, unlisted=unlisted) == todo


def test_what_left_with_something_is_docked_again_and_so_is_what_was_not_listed():
    again = Todo(do=Do.DOCK_AGAIN, why="taken away")
    assert choose(GONE, waiting=1, bad=0, unlisted=(WARNED,)) == again
    assert choose(replace(GONE, listed_at=None), waiting=0, bad=0, unlisted=()) == again
    assert choose(GONE, waiting=0, bad=0, unlisted=()) == Todo(do=Do.NOTHING)
    assert choose(DOCKED, waiting=1, bad=0, unlisted=()) == Todo(do=Do.NOTHING)
    assert choose(stay(*STAYS[State.CHECKED]), waiting=0, bad=0, unlisted=()) == Todo(do=Do.NOTHING)


def test_a_sentence_says_what_is_known_and_else_the_usual():
    assert english(MEND) == "Dock it again."
    assert "take it out" in english(replace(MEND, hint="")).casefold()
    assert "brought in (taken away):" in english(Todo(do=Do.DOCK_AGAIN, why="taken away"))
    assert "brought in (it is gone):" in english(Todo(do=Do.DOCK_AGAIN))
    assert english(Todo(do=Do.FOLLOW, finding=WARNED)) == WARNED.remedy
    assert english(Todo(do=Do.NOTHING)) == ""
