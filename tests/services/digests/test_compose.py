"""Test what goes into a digest: topics, patience, catching up, an author's words, headings, and the
archive's page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.digest_vocabulary import DigestSections
from newsletter.errors import InvalidInput, NotFound
from newsletter.feeds.parse import parse_feed
from newsletter.mail.render import MailContent, Renderer
from newsletter.models import (
    Campaign,
    DigestPeriod,
    Edition,
    Entry,
    Feed,
    MailingList,
    Subscription,
)
from newsletter.models.campaigns import WEB
from newsletter.services.campaigns import archive, campaigns, explain_delivery
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber, intros, sections
from newsletter.services.lists import archived_campaigns, lists, topics
from newsletter.services.polling import entries
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader, campaign_handle

MONDAY_8 = START + timedelta(days=5, hours=23)  # START is a Tuesday, 9:00 UTC


@pytest.fixture
def blog(env: Environment) -> int:
    """Make a list with a feed and return its id."""
    with transaction() as session:
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        return mailing_list.id


def publish(
    *titles: str, clock: Clock | None = None, categories: tuple[str, ...] = (), feed: int = 0
) -> None:
    with transaction() as session:
        rows = session.scalars(select(Feed).order_by(Feed.id)).all()[feed]
        for title in titles:
            add_entry(session, rows, title, now=clock.now if clock else START).categories = list(
                categories
            )


def join(email: str, cadence: str = "weekly", *topic_names: str) -> None:
    with transaction() as session:
        reader = add_reader(
            session, session.scalars(select(MailingList)).one(), email, cadence=cadence
        )
        topics.choose_topics(session, reader, topic_names)


def tick(env: Environment) -> None:
    digests.compose_due(env)
    sending.send_due(env)


def subjects(sink: Sink, email: str) -> list[str]:
    return [message["Subject"] for message in sink.to(email)]


# ── topics
# ─────────────────────────────────────────────────────────────────────────────────────────


def test_readers_get_their_topics_and_what_belongs_to_none(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    topics.add(None, "Sleep", categories=["Sleep", "Dreams"])
    topics.add(None, "Breath", categories=["breathing"])
    join("all@example.com")
    join("sleep@example.com", "weekly", "sleep")
    join("breath@example.com", "weekly", "Breath")
    publish("Of dreams", categories=("dreams",))
    publish("Of air", categories=("Breathing", "Other"))
    publish("Of all", categories=("News",))
    clock.now = MONDAY_8
    tick(env)
    assert subjects(sink, "all@example.com") == ["New: Of all, Of air and 1 more"]
    assert subjects(sink, "sleep@example.com") == ["New: Of all and Of dreams"]
    assert subjects(sink, "breath@example.com") == ["New: Of all and Of air"]
    assert len(db.session.scalars(select(Campaign)).all()) == 1, "one campaign, three editions"


def test_a_feed_may_be_a_topic(env: Environment, blog: int, sink: Sink) -> None:
    with transaction() as session:
        first = session.scalars(select(Feed)).one().id
        second = add_feed(
            session, session.scalars(select(MailingList)).one(), "https://video.example.com/feed"
        ).id
    topics.add(None, "Videos", feeds=[str(second)])
    topics.add(None, "Words", feeds=[str(first)])
    join("ana@example.com", "instant", "Videos")
    publish("A video", feed=1)
    publish("A text", feed=0)
    tick(env)
    assert subjects(sink, "ana@example.com") == ["A video"]


def test_why_a_digest_was_not_for_her(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    topics.add(None, "Sleep", categories=["sleep"])
    topics.add(None, "Breath", categories=["breath"])
    join("here@example.com")
    join("sleep@example.com", "weekly", "Sleep")
    join("had@example.com", "instant")
    publish("Of air", categories=("breath",))
    tick(env)
    subscribers.add_subscriber(env, subscribers.Addition("later@example.com", because="asked"))
    with transaction() as session:
        for reader in session.scalars(
            select(Subscription).where(Subscription.cadence == "instant")
        ):
            reader.cadence = "weekly"
    clock.now = MONDAY_8
    tick(env)
    number = max(campaign.id for campaign in db.session.scalars(select(Campaign)))
    explanations = {
        name: explain_delivery.explain_delivery(env, number, f"{name}@example.com")
        for name in ("here", "sleep", "had", "later")
    }
    assert explanations["here"].has_received
    assert "topics that they did not choose" in explanations["sleep"].verdict
    assert explanations["had"].verdict == "all its entries had been mailed to them before"
    assert "are older than the subscription" in explanations["later"].verdict, (
        "they joined before the digest, after the post"
    )


def test_nothing_of_her_topics_is_settled_and_not_looked_at_for_ever(
    env: Environment, blog: int, sink: Sink
) -> None:
    topics.add(None, "Sleep", categories=["sleep"])
    topics.add(None, "Breath", categories=["breath"])
    join("ana@example.com", "instant", "Sleep")
    publish("Of air", categories=("breath",))
    for _ in range(3):
        tick(env)
    assert sink.accepted == []
    assert db.session.scalars(select(DigestPeriod)).all() == []
    assert [row.cursor for row in db.session.scalars(select(Subscription))] == [1]


def test_topics_are_chosen_by_name_or_number_and_all_include_those_to_come(
    env: Environment, blog: int
) -> None:
    offers = [topics.add(None, name).id for name in ("Sleep", "Breath", "Food")]
    join("ana@example.com")
    with transaction() as session:
        reader = session.scalars(select(Subscription)).one()
        assert [offer.name for offer in topics.find_offers(session, reader.list_id)] == [
            "Sleep",
            "Breath",
            "Food",
        ]
        assert topics.choose_topics(session, reader, ["food", str(offers[0])])
        assert reader.topics == f"{offers[0]},{offers[2]}"
        assert not topics.choose_topics(session, reader, [offers[2], offers[0]])
        assert [offer.name for offer in topics.find_chosen_topics(session, reader)] == [
            "Sleep",
            "Food",
        ]
        with pytest.raises(InvalidInput):
            topics.choose_topics(session, reader, ["nonsense"])
        topics.choose_topics(session, reader, offers)
        assert reader.topics == "", "all of them: also those to come"
        topics.choose_topics(session, reader, ["Food"])
    assert [row.name for row in topics.order(None, ["Food"])] == ["Food", "Sleep", "Breath"]
    assert [row.subscribers for row in topics.list_topics()] == [1, 0, 0]
    assert topics.remove(None, "Food") == 1
    assert db.session.scalars(select(Subscription)).one().topics == ""
    with pytest.raises(NotFound):
        topics.remove(None, "Food")


# ── patience
# ───────────────────────────────────────────────────────────────────────────────────────


def test_three_posts_or_fourteen_days(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "blog", {"min_entries": "3", "max_wait": "14"})
    join("weekly@example.com")
    join("daily@example.com", "daily")
    join("now@example.com", "instant")
    publish("One")
    tick(env)
    assert subjects(sink, "now@example.com") == ["One"], (
        "who wants everything at once does not wait"
    )
    days = []
    for day in range(20):
        clock.now = START + timedelta(days=day)
        tick(env)
        days.append((len(sink.to("daily@example.com")), len(sink.to("weekly@example.com"))))
    assert days.index((0, 1)) == 13, (
        "Monday after next; a week later it would have waited for 20 days"
    )
    assert days.index((1, 1)) == 14
    publish("Two", "Three", "Four", clock=clock)
    clock.forward(timedelta(days=1))
    tick(env)
    assert subjects(sink, "daily@example.com") == ["One", "New: Four, Three and 1 more"]


def test_a_digest_that_waits_for_more_entries_says_so(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    lists.edit(env, "blog", {"min_entries": "3"})
    join("ana@example.com")
    publish("One")
    explanation = explain_list.explain(env)
    assert (
        next(row for row in explanation.outlooks if row.cadence == "weekly").verdict
        == "waits: 1 of 3 entries"
    )
    assert explanation.entries[0].course == "waits"
    [mine] = explain_subscriber.explain_entries(env, None, "ana@example.com")
    assert mine.verdict == "for more: 1 of 3 entries; goes on Mon 07 Dec, 08:00 at the latest"
    clock.now = MONDAY_8
    tick(env)
    assert (
        "1 subscriber waits for more"
        in db.session.scalars(select(DigestPeriod).where(DigestPeriod.cadence == "weekly"))
        .one()
        .why
    )
    digests.send_now(env)
    sending.send_due(env)
    assert subjects(sink, "ana@example.com") == ["One"], "by hand it waits for nothing"


# ── catching up
# ────────────────────────────────────────────────────────────────────────────────────


def test_a_long_sleep_is_one_digest_with_a_ceiling_and_the_rest_in_the_archive(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "daily")
    publish(*(f"Post {number:03}" for number in range(90)))
    clock.forward(timedelta(days=3))
    tick(env)
    [message] = sink.messages
    html = body(message, "html")
    campaign = db.session.scalars(select(Campaign)).one()
    assert message["Subject"] == "New: Post 089, Post 088 and 88 more"
    assert f'href="https://news.example.com/blog/archive/{campaign.handle}"' in html
    assert "And 15 more in the archive" in html
    assert "Also new" in html
    web = db.session.scalars(select(Edition).where(Edition.cursor == WEB)).one()
    assert all(f"Post {number:03}" in web.html for number in range(90))
    assert len(html.encode()) < 90_000


def test_the_archive_lists_each_post_once(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("weekly@example.com")
    join("instant@example.com", "instant")
    for title in ("One", "Two"):
        publish(title)
        digests.send_now(env, cadence="instant")
    digests.send_now(env, cadence="weekly")
    sending.send_due(env)
    assert [mailing.subject for mailing in archived_campaigns.list_archived("blog")] == [
        "Two",
        "One",
    ], "the weekly one repeats"
    gathered = max(row.id for row in campaigns.list_campaigns())
    assert "One" in archive.render_mail(env, "blog", campaign_handle(gathered)), (
        "its mails lead to its page"
    )
    intros.write_intro(env, None, "Back from the sea", "weekly")
    publish("Three")
    digests.send_now(env, cadence="instant")
    digests.send_now(env, cadence="weekly")
    sending.send_due(env)
    assert [mailing.subject for mailing in archived_campaigns.list_archived("blog")] == [
        "Three",
        "Three",
        "Two",
        "One",
    ], "words are new"


# ── an author's words and order
# ────────────────────────────────────────────────────────────────────


def test_an_intro_is_carried_once_by_each_rhythm(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("weekly@example.com")
    join("daily@example.com", "daily")
    assert {intro.cadence for intro in intros.write_intro(env, None, "Back **from** the sea")} == {
        "instant",
        "daily",
        "weekly",
        "monthly",
    }
    publish("One")
    clock.now = MONDAY_8
    tick(env)
    for email in ("weekly@example.com", "daily@example.com"):
        assert "Back from the sea" in body(sink.to(email)[0])
        assert "Back <strong>from</strong> the sea" in body(sink.to(email)[0], "html")
    publish("Two", clock=clock)
    clock.forward(timedelta(days=7))
    tick(env)
    assert "from the sea" not in body(sink.to("weekly@example.com")[1])
    assert [intro.cadence for intro in intros.list_intros(None)] == ["instant", "monthly"]
    assert intros.clear_intros(None) == 2
    with pytest.raises(InvalidInput):
        intros.write_intro(env, None, "  ")


def test_a_digest_has_its_sections_in_the_order_of_the_author(
    env: Environment, blog: int, sink: Sink
) -> None:
    with transaction() as session:
        channel = add_feed(
            session, session.scalars(select(MailingList)).one(), "https://video.example.com/feed"
        )
        channel.title = "My channel"
    join("ana@example.com", "instant")
    lists.edit(env, "blog", {"order": "oldest"})
    assert sections.arrange_sections(None, DigestSections.FEED, ["my channel"]) == [
        "My channel",
        "Blog",
    ]
    publish("Word one", "Word two")
    publish("Video one", feed=1)
    tick(env)
    text = body(sink.messages[0])
    places = [
        text.index(part)
        for part in ("== My channel", "* Video one", "== Blog", "* Word one", "* Word two")
    ]
    assert places == sorted(places)
    assert sections.arrange_sections(None, DigestSections.NONE, []) == []
    with pytest.raises(NotFound):
        sections.arrange_sections(None, DigestSections.TOPIC, ["Nonsense"])


@pytest.mark.any_database
def test_excerpt_or_full_text_as_set(env: Environment, blog: int, sink: Sink) -> None:
    join("ana@example.com", "instant")
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for name in ("One", "Two"):
            entry = add_entry(session, feed, name)
            entry.content_html = f"<p>All of {name}</p>"
            entry.summary_html = f"<p>A taste of {name}</p>"
    for show, expected in (("full", "All of"), ("excerpt", "A taste of"), ("auto", "A taste of")):
        lists.edit(env, "blog", {"show": show})
        content = digests.preview(env, None, Cadence.INSTANT).content
        assert f"{expected} One" in content.html
        assert f"{expected} Two" in content.text


# ── what may not happen
# ────────────────────────────────────────────────────────────────────────────


class Interrupted(Renderer):
    """Renders as the other one does, and lets something happen meanwhile, once."""

    def __init__(self, inner: Renderer, meanwhile: Callable[[], object]) -> None:
        self.inner = inner
        self.meanwhile = [meanwhile]

    def render(self, mail: str, context: Mapping[str, object]) -> MailContent:
        if self.meanwhile:
            self.meanwhile.pop()()
        return self.inner.render(mail, context)


def test_e10_an_entry_held_while_a_digest_is_made_stops_it(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    """Nothing of that digest is kept; the next tick makes one of the rest."""
    join("ana@example.com")
    publish("One", "Two")
    number = {row.title: row.id for row in entries.list_entries()}["One"]
    clock.now = MONDAY_8
    interrupted = Interrupted(env.renderer, lambda: entries.hold(env, number))
    held = replace(env, make_renderer=lambda: interrupted)
    assert [row for row in digests.compose_due(held) if row.cadence == "weekly"] == []
    tick(env)
    assert subjects(sink, "ana@example.com") == ["Two"]


def test_skipped_after_numbering_costs_no_period(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "instant")
    publish("One")
    entries.skip(env, entries.list_entries()[0].id)
    for _ in range(3):
        tick(env)
        clock.forward(timedelta(minutes=1))
    assert db.session.scalars(select(DigestPeriod)).all() == []


def test_the_archive_shows_all_and_nothing_of_a_reader(
    app: Flask, clock: Clock, sink: Sink
) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            mailing_list = add_list(session)
            add_entry(session, add_feed(session, mailing_list), "One")
            add_reader(
                session, mailing_list, "ana@example.com", name="Ana Reader", cadence="instant"
            )
        tick(env)
        campaign = db.session.scalars(select(Campaign)).one().handle
        entry = db.session.scalars(select(Entry)).one()
        assert entry.fate == "sent"
        db.session.rollback()
    client = app.test_client()
    page = client.get(f"/blog/archive/{campaign}", follow_redirects=True).get_data(as_text=True)
    feed = client.get("/blog/archive/feed.xml").data
    [feed_entry] = parse_feed(feed, url="https://news.example.com/blog/archive/feed.xml").entries
    assert (feed_entry.title, feed_entry.link) == (
        "One",
        "https://news.example.com/blog/archive/2026-11-24-one",
    )
    assert f"/blog/archive/{campaign}" in body(sink.messages[0], "html")
    for html in (page, feed_entry.content_html):
        assert "All about One." in html
        for personal in (
            "Ana Reader",
            "ana@example.com",
            "/unsubscribe/",
            "/preferences/",
            "Unsubscribe",
        ):
            assert personal not in html
