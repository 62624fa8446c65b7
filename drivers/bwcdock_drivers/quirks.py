"""What differs between recorders only by data: quirk files, read strictly and chosen by how closely they match.

A quirk file is TOML. `DRIVERS.md` lists every key; :class:`Quirk` is the same list with its types. An unknown key, a
pattern that does not compile or could run away, and a zone nobody knows are errors that name the file and the key: a
quirk that is silently ignored costs evidence.
"""

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from bwcdock.core.facts import Kind
from bwcdock.errors import Misused
from pydantic import Field, ValidationError, model_validator

from .matching import Looks, Match
from .patterns import GROUPS as GROUPS  # noqa: PLC0414 - what a naming pattern may name is part of what a quirk is
from .patterns import Extension, Group, NamePattern, PathPattern, Regex, SetFile, SetFormat, Strict, Text, Zone
from .patterns import zone as zone  # noqa: PLC0414

Basis = Literal["name-group", "label", "volume-serial"]
Attribute = Literal["read-only", "hidden", "system"]


class Naming(Strict):
    """Patterns searched in the whole relative path, in order; the first that fits speaks."""

    patterns: tuple[NamePattern, ...] = ()


class IdentityRule(Strict):
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


class Skip(Strict):
    """What is not an item: paths by glob, and whole folders by name, where only recordings are items (``stray``)."""

    folders: tuple[str, ...] = ()
    globs: tuple[PathPattern, ...] = ()


class MarkerRule(Strict):
    """What gives a marker: any one of these."""

    folders: tuple[str, ...] = ()
    names: tuple[Regex, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    flags: tuple[str, ...] = ()


class Sidecar(Strict):
    """Extensions of files that belong to another, and the pattern whose groups, joined, pair them (default: stem)."""

    extensions: tuple[Extension, ...] = ()
    key: Regex | None = None


class ClockRule(Strict):
    """A file the firmware writes at every plug-in, one by which it sets its clock, and the zone that is set to."""

    plug_file: PathPattern | None = None
    zone: Zone = "Asia/Shanghai"
    set_file: SetFile | None = None
    set_format: SetFormat | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> "ClockRule":
        if (self.set_file is None) != (self.set_format is None):
            raise ValueError("set_file and set_format belong together")
        return self


class Example(Strict):
    """A path as it lies on such a recorder, and what the naming patterns read of it, by group: for the linter."""

    path: Text
    reads: dict[Group, Text] = Field(default_factory=dict)


class Quirk(Strict):
    """One quirk file. ``about`` says where its facts come from; ``name`` is the file's stem."""

    name: str = ""
    about: str = Field(min_length=1, max_length=500)
    match: Match = Match()
    naming: Naming = Naming()
    identity: IdentityRule = IdentityRule()
    skip: Skip = Skip()
    markers: dict[str, MarkerRule] = Field(default_factory=dict)
    sidecar: Sidecar = Sidecar()
    clock: ClockRule = ClockRule()
    kinds: dict[Extension, Kind] = Field(default_factory=dict)
    example: tuple[Example, ...] = ()


DEFAULT = "default"
"""The quirk that always matches; what another quirk does not say, it says."""


def _problems(error: ValidationError) -> list[str]:
    out = []
    for e in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(p) for p in e["loc"]) or "the file"
        what = "is unknown" if e["type"] == "extra_forbidden" else e["msg"].removeprefix("Value error, ")
        out.append(f"{key}: {what}")
    return out


def read(path: Path) -> tuple[Quirk | None, list[str]]:
    """The quirk in the file ``path``, or what keeps it from being one, one sentence each beginning with the key."""
    if not path.name.isprintable():
        return None, ["the file has a name that cannot be written down"]
    try:
        data: dict[str, Any] = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        return None, [f"cannot be read ({error.strerror})"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return None, [f"the file is not TOML ({error})"]
    if "name" in data:
        return None, ["name: is unknown; the name of a quirk is the name of its file"]
    try:
        quirk = Quirk.model_validate(data | {"name": path.stem})
    except ValidationError as error:
        return None, _problems(error)
    if quirk.match.count == len(quirk.match.without) and quirk.name != DEFAULT:
        return None, ["match: needs at least one condition beside without; only default.toml may match everything"]
    return quirk, []


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


PACKAGE = Path(str(resources.files("bwcdock_drivers"))) / "quirks"
"""The quirks that come with the program."""


class Quirks:
    """All quirk files: those of the package, and those of drop-in directories, which win over equal names and ties."""

    def __init__(self, directories: Iterable[Path] = ()) -> None:
        found: dict[str, tuple[int, Quirk]] = {}
        for rank, directory in enumerate([PACKAGE, *directories]):
            if not directory.is_dir():
                raise Misused("quirks", f"{directory} is not a directory.", "Correct the quirk directory or drop it.")
            for path in sorted(directory.glob("*.toml")):
                quirk, problems = read(path)
                if quirk is None:
                    raise Misused("quirks", f"{path}: {problems[0]}.", "Correct the key or remove the file.")
                found[quirk.name] = (rank, quirk)
        base = found[DEFAULT][1]
        ranked = sorted(found.values(), key=lambda rq: (*(-n for n in rq[1].match.closeness), -rq[0], rq[1].name))
        self._ranked = tuple((rank, q if q is base else _over(q, base)) for rank, q in ranked)

    @classmethod
    def only(cls, quirk: Quirk) -> "Quirks":
        """One quirk over the shipped default, chosen whatever is docked: to see what it would read."""
        made = cls()
        base = next(q for q in made.all if q.name == DEFAULT)
        given = quirk if quirk.name == DEFAULT else _over(quirk, base)
        made._ranked = ((0, given.model_copy(update={"match": Match()})),)
        return made

    @property
    def all(self) -> tuple[Quirk, ...]:
        """Every quirk, in the order in which they are asked whether they fit."""
        return tuple(quirk for _, quirk in self._ranked)

    def choose(self, looks: Looks) -> Quirk:
        """The closest quirk that fits; of equally close ones a drop-in, then by name. The default always fits."""
        return self.fitting(looks)[0]

    def fitting(self, looks: Looks) -> tuple[Quirk, ...]:
        """The quirk that is chosen, and those of the same place that fit as closely: only their names decided."""
        fits = ((rank, quirk) for rank, quirk in self._ranked if quirk.match.holds(looks))
        rank, chosen = next(fits)
        tied = [q for r, q in fits if r == rank and q.match.closeness == chosen.match.closeness]
        return chosen, *tied
