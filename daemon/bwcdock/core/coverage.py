"""How each article of a pack is met: its clauses in order, each with what the program does and what people must."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bwcdock.core.rulepack import Ruled, RulePack

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How something is met: ``by`` the program, by people with its ``support``, or by people alone.

    ``setting`` is a key of bwcdock.toml; ``evidence`` are kinds of entries of the ledger that show it.
    """

    by: Literal["program", "support", "people"]
    zh: str
    en: str
    setting: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One clause of a pack: where it stands, its words, and how it is met."""

    id: str
    article: str
    quote: str
    means: Means


def coverage(pack: RulePack, means: Mapping[str, Means]) -> tuple[Covered, ...]:
    """Every clause of the pack in the order of its articles. Raises ``KeyError`` for one nobody has thought of."""
    found = [
        Covered(id=name, article=clause.article, quote=clause.quote, means=means[name])
        for name, clause in clauses(pack)
    ]
    return tuple(sorted(found, key=lambda each: _place(each.article)))


def clauses(pack: RulePack) -> Iterator[tuple[str, Ruled]]:
    """Every clause with the name its means go by: the part of the pack, or the id of the duty."""
    yield "deadline", pack.deadline
    if pack.deadline.away:
        yield "deadline.away", pack.deadline.away
    if pack.deadline.extension:
        yield "deadline.extension", pack.deadline.extension
    for part in ("retention", "archive", "checks", "approvals", "sheets", "equipment"):
        for clause in getattr(pack, part):
            yield part, clause
    for part in ("interruption", "unrecorded", "spot_check"):
        if clause := getattr(pack, part):
            yield part, clause
    for duty in pack.duties:
        yield duty.id, duty


def _place(article: str) -> tuple[int, ...]:
    """``第二十一条第（三）项第4目`` as numbers, so that articles sort as they stand."""
    return tuple(_number(text) for text in re.findall(r"[零一二三四五六七八九十百]+|[0-9]+", article))


def _number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    hundreds, _, rest = text.rpartition("百")
    tens, ten, ones = rest.rpartition("十")
    value = 100 * _DIGITS.get(hundreds, 0)
    value += 10 * (_DIGITS.get(tens, 1) if ten else 0)
    return value + _DIGITS.get(ones.removeprefix("零"), 0)
