"""Composing and explaining agree when the next digest goes out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import transaction
from newsletter.models import DigestPeriod, Feed, MailingList
from newsletter.services.campaigns import campaigns
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_list, explain_subscriber
from newsletter.services.digests.timing import find_next_digest
from newsletter.services.lists import lists
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import Cadence
from tests.fakes import START, Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader

MONDAY_8 = START + timedelta(days=5, hours=23)  # START is a Tuesday, 9:00 UTC


@pytest.fixture
def post(env: Environment) -> int:
    """Make a list with a weekly subscriber and a post, beside another list; return the post's
    number.
    """
    with transaction() as session:
        mailing_list = add_list(session)
        add_reader(session, mailing_list, "ana@example.com")
        add_reader(session, add_list(session, "other"), "bob@example.com")
        return add_entry(session, add_feed(session, mailing_list), "One").id


def weekly(env: Environment) -> explain_list.Outlook:
    outlooks = explain_list.explain(env, "blog").outlooks
    return next(row for row in outlooks if row.cadence == Cadence.WEEKLY)


def test_a_digest_to_come_is_announced_for_its_hour(env: Environment, post: int) -> None:
    assert (weekly(env).next_at, weekly(env).overdue) == (MONDAY_8, False)
    [outlook] = explain_subscriber.explain_entries(env, "blog", "ana@example.com")
    assert outlook.verdict == "goes with the next weekly digest on Mon 30 Nov, 08:00"


def test_an_overdue_digest_is_announced_for_now_and_goes(
    env: Environment, post: int, clock: Clock, sink: Sink
) -> None:
    clock.now = MONDAY_8 + timedelta(days=2)
    assert (weekly(env).next_at, weekly(env).overdue) == (MONDAY_8, True)
    [outlook] = explain_subscriber.explain_entries(env, "blog", "ana@example.com")
    assert outlook.verdict == (
        "goes with the next weekly digest now: it was due on Mon 30 Nov, 08:00"
    )
    assert "ana" not in str(digests.compose_due(env))
    sending.send_due(env)
    assert len(sink.to("ana@example.com")) == 1
    assert (weekly(env).next_at, weekly(env).overdue) == (MONDAY_8 + timedelta(days=7), False)
    assert weekly(env).last == "Wed 02 Dec, 08:00: 1 entry to 1 subscriber"


def test_a_changed_schedule_is_not_overdue(env: Environment, post: int, clock: Clock) -> None:
    clock.now = MONDAY_8 + timedelta(days=2)
    lists.edit(env, "blog", {"hour": "7"})
    assert not weekly(env).overdue
    assert weekly(env).next_at == MONDAY_8 + timedelta(days=7, hours=-1)


def test_composing_asks_the_same_for_each_moment(env: Environment, post: int, clock: Clock) -> None:
    """Whatever is announced for now is composed, and nothing else."""
    for hours in range(0, 24 * 16, 7):
        clock.now = START + timedelta(hours=hours)
        with transaction() as session:
            mailing_list = session.scalars(
                select(MailingList).where(MailingList.slug == "blog")
            ).one()
            announced = {
                cadence
                for cadence in (Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY)
                if (digest := find_next_digest(session, mailing_list, cadence, clock.now))
                and digest.overdue
            }
            before = set(
                session.scalars(
                    select(DigestPeriod.id).where(DigestPeriod.list_id == mailing_list.id)
                )
            )
        digests.compose_due(env)
        with transaction() as session:
            query = select(DigestPeriod).where(DigestPeriod.list_id == mailing_list.id)
            composed = {row.cadence for row in session.scalars(query) if row.id not in before}
        assert composed == announced


def test_a_cancelled_digest_says_that_it_reached_nobody_and_goes_again(
    env: Environment, post: int, clock: Clock, sink: Sink
) -> None:
    clock.now = MONDAY_8
    digests.compose_due(env)
    campaign = campaigns.list_campaigns()[0].id
    campaigns.cancel(env, campaign)
    with transaction() as session:
        feed = session.scalars(select(Feed)).first()
        assert feed is not None
        add_entry(session, feed, "Another", now=clock.now)
    outlook = next(row for row in explain_list.explain(env, "blog").entries if row.id == post)
    assert outlook.verdict == (
        f"campaign {campaign} with it was cancelled and reached nobody:"
        f" `newsletter entry resend {post}` mails it again"
    )
    entries.resend(env, post)
    clock.forward(timedelta(days=7))
    digests.compose_due(env)
    sending.send_due(env)
    [message] = sink.to("ana@example.com")
    assert "One" in str(message["Subject"]) and "Another" in str(message["Subject"])
