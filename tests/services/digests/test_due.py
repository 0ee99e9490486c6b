"""Digests: once a period, and to each reader every entry once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import Refused
from newsletter.feeds.fetch import Fetched
from newsletter.models import Campaign, DigestPeriod, Entry, Feed, MailingList, Subscription
from newsletter.services import suppressions
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber
from newsletter.services.lists import lists
from newsletter.services.operations import doctor
from newsletter.services.polling import entries
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, FakeFetch, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY_8 = START + timedelta(days=5, hours=23)  # START is a Tuesday, 9:00 UTC


@pytest.fixture
def blog(env: Environment) -> int:
    """Make a list with a feed and return its id."""
    with transaction() as session:
        mailing_list = add_list(session)
        add_feed(session, mailing_list)
        return mailing_list.id


def publish(*titles: str, clock: Clock | None = None) -> None:
    with transaction() as session:
        feed = session.scalars(select(Feed)).first()
        assert feed is not None
        for title in titles:
            add_entry(session, feed, title, now=clock.now if clock else START)


def join(email: str, cadence: str = "weekly", cursor: int = 0) -> None:
    with transaction() as session:
        add_reader(
            session,
            session.scalars(select(MailingList)).one(),
            email,
            cadence=cadence,
            cursor=cursor,
        )


def tick(env: Environment) -> None:
    digests.compose_due(env)
    sending.send_due(env)


def test_a_weekly_digest_goes_out_at_its_hour_and_once(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com")
    publish("One", "Two", "Three")
    tick(env)
    assert sink.accepted == []
    clock.now = MONDAY_8
    for _ in range(5):
        tick(env)
        clock.forward(timedelta(minutes=10))
    [message] = sink.messages
    assert message["Subject"] == "New: Three, Two and 1 more"
    assert "Read on: https://blog.example.com/two/" in body(message)
    assert [campaign.status for campaign in db.session.scalars(select(Campaign))] == ["sent"]
    assert {entry.fate for entry in db.session.scalars(select(Entry))} == {"sent"}


def test_instant_readers_wait_for_nothing(env: Environment, blog: int, sink: Sink) -> None:
    join("ana@example.com", "instant")
    join("bob@example.com", "weekly")
    publish("One")
    tick(env)
    tick(env)
    assert [outgoing.recipient for outgoing in sink.accepted] == ["ana@example.com"]
    assert sink.messages[0]["Subject"] == "One"


def test_nothing_new_nothing_sent_and_said_so(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com")
    clock.now = MONDAY_8
    tick(env)
    assert sink.accepted == []
    outlook = next(row for row in explain_list.explain(env).outlooks if row.cadence == "weekly")
    assert "nothing new" in outlook.verdict
    assert digests.NOTHING_NEW in outlook.last
    publish("Late")
    clock.forward(timedelta(hours=1))
    tick(env)
    assert sink.accepted == [], "what comes after the hour waits for the next"


def test_r08_three_weeks_asleep_are_one_digest(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "daily")
    for day in range(3):
        publish(f"Day {day}")
    clock.forward(timedelta(days=21))
    tick(env)
    assert len(sink.accepted) == 1
    assert all(f"Day {day}" in body(sink.messages[0]) for day in range(3))


def test_a_new_schedule_catches_up_on_nothing(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "daily")
    publish("One")
    lists.edit(env, "blog", {"hour": "7"})
    tick(env)
    assert sink.accepted == []
    clock.now = MONDAY_8
    tick(env)
    assert len(sink.accepted) == 1
    lists.edit(env, "blog", {"hour": "10"})
    clock.forward(timedelta(hours=4))
    publish("Two")
    tick(env)
    assert len(sink.accepted) == 1, "the day has had its digest"


def test_readers_are_owed_what_came_after_they_joined(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("early@example.com")
    publish("One")
    subscribers.add_subscriber(env, subscribers.Addition("late@example.com", because="asked"))
    publish("Two")
    clock.now = MONDAY_8
    tick(env)
    assert [message["Subject"] for message in sink.to("early@example.com")] == ["New: Two and One"]
    assert [message["Subject"] for message in sink.to("late@example.com")] == ["Two"]


def test_switching_loses_and_repeats_nothing(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "weekly")
    publish("One")
    correct_subscriber(env, "ana@example.com", Correction(cadence=Cadence.INSTANT))
    tick(env)
    correct_subscriber(env, "ana@example.com", Correction(cadence=Cadence.WEEKLY))
    publish("Two")
    clock.now = MONDAY_8
    tick(env)
    assert [message["Subject"] for message in sink.messages] == ["One", "Two"]


def test_a_break_ends_with_what_was_missed(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com", "daily")
    with transaction() as session:
        session.scalars(select(Subscription)).one().paused_until = clock.now + timedelta(days=10)
    publish("One")
    for _ in range(9):
        clock.forward(timedelta(days=1))
        tick(env)
    assert sink.accepted == []
    clock.forward(timedelta(days=2))
    tick(env)
    assert [message["Subject"] for message in sink.messages] == ["One"]


def test_skipped_and_held_entries_stay_at_home(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com")
    publish("One", "Two", "Three")
    ids = {entry.title: entry.id for entry in entries.list_entries()}
    entries.skip(env, ids["One"])
    entries.hold(env, ids["Two"])
    clock.now = MONDAY_8
    tick(env)
    assert sink.messages[0]["Subject"] == "Three"
    entries.release(env, ids["Two"])
    clock.forward(timedelta(days=7))
    tick(env)
    assert sink.messages[1]["Subject"] == "Two", "held for a week, and not lost"
    entries.resend(env, ids["Two"])
    clock.forward(timedelta(days=7))
    tick(env)
    assert [message["Subject"] for message in sink.messages] == ["Three", "Two", "Two"]


def test_r03_two_composers_make_one_digest(app: Flask, clock: Clock) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        add_entry(session, add_feed(session, mailing_list), "One")
        add_reader(session, mailing_list, "ana@example.com")
    clock.now = MONDAY_8

    def work() -> None:
        with app.app_context():
            digests.compose_due(env)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        assert len(db.session.scalars(select(Campaign)).all()) == 1
        weekly = select(DigestPeriod).where(DigestPeriod.cadence == "weekly")
        assert len(db.session.scalars(weekly).all()) == 1


@pytest.mark.any_database
def test_m07_a_broken_template_sends_nothing_and_loses_nothing(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com")
    publish("One", "Two")
    folder = env.settings.folder / "templates" / "emails" / "digest"
    folder.mkdir(parents=True)
    (folder / "html.html").write_text(
        "{% extends 'layout.html' %}\n{% block body %}{{ nothing.here }}{% endblock %}"
    )
    clock.now = MONDAY_8
    with transaction() as session:
        other = add_list(session, "other")
        add_entry(session, add_feed(session, other), "Elsewhere")
        add_reader(session, other, "bob@example.com", cadence="monthly")
    [failed] = [row for row in digests.compose_due(env) if row.problem]
    assert failed.problem.startswith("digest/html.html, line 2: ")
    assert (failed.list, failed.cadence, failed.campaign_id) == ("blog", "weekly", None)
    assert (failed.entries, failed.recipients) == (0, 0)
    sending.send_due(env)
    assert sink.accepted == []
    (folder / "html.html").unlink()
    folder.rmdir()
    env.renderer._jinja.cache.clear()
    tick(env)
    assert len(sink.accepted) == 1


@pytest.mark.any_database
def test_m07_a_broken_template_does_not_poll_the_feeds_at_each_tick(
    env: Environment, blog: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    join("ana@example.com")
    publish("One", "Two")
    folder = env.settings.folder / "templates" / "emails" / "digest"
    folder.mkdir(parents=True)
    (folder / "html.html").write_text(
        "{% extends 'layout.html' %}\n{% block body %}{{ nothing.here }}{% endblock %}"
    )
    for url in db.session.scalars(select(Feed.url)):
        fake_fetch.pages[url] = Fetched(url, 304, b"")
    clock.now = MONDAY_8
    postponed: digests.Postponed = {}

    def count_polls(after: timedelta) -> tuple[int, int]:
        """Return the feeds polled and the problems reported by one tick."""
        clock.forward(after)
        fake_fetch.requests.clear()
        composed = digests.compose_due(env, postponed=postponed)
        return len(fake_fetch.requests), len([row for row in composed if row.problem])

    assert count_polls(timedelta()) == (2, 1), "the daily digest has nothing, the weekly one fails"
    for _ in range(3):
        assert count_polls(timedelta(seconds=15)) == (0, 0)
    assert count_polls(timedelta(minutes=5)) == (1, 1)
    (folder / "html.html").unlink()
    folder.rmdir()
    env.renderer._jinja.cache.clear()
    assert count_polls(timedelta(minutes=5)) == (1, 0), "mended"
    assert count_polls(timedelta(minutes=5)) == (0, 0), "and composed"


@pytest.mark.any_database
def test_m08_data_is_never_a_template(env: Environment, blog: int, sink: Sink) -> None:
    join("ana@example.com", "instant")
    publish("{{ config }} {% raw %} {{ ''.__class__ }}")
    tick(env)
    assert sink.messages[0]["Subject"] == "{{ config }} {% raw %} {{ ''.__class__ }}"


@pytest.mark.any_database
def test_m09_a_digest_stays_below_what_gmail_shows(env: Environment, blog: int, sink: Sink) -> None:
    join("ana@example.com", "instant")
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for number in range(40):
            entry = add_entry(session, feed, f"Post {number} " + "long " * 60)
            entry.content_html = "<p>" + "<b>word</b> " * 20_000 + "</p>"
    tick(env)
    html = body(sink.messages[0], "html")
    assert len(html.encode()) < 95_000
    assert "more" in html
    assert "/unsubscribe/" in html


@pytest.mark.any_database
def test_m09_not_even_the_longest_titles_and_addresses_are_too_much(
    env: Environment, blog: int, sink: Sink
) -> None:
    join("ana@example.com", "instant")
    with transaction() as session:
        feed = session.scalars(select(Feed)).one()
        for number in range(80):
            entry = add_entry(session, feed, f"{number}")
            entry.title = f"{number} " + "ü" * 490
            entry.link = entry.image = f"https://blog.example.com/{number}/" + "x" * 1900
    tick(env)
    assert len(body(sink.messages[0], "html").encode()) < 90_000
    assert sink.messages[0]["Subject"].endswith("and 78 more")


@pytest.mark.any_database
def test_one_long_post_is_shortened(env: Environment, blog: int, sink: Sink) -> None:
    join("ana@example.com", "instant")
    with transaction() as session:
        entry = add_entry(session, session.scalars(select(Feed)).one(), "Long")
        entry.content_html = "<p>" + "<i>word</i> " * 20_000 + "</p>"
    tick(env)
    html = body(sink.messages[0], "html")
    assert len(html.encode()) < 95_000
    assert "shortened" in html


def test_preview_and_send_now(env: Environment, blog: int, sink: Sink) -> None:
    with pytest.raises(Refused):
        digests.preview(env)
    join("ana@example.com")
    publish("One")
    assert digests.preview(env).content.subject == "One"
    [planned] = [row for row in digests.send_now(env, dry_run=True) if row.recipients]
    assert (planned.entries, planned.recipients, planned.campaign_id) == (1, 1, None)
    digests.send_now(env)
    sending.send_due(env)
    assert len(sink.accepted) == 1
    assert not any(row.recipients for row in digests.send_now(env)), (
        "O01: a second time finds nothing"
    )


def test_an_entry_is_explained_as_owed_and_then_as_settled(
    env: Environment, blog: int, clock: Clock
) -> None:
    join("ana@example.com")
    publish("One")
    assert explain_subscriber.explain_entries(env, None, "ana@example.com")[0].verdict.startswith(
        "goes with the next weekly"
    )
    clock.now = MONDAY_8
    tick(env)
    assert explain_subscriber.explain_entries(env, None, "ana@example.com")[0].verdict.startswith(
        "settled"
    )


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"paused_until": START + timedelta(days=9)}, "on a break until 2026-12-03"),
        ({"paused_until": START - timedelta(days=1)}, "goes with the next weekly"),
        ({"status": "unsubscribed"}, "the subscription is unsubscribed"),
        ({"cursor": 1}, "settled: from before they subscribed"),
        ({"cursor": 1, "confirmed_at": START - timedelta(days=9)}, "settled: not among the topics"),
    ],
)
def test_an_entry_is_explained_by_the_readers_own_subscription(
    env: Environment, blog: int, values: dict[str, object], verdict: str
) -> None:
    join("ana@example.com")
    join("ben@example.com")
    publish("One")
    with transaction() as session:
        subscription = session.scalars(select(Subscription).order_by(Subscription.id)).first()
        for name, value in values.items():
            setattr(subscription, name, value)
    [hers] = explain_subscriber.explain_entries(env, None, "ana@example.com")
    [his] = explain_subscriber.explain_entries(env, None, "ben@example.com")
    assert hers.verdict.startswith(verdict)
    assert his.verdict.startswith("goes with the next weekly")


def test_a_suppressed_reader_is_told_apart(env: Environment, blog: int) -> None:
    join("ana@example.com")
    join("ben@example.com")
    publish("One")
    suppressions.suppress(env, "ben@example.com")
    [hers] = explain_subscriber.explain_entries(env, None, "ana@example.com")
    [his] = explain_subscriber.explain_entries(env, None, "ben@example.com")
    assert hers.verdict.startswith("goes with the next weekly")
    assert his.verdict.startswith("the address is suppressed")


def test_r07_a_zone_that_is_gone_means_utc(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    join("ana@example.com")
    publish("One")
    with transaction() as session:
        session.scalars(select(MailingList)).one().timezone = "Mars/Olympus"
    clock.now = MONDAY_8
    tick(env)
    assert len(sink.accepted) == 1
    assert "timezone" in {check.id for check in doctor.examine(env) if check.verdict == "bad"}
