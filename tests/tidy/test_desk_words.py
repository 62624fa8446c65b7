"""Everything the desk's forms and lists show has its Chinese words: acts, fields, choices, matters, states, moments."""

import ast
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType

import pytest
from bwcdock.core import desk, rules
from bwcdock.core.due import DueView
from bwcdock.core.facts import Kind, Obligation, Severity
from bwcdock.core.rulepack import Archive, Check, Keep
from bwcdock.core.statements import STATEMENTS, Label
from bwcdock.core.words_zh.desk import (
    ACCESS_ZH,
    CHECK_ZH,
    DEVICE_STATE_ZH,
    EXPLAINED_ZH,
    HOW_ZH,
    MATTER_STATE_ZH,
    MATTER_ZH,
    SENSITIVE_ZH,
    SIGN_IN_ZH,
    STEP_ZH,
)
from bwcdock.core.words_zh.law import BASIS_ZH, CLAUSE_ZH, KEEP_ZH, KIND_ZH, MET_BY_ZH, SEVERITY_ZH
from bwcdock.desk.acts import ACTS, Act
from bwcdock.desk.asking import WAIT_ZH, Wait
from bwcdock.desk.words_zh import ACT_ZH, CHOICE_ZH, FIELD_OF_ACT_ZH, FIELD_ZH, choices, field
from told_words import ANY, told
from tree import DAEMON

FULL_WIDTH_ONLY = set(",;:?!()")


def literals(hint: object) -> Iterator[str]:
    """The words of every ``Literal`` inside a type."""
    if typing.get_origin(hint) is typing.Literal:
        yield from typing.get_args(hint)
    elif isinstance(hint, UnionType) or typing.get_origin(hint):
        for inner in typing.get_args(hint):
            yield from literals(inner)


def hints(shape: type) -> dict[str, object]:
    return typing.get_type_hints(shape, vars(sys.modules[shape.__module__]))


def of_acts() -> set[tuple[str, str]]:
    return {(word, name) for word, act in ACTS.items() for name in act.model_fields}


# --- acts and fields --------------------------------------------------------------------------------------------------


def test_every_act_has_its_words_and_none_is_left_over():
    assert set(ACT_ZH) == set(ACTS)
    assert len({words.name for words in ACT_ZH.values()}) == len(ACTS)


def test_every_field_has_its_label_and_none_is_left_over():
    plain = {name for act, name in of_acts() if (act, name) not in FIELD_OF_ACT_ZH}
    assert plain == set(FIELD_ZH)
    assert set(FIELD_OF_ACT_ZH) - of_acts() == set()


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_no_two_fields_of_a_form_are_called_the_same_and_what_is_explained_is_explained_in_chinese(act: type[Act]):
    told_of = {name: field(act.word, name) for name in act.model_fields}
    assert len({words.label for words in told_of.values()}) == len(told_of)
    unexplained = {name for name, known in act.model_fields.items() if known.description and not told_of[name].hint}
    assert unexplained == set()


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_every_choice_of_a_form_has_its_word(act: type[Act]):
    for name, known in act.model_fields.items():
        if words := set(literals(known.annotation)):
            assert words == set(choices(act.word, name)), name


def test_no_choice_is_left_over():
    chosen = {(act, name) for act, name in of_acts() if set(literals(ACTS[act].model_fields[name].annotation))}
    assert set(CHOICE_ZH) == chosen | {("issue", "checked")}  # words of a pack's checks, in a list
    assert choices("issue", "checked").keys() == set(literals(hints(Check)["what"]))
    assert choices("issue", "to") == {}


# --- matters ----------------------------------------------------------------------------------------------------------

NEVER_STAYS = {"judged"}
"""In the table of explanations alone: the judgement itself says which of two states it leads to."""


