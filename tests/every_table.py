"""Put a row into every table that has none, with values that a copy could spoil."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session

from newsletter.db.column_types import ClosedSet, ClosedSets, UTCDateTime
from newsletter.db.session import Base

LEFT_EMPTY = {("topic_sources", "category"): "a topic's source is a category or a feed"}
"""Columns that stay empty, each with the reason."""
AWKWARD = "Ω\t'\"\\N\n%s"


def fill_every_table(session: Session, moment: datetime) -> None:
    """Add a row to each table without one; a reference gets a value that is there."""
    for table in Base.metadata.sorted_tables:
        if not session.scalar(select(func.count()).select_from(table)):
            session.execute(insert(table).values(make_row(session, table, moment)))


def make_row(session: Session, table: Table, moment: datetime) -> dict[str, Any]:
    """Return a value for each column that the database does not number by itself."""
    return {
        column.name: make_value(session, column, moment)
        for column in table.columns
        if column is not table.autoincrement_column and (table.name, column.name) not in LEFT_EMPTY
    }


def make_value(session: Session, column: Column[Any], moment: datetime) -> Any:
    """Return a value that a column takes."""
    for key in column.foreign_keys:
        return session.scalar(select(key.column).limit(1))
    kind = column.type
    if isinstance(kind, ClosedSet):
        return next(iter(kind.members))
    if isinstance(kind, ClosedSets):
        return list(kind.members)
    if isinstance(kind, UTCDateTime):
        return moment
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer):
        return 7
    if isinstance(kind, Float):
        return 0.1
    if isinstance(kind, JSON):
        return {AWKWARD: [None, 0.1, AWKWARD]}
    if isinstance(kind, LargeBinary):
        return bytes(range(256))
    return AWKWARD[: getattr(kind, "length", None)]
