"""Read the SQLite database that a restore replaces, whatever its revision.

It is read by the names of its columns: one of another revision serves as far as it has them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

ROWS_AT_ONCE = 500
"""Rows looked up with one query; SQLite takes at least 999 parameters."""

OldRow = dict[str, Any]
"""A row of the replaced database, by the names of its columns."""


class ReplacedDatabase:
    """The rows of the database behind `connection`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read_rows(self, table: str, columns: list[str]) -> Iterator[OldRow]:
        """Yield the rows of a table.

        A column that the table does not have is None; a table that is missing has no rows.
        """
        info = self._connection.execute(f"PRAGMA table_info({table})")
        existing = {name for _, name, *_ in info}
        names = [name for name in columns if name in existing]
        if not names:
            return
        query = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608 (our own names)
        for values in self._connection.execute(query):
            yield dict.fromkeys(columns) | dict(zip(names, values, strict=True))

    def read_batches(self, table: str, columns: list[str]) -> Iterator[list[OldRow]]:
        """Yield the rows of a table in batches of `ROWS_AT_ONCE`."""
        rows = self.read_rows(table, columns)
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            yield batch

    def read_slugs(self) -> dict[Any, str]:
        """Map the ids of the lists to their slugs."""
        return dict(self._read_pairs("SELECT id, slug FROM mailing_lists"))

    def read_addresses(self, ids: set[Any]) -> dict[Any, str]:
        """Map the ids of these subscribers to the keys of their addresses."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT id, email_key FROM subscribers WHERE id IN ({marks})"  # noqa: S608
        return dict(self._read_pairs(query, *ids))

    def _read_pairs(self, query: str, *values: Any) -> Iterable[Any]:
        return self._connection.execute(query, values).fetchall()


def parse_stored_moment(text: Any) -> datetime | None:
    """Parse a moment as SQLAlchemy stores it in SQLite; return None for NULL."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
