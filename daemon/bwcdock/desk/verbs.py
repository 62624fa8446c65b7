"""What can be asked over the line beside acts, and what is answered: one JSON object each way."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from bwcdock.desk.acts import MOST_WORDS, Id, Records, Text

MOST_COPIES = 999
"""More discs of one package than this is a slip of the pen."""


class Asked(BaseModel):
    """The root of what is asked; ``name`` and ``role`` are of the person who acts, where one does."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    verb: ClassVar[str] = ""


class Hello(Asked):
    """Ask whether a station is at work here."""

    verb = "hello"


class View(Asked):
    """Show one recording to ``who``, under a granted request."""

    verb = "view"
    name: Id
    role: Id
    request: Id
    record: Id
    who: Id


class Export(Asked):
    """Make a package of recordings, under a granted request."""

    verb = "export"
    name: Id
    role: Id
    request: Id
    records: Records = Field(min_length=1)
    copies: int = Field(1, ge=1, le=MOST_COPIES)
    fields: Annotated[dict[Id, Text], Field(max_length=MOST_WORDS)] = {}


class Fetch(Asked):
    """Give me a package that was made, by the entry of the ledger that is its line in the register."""

    verb = "fetch"
    name: Id
    role: Id
    export: int = Field(ge=0)


VERBS: Mapping[str, type[Asked]] = {asked.verb: asked for asked in (Hello, View, Export, Fetch)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A station is at work: its name, the version of its program, its process."""

    station: str
    version: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """A recording that may be shown now: ``entry`` is the register's line, ``place`` who gave the bytes.

    ``kind`` is that of the item (video, audio, photo, other), ``extension`` the lower-case end of its name or empty.
    """

    record: str
    entry: int
    size: int
    sha256: str
    kind: str
    extension: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A package that was made. ``export`` names it: the entry that is its line in the register.

    The rest is as in :class:`bwcdock.papers.export.package.Made`; ``size`` is that of the package's files together.
    """

    export: int
    files: int
    size: int
    digest: str
    disc: str
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A package that may be had: its image of ``size`` bytes."""

    export: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an export is; ``export`` is ``None`` until its line stands in the register."""

    done: int
    of: int
    export: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An answer with the file it is about, open for reading; whoever has it closes it."""

    answer: Viewed | Fetched
    file: FileIO
