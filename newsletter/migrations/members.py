"""Change the members of a closed set that a column accepts, in a migration after the first."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

from newsletter.migrations.initial.parts import allow_only


def replace_members(table: str, column: str, values: str) -> None:
    """Let a column accept `values`, separated by commas, instead of its previous ones.

    SQLite keeps a CHECK only as text, which is changed in place, so that no row is copied, and
    indexes, triggers and AUTOINCREMENT are kept (sqlite.org/lang_altertable.html, section 7).
    PostgreSQL reads every row once. Raises `LookupError` if the column has no such CHECK.
    """
    name = f"ck_{table}_{column}"
    condition = str(allow_only(table, column, values).sqltext)
    if op.get_bind().dialect.name == "sqlite":
        _rewrite_check(op.get_bind(), table, name, condition)
    else:
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, condition)


def _rewrite_check(connection: sa.Connection, table: str, name: str, condition: str) -> None:
    of_table = "type = 'table' AND name = :table"
    statement = connection.scalar(
        sa.text(f"SELECT sql FROM sqlite_schema WHERE {of_table}"),  # noqa: S608 (a constant)
        {"table": table},
    )
    check = re.compile(rf"(CONSTRAINT {name} CHECK )\([^()]* IN \([^()]*\)\)")
    changed, count = check.subn(lambda match: f"{match[1]}({condition})", statement or "")
    if count != 1:
        raise LookupError(f"{table} has no CHECK {name}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text(f"UPDATE sqlite_schema SET sql = :sql WHERE {of_table}"),  # noqa: S608
        {"sql": changed, "table": table},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
