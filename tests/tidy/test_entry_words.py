"""Every chosen word in an entry of the ledger has its Chinese, and pages have the same words for it as all else."""

import sys
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

import pytest
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.core.words_zh.states import APART_ZH, NOT_ERASED_ZH
from bwcdock.desk.asking import Wait
from bwcdock.desk.entries_zh import ENTRY_ZH, SAID_ZH, SENTENCES, VALUE_ZH
from bwcdock.desk.owes import WHY_ZH, Why
from bwcdock.web.wording import CHINESE, ENGLISH
from test_told_words import SOURCES, reasons
from told_words import ANY, told


def kinds_in(hint: object) -> Iterator[object]:
    yield hint
    for inner in typing.get_args(hint):
        if not isinstance(inner, str):
            yield from kinds_in(inner)


def words_of(hint: object) -> set[str]:
    """The words of the ``Literal`` or enumeration in a type; empty where anything may be said."""
    for each in kinds_in(hint):
        if typing.get_origin(each) is typing.Literal:
            return set(typing.get_args(each))
        if isinstance(each, type) and issubclass(each, Enum):
            return {str(word.value) for word in each}
    return set()


def chosen() -> dict[tuple[str, str], set[str]]:
    """By the fact or value and its field, the words that are chosen from, in everything an entry can hold."""
    found: dict[tuple[str, str], set[str]] = {}
    waiting, seen = list(ALL_FACTS), set(ALL_FACTS)
    while waiting:
        shape = waiting.pop()
        hints = typing.get_type_hints(shape, vars(sys.modules[shape.__module__]))
        for field in fields(shape):
            if words := words_of(hints[field.name]):
                found[shape.__name__, field.name] = words
            inside = {each for each in kinds_in(hints[field.name]) if isinstance(each, type) and is_dataclass(each)}
            waiting += inside - seen
            seen |= inside
    return found


def test_every_chosen_word_of_an_entry_has_its_chinese() -> None:
    assert len(chosen()) > 10
    assert [(at, words) for at, words in chosen().items() if words - set(VALUE_ZH.get(at, ()))] == []


def test_every_table_is_of_a_field_that_there_is() -> None:
    waiting, names = list(ALL_FACTS), set()
    while waiting:
        shape = waiting.pop()
        hints = typing.get_type_hints(shape, vars(sys.modules[shape.__module__]))
        names |= {(shape.__name__, field.name) for field in fields(shape)}
        waiting += [e for h in hints.values() for e in kinds_in(h) if isinstance(e, type) and is_dataclass(e)]
    assert set(VALUE_ZH) - names == set()


def test_every_reason_for_setting_apart_and_for_not_erasing_has_its_word() -> None:
    assert set(APART_ZH) == reasons()
    kept = told(SOURCES, "reason", makers={"Kept", "EraseKept", "Stays", "_Kept"}, hands_on=lambda _: False)
    assert {each.text for each in kept if each.text} - set(NOT_ERASED_ZH) == set()


def test_every_sentence_of_the_stations_own_has_its_chinese() -> None:
    said: set[str] = set()
    for field in {field for _, field in SENTENCES}:
        makers = {fact for fact, name in SENTENCES if name == field}
        said |= {each.text for each in told(SOURCES, field, makers=makers, hands_on=lambda _: False)}
    said |= {each.text for each in told(SOURCES, "why", makers=(), hands_on=lambda f: f.name == "depart")}
    constant = {text for text in said if text and ANY not in text}
    assert constant == set(SAID_ZH)


@pytest.mark.parametrize("kind", ENGLISH)
def test_what_has_an_english_word_on_the_pages_has_a_chinese_one(kind: str) -> None:
    assert set(ENGLISH[kind]) - set(CHINESE[kind]) == set()
    if kind != "ev":  # the ledger has more of them than the pages of a recording and a recorder name
        assert set(map(str, CHINESE[kind])) == set(ENGLISH[kind])


def test_the_pages_name_the_same_sorts_of_words_in_both_languages() -> None:
    assert set(ENGLISH) == set(CHINESE)
    assert set(ENGLISH["wait"]) == set(Wait)
    assert set(WHY_ZH) == set(typing.get_args(Why))
    assert set(ENGLISH["ev"]) <= set(ENTRY_ZH)
