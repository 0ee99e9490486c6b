"""Test what a day of work logs: a line for each event, and no address, token, name or subject."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import db, transaction
from newsletter.logs import JsonFormatter, TextFormatter
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from newsletter.services import limit_log
from newsletter.services.authors import authors, log_in
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.tally import Throttled
from newsletter.settings import Settings
from newsletter.worker import WorkerProcess
from tests.fakes import Clock, FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list, add_reader
from tests.web.author.conftest import URL, BrowserOf

SOON = timedelta(minutes=5)
LETTER = "---\nsubject: A very private subject\n---\n\nA letter.\n"
PRIVATE = re.compile(
    r"private|ana\b|bert|cleo|dora|erna|tiny\.example|198\.51\.100|[\w-]{12,}\.[\w-]{20,}", re.I
)
"""Names, addresses, domains, networks and subjects of this test, and whatever looks like a token.
"""


EVENTS = {"poll", "composed", "sent", "refused", "sign-up", "limit", "log-in", "hook"}
"""Everything that an operator asks about later."""
HOOK = "hook-secret-0123456789"


@dataclass
class Lines:
    """All lines that are logged, in both formats."""

    text: io.StringIO = field(default_factory=io.StringIO)
    json: io.StringIO = field(default_factory=io.StringIO)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    hooks = {"postmark": {"secret": HOOK}}
    values = settings.model_dump(exclude={"bounces"})
    return Settings.model_validate({**values, "bounces": {"hooks": hooks}})


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    monkeypatch.setattr(limit_log, "_lines", Throttled(60.0))  # once a minute in a process
    lines = Lines()
    handlers = [logging.StreamHandler(lines.text), logging.StreamHandler(lines.json)]
    root = logging.getLogger()
    level = root.level
    for handler, formatter in zip(handlers, (TextFormatter(), JsonFormatter()), strict=True):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lines
    for handler in handlers:
        root.removeHandler(handler)
    root.setLevel(level)


def refuse_bert(outgoing: Outgoing) -> Outcome | None:
    if not outgoing.recipient.startswith("bert"):
        return None
    reply = Reply(550, "5.1.1", "<bert@tiny.example>: no such user bert@tiny.example")
    return Outcome(outgoing.id, "refused", "RCPT", reply, "sink")


def log_in_as(browser: BrowserOf, env: Environment, address: str) -> None:
    """Type a wrong code, and then open a link."""
    browser.post("/author/code", {"code": "AAAABBBB"}, page="/author/code")
    link = log_in.make_link(env, address).removeprefix(URL)
    db.session.remove()
    assert browser.post(link, page=link).status_code == 303


def test_a_day_of_work_names_nobody(
    app: Flask, sink: Sink, clock: Clock, fake_fetch: FakeFetch, lines: Lines
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
        letters.send_letter(env, parse_letter(LETTER), "blog", send_at=env.now + SOON)
        author = authors.add_author(env, "erna@tiny.example", role=AuthorRole.OWNER)
        clock.forward(2 * SOON)
        worker.poll(eager=True)
        worker.compose()
        worker.send()
        worker.watch()
        worker.upkeep()
        db.session.remove()
    client = app.test_client()
    _ask_for_too_much(client, link)
    with app.app_context():
        log_in_as(BrowserOf(client), env, "erna@tiny.example")
    for text in (lines.text.getvalue(), lines.json.getvalue()):
        assert not PRIVATE.search(text), PRIVATE.search(text)
    rows = [json.loads(line) for line in lines.json.getvalue().splitlines()]
    assert len(rows) == len(lines.text.getvalue().splitlines()), (
        "one line for each, in both formats"
    )
    events = {row.get("event") for row in rows}
    assert events >= EVENTS, EVENTS - events
    logins = [row["message"] for row in rows if row.get("event") == "log-in"]
    assert logins == [
        "a log-in was refused: the code is not valid",
        f"author {author.id} logged in",
    ]
    requests = {row["request"] for row in rows if row.get("event") == "sign-up"}
    assert len(requests) == 20, "each request has an id of its own"


def _ask_for_too_much(client: FlaskClient, link: str) -> None:
    """Sign up too often from one place, open a wrong link, report bounces."""
    place = {"REMOTE_ADDR": "198.51.100.3"}
    for number in range(22):
        client.post(
            "/blog/subscribe",
            data={"email": f"dora{number}@tiny.example", "name": "Dora"},
            environ_overrides=place,
        )
    client.get(link)
    client.post("/hooks/bounces/ses/not-the-secret", data="{}")
    report = {"RecordType": "SpamComplaint", "ID": 1, "Email": "cleo@tiny.example"}
    assert client.post(f"/hooks/bounces/postmark/{HOOK}", json=report).status_code < 300
