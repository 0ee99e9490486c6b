"""The links of a review: a scanner that opens every one changes nothing; a press does exactly
that.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select, text

from newsletter.db.session import db, transaction
from newsletter.models import DigestReview, Feed, MailingList
from newsletter.services.digests import due as digests
from newsletter.services.lists import lists
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY_8 = START + timedelta(days=5, hours=23)
SCRIPT = "<script>alert(1)</script>"
AUTHOR = "ana@news.example.com"


@pytest.fixture(autouse=True)
def review(app: Flask, clock: Clock) -> Environment:
    """Send a digest of two entries out for review, beside one of another list."""
    env: Environment = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            for slug, sender in (("blog", AUTHOR), ("talks", "tom@news.example.com")):
                mailing_list = add_list(session, slug, from_email=sender)
                add_reader(session, mailing_list, f"ann@{slug}.example.com")
                feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed")
                add_entry(session, feed, f"Calm {slug} {SCRIPT}")
                add_entry(session, feed, f"Rest {slug}")
        for slug in ("blog", "talks"):
            lists.edit(env, slug, {"review": "24h"})
        clock.now = MONDAY_8 - timedelta(days=1)
        tick(env)
    return env


def tick(env: Environment) -> None:
    digests.compose_due(env)
    sending.send_due(env)


def links(sink: Sink, address: str = AUTHOR) -> list[str]:
    paths = set()
    for kind in ("plain", "html"):
        paths |= set(
            re.findall(r"https://news\.example\.com(/[^\s\"<>]*)", body(sink.to(address)[-1], kind))
        )
    return sorted(path.replace("&amp;", "&") for path in paths)


def state(app: Flask) -> dict[str, list[str]]:
    skipped = {"counters", "workers", "author_logins"}
    with app.app_context():
        names = [name for name in inspect(db.engine).get_table_names() if name not in skipped]
        return {
            name: sorted(map(str, db.session.execute(text(f'SELECT * FROM "{name}"')).all()))
            for name in names
        }


def test_a_scanner_that_opens_every_link_changes_nothing(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    paths = links(sink)
    assert sum("/hold" in path for path in paths) == 1
    assert sum("/leave-out/" in path for path in paths) == 2
    assert sum("/author/digests/blog/weekly" in path for path in paths) == 3
    before = state(app)
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = client.open(
                path, method=method, follow_redirects=True, base_url="https://news.example.com"
            )
            assert answer.status_code < 400, path
            assert SCRIPT not in answer.text
        for address in re.findall(r'(?:href|src)="(/[^"]*)"', client.get(path).text):
            client.get(address, buffered=True)
    assert state(app) == before


def test_a_press_does_exactly_what_its_button_says(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, review: Environment
) -> None:
    [first, _] = [path for path in links(sink) if "/leave-out/" in path]
    page = client.get(first)
    assert page.headers["Cache-Control"] == "no-store"
    assert "Leave out “Calm blog" in page.text
    assert "Set-Cookie" not in page.headers
    for _ in range(2):
        answer = client.post(first)
        assert answer.status_code == 200
        assert "is left out" in answer.text
    clock.now = MONDAY_8
    with app.app_context():
        tick(review)
    assert [m["Subject"] for m in sink.to("ann@blog.example.com")] == ["Rest blog"]
    assert len(sink.to("ann@talks.example.com")) == 1
    assert "New: Rest talks and Calm talks" in sink.to("ann@talks.example.com")[0]["Subject"]
    for path in (first, first.rpartition("/leave-out")[0] + "/hold"):
        before = state(app)
        assert client.get(path).status_code == client.post(path).status_code == 410
        assert state(app) == before


def test_held_by_one_press(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, review: Environment
) -> None:
    [hold] = [path for path in links(sink) if path.endswith("/hold")]
    assert "The digest is held" in client.post(hold).text
    assert "<button" not in client.get(hold).text
    clock.now = MONDAY_8 + timedelta(days=3)
    with app.app_context():
        tick(review)
    assert sink.to("ann@blog.example.com") == []
    assert len(sink.to("ann@talks.example.com")) == 1


def test_links_that_are_crossed_open_nothing(app: Flask, client: FlaskClient, sink: Sink) -> None:
    mine = [path for path in links(sink) if "/leave-out/" in path]
    theirs = [path for path in links(sink, "tom@news.example.com") if "/leave-out/" in path]
    before = state(app)
    token, _, number = mine[0].removeprefix("/review/").partition("/leave-out/")
    other, _, other_number = theirs[0].removeprefix("/review/").partition("/leave-out/")
    for path in (
        f"/review/{token}/leave-out/{other_number}",
        f"/review/{other}/leave-out/{number}",
        f"/review/{token}/leave-out/99999",
        f"/review/{token[:-1]}x/hold",
        f"/review/{token.partition('.')[0]}/hold",
        f"/review/{token}/send",
        f"/review/{token}/release",
        f"/unsubscribe/{token}",
        f"/author/enter/{token}",
    ):
        assert client.get(path).status_code in (404, 410), path
        assert client.post(path).status_code in (400, 404, 410), path
    assert state(app) == before


def test_without_a_log_in_nothing_more_goes_out(
    app: Flask, client: FlaskClient, sink: Sink
) -> None:
    """Send now, release, skip and the line at the top are the author's, behind the log-in."""
    for act in ("send", "release", "skip", "hold", "intro"):
        answer = client.post(
            f"/author/digests/blog/weekly/{act}", base_url="https://news.example.com"
        )
        assert answer.status_code in (303, 400), act
    with app.app_context():
        rows = db.session.scalars(select(DigestReview)).all()
        assert {row.version for row in rows} == {0}


def test_a_digest_speaks_the_language_of_its_list(
    app: Flask, client: FlaskClient, sink: Sink, clock: Clock, review: Environment
) -> None:
    with app.app_context():
        lists.edit(review, "blog", {"language": "ar"})
        clock.now = MONDAY_8
        tick(review)
        with transaction() as session:
            feed = session.scalars(
                select(Feed).join(MailingList).where(MailingList.slug == "blog")
            ).one()
            add_entry(session, feed, "Spring")
        clock.now = MONDAY_8 + timedelta(days=6)
        tick(review)
    mail = sink.to(AUTHOR)[-1]
    assert mail["Subject"] == "للمراجعة: Spring"
    assert 'dir="rtl"' in body(mail, "html")
    assert "«\u2068Spring\u2069»" in body(mail, "html")
    [hold] = [path for path in links(sink) if path.endswith("/hold")]
    assert 'lang="ar"' in client.get(hold).text
