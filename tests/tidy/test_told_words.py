"""Everything that is told by a code or a word has its Chinese words, and no words are left over."""

import ast
import string
from functools import cache
from pathlib import Path

import pytest
from bwcdock.core.record import APART_FOR_COPY
from bwcdock.core.words_zh import FINDINGS, OTHER
from bwcdock.core.words_zh.form import LONGEST_TITLE, Words
from bwcdock.core.words_zh.states import FAULT_ZH, FAULTED_ZH, UNCLAIMED_ZH
from told_words import ANY, Function, Told, told
from tree import DAEMON, DRIVERS, product, short

SOURCES = [(path, path.read_text()) for path in product() if DAEMON / "testing" not in path.parents]

UNFOLLOWED = {
    ("drivers/bwcdock_drivers/folder.py", "code"): "what _note was told in the same file, which is followed",
    ("drivers/bwcdock_drivers/mass_storage.py", "code"): "what the reader's note was told, which is followed",
    ("drivers/bwcdock_drivers/mtp/driver.py", "code"): "what the listing's note was told, which is followed",
}
FAULTY = {DAEMON / name for name in ("docking.py", "docks.py", "lanes.py", "steps/dock.py")}
"""Beside the drivers: who raises what becomes the fault of a docking."""
NEVER_A_FAULT = {"look": "a look of the eraser ends that look alone"}


def finds(function: Function) -> bool:
    """Whether a function makes findings of the codes it is given."""
    answers = ast.unparse(function.returns) if function.returns else ""
    return answers in {"Finding", "Found"} or function.name in {"note", "_note"}


def sets_apart(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) == "Quarantined"


@cache
def codes() -> list[Told]:
    return told(SOURCES, "code", makers={"Finding"}, hands_on=finds)


@cache
def reasons() -> set[str]:
    """Why a recording is set apart: what its fact says, and what the fold says where its last copy went bad."""
    return {each.text for each in told(SOURCES, "reason", makers={"Quarantined"}, hands_on=sets_apart)} | {
        APART_FOR_COPY
    }


def known() -> set[str]:
    """Every code as it stands in the tables: what follows a code at run time is left out, but for the set apart."""
    found = {each.text.removesuffix(f".{ANY}") for each in codes() if each.text}
    return (found - {"quarantined"}) | {f"quarantined.{reason}" for reason in reasons()}


def test_every_code_can_be_followed():
    unfollowed = {(short(each.path), each.why) for each in codes() if not each.text}
    assert unfollowed == set(UNFOLLOWED)
    assert not [each for each in codes() if ANY in each.text.removesuffix(f".{ANY}")]
    assert len(known()) > 80


def test_every_code_has_its_words():
    assert known() - set(FINDINGS) == set()


def test_no_words_are_left_over():
    families = {code.partition(".")[0] for code in known()}
    assert set(FINDINGS) - known() - families == set()


def test_every_fault_of_a_recorder_has_its_words():
    sources = [(path, text) for path, text in SOURCES if path in FAULTY or DRIVERS in path.parents]
    makers = {"Unplugged", "Unreadable", "Misbehaved", "NotAllowed", "Faulted"}
    ops = told(sources, "op", makers=makers)
    assert [each for each in ops if not each.text] == []
    assert {each.text.partition(" ")[0] for each in ops} == set(FAULT_ZH) | set(NEVER_A_FAULT)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


ALL: dict[str, Words] = {**FINDINGS, **FAULT_ZH, "faulted": FAULTED_ZH, "unclaimed": UNCLAIMED_ZH, "other": OTHER}


@pytest.mark.parametrize("code", ALL)
def test_words_are_short_whole_and_polite(code: str):
    words = ALL[code]
    assert 2 <= len(words.title) <= LONGEST_TITLE
    for sentence in filter(None, (words.what, words.do, words.told)):
        assert sentence.endswith("。")
        assert not set(sentence) & set(",;:?!()")  # punctuation is full-width
    assert words.do.startswith(("请", "无需处理"))
    # What is always true names at most what follows the code; what a person should do names nothing.
    assert fields(words.what) <= {"name"}
    assert fields(words.do) == set()
    assert "{" not in words.title
    assert not words.told or fields(words.told)


# --- what the follower must find --------------------------------------------------------------------------------------


def found(source: str) -> list[tuple[str, str]]:
    return [(each.text, each.why) for each in told([(Path("a.py"), source)], "code", makers={"Finding"})]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("Finding(code='a.b', what='x')", {"a.b"}),
        ("Finding(code=f'a.{name}', what='x')", {"a.*"}),
        ("A = 'a'\nFinding(code=f'{A}.b.{name}', what='x')", {"a.b.*"}),
        ("Finding(code='a.b' if x else 'a.c')", {"a.b", "a.c"}),
        ("A = 'a.b'\ndef f():\n    return Finding(code=A)", {"a.b"}),
        ("def f():\n    code = 'a.b'\n    return Finding(code=code)", {"a.b"}),
        ("def f():\n    code, more = 'a.b', 1\n    return Finding(code=code)", {"a.b"}),
        ("def tell(what, code):\n    return Finding(code=code)\ntell('x', 'a.b')", {"a.b"}),
        ("class A:\n    def tell(self, code):\n        return Finding(code=code)\nA().tell('a.b')", {"a.b"}),
        (
            "class A:\n    @property\n    def _code(self):\n        return f'a.{self.x}'\nFinding(code=A()._code)",
            {"a.*"},
        ),
        ("Finding(code=last.code)", set()),
    ],
)
def test_a_code_is_followed(source, texts):
    assert {text for text, _ in found(source)} == texts


@pytest.mark.parametrize(
    "source",
    [
        "Finding(code=made())",
        "def f(code):\n    for one in code:\n        Finding(code=one)",
        "Finding(code=nobody)",
        "def tell(code):\n    return Finding(code=code)\ntell(made())",
    ],
)
def test_a_code_that_cannot_be_followed_is_told(source):
    assert any(why for _, why in found(source))


def test_a_function_of_another_module_hands_on():
    one = (Path("one.py"), "def tell(severity, code):\n    return Finding(code=code)")
    two = (Path("two.py"), "from one import tell\ntell(1, 'a.b')")
    other = (Path("other.py"), "tell(1, 'not.ours')")
    assert {each.text for each in told([one, two, other], "code", makers={"Finding"})} == {"a.b"}
