"""Forms for the acts of the desk, made from their models: one field an option, with what may be chosen for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

from annotated_types import MaxLen
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData, QueryParams

from bwcdock.desk.acts import MOST_TEXT, Act

FieldKind = Literal["line", "text", "choice", "choices", "list", "moment", "number", "yes-no"]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form: what it is called in the act, how it is asked for, and what stands in it.

    ``choices`` are pairs of value and label; a ``line`` with choices suggests them and takes others too.
    """

    name: str
    kind: FieldKind
    required: bool
    choices: Choices = ()
    values: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """The only value, or the first."""
        return self.values[0] if self.values else ""


def fields_of(
    act: type[Act], given: FormData | QueryParams, choices: Mapping[str, Choices], zone: ZoneInfo
) -> tuple[Field, ...]:
    """The fields of the form for this act, filled with what is given; ``choices`` by field."""
    return tuple(
        _field(name, info, tuple(map(str, given.getlist(name))), choices, zone)
        for name, info in act.model_fields.items()
    )


def _field(name: str, info: FieldInfo, given: tuple[str, ...], choices: Mapping[str, Choices], zone: ZoneInfo) -> Field:
    kind, known = kind_of(info), choices.get(name, ())
    if get_origin(info.annotation) is Literal:
        known = tuple((value, value) for value in get_args(info.annotation) if value)
    elif known and kind == "list":
        kind = "choices"
    values = given
    if kind == "moment":
        values = tuple(_local(each, zone) for each in given)
    return Field(name=name, kind=kind, required=info.is_required(), choices=known, values=values)


def kind_of(info: FieldInfo) -> FieldKind:
    """How a field of this type is asked for."""
    kind = info.annotation
    bare = [part for part in get_args(kind) if part is not type(None)] if get_origin(kind) is UnionType else [kind]
    if get_origin(kind) is tuple:
        return "list"
    if get_origin(kind) is Literal:
        return "choice"
    if bare == [bool]:
        return "yes-no"
    if bare == [int]:
        return "number"
    if _is_moment(bare):
        return "moment"
    is_long = any(isinstance(rule, MaxLen) and rule.max_length == MOST_TEXT for rule in info.metadata) or any(
        getattr(rule, "max_length", None) == MOST_TEXT for rule in info.metadata
    )
    return "text" if is_long else "line"


def _is_moment(kinds: Sequence[Any]) -> bool:
    return any(kind is datetime or "AwareDatetime" in repr(kind) for kind in kinds)


def _local(text: str, zone: ZoneInfo) -> str:
    """A moment as a date and time field holds it; what is none is left for the reader to mend."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%dT%H:%M:%S}"
    except ValueError:
        return text


def said_in(act: type[Act], form: FormData, zone: ZoneInfo) -> dict[str, Any]:
    """What a sent form says, as the act takes it: empty fields are not said, a moment is in the station's zone."""
    said: dict[str, Any] = {}
    for name, info in act.model_fields.items():
        values = [text.strip() for text in form.getlist(name) if isinstance(text, str) and text.strip()]
        if not values:
            continue
        said[name] = _value(kind_of(info), values, zone)
    return said


def _value(kind: FieldKind, values: Sequence[str], zone: ZoneInfo) -> Any:
    match kind:
        case "list":
            return list(dict.fromkeys(_lines(values)))
        case "yes-no":
            return values[0] == "yes"
        case "moment":
            try:
                at = datetime.fromisoformat(values[0])
            except ValueError:
                return values[0]  # the act itself says what is wrong with it
            return at.replace(tzinfo=zone) if at.tzinfo is None else at
        case _:
            return values[0]


def _lines(values: Iterable[str]) -> Iterable[str]:
    return (line.strip() for value in values for line in value.splitlines() if line.strip())
