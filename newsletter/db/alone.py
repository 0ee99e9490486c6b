"""Run one statement in its own transaction, on a connection apart from the session's.

There is no transaction to begin and to end: on PostgreSQL that is one round trip instead of four.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from newsletter.db.prepared import Compiled, Prepared, Values, call_listeners, make_error

AT_ONCE = "set_config('synchronous_commit', 'off', true)"
"""SQL that turns off synchronous commit on PostgreSQL for one statement, which a crash may lose."""

_engines: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()


def run_alone(main: Engine, statement: Prepared, values: Values) -> list[Any]:
    """Execute a statement on the database of `main`, and return its rows.

    Where the connection turns out to be broken, because the server was restarted, it is tried once
    more on a new one, so that it may be executed twice. Raises SQLAlchemy's `DBAPIError`.
    """
    engine = _find_engine(main)
    compiled = statement.compile(engine.dialect, values)
    if listeners := main.dispatch.before_cursor_execute:
        with engine.connect() as connection:
            call_listeners(listeners, connection, compiled, [values])
    try:
        return _execute(engine, compiled, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        engine.dispose()
    return _execute(engine, compiled, values)


def _find_engine(main: Engine) -> Engine:
    """Return the engine for separate connections, disposed of together with `main`."""
    engine = _engines.get(main)
    if engine is None:
        engine = _engines[main] = create_engine(
            main.url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )
        event.listen(main, "engine_disposed", lambda _: engine.dispose())
    return engine


def _execute(engine: Engine, compiled: Compiled, values: Values) -> list[Any]:
    dialect: Any = engine.dialect
    try:
        pooled = engine.raw_connection()
    except dialect.loaded_dbapi.Error as error:
        raise make_error(dialect, compiled, error, disconnected=False) from error
    driver = pooled.driver_connection
    try:
        return compiled.execute(driver, values)
    except dialect.loaded_dbapi.Error as error:
        broken = dialect.is_disconnect(error, driver, None)
        if broken:
            pooled.invalidate(error)
        raise make_error(dialect, compiled, error, disconnected=broken) from error
    finally:
        pooled.close()
