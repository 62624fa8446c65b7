"""Reads the settings file; every complaint says file, line, what is wrong and what to do."""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bwcdock import resources
from bwcdock.core.facts import SPOOL
from bwcdock.errors import Misused
from bwcdock.settings import Drop, FolderSink, Secret, Settings
from bwcdock.settings.sinks import KINDS
from bwcdock.toml_lines import Loc, line_of, lines_of

__all__ = [
    "SETTINGS_NAME", "STATION_ENV", "Drop", "FolderSink", "Problem", "Secret", "Settings",
    "blame", "check", "find_station", "load", "render_template",
]  # fmt: skip

STATION_ENV = "BWCDOCK_STATION"
SETTINGS_NAME = "bwcdock.toml"
_FILE_BYTES = 1 << 20  # a hundred times the shipped file; whatever is longer is not a settings file


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a settings file. ``line`` counts from 1; ``None`` where the file as a whole is meant."""

    file: Path
    line: int | None
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what} {self.remedy}"

    @property
    def place(self) -> str:
        """``file:line``, as editors understand it."""
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"


def find_station(given: Path | None, environ: Mapping[str, str]) -> Path:
    """The station's directory: what -C gave, else ``$BWCDOCK_STATION``, else ``/etc/bwcdock``. Not looked at yet."""
    return given or Path(environ.get(STATION_ENV) or "/etc/bwcdock")


def load(path: Path) -> Settings:
    """The settings in ``path``, a file or a station's directory; :class:`~bwcdock.errors.Misused` on any problem."""
    found, problems = _examine(path)
    if found is None or problems:
        first = problems[0]
        if len(problems) == 1:
            raise Misused("read the settings", f"{first.place}: {first.what}", first.remedy)
        told = "".join(f"\n  {problem}" for problem in problems)
        raise Misused("read the settings", f"{len(problems)} things are wrong:{told}\n", "Mend them and start again.")
    return found


def check(path: Path) -> list[Problem]:
    """Everything that is wrong with the settings in ``path``, in the order of its lines; empty when nothing is."""
    return _examine(path)[1]


def blame(path: Path, loc: Loc, what: str, remedy: str) -> Problem:
    """What is wrong with that to which the setting ``loc`` leads, at its line in ``path``, which has been read."""
    path = path / SETTINGS_NAME if path.is_dir() else path
    line = line_of(loc, lines_of(path.read_text(encoding="utf-8")))
    return Problem(file=path, line=line, what=f"{_label(loc)}: {what}", remedy=remedy)


def render_template(name: str, unit: str, rules: str) -> str:
    """The shipped settings with the station's name, unit (执法单位) and rule pack filled in: a file that loads.

    Raises :class:`~bwcdock.errors.Misused` when one of the three is not allowed there.
    """
    text = (resources.config_dir() / resources.TEMPLATE).read_text(encoding="utf-8")
    for setting, value in (("name", name), ("unit", unit), ("rules", rules)):
        # The first line of that name is the one in [station], the first table.
        told = f"{setting} = {_quoted(value)}".replace("\\", r"\\")
        text = re.sub(rf"(?m)^{setting} = .*$", told, text, count=1)
    if problems := _judge(Path(SETTINGS_NAME), text, Path("/"))[1]:
        raise Misused("write the settings", problems[0].what, problems[0].remedy)
    return text


# ---------------------------------------------------------------------------------------------------------------------


def _examine(path: Path) -> tuple[Settings | None, list[Problem]]:
    path = path / SETTINGS_NAME if path.is_dir() else path
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait for somebody to write
            return None, [_whole(path, "It is not a file.", "Name a settings file, or a station's directory.")]
        with path.open("rb") as stream:
            raw = stream.read(_FILE_BYTES + 1)
    except FileNotFoundError:
        return None, [
            _whole(path, "There is no such file.", "Make a station with `bwcdock init`, or name one with -C.")
        ]
    except OSError as error:
        return None, [_whole(path, f"{error.strerror}.", "Make the file readable for the user the station runs as.")]
    if len(raw) > _FILE_BYTES:
        return None, [_whole(path, "It is longer than 1 MiB.", "This is not a settings file.")]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return None, [Problem(file=path, line=line, what="This is not UTF-8 text.", remedy="Save the file as UTF-8.")]
    return _judge(path, text, Path(os.path.abspath(path)).parent)


