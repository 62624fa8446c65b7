"""The kinds of text a quirk file holds, each judged when it is read: patterns, extensions, zones, names of udev."""

import fnmatch
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from bwcdock.core.inquiry import ABOVE
from pydantic import BaseModel, BeforeValidator, ConfigDict

from .runaway import TEXT_MAX, WAYS_MAX, ways

PATTERN_MAX = 400
"""The longest pattern of a quirk, in characters: twice the longest one shipped; a longer one cannot be reviewed."""

GROUPS = frozenset({"device", "officer", "date", "time", "start", "end", "seq", "series", "flag", "activity", "model"})
"""What a naming pattern may name."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of a quirk. ``most`` is the longest text that it is asked about; a longer one does not fit."""

    compiled: re.Pattern[str]
    most: float = TEXT_MAX

    @property
    def pattern(self) -> str:
        """The regular expression as text."""
        return self.compiled.pattern

    @property
    def groupindex(self) -> Mapping[str, int]:
        """The groups it names."""
        return self.compiled.groupindex

    def search(self, text: str) -> re.Match[str] | None:
        """Where it fits, if it does. Nothing bounds its time but what was judged when it was read."""
        return self.compiled.search(text) if len(text) <= self.most else None


def _bounded(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError("must be text")
    if len(text) > PATTERN_MAX:
        raise ValueError(f"is longer than {PATTERN_MAX} characters")
    return text


def _regex(text: object) -> Pattern:
    pattern = _bounded(text)
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError) as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    if ways(pattern) > WAYS_MAX:
        raise ValueError(
            "could run away on a hostile name, which it reads in too many ways; "
            "let what follows a repetition, and each alternative, begin with a character of its own"
        )
    return Pattern(compiled)


def _path_pattern(text: object) -> Pattern:
    """A glob over the whole relative path (``*`` crosses folders, case does not matter), or ``re:`` and a regex."""
    pattern = _bounded(text)
    if pattern.startswith("re:"):
        return _regex(pattern[3:])
    # A glob goes back to its last star at most: it takes its time by the length of the text.
    return Pattern(re.compile(rf"\A{fnmatch.translate(pattern)}", re.IGNORECASE), most=math.inf)


def _naming(text: object) -> Pattern:
    pattern = _regex(text)
    unknown = sorted(set(pattern.groupindex) - GROUPS)
    if unknown:
        raise ValueError(f"names the group {unknown[0]}; it may name {', '.join(sorted(GROUPS))}")
    return pattern


def _group(text: object) -> str:
    name = _bounded(text)
    if name not in GROUPS:
        raise ValueError(f"is no group of a naming pattern; those are {', '.join(sorted(GROUPS))}")
    return name


def _extension(text: object) -> str:
    word = _bounded(text).lower()
    if not re.fullmatch(r"[a-z0-9]{1,16}", word):
        raise ValueError("is not an extension (letters and digits, no dot)")
    return word


def _zone(text: object) -> str:
    name = _bounded(text)
    try:
        zone(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError("is neither an IANA zone nor +hh:mm") from error
    return name


ZONES_KEPT = 64
"""Zones kept ready: a card has one or two, and a hostile one may name others."""


@lru_cache(ZONES_KEPT)
def zone(name: str) -> tzinfo:
    """The zone called ``name``: an IANA name or ``+hh:mm``. ``ValueError`` or ``KeyError`` where there is none."""
    fixed = re.fullmatch(r"([+-])(\d{2}):([0-5]\d)", name)
    if not fixed:
        return ZoneInfo(name)
    minutes = int(fixed[2]) * 60 + int(fixed[3])
    return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))


UDEV_VALUES_MAX = 50
"""Values one condition on udev may have: a list of a maker's models, and not of everything there is."""

_UDEV_NAME = re.compile(r"ID_[A-Z0-9_]{1,60}")


def _udev_name(text: object) -> str:
    """What udev calls it; ``@`` before it means the USB devices it hangs on, of which only a few names are kept."""
    name = _bounded(text)
    if name.startswith("@"):
        if name[1:] not in ABOVE:
            raise ValueError(f"is not kept of what a device hangs on; that is {', '.join(ABOVE)}")
    elif name != "SUBSYSTEM" and not _UDEV_NAME.fullmatch(name):
        raise ValueError("is no property that is kept of a device; those begin with ID_")
    return name


def _udev_values(value: object) -> tuple[Pattern, ...]:
    """One value or a list of them: globs over the whole of what udev says, or ``re:`` and a regex."""
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= UDEV_VALUES_MAX:
        raise ValueError(f"must have 1 to {UDEV_VALUES_MAX} values")
    return tuple(map(_path_pattern, values))


SET_FILE_MAX = 64
"""Bytes of a file that sets a clock: what the station can have written to a card."""

_SET_FILE = re.compile(r"[A-Za-z0-9_]{1,8}(\.[A-Za-z0-9]{1,3})?")
_PARTS_OF_A_TIME = ("%Y", "%m", "%d", "%H", "%M", "%S")


def _set_file(text: object) -> str:
    """A name at the top of the card, in the form that every FAT keeps: then one entry is new, and nothing else."""
    name = _bounded(text)
    if not _SET_FILE.fullmatch(name):
        raise ValueError("is no plain name of a file (at most eight and three letters, digits or _), and no path")
    return name


def _set_format(text: object) -> str:
    """Plain text in which each part of a time stands once, as strftime names it."""
    form = _bounded(text)
    rest = form
    for part in _PARTS_OF_A_TIME:
        if form.count(part) != 1:
            raise ValueError(f"must hold {' '.join(_PARTS_OF_A_TIME)}, each once")
        rest = rest.replace(part, "")
    if "%" in rest:
        raise ValueError(f"may hold nothing with % but {' '.join(_PARTS_OF_A_TIME)}")
    if not all(" " <= char < "\x7f" or char in "\r\n" for char in rest):
        raise ValueError("may hold plain ASCII and ends of lines only")
    if len(form) + len("2000") - len("%Y") > SET_FILE_MAX:
        raise ValueError(f"makes more than {SET_FILE_MAX} bytes")
    return form


Regex = Annotated[Pattern, BeforeValidator(_regex)]
PathPattern = Annotated[Pattern, BeforeValidator(_path_pattern)]
NamePattern = Annotated[Pattern, BeforeValidator(_naming)]
Group = Annotated[str, BeforeValidator(_group)]
SetFile = Annotated[str, BeforeValidator(_set_file)]
SetFormat = Annotated[str, BeforeValidator(_set_format)]
Text = Annotated[str, BeforeValidator(_bounded)]
Extension = Annotated[str, BeforeValidator(_extension)]
Zone = Annotated[str, BeforeValidator(_zone)]
UdevName = Annotated[str, BeforeValidator(_udev_name)]
UdevValues = Annotated[tuple[Pattern, ...], BeforeValidator(_udev_values)]


class Strict(BaseModel):
    """A table of a quirk file: what is not known in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
