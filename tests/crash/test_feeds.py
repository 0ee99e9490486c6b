"""A worker that is told to end while feeds cost it time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Feed
from tests.fakes import Clock
from tests.feeds_server import Answer, FeedsServer, drip, feeds_server, item, ok, rss
from tests.people import add_list
from tests.processes import finish, program_environment, start_program
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
LABELS = "".join(f"<category>{number}</category>" for number in range(150_000))
ENDLESS = rss(f"<item><title>A</title>{LABELS}</item>")
"""A feed with so many labels on one entry that feedparser would take hours."""


@pytest.fixture
def blogs() -> Iterator[FeedsServer]:
    with feeds_server() as server:
        yield server


@pytest.mark.parametrize(
    "answer",
    [drip(b"X-A: b\r\n", 0.05, HEAD), drip(b"a", 0.05, HEAD + b"\r\n"), ok(ENDLESS)],
    ids=["header", "body", "labels"],
)
def test_a11_a_worker_ends_at_once_while_a_feed_costs_time(
    app: Flask, blogs: FeedsServer, clock: Clock, answer: Answer, tmp_path: Path
) -> None:
    blogs.answers["/hostile"] = answer
    blogs.page("/good", rss(item("A")))
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session, created_at=clock.now, schedule_since=clock.now)
        for path in ("/hostile", "/good"):
            session.add(
                Feed(
                    list_id=mailing_list.id,
                    url=blogs.url + path,
                    next_poll_at=clock.now - timedelta(hours=1),
                    created_at=clock.now - timedelta(days=9),
                )
            )
    environment = program_environment(app, NEWSLETTER_FEEDS__ALLOW_PRIVATE_ADDRESSES="true")
    process = start_program(tmp_path, environment, "worker")
    ends_at = time.monotonic() + PATIENCE
    while "/good" not in read_feeds(app, blogs):
        assert process.poll() is None, finish(process)
        assert time.monotonic() < ends_at, "the good feed is not polled"
        time.sleep(0.1)
    assert any(path == "/hostile" for path, _ in blogs.requests)
    process.send_signal(signal.SIGTERM)
    output = finish(process, seconds=15)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    with app.app_context():
        [due] = db.session.scalars(select(Feed.url).where(Feed.next_poll_at <= time_now(clock)))
    assert due == f"{blogs.url}/hostile", "it is left to the next worker"


def time_now(clock: Clock) -> object:
    """Return a moment after the end of the worker, and before anything is due again."""
    return clock.now + timedelta(minutes=5)


def read_feeds(app: Flask, blogs: FeedsServer) -> set[str]:
    with app.app_context():
        read = db.session.scalars(select(Feed.url).where(Feed.read_at.is_not(None))).all()
        db.session.remove()
    return {url.removeprefix(blogs.url) for url in read}