def _judge(path: Path, text: str, base: Path) -> tuple[Settings | None, list[Problem]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        what = f"This is not TOML: {found[1] if found else error}."
        return None, [Problem(file=path, line=line, what=what, remedy="Text needs quotes; see https://toml.io.")]
    lines = lines_of(text)

    def problem(loc: Loc, what: str, remedy: str) -> Problem:
        return Problem(file=path, line=line_of(loc, lines), what=f"{_label(loc)} {what}", remedy=remedy)

    try:
        settings = Settings.model_validate(data, context={"base": base})
    except ValidationError as errors:
        problems = [problem(_place(e), *_say(e)) for e in errors.errors(include_url=False)]
        return None, sorted(problems, key=lambda p: p.line or 0)
    return settings, sorted((problem(*told) for told in _together(settings)), key=lambda p: p.line or 0)


def _place(error: ErrorDetails) -> Loc:
    """Where it is in the file: without the word that says which kind of sink was judged."""
    loc = error["loc"]
    if error["type"] == "union_tag_invalid":
        return (*loc, "kind")
    return (*loc[:2], *loc[3:]) if loc[0] == "sink" and len(loc) > 2 and loc[2] in KINDS else loc


def _whole(path: Path, what: str, remedy: str) -> Problem:
    return Problem(file=path, line=None, what=what, remedy=remedy)


def _label(loc: Loc) -> str:
    """``("drop", 1, "path")`` as ``[[drop]] 2 path``."""
    table, *rest = loc
    if len(loc) == 1:
        return f"[{table}]"
    head = f"[[{table}]]" if isinstance(rest[0], int) else f"[{table}]"
    return " ".join([head, *(str(part + 1) if isinstance(part, int) else part for part in rest)])


_EXPECTED = {
    "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "string_type": "text in quotes", "bool_type": "true or false", "path_type": "a path in quotes",
    "tuple_type": "a list", "model_type": "a table",
}  # fmt: skip
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a fraction",
    str: "text",
    list: "a list",
    dict: "a table",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"), "less_than_equal": ("le", "at most"),
}  # fmt: skip


def _say(error: ErrorDetails) -> tuple[str, str]:
    """What pydantic found, as a sentence without its subject, and the remedy. An unknown key's value is never shown."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "told":
        return context["what"], context["remedy"]
    if kind == "extra_forbidden":
        return "is not a setting.", _meant(error["loc"])
    if kind == "union_tag_invalid":
        return f"is {_shown(context['tag'])}.", f"Write {' or '.join(KINDS)}."
    if kind == "missing":
        return "is missing.", "Add it."
    if kind in _EXPECTED:
        remedy = f"Write {_EXPECTED[kind]}."
        if kind == "model_type" and isinstance(value, list):
            remedy = f"Write [{error['loc'][-1]}] in single brackets, once."
        elif kind == "tuple_type" and isinstance(value, dict):
            remedy = f"Write [[{error['loc'][-1]}]] in double brackets."
        return f"must be {_EXPECTED[kind]}, not {_KINDS.get(type(value), 'a date or time')}.", remedy
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = context[key]
        return f"is {value}.", f"It must be {words} {int(bound) if bound == int(bound) else bound}."
    if kind == "literal_error":
        return f"is {_shown(value)}.", f"Write {context['expected']}."
    if kind == "string_pattern_mismatch":
        return f"is {_shown(value)}.", f"Allowed are letters, digits and hyphens as in {context['pattern']}."
    return f"cannot be used: {error['msg']}.", "Correct it; bwcdock.toml as shipped shows how it is written."


def _shown(value: object) -> str:
    return f'"{value[:40]}"' if isinstance(value, str) else str(value)[:40]


def _meant(loc: Loc) -> str:
    """What the writer of an unknown key probably meant."""
    *tables, wrong = [str(part) for part in loc if isinstance(part, str)]
    known = _fields(Settings) if not tables else _fields(KINDS.get(tables[-1]) or _tables()[tables[0]])
    if close := difflib.get_close_matches(wrong, known, n=1, cutoff=0.6):
        return f'Did you mean "{close[0]}"?'
    if homes := [name for name, model in _tables().items() if wrong in _fields(model)]:
        return f"It belongs in [{homes[0]}]."
    return f"Known here: {', '.join(known)}."


def _fields(model: type[BaseModel]) -> list[str]:
    return list(model.model_fields)


def _tables() -> dict[str, type[BaseModel]]:
    """Each table's model; for an array of tables, that of its elements (of a sink, that of the first kind)."""
    kinds: dict[str, Any] = {name: field.annotation for name, field in Settings.model_fields.items() if name != "sink"}
    found = {name: kind if isinstance(kind, type) else kind.__args__[0] for name, kind in kinds.items()}
    return found | {"sink": KINDS["filesystem"]}


