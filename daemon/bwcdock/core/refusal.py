"""Why something is not done: a stable code, the sentence, and the values in it.

The sentence is English, for programs' logs and for who reads English; Chinese is said by the code and the values
(:mod:`bwcdock.desk.refusals_zh`), as findings are, and never read out of the sentence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

Value = str | int | datetime | Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """``evidence`` are the values that the sentence names, as pairs of text: a moment in ISO 8601, a list by commas."""

    code: str
    what: str
    evidence: tuple[tuple[str, str], ...] = ()


def because(code: str, what: str, /, **values: Value) -> Refusal:
    """The refusal with this code and sentence, and the values that are in it."""
    return Refusal(code=code, what=what, evidence=tuple((name, _text(value)) for name, value in values.items()))


def _text(value: Value) -> str:
    match value:
        case str():
            return value
        case int():
            return str(value)
        case datetime():
            return value.isoformat()
    return ", ".join(value)
