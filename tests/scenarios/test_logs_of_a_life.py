"""What a day of work logs: a line for each event, and no address, token, name or subject."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from flask import Flask

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.logs import JsonFormatter
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from newsletter.services import limit_log
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.tally import Throttled
from newsletter.worker import WorkerProcess
from tests.fakes import FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list, add_reader

LETTER = "---\nsubject: A very private subject\n---\n\nA letter.\n"
PRIVATE = re.compile(
    r"private|ana\b|bert|cleo|dora|tiny\.example|198\.51\.100|[\w-]{12,}\.[\w-]{20,}", re.I
)
"""Names, addresses, domains, networks and subjects of this test, and whatever looks like a token."""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setattr(limit_log, "_lines", Throttled(60.0))  # once a minute in a process
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def refuse_bert(outgoing: Outgoing) -> Outcome | None:
    if not outgoing.recipient.startswith("bert"):
        return None
    reply = Reply(550, "5.1.1", "<bert@tiny.example>: no such user bert@tiny.example")
    return Outcome(outgoing.id, "refused", "RCPT", reply, "sink")


def test_a_day_of_work_names_nobody(
    app: Flask, sink: Sink, fake_fetch: FakeFetch, lines: io.StringIO
) -> None:
    sink.script = refuse_bert
    env = app.extensions[EXTENSION]
    worker = WorkerProcess(app)
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            add_list(session, "other")
            feed = add_feed(session, mailing_list)
            for name in ("ana", "bert", "cleo"):
                add_reader(session, mailing_list, f"{name}@tiny.example", name=name.title())
            fake_fetch.pages[feed.url] = rss(item("Private post"), title="Blog")
        link = env.links.unsubscribe("no-such-handle", env.now).partition("example.com")[2]
        letters.send_letter(env, parse_letter(LETTER), "blog")
        worker.poll(eager=True)
        worker.compose()
        worker.send()
        worker.watch()
        worker.upkeep()
        db.session.remove()
    client = app.test_client()
    place = {"REMOTE_ADDR": "198.51.100.3"}
    for number in range(22):
        client.post("/blog/subscribe", data={"email": f"dora{number}@tiny.example", "name": "Dora"}, environ_overrides=place)  # fmt: skip
    client.get(link)
    client.post("/hooks/bounces/ses/not-the-secret", data="{}")
    text = lines.getvalue()
    assert not PRIVATE.search(text), PRIVATE.search(text)
    rows = [json.loads(line) for line in text.splitlines()]
    events = {row.get("event") for row in rows}
    assert {"poll", "sent", "refused", "sign-up", "limit"} <= events, events
    requests = {row["request"] for row in rows if row.get("event") == "sign-up"}
    assert len(requests) == 20, "each request has an id of its own"
