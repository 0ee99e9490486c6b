"""Test what the author's pages show and do: the same as the commands, each list by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import reading, transaction
from newsletter.models import Campaign, Entry, MailingList, Subscriber, Subscription, Tag
from newsletter.services.campaigns import campaigns, tapped_answers
from newsletter.services.digests import due
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink, body
from tests.people import add_entry, add_feed, add_reader
from tests.web.author.conftest import Browse

SCRIPT = "<script>alert(1)</script>"


@dataclass
class Blog:
    """The rows that exist: on `blog` a campaign and entries, on `talks` others."""

    app: Flask
    campaign: int
    held: int
    ready: int
    other_campaign: int
    other_entry: int
    feed: int
    ann: str
    bob: str
    cat: str

    @property
    def env(self) -> Environment:
        env: Environment = self.app.extensions[EXTENSION]
        return env


def handle_of(address: str) -> str:
    with reading() as session:
        return session.scalars(select(Subscriber.handle).where(Subscriber.email == address)).one()


@pytest.fixture
def blog(app: Flask, lists: None) -> Blog:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            mine = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
            talks = session.scalars(select(MailingList).where(MailingList.slug == "talks")).one()
            add_reader(session, mine, "ann@example.com", name=f"Ann {SCRIPT}")
            bob = add_reader(session, mine, "bob@example.com", name="Bob")
            add_reader(session, talks, "cat@example.com", name="Anna Cat")
            session.add(
                Subscription(
                    handle="bob-on-talks",
                    list_id=talks.id,
                    subscriber_id=bob.subscriber_id,
                    status="active",
                    cadence="weekly",
                    created_at=env.now,
                    confirmed_at=env.now,
                )
            )
            feed = add_feed(session, mine)
            add_entry(session, feed, f"Slow days {SCRIPT}")
            other_feed = add_feed(session, talks, "https://talks.example.com/feed/")
            other = add_entry(session, other_feed, "Talk of the town")
            feed_id = feed.id
            other_entry = other.id
        for slug in ("blog", "talks"):
            due.send_now(env, slug)
        with transaction() as session:
            feed = session.get_one(type(feed), feed_id)
            held = add_entry(session, feed, f"Held {SCRIPT}", fate="held").id
            ready = add_entry(session, feed, "Coming up").id
            ids = dict(
                session.execute(select(MailingList.slug, Campaign.id).join(MailingList)).all()
            )
        return Blog(
            app,
            ids["blog"],
            held,
            ready,
            ids["talks"],
            other_entry,
            feed_id,
            handle_of("ann@example.com"),
            handle_of("bob@example.com"),
            handle_of("cat@example.com"),
        )


def fate(entry_id: int) -> str:
    with reading() as session:
        return str(session.scalars(select(Entry.fate).where(Entry.id == entry_id)).one())


def test_a_campaign_is_paused_resumed_and_cancelled_beside_its_worker(
    blog: Blog, browse: Browse, sink: Sink
) -> None:
    browser = browse("owner")
    page = f"/author/campaigns/{blog.campaign}"
    answer = browser.post(f"{page}/pause", page=page)
    assert answer.headers["Location"] == f"{page}?done=1"
    with blog.app.app_context():
        sending.send_due(blog.env)
        assert {one.recipient for one in sink.accepted} == {"bob@example.com", "cat@example.com"}
        sink.accepted.clear()
        campaigns.resume(blog.env, blog.campaign)
    assert "being sent" in browser.get(page).text
    assert browser.post(f"{page}/resume", page=page).status_code == 409
    browser.post(f"{page}/cancel", page=page)
    with blog.app.app_context():
        sending.send_due(blog.env)
        assert campaigns.get_campaign(blog.campaign).status == "cancelled"
        assert campaigns.get_campaign(blog.other_campaign).status == "sent"
    assert sink.accepted == []


@pytest.mark.any_database
def test_answers_are_shown_and_names_to_editors_where_the_letter_asked(
    blog: Blog, browse: Browse, sink: Sink
) -> None:
    text = (
        "---\nsubject: A pause\nlist: blog\nanswers: named\n---\nRest.\n\n"
        f"[Good {SCRIPT}?](answer: yes / no)\n"
    )
    with blog.app.app_context():
        named = letters.send_letter(blog.env, parse_letter(text))
        plain = letters.send_letter(
            blog.env, parse_letter(text.replace("answers: named\n", "")), again=True
        )
        sending.send_due(blog.env)
        for message in sink.to("ann@example.com")[-2:]:
            token = re.findall(r"/answer/([\w.-]+)", body(message))[0]
            tapped_answers.give_answer(blog.env, token)
    for role, campaign, is_named in (
        ("viewer", named, False),
        ("editor", named, True),
        ("editor", plain, False),
    ):
        page = browse(role, address=f"{role}-{campaign}@example.net").get(
            f"/author/campaigns/{campaign}"
        )
        assert "Good &lt;script&gt;" in page.text
        assert SCRIPT not in page.text
        assert "<dt><bdi>yes</bdi></dt><dd>1</dd>" in page.text
        assert "<dt><bdi>no</bdi></dt><dd>0</dd>" in page.text
        assert ("ann@example.com" in page.text) is is_named, (role, campaign)
        assert "bob@example.com" not in page.text
    other = browse("viewer").get(f"/author/campaigns/{blog.other_campaign}").text
    assert "Good" not in other


def test_a_campaign_that_failed_is_sent_again_by_its_owner(
    blog: Blog, browse: Browse, sink: Sink, clock: Clock
) -> None:
    from newsletter.mail.smtp.types import Outcome, Outgoing, Reply

    def refuse(outgoing: Outgoing) -> Outcome | None:
        reply = Reply(550, "5.1.1", f"no such user {SCRIPT}")
        bad = outgoing.recipient == "ann@example.com"
        return Outcome(outgoing.id, "refused", "RCPT", reply, "sink") if bad else None

    sink.script = refuse
    with blog.app.app_context():
        sending.send_due(blog.env)
    page = f"/author/campaigns/{blog.campaign}"
    viewed = browse("viewer").get(page).text
    assert "example.com" in viewed
    assert "550" in viewed
    assert "no such user" not in viewed, "a server's answer may name somebody"
    edited = browse("editor").get(page).text
    assert "no such user &lt;script&gt;" in edited
    assert SCRIPT not in edited
    clock.forward(timedelta(hours=2))
    browser = browse("owner", address="old@example.com")
    clock.forward(timedelta(hours=2))
    late = browser.post(f"{page}/retry", page=page, headers={"Referer": f"https://x{page}"})
    assert late.headers["Location"] == f"/author/again?next={page}"


def test_the_mail_is_shown_where_it_can_do_nothing(blog: Blog, browse: Browse) -> None:
    browser = browse("viewer")
    page = f"/author/campaigns/{blog.campaign}"
    answer = browser.get(f"{page}/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy and "script-src" not in policy and "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert SCRIPT not in answer.text
    assert "Slow days" in browser.get(f"{page}/text").text
    report = browser.get(page)
    assert f'src="{page}/html"' in report.text
    assert "script-src 'self'" in report.headers["Content-Security-Policy"]


def test_entries_are_held_released_and_skipped(blog: Blog, browse: Browse) -> None:
    browser = browse("editor")
    page = browser.get("/author/sources?fate=held").text
    assert "Held &lt;script&gt;" in page
    assert "Coming up" not in page
    steps = (
        (blog.held, "release", "ready"),
        (blog.ready, "hold", "held"),
        (blog.held, "skip", "skipped"),
    )
    for entry, act, expected in steps:
        answer = browser.post(
            f"/author/entries/{entry}/{act}",
            {"next": "/author/sources?fate=held"},
            page="/author/sources",
        )
        assert answer.headers["Location"] == "/author/sources?fate=held&done=1"
        with blog.app.app_context():
            assert fate(entry) == expected
            assert fate(blog.other_entry) == "sent"
    again = browser.post(f"/author/entries/{blog.held}/hold", page="/author/sources")
    assert again.status_code == 409
    assert "is skipped" in again.text


def test_a_feed_is_read_with_the_next_tick(blog: Blog, browse: Browse, clock: Clock) -> None:
    clock.forward(timedelta(hours=-3))
    browse("editor").post(f"/author/feeds/{blog.feed}/check", page="/author/sources")
    from newsletter.models import Feed

    with blog.app.app_context(), reading() as session:
        moments = {feed.id: feed.next_poll_at for feed in session.scalars(select(Feed))}
    assert [id_ for id_, moment in moments.items() if moment == clock.now] == [blog.feed]


@pytest.mark.parametrize("typed", ["ann", "ANN", "ann@example.c"])
def test_subscribers_are_found_by_how_they_begin(blog: Blog, browse: Browse, typed: str) -> None:
    page = browse("editor").get("/author/subscribers", query_string={"search": typed}).text
    assert "ann@example.com" in page
    assert "bob@example.com" not in page
    assert ("cat@example.com" in page) == ("@" not in typed), "her name is Anna"
    assert SCRIPT not in page


def test_wildcards_of_a_search_are_letters(blog: Blog, browse: Browse) -> None:
    browser = browse("editor")
    for typed in ("%", "_nn", "a%", "\\", "\U0010ffff", "'"):
        page = browser.get("/author/subscribers", query_string={"search": typed})
        assert page.status_code == 200
        assert "No subscriber matches" in page.text, typed


def test_a_limited_author_sees_their_list_alone(blog: Blog, browse: Browse) -> None:
    browser = browse("owner", "blog")
    listing = browser.get("/author/subscribers").text
    assert "bob@example.com" in listing
    assert "cat@example.com" not in listing
    assert "talks" not in listing
    assert "talks" not in browser.get(f"/author/subscribers/{blog.bob}").text
    assert "cat@example.com" not in browser.get("/author/subscribers?search=anna").text
    for path in (
        f"/author/subscribers/{blog.cat}",
        f"/author/campaigns/{blog.other_campaign}",
        f"/author/campaigns/{blog.other_campaign}/html",
    ):
        assert browser.get(path).status_code == 404
    page = f"/author/subscribers/{blog.bob}"
    answer = browser.post(f"{page}/unsubscribe", {"list": "talks"}, page=page)
    assert answer.status_code == 404
    assert browser.post(f"/author/entries/{blog.other_entry}/resend", page=page).status_code == 404
    for text in (
        browser.get("/author/").text,
        browser.get("/author/campaigns").text,
        browser.get("/author/sources").text,
    ):
        assert "talks" not in text.lower().replace("talks about", "")
    assert "/export" not in listing
    assert "/erase" not in browser.get(page).text


def test_a_subscriber_is_corrected_and_unsubscribed(blog: Blog, browse: Browse) -> None:
    browser = browse("editor")
    page = f"/author/subscribers/{blog.bob}"
    browser.post(f"{page}/correct", {"name": "Robert", "tag": "berlin, slow"}, page=page)
    browser.post(
        f"{page}/correct", {"list": "blog", "cadence": "monthly", "pause": "2026-12-24"}, page=page
    )
    text = browser.get(page).text
    assert "Robert" in text and "berlin" in text and "2026-12-24" in text
    for wrong in ({"pause": "soon"}, {"cadence": "hourly"}):
        answer = browser.post(f"{page}/correct", {"list": "blog", **wrong}, page=page)
        assert answer.status_code == 422
    browser.post(f"{page}/unsubscribe", {"list": "blog"}, page=page)
    with blog.app.app_context(), reading() as session:
        rows = session.execute(
            select(MailingList.slug, Subscriber.email, Subscription.status, Subscription.cadence)
            .join(Subscription, Subscription.list_id == MailingList.id)
            .join(Subscriber)
        ).all()
    states = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    assert states["blog", "bob@example.com"] == ("unsubscribed", "monthly")
    assert states["talks", "bob@example.com"] == ("active", "weekly")
    assert states["blog", "ann@example.com"] == ("active", "weekly")


def test_why_a_subscriber_got_nothing_is_explained(blog: Blog, browse: Browse) -> None:
    page = browse("editor").get(f"/author/subscribers/{blog.cat}?campaign={blog.campaign}")
    assert 'role="status"' in page.text
    assert "the address subscribes to talks, not to blog" in page.text
    path = f"/author/subscribers/{blog.cat}?campaign={blog.campaign}"
    german = browse("editor").get(path, headers={"Accept-Language": "de"}).text
    assert "Die Adresse hat talks abonniert, nicht blog" in german
    assert "the address subscribes" not in german


def test_the_campaign_to_explain_is_chosen_by_its_subject(blog: Blog, browse: Browse) -> None:
    path = f"/author/subscribers/{blog.cat}"
    page = browse("editor").get(path).text
    choices = re.findall(r'<option value="(\d+)"[^>]*>[^<]+ · (\w+) · ', page)
    assert choices == [(str(blog.other_campaign), "talks"), (str(blog.campaign), "blog")]
    text = browse("editor", "talks").get(path).text
    assert 'name="campaign"' not in text, "the reasons may name other lists"


def test_who_is_added_must_confirm(blog: Blog, browse: Browse, sink: Sink) -> None:
    browser = browse("editor")
    page = "/author/subscribers/add"
    wrong = browser.post(page, {"email": "dan", "list": "blog"}, page=page)
    assert wrong.status_code == 422
    assert 'value="dan"' in wrong.text and 'aria-invalid="true"' in wrong.text
    answer = browser.post(
        page, {"email": "dan@example.com", "list": "talks", "name": "Dan", "tag": "vip"}, page=page
    )
    assert answer.headers["Location"] == "/author/subscribers?done=1"
    with blog.app.app_context():
        sending.send_due(blog.env)
        assert [one.recipient for one in sink.accepted].count("dan@example.com") == 1
        with reading() as session:
            query = select(MailingList.slug, Subscription.status).join(Subscription)
            rows = session.execute(
                query.join(Subscriber).where(Subscriber.email == "dan@example.com")
            )
            assert rows.all() == [("talks", "pending")]


def test_adding_says_nothing_of_other_lists(blog: Blog, browse: Browse) -> None:
    """Known elsewhere, erased, unknown: one answer for an author of one list, and no tag."""
    browse("owner").post(
        f"/author/subscribers/{blog.cat}/erase", page=f"/author/subscribers/{blog.cat}"
    )
    with blog.app.app_context(), transaction() as session:
        talks = session.scalars(select(MailingList).where(MailingList.slug == "talks")).one()
        add_reader(session, talks, "eve@example.com")
    browser = browse("editor", "blog")
    page = "/author/subscribers/add"
    for address in ("cat@example.com", "eve@example.com", "new@example.com", "ann@example.com"):
        answer = browser.post(page, {"email": address, "list": "blog", "tag": "mine"}, page=page)
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/author/subscribers?done=1",
        )
    assert (
        browser.post(page, {"email": "x@example.com", "list": "talks"}, page=page).status_code
        == 404
    )
    assert "talks" not in browser.get(page).text
    with blog.app.app_context(), reading() as session:
        assert session.scalars(select(Tag.tag)).all() == []


def test_a_limited_author_neither_sees_nor_changes_what_all_lists_show(
    blog: Blog, browse: Browse
) -> None:
    """Whoever types an address into the form learns no name of it; tags are no list's own."""
    with blog.app.app_context(), transaction() as session:
        cat = session.scalars(select(Subscriber).where(Subscriber.handle == blog.cat)).one()
        bob = session.scalars(select(Subscriber).where(Subscriber.handle == blog.bob)).one()
        session.add_all(Tag(subscriber_id=row.id, tag="patient") for row in (cat, bob))
        name = cat.name
    browser = browse("owner", "blog")
    page = "/author/subscribers/add"
    browser.post(page, {"email": "cat@example.com", "list": "blog"}, page=page)
    for path in ("/author/subscribers", f"/author/subscribers/{blog.cat}"):
        text = browser.get(path).text
        assert "cat@example.com" in text
        assert name not in text and "patient" not in text
    page = f"/author/subscribers/{blog.bob}"
    assert "patient" not in browser.get(page).text
    for changes in ({"name": "Mine"}, {"tag": "mine"}, {"list": "blog", "untag": "patient"}):
        answer = browser.post(f"{page}/correct", changes, page=page)
        assert answer.status_code == 422, changes
        assert "only an author of all lists" in answer.text
    with blog.app.app_context(), reading() as session:
        assert set(session.scalars(select(Tag.tag))) == {"patient"}
        assert "Mine" not in set(session.scalars(select(Subscriber.name)))
    assert name in browse("owner").get(f"/author/subscribers/{blog.cat}").text


