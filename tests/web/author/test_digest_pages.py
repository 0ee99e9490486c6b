"""The page of the next digest, and Today: what goes out, what waits, and what the author does about
it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import DigestReview, Entry, MailingList
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, upcoming
from newsletter.services.lists import lists
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.web.author import digests as digest_pages
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_reader
from tests.web.author.conftest import Browse

MONDAY_8 = START + timedelta(days=5, hours=23)
SCRIPT = "<script>alert(1)</script>"
PAGE = "/author/digests/blog/weekly"


@pytest.fixture
def blog(app: Flask, lists: None) -> Environment:
    """Two entries wait for the digest of `blog`, another for that of `talks`."""
    env: Environment = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        for row in session.scalars(select(MailingList)).all():
            add_reader(session, row, f"ann@{row.slug}.example.com")
            feed = add_feed(session, row, f"https://{row.slug}.example.com/feed/")
            add_entry(session, feed, f"Clam {row.slug} {SCRIPT}")
            add_entry(session, feed, f"Rest {row.slug}")
    return env


def tick(app: Flask, env: Environment) -> None:
    with app.app_context():
        digests.compose_due(env)
        sending.send_due(env)


def entry_id(app: Flask, title: str) -> int:
    with app.app_context(), reading() as session:
        return session.scalars(select(Entry.id).where(Entry.title.startswith(title))).one()


def subjects(sink: Sink, slug: str = "blog") -> list[str]:
    return [str(message["Subject"]) for message in sink.to(f"ann@{slug}.example.com")]


def test_a_typo_in_a_held_digest_is_corrected(
    app: Flask, blog: Environment, browse: Browse, clock: Clock, sink: Sink
) -> None:
    owner = browse("owner")
    page = owner.get(PAGE).text
    assert "Clam blog" in page
    assert SCRIPT not in page
    assert "Clam talks" not in page
    assert owner.post(f"{PAGE}/hold", page=PAGE).status_code == 303
    clock.now = MONDAY_8 + timedelta(hours=1)
    tick(app, blog)
    assert subjects(sink) == []
    assert len(subjects(sink, "talks")) == 1
    assert "Held until you release it" in owner.get("/author/").text
    path = f"/author/entries/{entry_id(app, 'Clam blog')}/correct"
    assert path in owner.get(PAGE).text
    owner.post(path, {"title": "Calm blog", "excerpt": "All <b>about</b> calm."}, page=path)
    owner.post(f"{PAGE}/intro", {"text": "I am *back*."}, page=PAGE)
    frame = owner.get(f"{PAGE}/html")
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    assert "Calm blog" in frame.text
    again = owner.post(f"{PAGE}/release", page=PAGE)
    assert again.headers["Location"].startswith("/author/again"), "its log-in is days old"
    owner = browse("owner")
    assert owner.post(f"{PAGE}/release", page=PAGE).status_code == 303
    tick(app, blog)
    assert subjects(sink) == ["New: Rest blog and Calm blog"]
    text = body(sink.to("ann@blog.example.com")[0])
    assert "All <b>about</b> calm." in text
    assert "I am *back*." in text or "I am back." in text


def test_a_correction_outlives_the_feed_and_can_be_taken_back(
    app: Flask, blog: Environment, browse: Browse
) -> None:
    editor = browse("editor")
    number = entry_id(app, "Clam blog")
    path = f"/author/entries/{number}/correct"
    editor.post(path, {"title": "Calm", "excerpt": ""}, page=path)
    with app.app_context(), transaction() as session:
        session.get_one(Entry, number).title = "Clam, said the feed again"
    assert "Calm" in editor.get(PAGE).text
    editor.post(path, {"clear": "1"}, page=path)
    assert "Clam, said the feed again" in editor.get(PAGE).text
    assert editor.post(path, {"title": "x" * 301}, page=path).status_code == 422


def test_sent_in_a_minute_unless_it_is_held(
    app: Flask, blog: Environment, browse: Browse, clock: Clock, sink: Sink
) -> None:
    owner = browse("owner")
    key = {"key": "2026-W49"}
    assert owner.post(f"{PAGE}/send", {"key": "2026-W48"}, page=PAGE).status_code == 409
    owner.post(f"{PAGE}/send", key, page=PAGE)
    tick(app, blog)
    assert subjects(sink) == [], "a minute to undo"
    owner.post(f"{PAGE}/hold", page=PAGE)
    clock.forward(timedelta(minutes=2))
    tick(app, blog)
    assert subjects(sink) == []
    owner.post(f"{PAGE}/send", key, page=PAGE)
    clock.forward(timedelta(minutes=1))
    tick(app, blog)
    assert len(subjects(sink)) == 1
    assert subjects(sink, "talks") == []
    with app.app_context(), reading() as session:
        assert session.scalars(select(DigestReview.settled_at)).all() != [None]


def test_skipped_and_left_out(
    app: Flask, blog: Environment, browse: Browse, clock: Clock, sink: Sink
) -> None:
    editor = browse("editor", "blog")
    editor.post(f"{PAGE}/skip", {"key": "2026-W49"}, page=PAGE)
    assert editor.post(f"{PAGE}/skip", {"key": "2026-W49"}, page=PAGE).status_code == 409
    with app.app_context():
        lists.edit(blog, "blog", {"review": "24h"})
    clock.now = MONDAY_8 + timedelta(days=6)
    tick(app, blog)
    number = entry_id(app, "Clam blog")
    other = entry_id(app, "Clam talks")
    assert editor.post(f"{PAGE}/leave-out/{other}", page=PAGE).status_code == 404
    assert editor.post(f"{PAGE}/leave-out/{number}", page=PAGE).status_code == 303
    assert editor.post(f"{PAGE}/send", {"key": "2026-W50"}, page=PAGE).status_code == 403
    assert "<del>Clam blog" in editor.get(PAGE).text
    clock.now = MONDAY_8 + timedelta(days=7)
    tick(app, blog)
    assert subjects(sink) == ["Rest blog"]


def test_a_mail_leads_to_its_page_after_the_log_in(
    app: Flask, blog: Environment, browse: Browse, sink: Sink
) -> None:
    """From a notice or a review to the log-in, and on to the page: inside these pages only."""
    browse("owner", address="ana@example.com")
    text = f"{PAGE}?review=1"
    visitor = browse()
    answer = visitor.get(text)
    assert answer.status_code == 303
    ask = answer.headers["Location"]
    visitor.post("/author/log-in", {"email": "ana@example.com", "next": text}, page=ask)
    with app.app_context():
        sending.send_due(blog)
    link = next(
        word for word in body(sink.to("ana@example.com")[-1]).split() if "/author/enter/" in word
    ).removeprefix("https://news.example.com")
    assert "digests" not in link
    entered = visitor.post(link, page=link)
    assert entered.headers["Location"] == text
    for bad in (
        "https://evil.example/author/",
        "//evil.example",
        "/\\evil.example",
        "/author/" + "x" * 400,
    ):
        stranger = browse()
        stranger.post("/author/log-in", {"email": "ana@example.com", "next": bad})
        with app.app_context():
            sending.send_due(blog)
        link = next(
            word
            for word in body(sink.to("ana@example.com")[-1]).split()
            if "/author/enter/" in word
        ).removeprefix("https://news.example.com")
        assert stranger.post(link, page=link).headers["Location"] == "/author/"


def test_what_is_being_sent_is_on_a_page_of_its_own(
    app: Flask, blog: Environment, browse: Browse
) -> None:
    with app.app_context():
        digests.send_now(blog, "blog")
        digests.send_now(blog, "talks")
    viewer = browse("viewer", "talks")
    page = viewer.get("/author/sending").text
    assert 'data-refresh="/author/sending"' in page
    assert "Rest talks" in page
    assert "Rest blog" not in page
    assert "Being sent" in viewer.get("/author/").text
    assert "newsletter bounce" not in viewer.get("/author/").text


def test_of_many_subscribers_the_pages_count_so_many(
    app: Flask, blog: Environment, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are owed most come first, so that no entry is missing; the number follows."""
    for module in (explain_list, upcoming, digest_pages):
        monkeypatch.setattr(module, "COUNTED_AT_MOST", 2)
    with app.app_context(), transaction() as session:
        row = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        add_reader(session, row, "behind@blog.example.com", cursor=1)
        add_reader(session, row, "last@blog.example.com", cursor=1)
        add_reader(session, row, "daily@blog.example.com", cadence="daily")
    viewer = browse("viewer", "blog")
    assert "2 new for at least 2 of 3 subscribers" in viewer.get("/author/").text
    page = viewer.get(PAGE).text
    assert "Clam blog" in page and "Rest blog" in page
    assert f'data-url="{PAGE}/recipients"' in page
    assert viewer.get(f"{PAGE}/recipients").text == "Subscribers who would get it now: 3"
    counted = viewer.get(f"{PAGE}?count=1").text
    assert "<dd>3</dd>" in counted and "data-url" not in counted
    assert "Clam blog" in viewer.get(f"{PAGE}/html").text
    daily = viewer.get("/author/digests/blog/daily").text
    assert "2 new for 1 of 1 subscriber" in daily and "data-url" not in daily
