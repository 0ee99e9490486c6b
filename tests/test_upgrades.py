"""A filled database of every released version is upgraded to the present one, with all its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, NullPool, create_engine, inspect, text
from sqlalchemy.engine import make_url

from newsletter.db.session import Base
from newsletter.services.operations import table_copy
from newsletter.services.operations.database import upgrade
from tests.released import fill

RELEASED = sorted(fill.FOLDER.glob("*.sql.gz"))
LARGEST = 60_000
"""Bytes of one file."""


@pytest.fixture(
    scope="module", params=[*RELEASED, None], ids=lambda file: file.name if file else "now"
)
def dump(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a released database; the present one is made anew, as it would be at its release."""
    if request.param is not None:
        return Path(request.param)
    file = tmp_path_factory.mktemp("released") / "now.sql.gz"
    fill.write_dump(file)
    return file


@pytest.fixture
def empty_postgresql(request: pytest.FixtureRequest) -> Iterator[str]:
    url = make_url(request.getfixturevalue("postgresql_url"))
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS upgraded WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE upgraded"))
    yield url.set(database="upgraded").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS upgraded WITH (FORCE)"))


def test_the_file_is_small_and_fills_every_table(dump: Path, tmp_path: Path) -> None:
    assert dump.stat().st_size < LARGEST
    fill.read_dump(dump, tmp_path / "old.db")
    with table_copy.open_snapshot(f"sqlite:///{tmp_path}/old.db") as old:
        empty = [table.name for table in old.tables if not old.count(table.name)]
    assert not empty, empty


def test_it_is_upgraded_with_all_its_rows(
    dump: Path, tmp_path: Path, database_kind: str, request: pytest.FixtureRequest
) -> None:
    """On PostgreSQL its rows are put into tables of its own version first."""
    fill.read_dump(dump, tmp_path / "old.db")
    url = f"sqlite:///{tmp_path}/old.db"
    with table_copy.open_snapshot(url) as old:
        before = {table.name: old.count(table.name) for table in old.tables}
        if database_kind == "postgresql":
            url = request.getfixturevalue("empty_postgresql")
            upgrade(url, old.revision)
            engine = create_engine(url, poolclass=NullPool)
            with engine.begin() as connection:
                table_copy.fill(connection, old.tables, old.read_rows, old.sequences)
    upgrade(url)
    with table_copy.open_snapshot(url) as new:
        after = {table.name: new.count(table.name) for table in new.tables}
    assert {name: after.get(name) for name in before} == before
    with create_engine(url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        result = compare_metadata(context, Base.metadata)
        checks = read_checks(connection)
    assert [change for change in result if change[0] != "remove_table"] == []
    assert checks == list_checks(with_text=database_kind == "sqlite")


def test_a_released_migration_is_never_rewritten(dump: Path, tmp_path: Path) -> None:
    """It makes the same tables, indexes and triggers today as when it was released."""
    fill.read_dump(dump, tmp_path / "old.db")
    with table_copy.open_snapshot(f"sqlite:///{tmp_path}/old.db") as old:
        upgrade(f"sqlite:///{tmp_path}/new.db", old.revision)
    assert read_schema(tmp_path / "new.db") == read_schema(tmp_path / "old.db")


def read_schema(file: Path) -> dict[str, str]:
    """Return the statements that made an SQLite database, by the names of what they made."""
    connection = sqlite3.connect(file)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    schema = {name: " ".join(sql.split()) for name, sql in rows}
    connection.close()
    return schema


def read_checks(connection: Connection) -> dict[str, str]:
    """Return the CHECKs of a database, by table and name; Alembic compares none.

    PostgreSQL writes them in words of its own: of those, the names alone.
    """
    inspector = inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    return {
        f"{table}.{check['name']}": " ".join(check["sqltext"].split()) if is_sqlite else ""
        for table in Base.metadata.tables
        for check in inspector.get_check_constraints(table)
    }


def list_checks(*, with_text: bool) -> dict[str, str]:
    return {
        f"{table.name}.{check.name}": " ".join(str(check.sqltext).split()) if with_text else ""
        for table in Base.metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
