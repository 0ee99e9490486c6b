"""An idle worker looks for mail when there is some, and hardly ever otherwise."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from flask import Flask

from newsletter import outbox
from newsletter.db import changes
from newsletter.db.direct import DirectConnection
from newsletter.db.session import transaction
from newsletter.services.polling import feeds, ping
from newsletter.services.runtime import EXTENSION
from newsletter.vocabulary import MailKind
from newsletter.worker import WorkerProcess
from tests.fakes import FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list, add_reader


def wait_until(sink: Sink, count: int, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while count_mails(sink) < count and time.monotonic() < ends:
        time.sleep(0.01)
    return count_mails(sink) >= count


def count_mails(sink: Sink) -> int:
    return sum(outgoing.recipient == "reader@example.com" for outgoing in sink.accepted)


def test_a_commit_wakes_the_worker(app: Flask, sink: Sink, database_kind: str) -> None:
    """Long before the look that comes in any case; mail of another list stays where it is."""
    if database_kind != "sqlite":
        return
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        reader = add_reader(session, add_list(session), "reader@example.com")
        add_reader(session, add_list(session, "other"), "other@example.com")
        subscription_id = reader.id
    worker = WorkerProcess(app)
    worker.start()
    try:
        time.sleep(1.5)  # its first looks are over
        for number in (1, 2):
            with app.app_context(), transaction() as session:
                outbox.enqueue(
                    session, mail=MailKind.GOODBYE, subscription_id=subscription_id, now=env.now
                )
            assert wait_until(sink, number, 8), "LOOK_AGAIN would have been later"
    finally:
        worker.stop()
    assert "other@example.com" not in {outgoing.recipient for outgoing in sink.accepted}


def test_what_others_write_is_noticed_once(
    app: Flask, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_kind != "sqlite":
        return
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.01)
    noticed: list[float] = []
    stopping = threading.Event()

    def watch() -> None:
        with app.app_context(), closing(changes.Changes()) as watched:
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


def test_a_ping_and_check_now_wake_the_worker(app: Flask, fake_fetch: FakeFetch) -> None:
    """The feed is asked at once, on both databases; one that nobody names is not."""
    url, other = "https://blog.example.com/feed/", "https://other.example.org/feed/"
    fake_fetch.pages |= {url: rss(item("Old")), other: rss(item("Else"))}
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        for address in (url, other):
            feed = add_feed(session, mailing_list, address)
            feed.next_poll_at = env.now + timedelta(hours=1)
        other_id = feed.id
    worker = WorkerProcess(app)
    worker.start()
    try:
        time.sleep(1.5)  # its first looks are over
        assert fake_fetch.requests == []
        for count, ask in (
            (1, lambda: ping.receive_ping(env, [url], "192.0.2.1")),
            (2, lambda: feeds.poll_soon(env, other_id)),
        ):
            asked_at = time.monotonic()
            with app.app_context():
                ask()
            while len(fake_fetch.requests) < count and time.monotonic() - asked_at < 8:
                time.sleep(0.01)
            assert time.monotonic() - asked_at < 5, "a look every 15 seconds would have been later"
            requested = [address for address, *_ in fake_fetch.requests]
            assert requested == [url, other][:count]
    finally:
        worker.stop()
    assert [address for address, *_ in fake_fetch.requests] == [url, other]
