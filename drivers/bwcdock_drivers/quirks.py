"""What differs between recorders only by data: quirk files, read strictly and chosen by how closely they match.

A quirk file is TOML. `DRIVERS.md` lists every key; :class:`Quirk` is the same list with its types. An unknown key, a
pattern that does not compile or could run away, and a zone nobody knows are errors that name the file and the key: a
quirk that is silently ignored costs evidence.
"""

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Sequence
from datetime import timedelta, timezone, tzinfo
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from bwcdock.core.facts import Kind
from bwcdock.errors import Misused
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

PATTERN_MAX = 400
"""The longest pattern of a quirk, in characters: twice the longest one shipped; a longer one cannot be reviewed."""

GROUPS = frozenset({"device", "officer", "date", "time", "start", "end", "seq", "series", "flag", "activity", "model"})
"""What a naming pattern may name."""

# A repeated group that itself repeats, such as (a+)+: on a hostile name it tries every way of cutting the text.
_RUNAWAY = re.compile(r"[*+}]\)(?:[*+]|\{\d+,)")

FileSystem = Literal["fat12", "fat16", "fat32", "exfat", "ntfs", "ext", "folder", "mtp"]
Basis = Literal["name-group", "label", "volume-serial"]
Attribute = Literal["read-only", "hidden", "system"]