def test_an_export_is_streamed(blog: Blog, browse: Browse) -> None:
    browser = browse("owner")
    answer = browser.post(
        "/author/subscribers/export", {"list": "talks"}, page="/author/subscribers", buffered=False
    )
    assert answer.is_streamed
    assert answer.headers["Content-Disposition"] == 'attachment; filename="subscribers-talks.csv"'
    text = answer.get_data(as_text=True)
    assert "cat@example.com" in text and "ann@example.com" not in text
    assert len(text.splitlines()) == 3
    none = browser.post("/author/subscribers/export", {"list": "no"}, page="/author/subscribers")
    assert none.status_code == 404


def test_only_an_owner_of_everything_exports_proves_and_erases(blog: Blog, browse: Browse) -> None:
    browser = browse("owner")
    export = browser.post("/author/subscribers/export", page="/author/subscribers")
    assert export.headers["Content-Disposition"] == 'attachment; filename="subscribers.csv"'
    assert export.text.count("bob@example.com") == 2
    page = f"/author/subscribers/{blog.ann}"
    assert "ann@example.com" in browser.get(f"{page}/proof").text
    browser.post(f"{page}/erase", page=page)
    assert browser.get(page).status_code == 404
    left = browser.get("/author/subscribers").text
    assert "ann@example.com" not in left
    assert "bob@example.com" in left
    assert "ann@example.com" not in browser.get("/author/audit").text


