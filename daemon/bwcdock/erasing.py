"""What the station and the erase helper say to each other: one signed request, then a line for every file.

A request erases files, or puts one small new file at the top of a card, by which a recorder sets its clock.

The request is a signed document (see :mod:`bwcdock.manifest`) on one line. Every answer is one JSON object on a line of
its own; the last is an :class:`End`. Names from a card are bytes and cross as hex digits.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, TypeAdapter

REQUEST_MAX = 1 << 20
"""Bytes of a request: some two thousand files, and never a way to fill the memory of a root process."""

ANSWER_MAX = 4096
"""Bytes of one answer."""

SOCKET_NAME = "erase.sock"
"""In the station's run directory; `bwcdock-erase.socket` listens there."""

STATION_USER = "bwcdock"
"""Whose requests are heard: the user the station runs as."""


def _component(text: str) -> str:
    raw = bytes.fromhex(text)
    if raw in {b".", b".."} or b"/" in raw or b"\0" in raw:
        raise ValueError("no name of a file")
    return text


Component = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,1024}$"), AfterValidator(_component)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Person = Annotated[str, Field(min_length=1, max_length=100)]
Sentence = Annotated[str, Field(max_length=1000)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, cache_strings="none")  # as papers


class Target(_Said):
    """A permit to erase one file: where it is on the card, and what it must be. ``ground`` is the permit's own."""

    record: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    path: Annotated[tuple[Component, ...], Field(min_length=1, max_length=64)]
    size: Annotated[int, Field(ge=0, lt=2**53)]
    sha256: Digest
    blake3: Digest
    ground: Annotated[str, Field(min_length=1, max_length=500)]

    @property
    def names(self) -> tuple[bytes, ...]:
        """The path from the root of the card, as raw names."""
        return tuple(bytes.fromhex(part) for part in self.path)


def _different(by: tuple[str, ...]) -> tuple[str, ...]:
    if len({" ".join(name.split()).casefold() for name in by} - {""}) != len(by):
        raise ValueError("the persons must be different ones")
    return by


Persons = Annotated[tuple[Person, ...], Field(min_length=2, max_length=5), AfterValidator(_different)]
"""At least two persons of different names (双人)."""


class Request(_Said):
    """Erase these files of the one file system on ``device``; with ``reformat`` make that anew, if they are all it has.

    ``slot`` and ``diskseq`` are what the station saw: another disk under the same name has another number.
    """

    v: Literal[1] = 1
    session: str
    device: Annotated[str, Field(pattern=r"^/dev/[a-z]{2,8}[a-z0-9]{0,8}$")]
    slot: Annotated[int, Field(ge=1)]
    diskseq: Annotated[int, Field(ge=1)]
    files: Annotated[tuple[Target, ...], Field(min_length=1, max_length=5000)]
    reformat: Persons | None = None


CLOCK_FILE_MAX = 64
"""Bytes of a file that sets a clock: the longest form that is known has 31."""

CLOCK_FRESH_S = 60
"""Seconds after which a file that sets a clock is not written any more: what it says was right when it was asked."""


def _clock_text(text: str) -> str:
    raw = bytes.fromhex(text)
    if not all(0x20 <= byte < 0x7F or byte in b"\r\n" for byte in raw):
        raise ValueError("no line of text")
    return text


class ClockFileRequest(_Said):
    """Put this one new file at the top of the one file system on ``device``, and change nothing else there.

    ``name`` is a plain short name of FAT. ``content`` is hex digits of plain text. ``asked_ms`` is ms since 1970 UTC.
    """

    v: Literal[1] = 1
    session: str
    device: Annotated[str, Field(pattern=r"^/dev/[a-z]{2,8}[a-z0-9]{0,8}$")]
    slot: Annotated[int, Field(ge=1)]
    diskseq: Annotated[int, Field(ge=1)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,8}(\.[A-Za-z0-9]{1,3})?$")]
    content: Annotated[str, Field(pattern=rf"^([0-9a-f]{{2}}){{8,{CLOCK_FILE_MAX}}}$"), AfterValidator(_clock_text)]
    asked_ms: Annotated[int, Field(ge=0, lt=2**43)]


class Asked(RootModel[Request | ClockFileRequest]):
    """Whatever may be asked of the helper; no text is both."""


class FileTold(_Said):
    """What became of file ``n`` of the request. ``reason`` and ``what`` say why it was kept."""

    n: Annotated[int, Field(ge=0)]
    outcome: Literal["erased", "kept"]
    reason: Annotated[str, Field(pattern=r"^[a-z-]{0,30}$")] = ""
    what: Sentence = ""


class End(_Said):
    """The last word. Only after ``done`` and ``stopped`` was the card synced and let go of as it should.

    ``done``: every file was told. ``stopped``: time was up; files that were not told are untouched. ``refused``:
    nothing was done at all. ``broken``: the card failed in the middle, and nobody knows what lasts. ``kind`` is the
    file system, where a new one was made. ``reason`` is ``there`` where a file was to be new and is not.
    """

    end: Literal["done", "stopped", "refused", "broken"]
    reason: Literal["", "there"] = ""
    what: Sentence = ""
    kind: str = ""


class Order(_Said):
    """An order to format a card anew, left for the station in its run directory. ``asked_ms`` is ms since 1970 UTC."""

    slot: Annotated[int, Field(ge=1)] | None = None
    recorder: Annotated[str, Field(max_length=200)] = ""
    by: Persons
    asked_ms: int


ORDER_NAME = "reformat.json"
"""Where an order lies."""

ORDER_S = 3600
"""Seconds after which an order is no longer followed: who gave it has gone, and another card may be in the slot."""

ANSWER: TypeAdapter[FileTold | End] = TypeAdapter(FileTold | End)
