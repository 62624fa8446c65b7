"""The tables of a catalogue, the same in PostgreSQL and SQLite.

``sighting`` and ``copy`` hold what stations say, ``recording`` what follows from it: the columns by which recordings
are looked for, and nothing that cannot be made again from the sightings. Times are whole milliseconds since 1970 UTC,
as in the ledger.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)


class Grams(TypeDecorator[list[str]]):
    """What a recording is found by: an array in PostgreSQL, which GIN indexes; words of a text in SQLite, for FTS5.

    FTS5 parts texts at everything that is no letter or digit, so each is written there as hexadecimal digits.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """An array where there are arrays."""
        return dialect.type_descriptor(postgresql.ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None or dialect.name == "postgresql":
            return value
        return " ".join(map(spelt, value))

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:
        """From the database."""
        if value is None or dialect.name == "postgresql":
            return None if value is None else list(value)
        return [bytes.fromhex(word).decode() for word in value.split()]


def spelt(gram: str) -> str:
    """A gram as FTS5 takes it for one word."""
    return gram.encode().hex()


_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the column is its own INTEGER PRIMARY KEY."""


def _ms(name: str) -> Column[int]:
    return Column(name, BigInteger)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


station = Table(
    "station",
    metadata,
    Column("origin", Text, nullable=False),
    _text("name"),
    _text("unit"),
    _text("public_key"),
    # The number of leaves of its ledger that are in the catalogue.
    Column("seq", BigInteger, nullable=False, server_default="0"),
    _ms("at_ms"),
    PrimaryKeyConstraint("origin"),
)

recording = Table(
    "recording",
    metadata,
    Column("number", _NUMBER, Identity(always=False), nullable=False),
    Column("id", Text, nullable=False),
    _text("recorder"),
    _text("unit"),
    _text("state"),
    _text("kind"),
    Column("recorded_ms", BigInteger, nullable=False),
    _ms("received_ms"),
    _ms("due_ms"),
    _ms("basis_ms"),
    _ms("met_ms"),
    Column("excused", Boolean, nullable=False),
    Column("is_held", Boolean, nullable=False),
    Column("is_disputed", Boolean, nullable=False),
    _text("parties"),
    _text("officers"),
    _text("place"),
    _text("event"),
    _text("words"),
    Column("grams", Grams, nullable=False),
    PrimaryKeyConstraint("number"),
    Index("recording_id_key", "id", unique=True),
    Index("recording_recorded", "recorded_ms", "id"),
    Index("recording_recorder", "recorder", "recorded_ms"),
    Index(
        "recording_owed",
        "due_ms",
        postgresql_where=text("due_ms IS NOT NULL AND met_ms IS NULL"),
        sqlite_where=text("due_ms IS NOT NULL AND met_ms IS NULL"),
    ),
    Index(
        "recording_late",
        "recorded_ms",
        "id",
        postgresql_where=text("due_ms <= met_ms"),
        sqlite_where=text("due_ms <= met_ms"),
    ),
    Index("recording_held", "recorded_ms", "id", postgresql_where=text("is_held"), sqlite_where=text("is_held")),
)

sighting = Table(
    "sighting",
    metadata,
    Column("record", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("known", Text),
    Column("said_source", SmallInteger, nullable=False),
    Column("said_seq", BigInteger, nullable=False),
    Column("said", Text),
    # The local day on which the station received it (empty before), and the sinks it owes it to, a blank between.
    _text("day"),
    _text("owed"),
    PrimaryKeyConstraint("record", "station"),
    Index("sighting_day", "station", "day"),
)

copy = Table(
    "copy",
    metadata,
    Column("record", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("sink", Text, nullable=False),
    _text("key"),
    _text("version"),
    _ms("confirmed_ms"),
    _ms("looked_ms"),
    Column("bad", Boolean, nullable=False),
    PrimaryKeyConstraint("record", "station", "sink"),
)

hold = Table(
    "hold",
    metadata,
    Column("station", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    _text("reason"),
    _text("placed_by"),
    _ms("since_ms"),
    Column("source", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "id"),
)

day_count = Table(
    "day_count",
    metadata,
    Column("station", Text, nullable=False),
    Column("sink", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("readable", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "sink", "day"),
)
