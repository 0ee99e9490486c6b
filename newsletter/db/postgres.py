"""Configure connections to PostgreSQL, and check pooled ones before use."""

from __future__ import annotations

import select
import time
from typing import Any

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.exc import InvalidatePoolError

SILENT_SECONDS = 30.0
"""Seconds without use after which a connection is tested: a firewall may have dropped it."""


@event.listens_for(Engine, "do_connect")
def _agree_with_pgbouncer(
    dialect: Dialect, record: object, arguments: list[Any], keywords: dict[str, Any]
) -> None:
    """Disable prepared statements where the URL has ``?pgbouncer=1``.

    In its mode of transactions the next one may run on another connection of the server.
    """
    if dialect.name == "postgresql" and keywords.pop("pgbouncer", "") in ("1", "true"):
        keywords["prepare_threshold"] = None


@event.listens_for(Engine, "connect")
def _keep_prepared(driver: Any, record: object) -> None:
    """Keep a connection's prepared statements after a rollback.

    psycopg forgets them all then, because tables may have been made anew; here that is a
    migration's work, in a process of its own. Each sign-up rolls something back, and each read.
    """
    if type(driver).__module__ != "psycopg":
        return
    from psycopg._preparing import PrepareManager

    class LastingStatements(PrepareManager):
        def clear(self) -> bool:
            return False

    statements = LastingStatements()
    statements.prepare_threshold = driver.prepare_threshold
    driver._prepared = statements


def check_connection(driver: Any, record: Any, proxy: object) -> None:
    """Replace a pooled connection that the server has closed.

    A server that ends says so, which is seen without asking it anything.
    """
    from psycopg import Error

    now = time.monotonic()
    silent = now - record.info.get("used_at", now)
    record.info["used_at"] = now
    try:
        if silent > SILENT_SECONDS or _has_news(driver.pgconn.socket):
            driver.autocommit = True
            driver.execute("SELECT 1")
            driver.autocommit = False
    except Error as error:
        raise InvalidatePoolError from error


def _has_news(socket: int) -> bool:
    """Tell whether an idle connection has data to read, such as the server's end."""
    news = select.poll()
    news.register(socket, select.POLLIN)
    return bool(news.poll(0))