def states(kind: str) -> set[str]:
    """Every state a matter of this sort can be in: by its table, and by what its fold says otherwise."""
    table = desk.KINDS[kind].table
    shape = desk.KINDS[kind].shape
    path = Path(sys.modules[shape.__module__].__file__ or "")
    matter = DAEMON / "core" / "desk" / "matter.py"
    said = told([(each, each.read_text()) for each in (path, matter)], "state", makers={"taken"})
    assert [each for each in said if not each.text or ANY in each.text] == []
    found = {state for state in table if state} | {state for row in table.values() for state in row.values()}
    return (found | {each.text for each in said}) - NEVER_STAYS


def test_every_sort_of_matter_has_its_word():
    assert set(MATTER_ZH) == set(desk.KINDS) == set(MATTER_STATE_ZH)
    assert len(set(MATTER_ZH.values())) == len(MATTER_ZH)


@pytest.mark.parametrize("kind", desk.KINDS)
def test_every_state_of_a_matter_has_its_word(kind):
    words = MATTER_STATE_ZH[kind]
    assert set(words) == states(kind)
    assert len(set(words.values())) == len(words)


def test_every_word_of_a_statement_that_people_choose_has_its_word():
    tables = (DEVICE_STATE_ZH, EXPLAINED_ZH, ACCESS_ZH, HOW_ZH, STEP_ZH, SENSITIVE_ZH, SIGN_IN_ZH)
    chosen = {
        frozenset(words) for shape in (*STATEMENTS, Label) for h in hints(shape).values() if (words := [*literals(h)])
    }
    assert chosen == {frozenset(table) for table in tables}


def test_what_waits_for_a_person_has_its_word():
    assert set(WAIT_ZH) == set(Wait)
    assert len(set(WAIT_ZH.values())) == len(Wait)


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (SEVERITY_ZH, set(Severity)),
        (KIND_ZH, set(Kind)),
        (KEEP_ZH, set(Keep)),
        (CLAUSE_ZH, set(literals(hints(DueView)["clause"]))),
        (MET_BY_ZH, set(literals(hints(Obligation)["met_by"]))),
        (CHECK_ZH, set(literals(hints(Check)["what"]))),
        (STEP_ZH, set(literals(hints(Archive)["basis"]))),
    ],
)
def test_every_word_of_the_law_has_its_own(table: Mapping[str, str], words: set[str]):
    assert set(table) == words
    assert len(set(table.values())) == len(table)


def bases() -> set[str]:
    """What a deadline may count from: the first of what the functions that choose it answer."""
    tree = ast.parse(Path(rules.__file__).read_text())
    found = set(literals(hints(Archive)["basis"]))
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            match node:
                case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str(text)), *_])):
                    found.add(text)
                case ast.Assign(
                    targets=[ast.Tuple(elts=[ast.Name(id="counted_from"), *_])],
                    value=ast.Tuple(elts=[ast.Constant(value=str(text)), *_]),
                ):
                    found.add(text)
                case ast.keyword(arg="basis", value=ast.Constant(value=str(text))):
                    found.add(text)
    return found


def test_every_moment_a_deadline_counts_from_has_its_word():
    assert set(BASIS_ZH) == bases()


# --- form -------------------------------------------------------------------------------------------------------------


def test_names_are_short_and_sentences_whole():
    tables = (MATTER_ZH, EXPLAINED_ZH, BASIS_ZH, WAIT_ZH, *MATTER_STATE_ZH.values(), *CHOICE_ZH.values())
    for name in (name for table in tables for name in table.values()):
        assert 2 <= len(name) <= 12, name
    for name, help_ in ACT_ZH.values():
        assert 2 <= len(name) <= 8, name
        assert help_.endswith("。"), help_
        assert not set(help_) & FULL_WIDTH_ONLY, help_
    for label, hint in (*FIELD_ZH.values(), *FIELD_OF_ACT_ZH.values()):
        assert 2 <= len(label) <= 12, label
        assert not hint.endswith("。"), hint
        assert not set(hint) & FULL_WIDTH_ONLY, hint
