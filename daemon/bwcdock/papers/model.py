"""A printable paper as plain values: what it says, before anything knows how it will look."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A label and what stands beside it; without a ``value`` a line to write on. ``note`` is small print below it."""

    label: str
    value: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A block of labelled fields."""

    title: str = ""
    rows: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a table with small print below what it says."""

    text: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under heads, which are repeated on every page. ``widths`` are relative, one a column."""

    title: str = ""
    heads: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        if {len(self.heads), *map(len, self.rows)} != {len(self.widths)} or min(self.widths, default=0) < 1:
            raise ValueError("A table needs a head, a width and a cell for every column.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Free text; a line end in it stays one. Without ``text``, ``lines`` empty lines to write on."""

    title: str = ""
    text: str = ""
    lines: int = 0


Block = Fields | Table | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a paper serves: the regulation's title, the article, and its exact words."""

    regulation: str
    article: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a paper rests on: entries of the ledger ``origin`` by number, and the signed head over them.

    ``head_size`` is 0 and ``head_root`` (hex) empty where no head is signed yet. Entries from ``head_size`` on are not
    under it. ``rules`` are the articles the paper serves.
    """

    origin: str
    entries: tuple[int, ...]
    head_size: int = 0
    head_root: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One paper. ``made_at`` is aware, in the station's zone; ``signatures`` are those who sign it, by their role."""

    title: str
    number: str
    unit: str
    station: str
    made_at: datetime
    blocks: tuple[Block, ...]
    signatures: tuple[str, ...] = ()
    proof: Proof

    def __post_init__(self) -> None:
        if self.made_at.utcoffset() is None:
            raise ValueError("A paper is made at a moment with a zone.")

    @property
    def made(self) -> str:
        """When it was made, as papers write it."""
        return f"{self.made_at:%Y-%m-%d %H:%M:%S %Z}"
