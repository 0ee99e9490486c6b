"""An idle worker looks for mail when there is some, and hardly ever otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from newsletter import outbox
from newsletter import worker as worker_module
from newsletter.app import create_app
from newsletter.db import changes
from newsletter.db.direct import DirectConnection
from newsletter.db.session import db, transaction
from newsletter.services.operations import wakeups
from newsletter.services.polling import feeds, ping
from newsletter.services.runtime import EXTENSION
from newsletter.vocabulary import MailKind
from newsletter.worker import WorkerProcess
from tests.fakes import FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list, add_reader
from tests.processes import finish, program_environment, start_program
from tests.waiting import PATIENCE


def wait_until(sink: Sink, count: int, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while count_mails(sink) < count and time.monotonic() < ends:
        time.sleep(0.01)
    return count_mails(sink) >= count


def count_mails(sink: Sink) -> int:
    return sum(outgoing.recipient == "reader@example.com" for outgoing in sink.accepted)


@pytest.fixture
def no_other_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but a change wake the worker."""
    monkeypatch.setattr(wakeups, "LOOK_AGAIN", timedelta(days=1))
    monkeypatch.setattr(worker_module, "LOOK_AGAIN", timedelta(days=1))


@contextmanager
def working(app: Flask) -> Iterator[None]:
    """Run a worker whose first looks are over."""
    worker = WorkerProcess(app)
    worker.start()
    try:
        time.sleep(1.5)
        yield
    finally:
        worker.stop()


@pytest.mark.usefixtures("no_other_looks")
def test_a_commit_wakes_the_worker(app: Flask, sink: Sink) -> None:
    """Mail of another list stays where it is."""
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        reader = add_reader(session, add_list(session), "reader@example.com")
        add_reader(session, add_list(session, "other"), "other@example.com")
        subscription_id = reader.id
    with working(app):
        for number in (1, 2):
            with app.app_context(), transaction() as session:
                outbox.enqueue(
                    session, mail=MailKind.GOODBYE, subscription_id=subscription_id, now=env.now
                )
            assert wait_until(sink, number, PATIENCE)
    assert "other@example.com" not in {outgoing.recipient for outgoing in sink.accepted}


@pytest.mark.processes
@pytest.mark.usefixtures("no_other_looks")
def test_a_commit_of_another_process_wakes_the_worker(
    app: Flask, sink: Sink, tmp_path: Path
) -> None:
    """A confirmation passes the gate and is sent: each step wakes the next."""
    with app.app_context(), transaction() as session:
        add_list(session)
        add_reader(session, add_list(session, "other"), "other@example.com")
    with working(app):
        command = ("subscriber", "add", "reader@example.com", "--list", "blog")
        process = start_program(tmp_path, program_environment(app), *command)
        output = finish(process)
        assert process.returncode == 0, output
        assert wait_until(sink, 1, PATIENCE)
    assert "other@example.com" not in {outgoing.recipient for outgoing in sink.accepted}


@pytest.mark.usefixtures("no_other_looks")
def test_a_broken_connection_listens_again(app: Flask, sink: Sink, database_kind: str) -> None:
    """A change that was written meanwhile is noticed once it listens again."""
    if database_kind != "postgresql":
        return
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        reader = add_reader(session, add_list(session), "reader@example.com")
        subscription_id = reader.id
    with working(app):
        for number in (1, 2):
            with app.app_context(), transaction() as session:
                ended = session.scalars(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE query LIKE 'LISTEN %' AND datname = current_database()"
                    )
                ).all()
                assert ended == [True]
                outbox.enqueue(
                    session, mail=MailKind.GOODBYE, subscription_id=subscription_id, now=env.now
                )
            assert wait_until(sink, number, PATIENCE)
            wait_for_listener(app)


def wait_for_listener(app: Flask) -> None:
    ends = time.monotonic() + PATIENCE
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE query LIKE 'LISTEN %' AND datname = current_database()"
    )
    with app.app_context():
        while not db.session.scalar(query):
            assert time.monotonic() < ends
            db.session.rollback()
            time.sleep(0.05)
        db.session.rollback()


def test_a_worker_behind_pgbouncer_does_not_listen(app: Flask, database_kind: str) -> None:
    if database_kind != "postgresql":
        return
    settings = app.extensions[EXTENSION].settings
    url = settings.database_url
    url += ("&" if "?" in url else "?") + "pgbouncer=1"
    behind = create_app(settings.model_copy(update={"database_url": url}))
    for one, listens in ((app, True), (behind, False)):
        with one.app_context():
            assert (changes.watch_changes() is not None) == listens
            db.engine.dispose()


def test_what_others_write_is_noticed_once(
    app: Flask, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_kind != "sqlite":
        return
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.01)
    noticed: list[float] = []
    stopping = threading.Event()

    def watch() -> None:
        with app.app_context(), closing(changes.SqliteChanges()) as watched:
            while not stopping.is_set():
                if watched.wait():
                    noticed.append(time.monotonic())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        time.sleep(0.3)
        assert len(noticed) == 1, "the first look; nothing has changed since"
        with app.app_context():
            other = DirectConnection()
            with other.transaction() as connection:
                connection.execute("UPDATE campaigns SET leased_id = 0 WHERE id = 0")
            time.sleep(0.2)
            assert len(noticed) == 1, "a transaction that writes nothing is no change"
            with other.transaction() as connection:
                connection.execute(
                    "INSERT INTO counters (name, starts_at, count) VALUES ('x', 1, 1)"
                )
            other.close()
        time.sleep(0.3)
        assert len(noticed) == 2
    finally:
        stopping.set()
        thread.join()


@pytest.mark.usefixtures("no_other_looks")
def test_a_ping_and_check_now_wake_the_worker(app: Flask, fake_fetch: FakeFetch) -> None:
    """The feed is asked at once, on both databases; one that nobody names is not."""
    url = "https://blog.example.com/feed/"
    other = "https://other.example.org/feed/"
    fake_fetch.pages |= {url: rss(item("Old")), other: rss(item("Else"))}
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        for address in (url, other):
            feed = add_feed(session, mailing_list, address)
            feed.next_poll_at = env.now + timedelta(hours=1)
        other_id = feed.id
    with working(app):
        assert fake_fetch.requests == []
        for count, ask in (
            (1, lambda: ping.receive_ping(env, [url], "192.0.2.1")),
            (2, lambda: feeds.poll_soon(env, other_id)),
        ):
            asked_at = time.monotonic()
            with app.app_context():
                ask()
            while len(fake_fetch.requests) < count and time.monotonic() - asked_at < PATIENCE:
                time.sleep(0.01)
            requested = [address for address, *_ in fake_fetch.requests]
            assert requested == [url, other][:count]
    assert [address for address, *_ in fake_fetch.requests] == [url, other]
