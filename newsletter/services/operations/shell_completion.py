"""Complete names of lists and campaigns for a shell, read directly from the SQLite file.

A shell waits a third of a second: no settings are checked and no engine is started. Where anything
is wrong, and for any other database, there are no names, and nothing is said.
"""

from __future__ import annotations

import os
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

SECONDS = 0.1
_LISTS = "SELECT slug, title FROM mailing_lists ORDER BY id"
_CAMPAIGNS = "SELECT CAST(id AS TEXT), subject FROM campaigns ORDER BY id DESC LIMIT 50"


def complete_lists(config: Path | None) -> list[tuple[str, str]]:
    """Return slug and title of each list.

    The installation is named by `config`, or the environment, or the current folder.
    """
    return _query_database(config, _LISTS)


def complete_campaigns(config: Path | None) -> list[tuple[str, str]]:
    """Return number and subject of the latest campaigns."""
    return _query_database(config, _CAMPAIGNS)


def _query_database(config: Path | None, query: str) -> list[tuple[str, str]]:
    try:
        file = _get_database(config).resolve()
        if not os.access(file, os.W_OK):  # SQLite would leave side files that lock its owner out
            return []
        address = f"{file.as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=SECONDS)) as connection:
            return [(str(name), str(text)) for name, text in connection.execute(query)]
    except (OSError, ValueError, sqlite3.Error):
        return []


def _get_database(config: Path | None) -> Path:
    """Return the SQLite file that the settings name.

    Raises `ValueError` if they name another database.
    """
    file = config or Path(os.environ.get("NEWSLETTER_CONFIG") or "newsletter.toml")
    values = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    url = (
        os.environ.get("NEWSLETTER_DATABASE_URL")
        or values.get("database_url")
        or "sqlite:///newsletter.db"
    )
    kind, separator, path = str(url).partition("sqlite:///")
    if kind or not separator:
        raise ValueError(url)
    return file.parent / path
