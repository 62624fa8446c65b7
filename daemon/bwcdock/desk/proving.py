"""The ledger for people who look at it: entries in words, each with its proof under the signed head, and the heads."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from bwcdock.core.facts import Entry, Fact, Finding
from bwcdock.ledger import Disagreement, Head, Reader, codec, tree, verify

Value = str | int | bool | datetime

MARK = {True: "✓", False: "✕"}

HEADS = 20
"""Signed heads that are listed: of the last minutes of work; all of them lie in central storage."""


def _itself(_: str, __: str, value: str) -> str:
    return value


def _as_found(finding: Finding) -> Finding:
    return finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """How what an entry says is told to people; by itself as it was written.

    ``word`` tells a text by the sort of value it is in and its field, ``finding`` a finding in other words.
    """

    word: Callable[[str, str, str], str] = _itself
    finding: Callable[[Finding], Finding] = _as_found


AS_WRITTEN = Tongue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field of an entry: how deep it lies, its name, and what stands in it; a field of fields has no value."""

    depth: int
    name: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry for a list: what it is about, and the first of its own words."""

    entry: Entry
    about: tuple[str, str]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """One entry with its leaf and its proof.

    ``json`` is the leaf itself, byte for byte; ``boot`` and ``mono`` are when it was written by the kernel's own count.
    ``path`` is the audit path (RFC 6962) under ``head``; ``holds`` says that it was computed again here and leads to
    the signed root. Both are empty for an entry that no signed head covers yet.
    """

    entry: Entry
    lines: tuple[Line, ...]
    json: str
    boot: str
    mono: int
    leaf_hash: str
    size: int
    head: Head | None
    path: tuple[str, ...] = ()
    holds: bool = False


def shown(entries: list[Entry], tongue: Tongue = AS_WRITTEN) -> tuple[Shown, ...]:
    """Entries for a list."""
    return tuple(Shown(entry=entry, about=entry.fact.about, words=_words(entry.fact, tongue)) for entry in entries)


def proven(ledger: Reader, seq: int, tongue: Tongue = AS_WRITTEN) -> Proven:
    """Entry ``seq`` with its proof, computed from the leaf and the stored hashes, and checked against the signed head.

    Raises ``LedgerBroken`` where the leaf or the head cannot be read or believed.
    """
    body = ledger.leaf(seq)
    leaf = codec.decode(body)
    head = ledger.last_head()
    signed = head if head is not None and seq < head.checkpoint.size else None
    digest = tree.leaf_hash(body)
    path: tuple[bytes, ...] = ()
    holds = False
    if signed is not None:
        at = signed.checkpoint
        path = ledger.inclusion(seq, at.size)
        holds = tree.verify_inclusion(digest, seq, at.size, path, at.root)
    return Proven(
        entry=leaf.entry,
        lines=tuple(lines(leaf.entry.fact, tongue)),
        json=body.decode(),
        boot=leaf.boot,
        mono=leaf.mono,
        leaf_hash=digest.hex(),
        size=ledger.size,
        head=signed,
        path=tuple(each.hex() for each in path),
        holds=holds,
    )


def heads(ledger: Reader) -> list[Head]:
    """The newest signed heads, newest first, each signature checked."""
    return ledger.newest_heads(HEADS)


def checked(ledger: Reader) -> tuple[int, list[Disagreement]]:
    """How many of the newest leaves were hashed again now, and what does not hold among them; changes nothing."""
    size, head = ledger.size, ledger.last_head()
    start = max(0, min(size - verify.TAIL, head.checkpoint.size - 1 if head else 0))
    return size - start, verify.tail(ledger)


def lines(fact: Fact, tongue: Tongue = AS_WRITTEN) -> Iterator[Line]:
    """Everything a fact says, field by field; what is empty is left out."""
    yield from _fields(fact, 0, tongue)


def _fields(value: Any, depth: int, tongue: Tongue) -> Iterator[Line]:
    if isinstance(value, Finding):
        value = tongue.finding(value)
    for field in fields(value):
        yield from _field(type(value).__name__, field.name, getattr(value, field.name), depth, tongue)


def _field(of: str, name: str, value: Any, depth: int, tongue: Tongue) -> Iterator[Line]:
    if value is None or value in ("", (), frozenset()):
        return
    if is_dataclass(value):
        yield Line(depth=depth, name=name)
        yield from _fields(value, depth + 1, tongue)
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        for each in value:
            yield from _field(of, name, each, depth, tongue)
    else:
        several = sorted(value) if isinstance(value, frozenset) else value if isinstance(value, tuple) else (value,)
        told = (_plain(each) for each in several)
        values = tuple(tongue.word(of, name, each) if isinstance(each, str) else each for each in told)
        yield Line(depth=depth, name=name, values=values)


def _plain(value: Any) -> Value:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ": ".join(MARK[each] if isinstance(each, bool) else str(each) for each in value)
    return value if isinstance(value, str | int | datetime) else json.dumps(value)


def _words(fact: Fact, tongue: Tongue) -> str:
    """What tells this entry from others of its kind: the first words in it that are not what it is about."""
    about = {fact.record, fact.session, fact.recorder, getattr(fact, "matter", "")}
    told = [str(v) for line in _fields(fact, 0, tongue) for v in line.values if isinstance(v, str) and v not in about]
    return " · ".join(told[:3])
