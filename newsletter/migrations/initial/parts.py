"""The parts that many of the first tables share: references, CHECKs of closed sets, indexes.

Every name is written as `db.session.Base` would write it, but does not follow it if it changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number of 64 bits. SQLite numbers rows by itself only where the type is called INTEGER."""


def refer(
    table: str, column: str, target: str, *, ondelete: str | None = "CASCADE"
) -> sa.ForeignKeyConstraint:
    """Let a column refer to `target`, "table.column", whose row takes this one with it."""
    name = op.f(f"fk_{table}_{column}_{target.partition('.')[0]}")
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete=ondelete)


def allow_only(table: str, column: str, values: str) -> sa.CheckConstraint:
    """Refuse values of a column that are not among `values`, which commas separate."""
    quoted = ", ".join(f"'{value}'" for value in values.split(", "))
    return sa.CheckConstraint(f"{column} IN ({quoted})", name=op.f(f"ck_{table}_{column}"))


def create_index(
    table: str, *columns: str, name: str = "", where: str = "", unique: bool = False
) -> None:
    """Create an index of the rows that meet `where`, named for its columns unless told."""
    condition = sa.text(where) if where else None
    op.create_index(
        name or op.f(f"ix_{table}_{'_'.join(columns)}"),
        table,
        columns,
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )
