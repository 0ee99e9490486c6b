"""No number of a row leaves the program: not in a header, an envelope, an address or a page that
others see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Integer, select, text

from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.app import find_template_folder
from newsletter.db.session import Base, db, transaction
from newsletter.i18n import Text
from newsletter.models import Campaign, Delivery, MailingList, Subscriber, Subscription
from newsletter.services import resources
from newsletter.services.authors import authors, log_in
from newsletter.services.digests import due as digests
from newsletter.services.letters import send as letters
from newsletter.services.letters import series, series_progress
from newsletter.services.lists import topics
from newsletter.services.notice_mail import queue_notice
from newsletter.services.notice_texts import Notice
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import reconfirmation
from newsletter.settings import Settings
from tests.fakes import Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

BASE = "https://news.example.com"
FIRST_ID = 83_109_000
"""The first row of each table gets a number of its own, far from every other figure."""
SINGLE = {
    "confirm": {"round": 1},
    "already": {},
    "goodbye": {},
    "link": {},
    "export": {},
    "erase": {},
    "welcome": {},
    "address": {"to": "new@example.com", "mark": "x"},
    "moved": {"to": "old@example.com", "change": "a-change"},
    "resource": {"resource": "guide"},
    "story": {},
}
FOR_AUTHORS = {"browser", "passkey", "review", "weekly"}
"""Mails to those whose own pages name rows by their numbers."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With returned mail: each message then has an envelope sender of its own."""
    bounces = settings.bounces.model_copy(update={"address": "bounces@news.example.com"})
    return settings.model_copy(update={"bounces": bounces})


def number_rows_apart() -> None:
    """Let each table go on counting at a number of its own."""
    with db.engine.begin() as connection:
        for number, table in enumerate(Base.metadata.sorted_tables):
            first = FIRST_ID + 1000 * number
            if "id" not in table.c or not isinstance(table.c.id.type, Integer):
                continue
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {first})")
                )
            elif table.dialect_options["sqlite"]["autoincrement"]:
                connection.execute(
                    text(f"INSERT INTO sqlite_sequence VALUES ('{table.name}', {first})")
                )


def row_numbers() -> set[str]:
    """Every number that a row has, as it could be written."""
    numbers: set[int] = set()
    with db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if "id" in table.c and isinstance(table.c.id.type, Integer):
                numbers |= {
                    number for number in connection.scalars(select(table.c.id)) if number > FIRST_ID
                }
    assert len(numbers) > 30
    return {spelled for number in numbers for spelled in (str(number), f"{number:x}")}


def every_mail(env: Environment, folder: Path, clock: Clock) -> None:
    """Queue and send a mail of each kind."""
    guide = folder / "guide.pdf"
    guide.write_bytes(b"%PDF-1.7 guide")
    resources.add_resource(env, guide, title="Guide")
    with transaction() as session:
        blog = add_list(session)
        ana = add_reader(session, blog, "ana@example.com", name="Ana", cadence="instant")
        bob = add_reader(session, blog, "bob@example.com", status="pending")
        add_reader(session, add_list(session, "talks", title="Long Talks"), "eve@example.com")
        feed = add_feed(session, blog)
        for title in ("One", "Two"):
            add_entry(session, feed, title)
        for mail, context in SINGLE.items():
            reader = bob if mail == "confirm" else ana
            outbox.enqueue(
                session, mail=mail, subscription_id=reader.id, now=env.now, context=context
            )
        queue_notice(env, session, blog, Notice(Text("A notice"), (Text("It happened."),)))
    topics.add("blog", "Rest", categories=["rest"])
    topics.add("blog", "Work", categories=["work"])
    step = folder / "step.md"
    step.write_text("---\nsubject: First step\n---\nHello.\n")
    series.add_letter(env, step, timedelta(0), "blog")
    with transaction() as session:
        series_progress.begin_series(session, session.get_one(Subscription, ana.id), env.now)
    digests.send_now(env, slug="blog", cadence="instant")
    letters.send_letter(
        env,
        letters.parse(
            '---\nsubject: A letter\nlist: blog\n---\nA [file]({{ resource("guide") }}).\n'
        ),
    )
    reconfirmation.send(env, "blog")
    authors.add_author(env, "coach@example.com", role=AuthorRole.OWNER)
    log_in.request_link(env, "coach@example.com", browser="b", ip="192.0.2.1", language="en")
    sending.send_due(env)


def links_in(html: str) -> Iterator[str]:
    """Every address of ours on a page or in a mail."""
    for link in re.findall(r'(?:href|src|action)="([^"]*)"', html) + re.findall(
        rf"{re.escape(BASE)}/[^\s\"<>]*", html
    ):
        if link.startswith((BASE, "/")) and not link.startswith("//"):
            yield (
                urlsplit(link.replace("&amp;", "&"))
                ._replace(scheme="", netloc="", fragment="")
                .geturl()
                or "/"
            )


