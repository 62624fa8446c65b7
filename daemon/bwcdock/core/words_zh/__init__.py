"""What officers are told in Chinese: of every finding by its code and evidence, never by its English sentence.

A finding is judged once, where it is made; here stands only how it is said. The words are tables of Python and no file
of settings: they change with the codes, in the same commit, and a test holds both together; a file that a bureau could
edit would be a second place where a finding says what to do.
"""

from typing import NamedTuple

from bwcdock.core.facts import Finding
from bwcdock.core.words_zh.card import CARD
from bwcdock.core.words_zh.form import Words
from bwcdock.core.words_zh.recorder import RECORDER
from bwcdock.core.words_zh.station import STATION
from bwcdock.core.words_zh.values import filled

FINDINGS: dict[str, Words] = {**RECORDER, **CARD, **STATION}
"""Every code there is, the codes that a name follows without it, and the families of what drivers say."""

OTHER = Words("其他", "有未列明的问题。", "请交管理员查看英文说明。")
"""A code of a driver that is not this repository's."""


class Said(NamedTuple):
    """A finding in Chinese."""

    title: str
    what: str
    do: str


def words(code: str) -> tuple[Words, str]:
    """The words of the longest beginning of ``code`` that has some, and what follows it there."""
    known = code
    while known:
        if known in FINDINGS:
            return FINDINGS[known], code[len(known) + 1 :]
        known = known.rpartition(".")[0]
    return OTHER, ""


def title(code: str) -> str:
    """A finding's short name."""
    return words(code)[0].title


def said(finding: Finding) -> Said:
    """A finding in Chinese, with its values where its evidence has all that the sentence names."""
    chosen, name = words(finding.code)
    try:
        what = filled(chosen.told or chosen.what, finding, name)
    except (KeyError, ValueError, OverflowError):  # evidence of an older program, or cut to fit into a leaf
        what = filled(chosen.what, finding, name)
    return Said(chosen.title, what, chosen.do)


__all__ = ["FINDINGS", "OTHER", "Said", "Words", "said", "title", "words"]
