"""From the poll to the mail: corrected and withdrawn posts, over the whole way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.db.session import reading, transaction
from newsletter.models import DigestPeriod, MailingList
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber
from newsletter.services.lists import lists
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, FakeFetch, Sink, body
from tests.feeds_server import item, rss
from tests.people import add_list, add_reader

URL = "https://blog.example.com/feed.xml"


@pytest.fixture
def blog(env: Environment, fake_fetch: FakeFetch, clock: Clock) -> FakeFetch:
    """Make a list with a feed and an instant, a weekly and a monthly reader."""
    fake_fetch.pages[URL] = rss(item("Old"))
    with transaction() as session:
        mailing_list = add_list(session)
        for cadence in ("instant", "weekly", "monthly"):
            add_reader(session, mailing_list, f"{cadence}@example.com", cadence=cadence)
    feeds.add(env, URL)
    clock.forward(timedelta(hours=2))
    return fake_fetch


def tick(env: Environment) -> None:
    polling.poll_due(env)
    digests.compose_due(env)
    sending.send_due(env)


def post(text: str) -> str:
    return item("New", link="https://blog.example.com/new", body=f"<p>{text}</p>")


def test_an_instant_mail_waits_and_carries_the_correction(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Wrong"), item("Old"))
    tick(env)
    clock.forward(timedelta(minutes=9))
    blog.pages[URL] = rss(post("Right"), item("Old"))
    tick(env)
    assert sink.accepted == []
    clock.forward(timedelta(minutes=1))
    tick(env)
    [message] = sink.to("instant@example.com")
    assert "Right" in body(message)
    assert "Wrong" not in body(message)


def test_a_changed_grace_counts_for_what_waits_already(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Right"), item("Old"))
    tick(env)
    lists.edit(env, "blog", {"grace": "30"})
    clock.forward(timedelta(minutes=29))
    tick(env)
    assert sink.accepted == []
    lists.edit(env, "blog", {"grace": "0"})
    tick(env)
    assert len(sink.to("instant@example.com")) == 1


def test_the_author_hears_that_instant_mails_wait_for_corrections(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    """Also while others get it already."""
    blog.pages[URL] = rss(post("Wrong"), item("Old"))
    tick(env)
    assert instant(env) == "waits for corrections until 11:10 UTC: 1 new for 1 of 1 subscriber"
    entry = explain_list.explain(env).entries[0]
    assert entry.course == "goes"
    assert entry.verdict == (
        "goes to 1 weekly and 1 monthly subscribers; waits for corrections until 11:10 UTC: "
        "1 instant subscriber"
    )
    digests.send_now(env, cadence="weekly")
    entry = explain_list.explain(env).entries[0]
    assert entry.course == "goes"
    assert "waits for corrections until 11:10 UTC: 1 instant subscriber" in entry.verdict
    clock.forward(timedelta(minutes=10))
    assert instant(env) == "1 new for 1 of 1 subscriber"
    tick(env)
    assert instant(env) == "nothing goes out: nothing new for 1 subscriber"


def instant(env: Environment) -> str:
    return next(
        row.verdict for row in explain_list.explain(env).outlooks if row.cadence == "instant"
    )


def test_what_is_withdrawn_in_time_is_mailed_to_nobody(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("A mistake"), item("Old"))
    tick(env)
    blog.pages[URL] = rss(item("Old"))
    for _ in range(8):
        clock.forward(timedelta(days=7))
        tick(env)
        tick(env)
    assert sink.accepted == []
    with reading() as session:
        instant = (
            select(func.count()).select_from(DigestPeriod).where(DigestPeriod.cadence == "instant")
        )
        assert (session.scalar(instant) or 0) <= 1, "no instant digest is tried again and again"


def test_who_has_not_had_it_yet_gets_it_corrected_or_not_at_all(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Wrong"), item("Doomed"), item("Old"))
    tick(env)
    clock.forward(timedelta(minutes=10))
    tick(env)
    assert len(sink.to("instant@example.com")) == 1
    blog.pages[URL] = rss(post("Right"), item("Old"))
    clock.forward(timedelta(days=6))
    tick(env)
    [message] = sink.to("weekly@example.com")
    assert "Right" in body(message)
    assert "Doomed" not in body(message)
    blog.pages[URL] = rss(post("Right"), item("Doomed"), item("Old"))
    clock.forward(timedelta(days=3))
    tick(env)
    [message] = sink.to("monthly@example.com")
    assert "Doomed" in body(message), "it is back, and they have not had it"
    assert len(sink.to("instant@example.com")) == 1


def test_e06_a_feed_that_is_empty_for_one_digest_costs_other_rhythms_nothing(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        add_reader(
            session,
            session.scalars(select(MailingList)).one(),
            "daily@example.com",
            cadence="daily",
        )
    blog.pages[URL] = rss(post("Once"), item("Old"))
    tick(env)
    clock.forward(timedelta(minutes=11))
    tick(env)
    assert len(sink.accepted) == 1
    blog.pages[URL] = rss()
    clock.forward(timedelta(days=1))
    tick(env)
    blog.pages[URL] = rss(post("Once"), item("Old"))
    clock.forward(timedelta(days=8))
    tick(env)
    assert len(sink.to("weekly@example.com")) == 1


def test_e06_what_is_missing_just_when_a_digest_is_made_reaches_its_readers_later(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Once"), item("Old"))
    tick(env)
    clock.forward(timedelta(minutes=11))
    tick(env)
    assert len(sink.to("instant@example.com")) == 1
    blog.pages[URL] = rss(
        item("Other"), item("Old")
    )  # without it, and with another, so that a digest is made
    clock.forward(timedelta(days=6))
    tick(env)
    with transaction() as session:
        add_reader(
            session, session.scalars(select(MailingList)).one(), "late@example.com", cursor=9
        ).joined_seq = 9
    blog.pages[URL] = rss(item("Other"), post("Once"), item("Old"))
    clock.forward(timedelta(days=7))
    tick(env)
    tick(env)
    first, second = (body(message) for message in sink.to("weekly@example.com"))
    assert ("Other" in first, "Once" in first, "Once" in second, "Other" in second) == (
        True,
        False,
        True,
        False,
    )
    explanations = {
        row.title: row
        for row in explain_subscriber.explain_entries(env, None, "instant@example.com")
    }
    assert explanations["New"].course == "sent"
    assert [body(message).count("Once") for message in sink.to("instant@example.com")] == [1, 0]
    assert sink.to("late@example.com") == [], "it was there before her time"


def test_without_grace_nothing_waits(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        session.scalars(select(MailingList)).one().grace_minutes = 0
    blog.pages[URL] = rss(post("Now"), item("Old"))
    tick(env)
    assert len(sink.to("instant@example.com")) == 1


def test_send_now_waits_for_nothing(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Now"), item("Old"))
    polling.poll_due(env)
    digests.send_now(env, cadence="instant")
    sending.send_due(env)
    assert len(sink.to("instant@example.com")) == 1


def test_what_readers_have_had_holds_back_nothing_new(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Now"), item("Old"))
    polling.poll_due(env)
    digests.send_now(env, cadence="instant")
    [old] = [entry for entry in entries.list_entries() if entry.title == "Old"]
    entries.release(env, old.id)
    digests.compose_due(env)
    sending.send_due(env)
    assert len(sink.to("instant@example.com")) == 2, "nobody waits for what they have had"


def test_what_only_others_have_had_is_still_waited_for(
    env: Environment, blog: FakeFetch, clock: Clock, sink: Sink
) -> None:
    blog.pages[URL] = rss(post("Wrong"), item("Old"))
    polling.poll_due(env)
    digests.send_now(env, cadence="weekly")
    digests.compose_due(env)
    sending.send_due(env)
    assert len(sink.to("weekly@example.com")) == 1
    assert sink.to("instant@example.com") == []
