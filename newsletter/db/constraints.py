"""Name broken constraints, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import IntegrityError


def name_constraint(error: IntegrityError, metadata: MetaData) -> str:
    """Return the name of the constraint that `error` reports, the same on SQLite and PostgreSQL.

    A column that may not be NULL gives `nn_<table>_<column>`. SQLite does not say which foreign key
    is broken: there it is `foreign_key`. What cannot be named is the driver's own message.
    """
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        if diagnostics.constraint_name:
            return str(diagnostics.constraint_name)
        return f"nn_{diagnostics.table_name}_{diagnostics.column_name}"
    return _name_sqlite_constraint(str(error.orig), metadata)


def _name_sqlite_constraint(message: str, metadata: MetaData) -> str:
    kind, _, subject = message.partition(" constraint failed: ")
    if kind == "CHECK":
        return subject
    if kind == "NOT NULL":
        return "nn_" + subject.replace(".", "_")
    if kind == "UNIQUE":
        columns = [name.split(".") for name in subject.split(", ")]
        return _find_unique_name(metadata, columns[0][0], {column[-1] for column in columns})
    if message.startswith("FOREIGN KEY"):
        return "foreign_key"
    table, _, rest = message.partition(" ")
    return f"{table}_append_only" if rest == "is append-only" else message


def _find_unique_name(metadata: MetaData, table_name: str, columns: set[str]) -> str:
    """Return the name of the unique constraint, primary key or index over exactly these columns."""
    table = metadata.tables.get(table_name)
    for item in _list_unique_items(table) if table is not None else ():
        if {column.name for column in item.columns} == columns:
            return str(item.name or f"pk_{table_name}")
    return f"uq_{table_name}_{'_'.join(sorted(columns))}"


def _list_unique_items(table: Table) -> Iterator[PrimaryKeyConstraint | UniqueConstraint | Index]:
    yield table.primary_key
    yield from (item for item in table.constraints if isinstance(item, UniqueConstraint))
    yield from (index for index in table.indexes if index.unique)
