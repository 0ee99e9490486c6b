"""Run by Alembic for `services.operations.database.upgrade`."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine

from newsletter import models
from newsletter.db.column_types import ClosedSet, UTCDateTime
from newsletter.db.session import Base

target_metadata = Base.metadata
assert models.Delivery.__table__ in target_metadata.tables.values()


def run() -> None:
    """Upgrade the database named in the configuration's attributes."""
    url = str(context.config.attributes["url"])
    with create_engine(url, poolclass=NullPool).connect() as connection:
        _let_tables_be_rebuilt(connection)
        _migrate(connection)
        connection.commit()


def _let_tables_be_rebuilt(connection: Connection) -> None:
    """SQLite changes a constraint by making the table anew.

    Were foreign keys enforced meanwhile, dropping the old one would delete the rows that refer to
    it (sqlite.org/lang_altertable.html, §7). A pragma of this connection only.
    """
    driver = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and driver is not None:
        driver.execute("PRAGMA foreign_keys=OFF")


def _plain_types(kind: str, item: object, autogen: object) -> str | Literal[False]:
    """Migrations name the database's types, not ours, so that they outlive a change of ours."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, ClosedSet):
        return f"sa.String(length={item.length})"
    return False


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=_plain_types,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
