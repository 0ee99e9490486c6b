"""Test who is owed which entries, where others are there: another list, other entries, others who
wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Entry, MailingList, Subscription
from newsletter.services.digests import due as digests
from newsletter.services.digests import plan
from newsletter.services.digests.selection import Candidate, WaitRule
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

DAY = timedelta(days=1)


@pytest.fixture
def blog(env: Environment) -> int:
    """Make a list with an instant and a weekly subscriber, beside another whose entries are
    numbered alike; return its id.
    """
    with transaction() as session:
        mailing_list = add_list(session)
        other = add_list(session, "other", from_email="ben@news.example.com")
        for row in (mailing_list, other):
            feed = add_feed(session, row, f"https://{row.slug}.example.com/feed")
            add_reader(session, row, f"instant@{row.slug}.example.com", cadence="instant")
            for title in ("One", "Two", "Three", "Four"):
                add_entry(session, feed, f"{row.slug.title()} {title}")
        return mailing_list.id


def the(title: str) -> Entry:
    return next(entry for entry in db.session.query(Entry) if entry.title == title)


def titles(list_id: int, *, after: int, through: int) -> list[str]:
    with transaction() as session:
        candidates = plan.read_candidates(session, list_id, after=after, through=through)
        return [session.get_one(Entry, candidate.id).title for candidate in candidates]


def test_candidates_are_those_of_the_list_between_two_numbers(env: Environment, blog: int) -> None:
    assert titles(blog, after=0, through=9) == ["Blog One", "Blog Two", "Blog Three", "Blog Four"]
    assert titles(blog, after=1, through=3) == ["Blog Two", "Blog Three"]
    assert titles(blog, after=3, through=3) == []
    with transaction() as session:
        for title, fate in (("Blog One", "held"), ("Blog Two", "skipped"), ("Blog Three", "sent")):
            entry = next(row for row in session.query(Entry) if row.title == title)
            entry.fate = fate
        session.query(Entry).filter(Entry.title == "Other Two").one().withdrawn_at = START
    assert titles(blog, after=0, through=9) == ["Blog Three", "Blog Four"]


def test_entries_that_came_back_are_owed_by_their_own_list_only(
    env: Environment, blog: int
) -> None:
    with transaction() as session:
        for title in ("Blog Two", "Other Two", "Other Four"):
            the(title).first_seq = 2
        clause = plan.missed_clause(session, blog, after=0, through=9)
        query = select(clause).select_from(Subscription).where(Subscription.list_id == blog)
        assert session.scalars(query).all() == [f"{the('Blog Two').id},"]
        later = plan.missed_clause(session, blog, after=2, through=9)
        assert session.scalars(select(later).select_from(Subscription)).first() == ""


@pytest.mark.parametrize(
    ("found_at", "published", "since"),
    [
        (
            START,
            START - 900 * DAY,
            START,
        ),  # back-dated: it could not have gone out before it was found
        (START - 10 * DAY, START - 2 * DAY, START - 2 * DAY),  # it waited for its date
        (START - 3 * DAY, None, START - 3 * DAY),
    ],
)
def test_an_entry_waits_since_it_was_found_and_its_date_had_come(
    env: Environment, blog: int, found_at: datetime, published: datetime | None, since: datetime
) -> None:
    with transaction() as session:
        entry = session.query(Entry).filter(Entry.title == "Blog Two").one()
        entry.found_at = found_at
        entry.published_at = published
    with transaction() as session:
        waiting = {
            candidate.id: candidate.since
            for candidate in plan.read_candidates(session, blog, after=0, through=9)
        }
    assert waiting[the("Blog Two").id] == since
    assert waiting[the("Blog One").id] == START


def candidate(number: int, since: datetime) -> Candidate:
    return Candidate(number, number, 1, frozenset(), since, since)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("ages", "waits"),
    [((1, 2), True), ((1, 12), False), ((12, 13), False), ((7, 1), True), ((8, 1), False)],
)
def test_the_longest_wait_counts_from_the_entry_that_waits_longest(
    ages: tuple[int, int],
    waits: bool,
    *,
    turned: bool,
) -> None:
    """Not from the newest, nor from the one whose number comes first: the next digest is in seven
    days.
    """
    patience = WaitRule(entries=3, days=14, next_due=START + 7 * DAY)
    owed = [candidate(number, START - age * DAY) for number, age in enumerate(ages, 1)]
    assert patience.waits(owed[::-1] if turned else owed) is waits


def test_one_entry_that_waits_for_corrections_holds_back_none_before_it(
    env: Environment, blog: int, clock: Clock, sink: Sink
) -> None:
    with transaction() as session:
        for title, minutes in (("Blog Three", 30), ("Other One", 90)):
            entry = session.query(Entry).filter(Entry.title == title).one()
            entry.matures_at = START + timedelta(minutes=minutes)
        mailing_list = session.get_one(MailingList, blog)
        assert plan.find_matured(session, mailing_list, START) == 2
    digests.compose_due(env)
    sending.send_due(env)
    [message] = sink.to("instant@blog.example.com")
    text = body(message)
    assert [title in text for title in ("Blog One", "Blog Two", "Blog Three", "Blog Four")] == [
        True,
        True,
        False,
        False,
    ]
    assert sink.to("instant@other.example.com") == []
    clock.forward(timedelta(minutes=30))
    digests.compose_due(env)
    sending.send_due(env)
    text = body(sink.to("instant@blog.example.com")[1])
    assert [title in text for title in ("Blog One", "Blog Two", "Blog Three", "Blog Four")] == [
        False,
        False,
        True,
        True,
    ]
