"""Sightings, copies and what follows from them; holds and daily counts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None

_IS_OWED = "due_ms IS NOT NULL AND met_ms IS NULL"


def upgrade() -> None:
    """Make the first tables."""
    is_shared = op.get_bind().dialect.name == "postgresql"
    _stations()
    _recordings(postgresql.ARRAY(sa.Text()) if is_shared else sa.Text())
    _sightings()
    _counts()
    if is_shared:
        op.create_index("recording_grams", "recording", ["grams"], postgresql_using="gin")
    else:
        _words()


def _ms(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger())


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _stations() -> None:
    op.create_table(
        "station",
        sa.Column("origin", sa.Text(), nullable=False),
        _text("name"),
        _text("unit"),
        _text("public_key"),
        sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"),
        _ms("at_ms"),
        sa.PrimaryKeyConstraint("origin", name="station_pk"),
    )


def _recordings(grams: Any) -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "recording",
        sa.Column("number", number, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        *(_text(name) for name in ("recorder", "unit", "state", "kind")),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        *(_ms(name) for name in ("received_ms", "due_ms", "basis_ms", "met_ms")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("excused", "is_held", "is_disputed")),
        *(_text(name) for name in ("parties", "officers", "place", "event", "words")),
        sa.Column("grams", grams, nullable=False),
        sa.PrimaryKeyConstraint("number", name="recording_pk"),
    )
    op.create_index("recording_id_key", "recording", ["id"], unique=True)
    op.create_index("recording_recorded", "recording", ["recorded_ms", "id"])
    op.create_index("recording_recorder", "recording", ["recorder", "recorded_ms"])
    for name, columns, where in (
        ("recording_owed", ["due_ms"], sa.text(_IS_OWED)),
        ("recording_late", ["recorded_ms", "id"], sa.text("due_ms <= met_ms")),
        ("recording_held", ["recorded_ms", "id"], sa.text("is_held")),
    ):
        op.create_index(name, "recording", columns, postgresql_where=where, sqlite_where=where)


def _sightings() -> None:
    op.create_table(
        "sighting",
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.Text()),
        sa.Column("said_source", sa.SmallInteger(), nullable=False),
        sa.Column("said_seq", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text()),
        _text("day"),
        _text("owed"),
        sa.PrimaryKeyConstraint("record", "station", name="sighting_pk"),
    )
    op.create_index("sighting_day", "sighting", ["station", "day"])
    op.create_table(
        "copy",
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        _text("key"),
        _text("version"),
        _ms("confirmed_ms"),
        _ms("looked_ms"),
        sa.Column("bad", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("record", "station", "sink", name="copy_pk"),
    )


def _counts() -> None:
    op.create_table(
        "hold",
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        _text("reason"),
        _text("placed_by"),
        _ms("since_ms"),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("station", "id", name="hold_pk"),
    )
    op.create_table(
        "day_count",
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("received", "stored", "readable")),
        sa.PrimaryKeyConstraint("station", "sink", "day", name="day_count_pk"),
    )


def _words() -> None:
    """SQLite's index of words. It takes what it indexes from the table itself, and is told of every change."""
    op.execute(
        "CREATE VIRTUAL TABLE gram USING fts5("
        "grams, content='recording', content_rowid='number', detail='none', tokenize='ascii')"
    )
    added = "INSERT INTO gram (rowid, grams) VALUES (new.number, new.grams)"
    gone = "INSERT INTO gram (gram, rowid, grams) VALUES ('delete', old.number, old.grams)"
    op.execute(f"CREATE TRIGGER gram_added AFTER INSERT ON recording BEGIN {added}; END")
    op.execute(f"CREATE TRIGGER gram_gone AFTER DELETE ON recording BEGIN {gone}; END")
    op.execute(f"CREATE TRIGGER gram_changed AFTER UPDATE OF grams ON recording BEGIN {gone}; {added}; END")
