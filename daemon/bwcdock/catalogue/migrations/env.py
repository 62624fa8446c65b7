"""What Alembic runs to carry a catalogue on: inside the transaction of whoever asked for it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