def _bounded(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError("must be text")
    if len(text) > PATTERN_MAX:
        raise ValueError(f"is longer than {PATTERN_MAX} characters")
    return text


def _regex(text: object) -> re.Pattern[str]:
    pattern = _bounded(text)
    if _RUNAWAY.search(pattern):
        raise ValueError("repeats a repetition and could run away on a hostile name")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error


def _path_pattern(text: object) -> re.Pattern[str]:
    """A glob over the whole relative path (``*`` crosses folders, case does not matter), or ``re:`` and a regex."""
    pattern = _bounded(text)
    if pattern.startswith("re:"):
        return _regex(pattern[3:])
    return re.compile(fnmatch.translate(pattern), re.IGNORECASE)


def _naming(text: object) -> re.Pattern[str]:
    pattern = _regex(text)
    unknown = sorted(set(pattern.groupindex) - GROUPS)
    if unknown:
        raise ValueError(f"names the group {unknown[0]}; it may name {', '.join(sorted(GROUPS))}")
    return pattern


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


Regex = Annotated[re.Pattern[str], BeforeValidator(_regex)]
PathPattern = Annotated[re.Pattern[str], BeforeValidator(_path_pattern)]
NamePattern = Annotated[re.Pattern[str], BeforeValidator(_naming)]
Extension = Annotated[str, BeforeValidator(_extension)]
Zone = Annotated[str, BeforeValidator(_zone)]


def zone(name: str) -> tzinfo:
    """The zone called ``name``: an IANA name or ``+hh:mm``. ``ValueError`` or ``KeyError`` where there is none."""
    fixed = re.fullmatch(r"([+-])(\d{2}):([0-5]\d)", name)
    if not fixed:
        return ZoneInfo(name)
    minutes = int(fixed[2]) * 60 + int(fixed[3])
    return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Match(_Strict):
    """When a quirk applies: every condition given must hold; the more there are, the closer the match."""

    label: Regex | None = None
    filesystem: tuple[FileSystem, ...] = ()
    paths: tuple[PathPattern, ...] = ()
    inquiry: Regex | None = None
    """Searched in the SCSI vendor and product of the sighting, lower case, without blanks and underscores."""

    @property
    def weight(self) -> int:
        """How many conditions there are."""
        return len(self.paths) + sum(bool(c) for c in (self.label, self.filesystem, self.inquiry))

    def holds(self, *, label: str, filesystem: str, inquiry: str, paths: Sequence[str]) -> bool:
        """Whether all conditions hold for this card."""
        if self.label and not self.label.search(label):
            return False
        if self.filesystem and filesystem not in self.filesystem:
            return False
        if self.inquiry and not self.inquiry.search(inquiry):
            return False
        return all(any(p.search(path) for path in paths) for p in self.paths)


class Naming(_Strict):
    """Patterns searched in the whole relative path, in order; the first that fits speaks."""

    patterns: tuple[NamePattern, ...] = ()


class IdentityRule(_Strict):
    """Where the serial comes from, tried in order, and what is known of the maker."""

    serial: tuple[Basis, ...] = ("name-group", "label", "volume-serial")
    label: Regex | None = None
    vendor: str = Field(default="", max_length=64)
    model: str = Field(default="", max_length=64)

    @model_validator(mode="after")
    def _label_has_device(self) -> "IdentityRule":
        if self.label and "device" not in self.label.groupindex:
            raise ValueError("the label pattern must name the group device")
        return self


class Skip(_Strict):
    """What is not an item: paths by glob, and whole folders by name, where only recordings are items (``stray``)."""

    folders: tuple[str, ...] = ()
    globs: tuple[PathPattern, ...] = ()


class MarkerRule(_Strict):
    """What gives a marker: any one of these."""

    folders: tuple[str, ...] = ()
    names: tuple[Regex, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    flags: tuple[str, ...] = ()


class Sidecar(_Strict):
    """Extensions of files that belong to another, and the pattern whose groups, joined, pair them (default: stem)."""

    extensions: tuple[Extension, ...] = ()
    key: Regex | None = None


class ClockRule(_Strict):
    """A file the firmware writes at every plug-in, and the zone the recorder's clock is set to."""

    plug_file: PathPattern | None = None
    zone: Zone = "Asia/Shanghai"


class Quirk(_Strict):
    """One quirk file. ``about`` says where its facts come from; ``name`` is the file's stem."""

    name: str = ""
    about: str = Field(min_length=1, max_length=500)
    match: Match = Match()
    naming: Naming = Naming()
    identity: IdentityRule = IdentityRule()
    skip: Skip = Skip()
    markers: dict[str, MarkerRule] = {}
    sidecar: Sidecar = Sidecar()
    clock: ClockRule = ClockRule()
    kinds: dict[Extension, Kind] = {}


DEFAULT = "default"
"""The quirk that always matches; what another quirk does not say, it says."""


def _problems(error: ValidationError) -> list[str]:
    out = []
    for e in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(p) for p in e["loc"]) or "the file"
        what = "is unknown" if e["type"] == "extra_forbidden" else e["msg"].removeprefix("Value error, ")
        out.append(f"{key}: {what}")
    return out


def _read(path: Path, raw: bytes) -> tuple[Quirk | None, list[str]]:
    try:
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return None, [f"the file is not TOML ({error})"]
    if "name" in data:
        return None, ["name: is unknown; the name of a quirk is the name of its file"]
    try:
        quirk = Quirk.model_validate(data | {"name": path.stem})
    except ValidationError as error:
        return None, _problems(error)
    if not quirk.match.weight and quirk.name != DEFAULT:
        return None, ["match: needs at least one condition; only default.toml may match everything"]
    return quirk, []


def lint(path: Path) -> list[str]:
    """What is wrong with the quirk file ``path``, one sentence each, naming file and key; empty when nothing is."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        return [f"{path.name}: cannot be read ({error.strerror})"]
    return [f"{path.name}: {problem}" for problem in _read(path, raw)[1]]


def _over(quirk: Quirk, base: Quirk) -> Quirk:
    """``quirk`` with what it does not say taken from ``base``; lists of skips, markers and kinds add up."""
    own, skip, sidecar, clock = quirk.naming, quirk.skip, quirk.sidecar, quirk.clock
    update: dict[str, object] = {
        "naming": own.model_copy(update={"patterns": own.patterns + base.naming.patterns}),
        "skip": skip.model_copy(
            update={"folders": skip.folders + base.skip.folders, "globs": skip.globs + base.skip.globs}
        ),
        "markers": base.markers | quirk.markers,
        "sidecar": sidecar.model_copy(
            update={
                "extensions": sidecar.extensions + base.sidecar.extensions,
                "key": sidecar.key or base.sidecar.key,
            }
        ),
        "clock": clock.model_copy(
            update={
                "plug_file": clock.plug_file or base.clock.plug_file,
                "zone": clock.zone if "zone" in clock.model_fields_set else base.clock.zone,
            }
        ),
        "kinds": base.kinds | quirk.kinds,
    }
    return quirk.model_copy(update=update)


class Quirks:
    """All quirk files: those of the package, and those of drop-in directories, which win over equal names and ties."""

    def __init__(self, directories: Iterable[Path] = ()) -> None:
        found: dict[str, tuple[int, Quirk]] = {}
        package = Path(str(resources.files("bwcdock_drivers"))) / "quirks"
        for rank, directory in enumerate([package, *directories]):
            if not directory.is_dir():
                raise Misused("quirks", f"{directory} is not a directory.", "Correct the quirk directory or drop it.")
            for path in sorted(directory.glob("*.toml")):
                quirk, problems = _read(path, path.read_bytes())
                if quirk is None:
                    raise Misused("quirks", f"{path}: {problems[0]}.", "Correct the key or remove the file.")
                found[quirk.name] = (-rank, quirk)
        base = found[DEFAULT][1]
        ranked = sorted(found.values(), key=lambda rq: (-rq[1].match.weight, rq[0], rq[1].name))
        self.all: tuple[Quirk, ...] = tuple(q if q is base else _over(q, base) for _, q in ranked)

    def choose(self, *, label: str, filesystem: str, inquiry: str, paths: Sequence[str]) -> Quirk:
        """The closest quirk: most conditions first, then drop-ins, then by name; the default always matches."""
        for quirk in self.all:
            if quirk.match.holds(label=label, filesystem=filesystem, inquiry=inquiry, paths=paths):
                return quirk
        raise AssertionError("the default quirk always matches")
