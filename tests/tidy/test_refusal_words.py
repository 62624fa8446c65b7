"""Whatever is refused by a code has its Chinese words, they name only values it has, and no words are left over."""

import ast
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from bwcdock.desk.refusals_zh import OTHERWISE, REFUSALS, TERM_ZH
from tree import DAEMON, product, short

SOURCES = [(path, path.read_text()) for path in product() if DAEMON / "testing" not in path.parents]

MAKERS = {"because": "bwcdock.core.refusal", "refused": "bwcdock.desk.room"}
"""Who makes a refusal of a code, a sentence and named values, and where it comes from."""

HANDS_ON = {("daemon/bwcdock/desk/room.py", "code"): "the maker of a desk's refusals, whose callers are asked"}


@dataclass(frozen=True)
class Made:
    """One refusal as it is made: its code, or where that is not a text of its own its source; what values it has."""

    path: Path
    code: str
    values: frozenset[str]
    unfollowed: str = ""


def made(sources: Iterable[tuple[Path, str]]) -> Iterator[Made]:
    for path, source in sources:
        tree = ast.parse(source)
        known = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if MAKERS.get(alias.name) == node.module
        }
        known |= {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and MAKERS.get(node.name, "").endswith(f".{path.stem}")
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in known:
                yield _made(path, call)


def _made(path: Path, call: ast.Call) -> Made:
    values = frozenset(each.arg for each in call.keywords if each.arg)
    match call.args[0]:
        case ast.Constant(value=str(code)) if all(each.arg for each in call.keywords):
            return Made(path, code, values)
        case other:
            return Made(path, "", values, ast.unparse(other))


@cache
def all_made() -> tuple[Made, ...]:
    return tuple(made(SOURCES))


def test_every_refusal_is_made_of_a_code_that_can_be_read():
    assert {(short(each.path), each.unfollowed) for each in all_made() if each.unfollowed} == set(HANDS_ON)
    assert len(all_made()) > 100


def test_every_code_of_a_refusal_has_its_words_and_no_words_are_left_over():
    assert {each.code for each in all_made() if each.code} == set(REFUSALS)


def named(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_words_name_only_values_that_every_such_refusal_has():
    for each in all_made():
        if each.code:
            assert named("".join(REFUSALS[each.code])) <= each.values, f"{short(each.path)}: {each.code}"


def test_a_state_is_told_with_what_it_is_a_state_of():
    assert [each.code for each in all_made() if "state" in each.values and "kind" not in each.values] == []


@pytest.mark.parametrize("code", [*REFUSALS, *OTHERWISE])
def test_words_are_whole_sentences_with_full_signs(code: str):
    words = REFUSALS.get(code) or OTHERWISE[code]
    for sentence in words:
        assert sentence.endswith(("。", "{why}", "{reason}"))
        assert not set(sentence) & set(",;:?!()")


def test_every_sort_of_word_of_the_pack_that_may_be_unknown_has_its_name():
    terms = {
        node.args[0].value
        for _, source in SOURCES
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "term"
        if isinstance(node.args[0], ast.Constant)
    }
    assert terms == set(TERM_ZH)


# --- what the reader must find ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from bwcdock.core.refusal import because\nbecause('a.b', 'x', id=1)", ("a.b", "")),
        ("from bwcdock.desk.room import refused\nrefused('a.b', 'x', 'y', id=1)", ("a.b", "")),
        ("from bwcdock.desk.room import refused\nrefused(code, 'x', id=1)", ("", "code")),
        ("from bwcdock.core.refusal import because\nbecause('a.b', 'x', id=1, **more)", ("", "'a.b'")),
    ],
)
def test_a_refusal_is_found(source: str, found: tuple[str, str]):
    (only,) = made([(Path("a.py"), source)])
    assert (only.code, only.unfollowed) == found
    assert only.values == {"id"}


def test_what_is_only_called_alike_is_none():
    assert [*made([(Path("a.py"), "from elsewhere import refused\nrefused('a.b', 'x')")])] == []