def _together(settings: Settings) -> Iterator[tuple[Loc, str, str]]:
    """What is wrong with values that are right each by itself."""
    checks = settings.checks
    if checks.drift_warn_s < checks.drift_note_s:
        yield ("checks", "drift_warn_s"), "is less than drift_note_s.", "A warning comes after the note."
    if settings.push.backoff_max_s < settings.push.backoff_first_s:
        yield ("push", "backoff_max_s"), "is less than backoff_first_s.", "Make it at least as long."
    taken: dict[object, str] = {SPOOL: "the spool"}
    for at, sink in enumerate(settings.sink):
        if sink.name in taken:
            yield ("sink", at, "name"), f'"{sink.name}" is taken by {taken[sink.name]}.', "Choose another name."
        taken[sink.name] = f"[[sink]] {at + 1}"
        chosen = settings.push_to(sink.name)
        if (
            chosen.backoff_max_s < chosen.backoff_first_s
            and settings.push.backoff_max_s >= settings.push.backoff_first_s
        ):
            mine = "backoff_first_s" if sink.backoff_max_s is None else "backoff_max_s"
            what = (
                f"leads to a longest wait of {chosen.backoff_max_s:g} s after a first of {chosen.backoff_first_s:g} s."
            )
            yield ("sink", at, mine), what, "Set both, the longest at least as long."
    slots: dict[int, int] = {}
    for at, drop in enumerate(settings.drop):
        if drop.slot is not None and slots.setdefault(drop.slot, at) != at:
            yield (
                ("drop", at, "slot"),
                f"is that of [[drop]] {slots[drop.slot] + 1} too.",
                "Give each drop its own slot.",
            )
    yield from _apart(settings)


def _apart(settings: Settings) -> Iterator[tuple[Loc, str, str]]:
    """Folders that must not lie in one another: a spool inside a drop folder would be pulled into itself."""
    paths = settings.paths
    places: list[tuple[Loc, Path]] = [
        (("paths", name), getattr(paths, name)) for name in ("ledger", "spool", "keys", "run", "web")
    ]
    places.append((("papers", "exports"), settings.papers.exports))
    sinks = enumerate(settings.sink)
    places += [(("sink", at, "path"), sink.path) for at, sink in sinks if isinstance(sink, FolderSink)]
    places += [(("drop", at, "path"), drop.path) for at, drop in enumerate(settings.drop)]
    for at, (loc, path) in enumerate(places):
        for other_loc, other in places[:at]:
            if path == other or path in other.parents or other in path.parents:
                yield loc, f"and {_label(other_loc)} lie in one another.", "Give each a folder of its own."
                break


def _quoted(text: str) -> str:
    """A TOML basic string."""
    plain = text.replace("\\", r"\\").replace('"', r"\"")
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", plain) + '"'