def test_listings_are_paged_by_key(blog: Blog, browse: Browse) -> None:
    with blog.app.app_context(), transaction() as session:
        mine = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        for number in range(60):
            add_reader(session, mine, f"page{number:02}@example.com")
    cases = [
        (browser, path, count)
        for browser, all_of_them in ((browse("editor"), 63), (browse("editor", "blog"), 62))
        for path, count in (
            ("/author/subscribers", all_of_them),
            ("/author/subscribers?search=page", 60),
        )
    ]
    for browser, first, count in cases:
        handles: list[str] = []
        path: str | None = first
        while path:
            assert path.rpartition("after=")[2].isdecimal() is False, "no number of all subscribers"
            text = browser.get(path).text
            handles += [part.split('"')[0] for part in text.split("/author/subscribers/")[1:]]
            path = next(
                (
                    part.split('"')[0].replace("&amp;", "&")
                    for part in text.split('href="')[1:]
                    if "after=" in part.split('"')[0]
                ),
                None,
            )
        handles = [handle for handle in handles if handle not in ("export", "add")]
        assert len(handles) == len(set(handles)) == count


def test_viewers_see_no_address(blog: Blog, browse: Browse) -> None:
    browser = browse("viewer", address="eye@viewer.test")
    for path in (
        "/author/",
        "/author/campaigns",
        f"/author/campaigns/{blog.campaign}",
        f"/author/campaigns/{blog.campaign}/html",
        f"/author/campaigns/{blog.campaign}/text",
        "/author/sources",
    ):
        text = browser.get(path).text
        for name in ("ann@", "bob@", "cat@", "Bob"):
            assert name not in text, path
        assert SCRIPT not in text or path.endswith("/text")
