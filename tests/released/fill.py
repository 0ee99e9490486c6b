"""Put rows into every table, and write the database down as SQL: ``python -m
tests.released.fill``.
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Table,
    create_engine,
    func,
    insert,
    select,
)

from newsletter import __version__
from newsletter.db.column_types import ClosedSet, ClosedSets, UTCDateTime
from newsletter.db.session import Base
from newsletter.services.operations.database import upgrade
from tests.fakes import START

FOLDER = Path(__file__).parent
ROWS = 3
"""Rows of each table: two with every column, and one with those alone that must have a value."""


OF_ONE_ROW = ("installation",)
ALWAYS = {"topic_sources.category"}
NEVER = {"topic_sources.feed_id"}
"""Columns of which one must be empty."""


def fill_every_table(url: str) -> dict[str, int]:
    """Put `ROWS` rows into each table that the migration left empty; return how many each has."""
    engine = create_engine(url)
    counts = {}
    with engine.begin() as connection:
        filled: dict[str, list[dict[str, Any]]] = {}
        for table in Base.metadata.sorted_tables:
            if not connection.scalar(select(func.count()).select_from(table)):
                filled[table.name] = [
                    make_row(table, number, filled)
                    for number in range(1 if table.name in OF_ONE_ROW else ROWS)
                ]
                for row in filled[table.name]:
                    connection.execute(insert(table), row)
            counts[table.name] = connection.scalar(select(func.count()).select_from(table)) or 0
    engine.dispose()
    return counts


def make_row(table: Table, number: int, filled: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Make a row; it refers to the rows with the same number in other tables."""
    row = {}
    for column in table.columns:
        name = f"{table.name}.{column.name}"
        is_bare = column.nullable and number == ROWS - 1
        if name in NEVER or (is_bare and name not in ALWAYS):
            continue
        [*keys] = column.foreign_keys
        if keys:
            target = keys[0].column
            if target.table.name in filled:
                row[column.name] = filled[target.table.name][number][target.name]
        else:
            row[column.name] = make_value(column, number)
    return row


def make_value(column: Column[Any], number: int) -> Any:
    """Make a value that its column takes, another one in each row."""
    kind = column.type
    if isinstance(kind, ClosedSet):
        members = list(kind.members)
        return members[number % len(members)]
    if isinstance(kind, ClosedSets):
        return list(kind.members)
    if isinstance(kind, UTCDateTime | DateTime):
        return START + timedelta(days=number)
    if isinstance(kind, Boolean):
        return bool(number % 2)
    if isinstance(kind, Integer | Float):
        return number + 1
    if isinstance(kind, JSON):
        default = getattr(column.default, "arg", None)
        return [number] if "list" in str(default) else {"name": f"Ω {number}"}
    if isinstance(kind, LargeBinary):
        return bytes([number, 255])
    length = getattr(kind, "length", None) or 100
    text = f"person{number}@example.com" if "email" in column.name else f"{column.name} {number} Ω"
    return text if len(text) <= length else f"{number}{column.name}"[:length]


def write_dump(target: Path) -> None:
    """Write a filled database of this version as compressed SQL, the same each time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "newsletter.db"
        upgrade(f"sqlite:///{file}")
        fill_every_table(f"sqlite:///{file}")
        connection = sqlite3.connect(file)
        text = "\n".join(connection.iterdump())
        connection.close()
    target.write_bytes(gzip.compress(text.encode(), mtime=0))


def read_dump(source: Path, file: Path) -> None:
    """Make the SQLite database that was written down."""
    connection = sqlite3.connect(file)
    connection.executescript(gzip.decompress(source.read_bytes()).decode())
    connection.close()


def main() -> None:
    """Write the database of this version, unless it is there."""
    target = FOLDER / f"{__version__}.sql.gz"
    if target.exists():
        sys.exit(f"{target} is there: a released database is never written again")
    write_dump(target)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
