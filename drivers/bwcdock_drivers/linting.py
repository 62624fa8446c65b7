"""What is wrong with quirk files beyond what keeps them from being read: what they promise and do not do, and ties.

A station starts with a quirk that has no examples; who writes one is told here what is missing.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from bwcdock.core.facts import Kind

from .matching import Looks, Match
from .naming import kind_of, named_groups, read_name
from .quirks import Quirk, read


def lint(paths: Sequence[Path]) -> list[str]:
    """What is wrong with these quirk files, one sentence each, beginning with file and key; empty when nothing is.

    They are judged as files of one directory: two that fit the same recorder equally closely are refused.
    """
    found: list[Quirk] = []
    told: list[str] = []
    for path in paths:
        quirk, problems = read(path)
        if quirk is not None:
            found.append(quirk)
            problems = list(_promises(quirk))
        told += [f"{path.name}: {problem}" for problem in problems]
    return [*told, *_ties(found)]


def looks(quirk: Quirk) -> Looks:
    """A recorder on which the examples lie, and of which nothing else is known."""
    return Looks(label="", filesystem="", inquiry="", paths=[each.path for each in quirk.example])


def _promises(quirk: Quirk) -> Iterator[str]:
    own, rule = quirk.naming.patterns, quirk.match
    if not quirk.example and (own or rule.paths or rule.folders):
        yield "example: is missing; give a path as it lies on such a recorder, and what the patterns read of it"
        return
    read_by = set()
    for number, example in enumerate(quirk.example):
        place, match = read_name(quirk, example.path)
        groups = named_groups(match)
        read_by.add(place)
        for name, wanted in example.reads.items():
            if groups.get(name, "") != wanted:
                yield f"example.{number}.reads.{name}: the patterns read {groups.get(name, '')!r}, not {wanted!r}"
    yield from (f"naming.patterns.{place}: reads no example" for place in range(len(own)) if place not in read_by)
    if quirk.example:
        for key in rule.failing_files(looks(quirk)):
            fits = "an example" if key.startswith("without") else "no example"
            yield f"match.{key}: fits {fits}"
    groups_named = {name for pattern in own for name in pattern.groupindex}
    for name, marker in quirk.markers.items():
        if marker.flags and "flag" not in groups_named:
            yield f"markers.{name}.flags: no naming pattern names the group flag"
    if quirk.clock.set_file and kind_of(quirk, quirk.clock.set_file) is not Kind.OTHER:
        yield "clock.set_file: is a recording by its name"
    if "serial" in quirk.identity.model_fields_set and "label" in quirk.identity.serial and not quirk.identity.label:
        yield "identity.serial: says label, but there is no pattern for the label"


# --- ties -------------------------------------------------------------------------------------------------------------


def _ties(quirks: Sequence[Quirk]) -> Iterator[str]:
    for one, other in combinations(sorted(quirks, key=lambda q: q.name), 2):
        if one.match.count and one.match.closeness == other.match.closeness and _may_both_fit(one, other):
            yield (
                f"{other.name}.toml: match: fits the same recorders as {one.name}.toml and no more closely; "
                "add a condition to one of them"
            )


def _may_both_fit(one: Quirk, other: Quirk) -> bool:
    """Whether some recorder is known that both fit; where patterns merely might overlap, nobody is accused."""
    a, b = one.match, other.match
    return _conditions_agree(a, b) and (_files_agree(one, other) or _files_agree(other, one))


def _conditions_agree(a: Match, b: Match) -> bool:
    """Whether what is not about files can hold of both at once."""
    for mine, theirs in ((a.label, b.label), (a.inquiry, b.inquiry)):
        if mine and theirs and mine.pattern != theirs.pattern:
            return False
    if a.filesystem and b.filesystem and not set(a.filesystem) & set(b.filesystem):
        return False
    # Several devices may lie above, each with a value of its own: those conditions can always hold together.
    own = (name for name in a.udev.keys() & b.udev.keys() if not name.startswith("@"))
    return all({v.pattern for v in a.udev[name]} & {v.pattern for v in b.udev[name]} for name in own)


def _files_agree(one: Quirk, other: Quirk) -> bool:
    """Whether the examples of ``one`` fit the other's conditions on files, or both have the same ones."""
    a, b = one.match, other.match
    if _texts(a) == _texts(b):
        return True
    return bool(one.example) and not b.failing_files(looks(one)) and not a.failing_files(looks(one))


def _texts(match: Match) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(p.pattern for p in some) for some in (match.paths, match.folders, match.without))
