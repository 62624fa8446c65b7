"""Text from strangers made harmless for paper: nothing hidden, nothing that turns the line, nothing without end."""

import unicodedata
from collections.abc import Iterable

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_MARKS = frozenset({"Mn", "Mc", "Me"})

MARKS = 2
"""Combining marks kept on one letter: as many as a living script stacks; more climb over the lines above."""


def plain(text: str) -> str:
    r"""``text`` for paper: what cannot be seen or would turn the direction is written out as ``\u{hex}``.

    Line ends stay (each as one ``\n``), every other blank becomes a space.
    """
    out: list[str] = []
    marks = 0
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARKS else 0
        if char in {"\n", "\u3000"}:
            out.append(char)
        elif char == "\t" or (category == "Zs" and char not in _BLANK):
            out.append(" ")
        elif category in _HIDDEN or char in _BLANK or marks > MARKS or (marks and not out):
            out.append(f"\\u{{{ord(char):x}}}")
        else:
            out.append(char)
    return "".join(out)


def one_line(text: str) -> str:
    """As :func:`plain`, on one line."""
    return plain(text).replace("\n", " ")


def runs(numbers: Iterable[int]) -> str:
    """Numbers in order, runs of them joined: ``3、7–9``."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return "、".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
