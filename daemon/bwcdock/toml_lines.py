"""On which line of a TOML text a setting stands, so that an error can point at it."""

import re
import tomllib
from collections.abc import Iterator, Mapping

Loc = tuple[str | int, ...]
"""Where a value is: keys, and indexes (from 0) into arrays of tables: ``("drop", 1, "path")``."""

# Longest first: a triple quote is not three strings. Up to two quotes may touch the closing three (TOML 1.0, "String").
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[A-Za-z0-9_-]+"
    r"|[\[\]{}=\n]",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Loc, int]:
    """The line (from 1) of every table header and every key of a TOML text that parses.

    Keys inside inline tables and the elements of arrays of values have no entry of their own; ask with
    :func:`line_of`, which answers with the line of what holds them.
    """
    found: dict[Loc, int] = {}
    last: dict[Loc, int] = {}  # array of tables -> index of the element that is being written
    table: Loc = ()
    for line, tokens in _statements(text):
        if tokens[0] == "[":
            keys = [_key(t) for t in tokens if t not in {"[", "]"}]
            target = (*_resolve(keys[:-1], (), last), keys[-1])
            if tokens[1] == "[":
                last[target] = last.get(target, -1) + 1
                found.setdefault(target, line)
            table = (*target, last[target]) if target in last else target
            found.setdefault(table, line)
        else:
            keys = [_key(t) for t in tokens[: tokens.index("=")]]
            found.setdefault(_resolve(keys, table, last), line)
    return found


def line_of(loc: Loc, lines: Mapping[Loc, int]) -> int | None:
    """The line of ``loc``, or of the nearest thing around it that has one; ``None`` when nothing has."""
    for length in range(len(loc), 0, -1):
        if loc[:length] in lines:
            return lines[loc[:length]]
    return None


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each header or ``key = value``, however many lines it spans, as its first line and its tokens."""
    text = text.replace("\r\n", "\n")
    line, at, depth = 1, 0, 0
    first, tokens = 1, list[str]()
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        token = match[0]
        if token.startswith("#"):
            continue
        if token == "\n":  # noqa: S105 (a line end, not a password)
            if tokens and depth == 0:
                yield first, tokens
                tokens = []
            continue
        if not tokens:
            first = line
        depth += (token in {"[", "{"}) - (token in {"]", "}"})
        tokens.append(token)
    if tokens:
        yield first, tokens


def _key(token: str) -> str:
    return str(tomllib.loads(f"key = {token}")["key"]) if token[0] in "\"'" else token


def _resolve(keys: list[str], table: Loc, last: Mapping[Loc, int]) -> Loc:
    """``keys`` under ``table``, stepping into the newest element wherever a key is an array of tables."""
    loc = table
    for key in keys:
        loc = (*loc, key)
        if loc in last:
            loc = (*loc, last[loc])
    return loc
