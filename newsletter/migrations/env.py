"""Run by Alembic (through Flask-Migrate) inside the application's context."""

from alembic import context
from sqlalchemy import create_engine

from newsletter import models
from newsletter.db import Base, UTCDateTime, engine_options

target_metadata = Base.metadata
assert models.Delivery.__table__ in target_metadata.tables.values()


def run() -> None:
    """Upgrades the connection given in the configuration's attributes, else the database named by its URL."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    url = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url")
    with create_engine(url, **engine_options(url)).connect() as connection:
        _migrate(connection)
        connection.commit()


def _plain_types(kind: str, item: object, autogen: object) -> str | bool:
    """Migrations name the database's types, not ours, so that they outlive a change of ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UTCDateTime) else False


def _migrate(connection: object) -> None:
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
