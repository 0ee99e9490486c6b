"""A real Redis in front of the entrances: shared by all web processes, never stricter than the
database, never missed.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from newsletter.app import create_app
from newsletter.db.session import db, transaction
from newsletter.errors import SettingsError
from newsletter.settings import Settings
from newsletter.settings_loader import load_settings
from newsletter.tokens import Tokens
from newsletter.web import redis_limits
from newsletter.web import signup as signup_pages
from tests.conftest import SECRET
from tests.people import add_list, add_reader
from tests.programs import find_program
from tests.waiting import PATIENCE

PER_IP = 2
FRONT = 4
"""What the database lets in from one address, and what Redis does: a puzzle's solution gets as much
again.
"""

pytestmark = pytest.mark.redis


class Redis:
    """A server of our own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder = folder
        self.start()

    def start(self) -> None:
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(
            [find_program("redis-server"), *options], stdout=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("redis-server does not listen")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def process(redis: Redis, settings: Settings) -> Iterator[Callable[[], FlaskClient]]:
    """Make another web process (as far as Redis and the database can tell)."""
    values = settings.model_dump() | {
        "web": {"redis": f"redis://127.0.0.1:{redis.port}/0", "trusted_proxies": 1},
        "signup": {"per_ip": PER_IP, "proven_factor": 1, "check_domains": False},
    }
    chosen = Settings.model_validate(values)
    with ExitStack() as stack:

        def make() -> FlaskClient:
            app = create_app(chosen)
            stack.callback(dispose, app)
            return app.test_client()

        client = make()
        with client.application.app_context(), transaction() as session:
            add_list(session)
        yield make


def dispose(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def sign_up(client: FlaskClient, name: str, ip: str = "192.0.2.7") -> int:
    headers = {"X-Forwarded-For": ip}
    return client.post(
        "/blog/subscribe", data={"email": f"{name}@example.com"}, headers=headers
    ).status_code


@pytest.fixture
def looks() -> Iterator[list[str]]:
    """Look at the ceilings that the database holds, one for each request that gets so far."""
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT counters"):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


def test_a_flood_does_not_reach_the_database(
    process: Callable[[], FlaskClient], looks: list[str]
) -> None:
    first = process()
    second = process()
    answers = [sign_up((first, second)[number % 2], f"v{number}") for number in range(10)]
    assert answers == [303] * PER_IP + [429] * (10 - PER_IP)
    assert len(looks) == FRONT, (
        "what came after that was turned away by Redis, whichever process it met"
    )
    assert sign_up(second, "real", "198.51.100.1") == 303
    for path in ("/blog/embed", "/link"):
        refused = second.post(
            path, data={"email": "x@example.com"}, headers={"X-Forwarded-For": "192.0.2.7"}
        )
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
    assert len(looks) == FRONT + 1


def test_a_whole_ipv6_network_counts_as_one(
    process: Callable[[], FlaskClient], looks: list[str]
) -> None:
    client = process()
    for number in range(10):
        sign_up(client, f"v{number}", f"2001:db8:1:2::{number}")
    assert len(looks) == FRONT
    assert sign_up(client, "other", "2001:db8:1:3::1") == 303


def test_whoever_has_a_link_is_never_turned_away(process: Callable[[], FlaskClient]) -> None:
    client = process()
    with client.application.app_context(), transaction() as session:
        from newsletter.models import MailingList

        reader = add_reader(session, session.scalars(select(MailingList)).one(), "ana@example.com")
        token = Tokens([SECRET]).sign("unsubscribe", reader.handle, reader.created_at)
    for number in range(3 * FRONT):
        sign_up(client, f"v{number}")
    headers = {"X-Forwarded-For": "192.0.2.7"}
    assert client.get("/blog/", headers=headers).status_code == 200
    for _ in range(2 * FRONT):
        gone = client.post(
            f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"}, headers=headers
        )
        assert gone.status_code == 200


@pytest.mark.any_database
def test_without_redis_the_database_decides(
    process: Callable[[], FlaskClient], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client = process()
    caplog.set_level(logging.INFO)
    assert sign_up(client, "before") == 303
    redis.stop()
    answers = [sign_up(client, f"v{number}") for number in range(4)]
    assert answers == [303] * (PER_IP - 1) + [429] * 3
    assert sign_up(client, "elsewhere", "198.51.100.1") == 303
    messages = [record.getMessage() for record in caplog.records if record.name == "flask-limiter"]
    assert messages == ["Rate limit storage unreachable - falling back to in-memory storage"]
    redis.start()
    until = time.monotonic() + PATIENCE
    while "Rate limit storage recovered" not in caplog.text and time.monotonic() < until:
        sign_up(client, "after", "203.0.113.5")
        time.sleep(0.2)
    assert "Rate limit storage recovered" in caplog.text
    assert "192.0.2.7" not in caplog.text


@pytest.mark.any_database
def test_a_redis_that_hangs_costs_one_short_wait(
    process: Callable[[], FlaskClient], redis: Redis
) -> None:
    client = process()
    assert sign_up(client, "before") == 303
    redis.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert sign_up(client, "during", "198.51.100.1") == 303
        assert time.monotonic() - begun < 3
    finally:
        redis.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://", "127.0.0.1:6379", "memcached://x"])
@pytest.mark.any_database
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    file = tmp_path / "newsletter.toml"
    file.write_text(f'secret_key = "{SECRET}"\nweb.redis = "{url}"\n')
    with pytest.raises(SettingsError, match=r"web\.redis: must look like redis://"):
        load_settings(file)


@pytest.mark.any_database
def test_libraries_that_are_not_installed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flask_limiter", None)
    result = Settings.model_validate(
        settings.model_dump() | {"web": {"redis": "redis://127.0.0.1/0"}}
    )
    with pytest.raises(SettingsError, match=r"newsletter\[redis\]"):
        create_app(result)


def test_endpoints_named_in_the_code_exist(app: Flask) -> None:
    """A misspelt endpoint would switch off a ceiling or a CORS header in silence."""
    assert set(app.view_functions) >= redis_limits.ENTRANCES | signup_pages.SHARED
