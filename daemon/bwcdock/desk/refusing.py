"""Says a refusal in Chinese: the words of its code, with its values as officers read them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from bwcdock.core.record import State
from bwcdock.core.refusal import Refusal
from bwcdock.core.words_zh.desk import ACCESS_ZH, CHECK_ZH, MATTER_STATE_ZH, MATTER_ZH, SIGN_IN_ZH
from bwcdock.core.words_zh.states import RECORD_STATE_ZH
from bwcdock.core.words_zh.values import PLACE_ZH
from bwcdock.desk.entries_zh import ENTRY_ZH
from bwcdock.desk.refusals_zh import OTHERWISE, REFUSALS, TERM_ZH, WRONG, WRONG_SOMEHOW, Refused
from bwcdock.desk.words_zh import ACT_ZH, field
from bwcdock.errors import BwcdockError

NOBODY = "无"
"""An empty list."""

ID = 12
"""Characters of a recording's id that people read."""


def refused(why: Refusal, *, zone: tzinfo = UTC, roles: Mapping[str, str] | None = None) -> Refused | None:
    """The refusal in Chinese; ``None`` where its code has no words, or lacks what its words name.

    ``roles`` is what the pack calls each role; moments are told in ``zone``.
    """
    words = REFUSALS.get(why.code)
    if words is None:
        return None
    known = _Known(dict(why.evidence), zone, roles or {})
    try:
        return Refused(*(text.format_map(known) for text in words))
    except (KeyError, ValueError, OverflowError):  # of another version of the program
        return None


def error(told: BwcdockError, *, zone: tzinfo = UTC, roles: Mapping[str, str] | None = None) -> tuple[Refused, bool]:
    """An error in Chinese, and whether that says all of it; where not, the English is told beside it."""
    found = refused(told.why, zone=zone, roles=roles)
    return (found, True) if found else (OTHERWISE.get(type(told).__name__, OTHERWISE[""]), False)


class _Known:
    """The values of one refusal, each as people read it. A value is put in once and never read as words itself."""

    def __init__(self, given: Mapping[str, str], zone: tzinfo, roles: Mapping[str, str]) -> None:
        self._given = given
        self._zone = zone
        self._roles = roles

    def __getitem__(self, name: str) -> str:
        value = self._given[name]
        match name:
            case "since" | "until":
                at = f"{datetime.fromisoformat(value).astimezone(self._zone):%Y-%m-%d %H:%M}"
                return at if self._zone is not UTC else f"{at} UTC"
            case "role" | "own" | "roles":
                return _each(value, self._roles)
            case "state":
                return MATTER_STATE_ZH[self._given["kind"]].get(value, value)
            case "fields":
                return "；".join(_wrong(self._given["act"], *each.split(":", 1)) for each in value.split(", "))
            case "why":  # the code of another refusal, whose values stand beside it
                return REFUSALS[value].what.format_map(self)
        return SHOWN[name](value) if name in SHOWN else value


def _each(value: str, words: Mapping[str, str]) -> str:
    return "、".join(words.get(each, each) for each in value.split(", ") if each) or NOBODY


def _among(words: Mapping[str, str]) -> Callable[[str], str]:
    return lambda value: _each(value, words)


def _wrong(act: str, name: str, how: str) -> str:
    try:
        label = field(act, name).label
    except KeyError:
        label = name or "所填内容"
    return f"“{label}”{next((told for part, told in WRONG.items() if part in how), WRONG_SOMEHOW)}"


_ACTS = {word: words.name for word, words in ACT_ZH.items()}

SHOWN: Mapping[str, Callable[[str], str]] = {
    "kind": _among(MATTER_ZH),
    "record_state": lambda value: RECORD_STATE_ZH.get(State(value), value),
    "ev": _among(ENTRY_ZH),
    "act": _among(_ACTS),
    "acts": _among(_ACTS),
    "way": _among(SIGN_IN_ZH),
    "ways": _among(SIGN_IN_ZH),
    "checks": _among(CHECK_ZH),
    "access": _among(ACCESS_ZH),
    "term": _among(TERM_ZH),
    "place": _among(PLACE_ZH),
    "devices": _among({}),
    "record": lambda value: value[:ID],
    "session": lambda value: value[:ID],
    "size": lambda value: f"{int(value) / 1e9:.1f} GB",
}
"""How the value of a name is told; of every other, as it is."""