START_PAGES = {
    "/",
    "/robots.txt",
    "/healthz",
    "/openapi.json",
    "/blog/embed",
    "/blog/archive/feed.xml",
    "/resources/guide",
}


def test_no_number_of_a_row_leaves_the_program(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, tmp_path: Path
) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        number_rows_apart()
        every_mail(env, tmp_path, clock)
        kinds = set(db.session.scalars(select(Delivery.mail).where(Delivery.status == "sent")))
        folders = {
            folder.name
            for folder in (find_template_folder() / "emails").iterdir()
            if folder.is_dir()
        }
        expected = (folders - {"post"} - FOR_AUTHORS) | {"digest", "series"}
        assert kinds == expected, "a mail of each kind was sent"
        numbers = row_numbers()
    visited = _visit(client, numbers, START_PAGES | _read_mails(sink, numbers))
    opened = {path.split("/")[1] for path in visited}
    assert opened >= {
        "preferences",
        "unsubscribe",
        "confirm",
        "never",
        "stay",
        "export",
        "erase",
        "address",
    }
    assert any(re.fullmatch(r"/blog/archive/[\w-]{12}", path) for path in visited)


def _require_none(numbers: set[str], what: str, text: str) -> None:
    leaked = {number for number in numbers if number in text}
    assert not leaked, f"{what} shows {leaked}"


def _read_mails(sink: Sink, numbers: set[str]) -> set[str]:
    """Look for row numbers in every mail; return the links in them."""
    links: set[str] = set()
    for outgoing, message in zip(sink.accepted, sink.messages, strict=True):
        subject = str(message["Subject"])
        _require_none(
            numbers, f"the envelope of {subject}", f"{outgoing.sender} {outgoing.envelope_id}"
        )
        _require_none(numbers, f"the source of {subject}", outgoing.data.decode("ascii"))
        for kind in ("plain", "html"):
            _require_none(numbers, subject, body(message, kind))
            links |= set(links_in(body(message, kind)))
    return links


def _visit(client: FlaskClient, numbers: set[str], waiting: set[str]) -> set[str]:
    """Look for row numbers in every page that can be reached; return the paths of all."""
    visited: set[str] = set()
    while waiting:
        path = waiting.pop()
        visited.add(path)
        answer = client.get(path, buffered=True)
        assert answer.status_code < 500 or path == "/healthz", path
        _require_none(numbers, f"the address {path}", path)
        _require_none(numbers, f"the header of {path}", str(answer.headers))
        if answer.mimetype.startswith("text/") or answer.mimetype.endswith(("json", "xml")):
            page = answer.get_data(as_text=True)
            _require_none(numbers, f"the page {path}", page)
            waiting |= set(links_in(page)) - visited
    return visited


def test_the_export_of_a_subscriber_has_no_number_of_a_row(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, tmp_path: Path
) -> None:
    with app.app_context():
        env = app.extensions[EXTENSION]
        number_rows_apart()
        every_mail(env, tmp_path, clock)
        clock.forward(timedelta(days=31))
        reconfirmation.settle(env)
        query = (
            select(Subscription.handle)
            .join(Subscriber)
            .where(Subscriber.email == "ana@example.com")
        )
        token = env.tokens.sign("export", db.session.scalars(query).one(), env.now)
        numbers = row_numbers()
    exported = client.post(f"/export/{token}").get_data(as_text=True)
    assert "lapsed" in exported
    assert not [number for number in numbers if number in exported]


def test_a_message_is_found_by_its_reference(
    app: Flask, sink: Sink, clock: Clock, tmp_path: Path
) -> None:
    """Whoever reads returned mail finds the delivery, whatever becomes of `secret_key`."""
    with app.app_context():
        env = app.extensions[EXTENSION]
        every_mail(env, tmp_path, clock)
        references = outbox.get_references(db.session())
        for outgoing, message in zip(sink.accepted, sink.messages, strict=True):
            local = str(message["Message-ID"]).strip("<>").partition("@")[0]
            assert references.find_message(local) == outgoing.id
            if outgoing.envelope_id:
                name = references.name_report(outgoing.id)
                assert outgoing.sender == f"bounces+{name}@news.example.com"
                assert outgoing.envelope_id == name
                holding = {field for field, value in message.items() if name in str(value)}
                assert holding <= {"CFBL-Feedback-ID"}, (
                    f"{holding}: others know it who get this mail forwarded"
                )
                body = outgoing.data.partition(b"\r\n\r\n")[2].decode()
                assert name not in re.sub(r"=\r\n", "", body)
        campaign = db.session.scalars(select(Campaign).where(Campaign.kind == "letter")).one()
        assert (
            db.session.scalars(
                select(MailingList.slug).where(MailingList.id == campaign.list_id)
            ).one()
            == "blog"
        )
