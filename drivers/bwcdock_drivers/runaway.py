"""Whether a pattern could run away on a hostile name: in how many ways it might try to read one.

Python's matcher goes back wherever it had a choice, and while it does nothing else of the program runs: no time limit
would be heard. So what a quirk may hold is judged before, by the tree that Python makes of the pattern. There is a
choice where a repetition could end or go on, or several alternatives begin, with the same next character; choices in
a row multiply, and under a repetition they do so as often as that goes round. The count is never too small, and may be
too large: what is told apart further on than by the next character counts as a choice.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

TEXT_MAX = 512
"""The longest text a regex is asked about, in characters: twice the longest path Windows lets a recorder write."""

WAYS_MAX = 1 << 28
"""The most ways of reading such a text that a pattern may have: three free repetitions, or two and any beginning. The
slowest known takes 0.6 s of a processor for the worst name, and what ships has not a thousandth of the ways."""

_parse: Callable[[str, int], Any] = import_module("re._parser").parse

_Node = tuple[Any, Any]
_Chars = frozenset[str]

_NOTHING: _Chars = frozenset()
_END = ""
"""Stands among characters for the end of the text."""

_SAMPLES = frozenset("09azAZ_ \n\t-./!~٣éÉ中\u3000")
"""A character of each kind that classes tell apart; those a pattern names, and their neighbours, are added to them."""


@lru_cache(maxsize=256)
def ways(pattern: str, flags: int = 0) -> int:
    """In how many ways a search for ``pattern`` might try to read a text of :data:`TEXT_MAX` characters, at most."""
    parsed = _parse(pattern, flags)
    judge = _Judge(_alphabet(parsed))
    nodes = list(parsed)
    # Where the beginning is not named, every place of the text is one.
    anchored = bool(nodes) and _is_beginning(nodes[0]) and not parsed.state.flags & re.MULTILINE
    return (1 if anchored else TEXT_MAX) * judge.count(nodes, parsed.state.flags, _NOTHING)


def _is_beginning(node: _Node) -> bool:
    return str(node[0]) == "AT" and str(node[1]) in {"AT_BEGINNING", "AT_BEGINNING_STRING"}


def _alphabet(nodes: Iterable[_Node]) -> _Chars:
    """Characters by which the classes of this pattern can be told apart."""
    codes = {code for named in _named(nodes) for code in (named - 1, named, named + 1)}
    plain = {chr(code) for code in codes if 0 <= code <= 0x10FFFF}
    cased = {each for char in plain for each in (char.lower(), char.upper()) if len(each) == 1}
    return _SAMPLES | plain | cased


def _named(value: Any) -> Iterable[int]:
    """Every number in the tree: codes of characters, and what else is one does no harm."""
    if isinstance(value, int):
        yield int(value)
    elif hasattr(value, "__getitem__"):
        for at in range(len(value)):
            yield from _named(value[at])


class _Judge:
    """Counts for one pattern. Nodes and flags are as ``re`` has them; ``after`` is what may come next."""

    def __init__(self, alphabet: _Chars) -> None:
        self._alphabet = alphabet
        self._all = alphabet | {_END}
        self._known: dict[int, tuple[_Chars, bool]] = {}

    def count(self, nodes: Sequence[_Node], flags: int, after: _Chars) -> int:
        """The ways of a sequence: those of its parts, multiplied."""
        total = 1
        for node in reversed(nodes):
            total = min(total * self._ways(node, flags, after), WAYS_MAX + 1)
            first, empty = self._opens(node, flags)
            after = first | after if empty else first
        return total

    def _ways(self, node: _Node, flags: int, after: _Chars) -> int:
        what, of = str(node[0]), node[1]
        match what:
            case "SUBPATTERN":
                return self.count(list(of[3]), _with(flags, of[1], of[2]), after)
            case "ATOMIC_GROUP":
                return self.count(list(of), flags, _NOTHING)
            case "ASSERT" | "ASSERT_NOT":
                return self.count(list(of[1]), flags, _NOTHING)
            case "BRANCH":
                return self._branches(list(map(list, of[1])), flags, after)
            case "GROUPREF_EXISTS":
                return max(self.count(list(some or ()), flags, after) for some in of[1:])
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeated(of, flags, after)
            case "POSSESSIVE_REPEAT":
                within = self.count(list(of[2]), flags, _NOTHING)
                return within if within == 1 else within * TEXT_MAX
        return 1

    def _branches(self, branches: Sequence[Sequence[_Node]], flags: int, after: _Chars) -> int:
        counts = [self.count(nodes, flags, after) for nodes in branches]
        seen: set[str] = set()
        for nodes in branches:
            first, empty = self._sequence_opens(nodes, flags)
            opens = first | after if empty else first
            if not seen.isdisjoint(opens):
                return sum(counts)
            seen |= opens
        return max(counts)  # the next character decides which

    def _repeated(self, of: Any, flags: int, after: _Chars) -> int:
        least, most, nodes = int(of[0]), min(int(of[1]), TEXT_MAX), list(of[2])
        first, empty = self._sequence_opens(nodes, flags)
        once = self.count(nodes, flags, first | after if most > 1 else after)
        if empty:
            once += 1  # whether a round is an empty one is a choice too
        rounds = most - least + 1 if most > least and not first.isdisjoint(after) else 1
        if once == 1:
            return rounds
        return int(min(rounds * once**most, WAYS_MAX + 1))

    # --- what may come first ------------------------------------------------------------------------------------------

    def _opens(self, node: _Node, flags: int) -> tuple[_Chars, bool]:
        """With which characters this can begin, and whether it can be empty."""
        if id(node) not in self._known:
            self._known[id(node)] = self._look(node, flags)
        return self._known[id(node)]

    def _sequence_opens(self, nodes: Sequence[_Node], flags: int) -> tuple[_Chars, bool]:
        found: _Chars = _NOTHING
        for node in nodes:
            first, empty = self._opens(node, flags)
            found |= first
            if not empty:
                return found, False
        return found, True

    def _look(self, node: _Node, flags: int) -> tuple[_Chars, bool]:
        what, of = str(node[0]), node[1]
        match what:
            case "SUBPATTERN":
                return self._sequence_opens(list(of[3]), _with(flags, of[1], of[2]))
            case "ATOMIC_GROUP":
                return self._sequence_opens(list(of), flags)
            case "BRANCH" | "GROUPREF_EXISTS":
                some = [
                    self._sequence_opens(list(nodes or ()), flags) for nodes in (of[1] if what == "BRANCH" else of[1:])
                ]
                return frozenset().union(*(first for first, _ in some)), any(empty for _, empty in some)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                first, empty = self._sequence_opens(list(of[2]), flags)
                return first, empty or not of[0]
            case "AT" if str(of) in {"AT_END", "AT_END_STRING"}:
                return frozenset({_END}), False
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return _NOTHING, True
            case "GROUPREF":
                return self._all, True
        return frozenset(filter(_tester(node, flags), self._alphabet)), False


def _with(flags: int, added: int, taken: int) -> int:
    return (flags | added) & ~taken


def _tester(node: _Node, flags: int) -> Callable[[str], object]:
    """Whether a character fits what stands for one, as Python itself sees it."""
    parsed = _parse("", flags)
    parsed.append(node)
    compiled: re.Pattern[str] = import_module("re._compiler").compile(parsed, flags)
    return compiled.fullmatch
