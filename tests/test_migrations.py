"""Migrations: what Alembic cannot read from the models, changes of CHECKs, databases of other
revisions.
"""

from __future__ import annotations

from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import CheckConstraint, Column, Connection, String, TypeDecorator, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.types import TypeEngine

from newsletter.db.session import Base, db, transaction
from newsletter.errors import DatabaseError
from newsletter.migrations.members import replace_members
from newsletter.services.operations.database import require_current, upgrade
from newsletter.services.runtime import Environment
from tests.people import add_list

NEWEST = "0001_initial"
APPEND_ONLY = ("consent_events", "events", "consent_texts")


def triggers(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(
            connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        )
    return set(connection.scalars(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")))


def test_append_only_tables_have_their_triggers(env: Environment) -> None:
    with db.engine.connect() as connection:
        assert {f"{table}_append_only" for table in APPEND_ONLY} <= triggers(connection)


def test_a_consent_text_cannot_be_changed(env: Environment) -> None:
    row = (
        "INSERT INTO consent_texts (hash, text, first_used_at) VALUES (:hash, 'old', '2026-11-24')"
    )
    with db.engine.begin() as connection:
        connection.execute(text(row), [{"hash": "a"}, {"hash": "b"}])
    with pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
        connection.execute(text("UPDATE consent_texts SET text = 'new' WHERE hash = 'a'"))


def test_checks_are_those_of_the_models(env: Environment) -> None:
    """Alembic compares no CHECK: a member that only the models know would be refused."""
    inspector = inspect(db.engine)
    for table in Base.metadata.sorted_tables:
        checks = {
            check["name"]: check["sqltext"] for check in inspector.get_check_constraints(table.name)
        }
        models = {
            str(check.name): str(check.sqltext)
            for check in table.constraints
            if isinstance(check, CheckConstraint)
        }
        assert checks.keys() == models.keys(), table.name
        if db.engine.dialect.name == "sqlite":  # PostgreSQL writes them in words of its own
            assert {name: " ".join(sql.split()) for name, sql in checks.items()} == {
                name: " ".join(sql.split()) for name, sql in models.items()
            }


def test_columns_of_text_are_as_wide_as_those_of_the_models(env: Environment) -> None:
    """Only PostgreSQL would refuse a value that is too long for a width the migration forgot."""
    inspector = inspect(db.engine)
    widths = {
        (table.name, column["name"]): column["type"].length
        for table in Base.metadata.sorted_tables
        for column in inspector.get_columns(table.name)
        if isinstance(column["type"], String)
    }
    models = {
        (table.name, column.name): kind.length
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(kind := _stored_type(column), String)
    }
    assert len(models) > 100
    assert widths == models


def _stored_type(column: Column[Any]) -> TypeEngine[Any]:
    """Return the type that the database knows, under the one that Python values have."""
    kind: TypeEngine[Any] = column.type
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def test_row_numbers_are_never_used_again(env: Environment) -> None:
    """SQLite gives a deleted row's number to the next one unless a table says AUTOINCREMENT."""
    if db.engine.dialect.name != "sqlite":
        return
    marked = {
        table.name
        for table in Base.metadata.sorted_tables
        if table.dialect_options["sqlite"]["autoincrement"]
    }
    with db.engine.connect() as connection:
        created = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
        assert set(connection.scalars(text(created))) == marked
    assert {"subscribers", "subscriptions", "campaigns", "deliveries", "consent_events"} <= marked


def test_outcomes_find_room_beside_their_rows(env: Environment) -> None:
    if db.engine.dialect.name == "sqlite":
        return
    with db.engine.connect() as connection:
        options = "SELECT reloptions FROM pg_class WHERE relname = 'deliveries'"
        assert connection.scalar(text(options)) == ["fillfactor=60"]


def read_objects(connection: Connection) -> dict[str, str | None]:
    """Return tables, indexes and triggers; on PostgreSQL the CHECKs of every table."""
    query = "SELECT name, sql FROM sqlite_schema"
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE contype = 'c'"
        )
    return {row[0]: row[1] for row in connection.execute(text(query))}


def insert_event(connection: Connection, kind: str) -> None:
    list_id = connection.scalar(text("SELECT min(id) FROM mailing_lists"))
    statement = (
        "INSERT INTO events (at, kind, actor, reason, list_id)"
        " VALUES ('2026-11-24', :kind, 'author', '', :list)"
    )
    connection.execute(text(statement), {"kind": kind, "list": list_id})


@pytest.mark.parametrize("kind", ["entry.sent", "entry.moved"])
def test_a_migration_gives_a_column_other_members(env: Environment, kind: str) -> None:
    with transaction() as session:
        add_list(session, "another")
    with db.engine.connect() as connection:
        insert_event(connection, "entry.held")
        before = read_objects(connection)
        with Operations.context(MigrationContext.configure(connection)):
            replace_members("events", "kind", "entry.held, entry.sent, entry.moved")
        after = read_objects(connection)
        changed = {name for name in before if before[name] != after[name]}
        assert before.keys() == after.keys()
        assert [name.rpartition(" ")[2] for name in changed] in (["events"], ["ck_events_kind"])
        insert_event(connection, kind)
        kinds = text("SELECT kind FROM events ORDER BY id DESC LIMIT 2")
        assert [*connection.scalars(kinds)] == [kind, "entry.held"]
        with pytest.raises(DBAPIError, match="append-only"), connection.begin_nested():
            connection.execute(text("UPDATE events SET kind = 'entry.held'"))
        with pytest.raises(IntegrityError, match="ck_events_kind"), connection.begin_nested():
            insert_event(connection, "entry.found")
        connection.rollback()
        assert read_objects(connection) == before


def test_only_a_check_of_members_can_be_replaced(env: Environment) -> None:
    with db.engine.connect() as connection:
        with (
            Operations.context(MigrationContext.configure(connection)),
            pytest.raises((LookupError, DBAPIError)),
        ):
            replace_members("events", "reason", "a, b")
        connection.rollback()


def set_revision(revision: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("0011", "made by a version before 0.1.0"),
        ("0012", "export your subscribers with that version"),
        ("9999_later", "a newer version"),
    ],
)
def test_a_database_of_another_revision_is_refused(
    env: Environment, revision: str, message: str
) -> None:
    set_revision(revision)
    try:
        with pytest.raises(DatabaseError) as caught:
            require_current()
        with pytest.raises(DatabaseError) as upgrading:
            upgrade(env.settings.database_url)
    finally:
        set_revision(NEWEST)
    assert message in str(caught.value)
    assert str(upgrading.value) == str(caught.value)
    require_current()
    assert inspect(db.engine).has_table("deliveries")


def test_an_installation_has_its_keys_from_the_beginning(env: Environment) -> None:
    with db.engine.connect() as connection:
        assert (
            connection.scalar(
                text("SELECT length(value) FROM installation_keys WHERE name = 'deliveries'")
            )
            == 64
        )
        if connection.dialect.name == "sqlite":  # tests empty this table on PostgreSQL
            assert connection.scalar(text("SELECT length(key) FROM lasting_keys")) == 64
