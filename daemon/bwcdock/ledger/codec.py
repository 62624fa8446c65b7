"""A fact as the canonical bytes of a leaf, and back.

A leaf is RFC 8785 canonical JSON::

    {"v":1, "seq", "t", "boot", "mono", "origin", "actor":{"name","role"}, "ev",
     "subject":{"record","session","recorder","matter"}, "data":{the fact's own fields}}

``t`` is UTC in ms, ``boot`` the kernel's boot id, ``mono`` ms since that boot, so that a wall clock set back between
two leaves is visible. Empty subjects are left out. Moments are ms since 1970 UTC, sets are sorted, and there are no
floats. Text stands as given and is never normalised: two names that differ only by normalisation are two files on a
card, and must stay two.

The rules are derived from the type hints of the dataclasses, for facts as for the folded values in the cache tables.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import rfc8785

from bwcdock.core.facts import Actor, Entry, Fact, Inventoried
from bwcdock.core.values import Common
from bwcdock.core.vocabulary import ALL_FACTS
from bwcdock.errors import BwcdockError, LedgerBroken

MAX_LEAF = 60 * 1024
"""Bytes of one leaf: an entry of a C2SP tile has a length of 16 bits, and nothing honest comes near."""

RECORDS_PER_LEAF = 500
"""Record ids in one ``Inventoried``: 500 ids of 64 hex digits are 33 KB, which leaves room for the findings."""

VERSION = 1

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

COMMON_KEPT = 1024
"""Common texts of which one object is kept, those used last: some hundred are alike, the others (moments, names) pass
through. All are forgotten with each heartbeat. Not ``sys.intern``: the first Pythons 3.12 never forget what they
interned (CPython issue 113993)."""

T = TypeVar("T")
_KINDS: dict[str, type[Fact]] = {kind.ev: kind for kind in ALL_FACTS}
_SUBJECT = ("record", "session", "recorder", "matter")
_KEYS = {"v", "seq", "t", "boot", "mono", "origin", "actor", "ev", "subject", "data"}


class Unrecordable(BwcdockError):
    """A fact cannot be a leaf (too large, a float, text that is not Unicode). Nothing was written; a bug upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf decoded: the entry, and what only the leaf knows of where and when it was written."""

    entry: Entry
    boot: str
    mono: int
    origin: str


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC, rounded down; a naive time is a ``ValueError``."""
    if moment.utcoffset() is None:
        raise ValueError(f"a time without a zone: {moment}")
    return (moment - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """The aware UTC time of :func:`to_ms`."""
    return EPOCH + ms * MILLISECOND


def encode(entry: Entry, *, boot: str, mono: int, origin: str) -> bytes:
    """The leaf of ``entry``; raises :class:`Unrecordable`, and :class:`Unrecordable` alone."""
    fact = entry.fact
    try:
        if type(fact) is not _KINDS.get(fact.ev):
            raise ValueError("not in the vocabulary")
        data = _rule(type(fact)).out(fact)
        subject = {name: value for name in _SUBJECT if (value := data.pop(name, ""))}
        leaf = rfc8785.dumps(
            {
                "v": VERSION,
                "seq": entry.seq,
                "t": to_ms(entry.at),
                "boot": boot,
                "mono": mono,
                "origin": origin,
                "actor": _rule(Actor).out(entry.actor),
                "ev": fact.ev,
                "subject": subject,
                "data": data,
            }
        )
    except (ValueError, TypeError) as error:
        raise Unrecordable(
            "append", f"{fact.ev or type(fact).__name__} is no leaf: {error}.", "Report a bug."
        ) from error
    if len(leaf) > MAX_LEAF:
        what = f"{fact.ev} would be a leaf of {len(leaf)} bytes; the most is {MAX_LEAF}."
        raise Unrecordable("append", what, "Split it, as codec.parts() does for an inventory.")
    return leaf


def decode(leaf: bytes) -> Leaf:
    """What a leaf says. Unknown kinds, unknown or missing fields and wrong types raise ``LedgerBroken``."""
    try:
        raw = _loads(leaf)
        if not isinstance(raw, dict) or raw.keys() != _KEYS or raw["v"] != VERSION or type(raw["v"]) is not int:
            raise ValueError("not the fields of a version 1 leaf")
        kind = _KINDS.get(raw["ev"]) if isinstance(raw["ev"], str) else None
        if kind is None:
            raise ValueError(f"unknown kind of fact {raw['ev']!r}")
        subject, data = _object(raw["subject"]), _object(raw["data"])
        if not subject.keys() <= set(_SUBJECT) or not all(subject.values()) or data.keys() & set(_SUBJECT):
            raise ValueError("subject out of place")
        at = _rule(datetime).back(raw["t"])
        fact = _rule(kind).back({**data, **subject})
        entry = Entry(seq=_int(raw["seq"]), at=at, fact=fact, actor=_rule(Actor).back(raw["actor"]))
        return Leaf(entry=entry, boot=_str(raw["boot"]), mono=_int(raw["mono"]), origin=_str(raw["origin"]))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        what = f"A leaf cannot be understood: {error}."
        raise LedgerBroken(
            "decode", what, "Was it written by a newer version? Otherwise run `bwcdock audit`."
        ) from error


def dump(value: object) -> str:
    """A folded value (a dataclass of the same kinds of fields) as canonical JSON text, for the cache tables."""
    return rfc8785.dumps(_rule(type(value)).out(value)).decode()


def load(kind: type[T], text: str) -> T:
    """The value of :func:`dump`; raises ``LedgerBroken`` where it is not one."""
    try:
        value = _rule(kind).back(_loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        what = f"A cached {kind.__name__} cannot be understood: {error}."
        raise LedgerBroken(
            "read", what, "Rebuild the cache from the leaves: `bwcdock audit` says whether they are whole."
        ) from error
    assert isinstance(value, kind)
    return value


def parts(fact: Inventoried) -> tuple[Inventoried, ...]:
    """An inventory as facts that each fit a leaf; the counts and findings stand in the first, so sums stay right."""
    ids = [fact.records[i : i + RECORDS_PER_LEAF] for i in range(0, len(fact.records), RECORDS_PER_LEAF)] or [()]
    return tuple(
        replace(fact, records=some) if i == 0 else replace(fact, records=some, new=0, known=0, size=0, findings=())
        for i, some in enumerate(ids)
    )


# ---------------------------------------------------------------------------------------------------------------------
# Rules: one for each type that occurs in a fact, made once from the type hint
# ---------------------------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    """How values of one type go ``out`` to JSON and come ``back``; both refuse what is not exactly of the type."""

    out: Callable[[Any], Any]
    back: Callable[[Any], Any]


_RULES: dict[Any, _Rule] = {}


def _rule(hint: Any) -> _Rule:
    rule = _RULES.get(hint)
    if rule is None:
        rule = _RULES[hint] = _made(hint)
    return rule


def _made(hint: Any) -> _Rule:
    origin, args = get_origin(hint), get_args(hint)
    if hint in {int, str, bool}:
        check = _exactly(hint)
        return _Rule(check, check)
    if hint == Common:
        return _Rule(_str, lambda raw: _common(_str(raw)))
    if hint is datetime:
        return _Rule(to_ms, lambda ms: from_ms(_int(ms)))
    if origin is Literal:
        return _one_of(args)
    if origin in {Union, UnionType} and len(args) == 2 and NoneType in args:
        return _optional(_rule(next(a for a in args if a is not NoneType)))
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _sequence(_rule(args[0]))
    if origin is tuple:
        return _fixed([_rule(a) for a in args])
    if origin is frozenset:
        return _set(_rule(args[0]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    raise TypeError(f"no rule for {hint}: a leaf cannot hold it")


def _exactly(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
        return value

    return check


_int, _str = _exactly(int), _exactly(str)
_object, _array = _exactly(dict), _exactly(list)


def _one_of(values: tuple[Any, ...]) -> _Rule:
    known = {value: value for value in values}

    def check(value: Any) -> Any:
        if type(value) is not str or value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, values))}")
        return known[value]

    return _Rule(check, check)


def _enum(kind: type[Enum]) -> _Rule:
    def out(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
        return value.value

    return _Rule(out, lambda raw: kind(_str(raw)))


def _optional(inner: _Rule) -> _Rule:
    return _Rule(
        lambda value: None if value is None else inner.out(value),
        lambda raw: None if raw is None else inner.back(raw),
    )


def _sequence(inner: _Rule) -> _Rule:
    as_tuple = _exactly(tuple)
    return _Rule(
        lambda value: [inner.out(v) for v in as_tuple(value)],
        lambda raw: tuple([inner.back(v) for v in _array(raw)]),
    )


def _fixed(inner: list[_Rule]) -> _Rule:
    as_tuple = _exactly(tuple)
    return _Rule(
        lambda value: [rule.out(v) for rule, v in zip(inner, as_tuple(value), strict=True)],
        lambda raw: tuple([rule.back(v) for rule, v in zip(inner, _array(raw), strict=True)]),
    )


@lru_cache(COMMON_KEPT)
def _common(text: str) -> str:
    return text


def forget_common() -> None:
    """Keep no common text but those that somebody holds: what came with a busy hour would lie scattered ever after."""
    _common.cache_clear()


_NOTHING: frozenset[Any] = frozenset()
"""One for all: an empty set takes 200 bytes, and most sets are empty."""


def _set(inner: _Rule) -> _Rule:
    as_set = _exactly(frozenset)
    return _Rule(
        lambda value: sorted(inner.out(v) for v in as_set(value)),
        lambda raw: frozenset([inner.back(v) for v in raw]) if _array(raw) else _NOTHING,
    )


def _record(kind: type[Any]) -> _Rule:
    hints = get_type_hints(kind, include_extras=True)
    rules = {f.name: _rule(hints[f.name]) for f in fields(kind)}

    def out(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
        done = {}
        for name, rule in rules.items():
            try:
                done[name] = rule.out(getattr(value, name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return done

    def back(raw: Any) -> Any:
        _object(raw)
        if not raw.keys() <= rules.keys():
            raise ValueError(f"{kind.__name__} has no fields {sorted(raw.keys() - rules.keys())}")
        # Fields that are missing and have no default are a TypeError; those a later version added have their default.
        return kind(**{name: rules[name].back(v) for name, v in raw.items()})

    return _Rule(out, back)


def _no_floats(text: str) -> Any:
    raise ValueError(f"a number that is not whole: {text[:40]}")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, refusing a name that stands twice: readers differ in which of the two they believe."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice")
    return result


def _loads(text: bytes | str) -> Any:
    if isinstance(text, bytes):
        text = text.decode("utf-8")  # json.loads would guess UTF-16 and swallow a byte order mark
    return json.loads(text, parse_float=_no_floats, parse_constant=_no_floats, object_pairs_hook=_no_twins)
