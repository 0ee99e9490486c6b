"""An installation with readers in it is brought up to date, and nobody and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    create_engine,
    func,
    make_url,
    select,
    text,
)

from newsletter.db import Base
from newsletter.services.database import _config, upgrade

# What the first schema's constraints ask for.
SPECIAL: dict[str, Any] = {
    "fate": "ready", "cadence": "weekly", "default_cadence": "weekly", "kind": "digest", "reason": "manual", "send_hour": 8, "send_weekday": 0,
    "feeds.status": "active", "subscriptions.status": "active", "campaigns.status": "sent", "deliveries.status": "sent",
    "topic_sources.category": None, "form_fields.kind": "text",
}  # fmt: skip


@pytest.fixture
def old_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """An empty database of its own."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    url = make_url(request.getfixturevalue("postgresql_url"))
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS old"))
        connection.execute(text("CREATE DATABASE old"))
    engine.dispose()
    return url.set(database="old").render_as_string(hide_password=False)


def fill(connection: Connection, metadata: MetaData, empty: set[str]) -> dict[str, int]:
    """A row in every table that is `empty`, each referring to the first of the others."""
    for table in (table for table in metadata.sorted_tables if table.name in empty):
        row: dict[str, Any] = {}
        for column in table.columns:
            if special := {f"{table.name}.{column.name}", column.name} & SPECIAL.keys():
                row[column.name] = SPECIAL[max(special, key=len)]
            elif isinstance(column.type, DateTime):
                row[column.name] = datetime(2026, 11, 24, tzinfo=UTC)
            elif isinstance(column.type, LargeBinary):
                row[column.name] = b"x"
            elif isinstance(column.type, Boolean):
                row[column.name] = False
            elif isinstance(column.type, Integer) or column.foreign_keys:
                row[column.name] = 1
            else:
                row[column.name] = [] if isinstance(column.type, JSON) else "x"
        connection.execute(table.insert().values(row))
    return counts(connection, metadata)


def counts(connection: Connection, metadata: MetaData) -> dict[str, int]:
    tables = metadata.sorted_tables
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def test_every_row_outlives_an_upgrade(old_url: str) -> None:
    """Through each migration with a row in every table there was until then, those of the newest included."""
    revisions = [revision.revision for revision in ScriptDirectory.from_config(_config(old_url)).walk_revisions()]
    engine = create_engine(old_url)
    before: dict[str, int] = {}
    for revision in reversed(revisions):
        command.upgrade(_config(old_url), revision)
        metadata = MetaData()
        metadata.reflect(engine)
        metadata.remove(metadata.tables["alembic_version"])
        with engine.begin() as connection:
            there = counts(connection, metadata)
            assert {name: count for name, count in there.items() if name in before} == before, revision
            before = fill(connection, metadata, empty={name for name, count in there.items() if not count})
    assert set(before.values()) == {1}
    upgrade(old_url)
    with engine.connect() as connection:
        assert counts(connection, metadata) == before
        for table in Base.metadata.sorted_tables:
            connection.execute(select(table))
    engine.dispose()
