"""Which form a catalogue's tables have, and how they come to have the newest one."""

import logging
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bwcdock.errors import Misused

logging.getLogger("alembic").setLevel(logging.WARNING)  # what it does by itself is no line of the journal each

LOCK = 0x62776364
"""Of PostgreSQL's advisory locks: one upgrade at a time, however many docks begin one."""


def upgrade(db: Connection) -> tuple[str, str]:
    """Give the catalogue the newest form; the form it had (empty: it is new) and the one it has now.

    All of it or nothing, in the caller's transaction. Refuses a catalogue that a newer program made.
    """
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    config = _config()
    before, newest = _form(db), _newest(config)
    _must_be_known(before, config)
    if before != newest:
        config.attributes["connection"] = db
        command.upgrade(config, "head")
    return before, newest


def must_be_current(db: Connection) -> None:
    """``Misused`` where the catalogue's tables have not the form this program works with."""
    config = _config()
    found = _form(db)
    _must_be_known(found, config)
    if found != _newest(config):
        what = f"The catalogue has the form {found}." if found else "The catalogue has no tables yet."
        hint = "Say `bwcdock catalogue init`, with an account that may change tables."
        raise Misused("open the catalogue", what, hint)


def _must_be_known(form: str, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if form and form not in known:
        what = f"The catalogue has the form {form}, which a newer program made."
        raise Misused("open the catalogue", what, "Install that version here as well; nothing was changed.")


def _form(db: Connection) -> str:
    return MigrationContext.configure(db).get_current_revision() or ""


def _newest(config: Config) -> str:
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("bwcdock.catalogue").joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    return config
