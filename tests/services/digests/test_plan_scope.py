"""The subscribers and entries of a planned digest, beside everybody and everything else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import (
    Campaign,
    CampaignEntry,
    Delivery,
    DigestReview,
    Edition,
    Entry,
    MailingList,
    Subscription,
)
from newsletter.models.campaigns import WEB
from newsletter.services.digests import plan, reviews
from newsletter.services.digests.plan import DigestPlan
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list, add_reader

SECOND = timedelta(seconds=1)


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def blog(session: Session) -> MailingList:
    """Add a list with four entries and a weekly subscriber, beside another that looks the same."""
    for slug in ("other", "blog"):
        mailing_list = add_list(session, slug)
        feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
        for number in range(1, 5):
            add_entry(session, feed, f"{slug} {number}")
        add_reader(session, mailing_list, f"weekly@{slug}.example.com")
    return mailing_list


def find_entry(title: str) -> Entry:
    return db.session.scalars(select(Entry).where(Entry.title == title)).one()


def make_plan(env: Environment, blog: MailingList, **values: object) -> DigestPlan:
    db.session.flush()
    cadence = Cadence(str(values.pop("cadence", "weekly")))
    return plan.make_plan(env, db.session(), blog, cadence, **values)  # type: ignore[arg-type]


def list_numbers(planned: DigestPlan) -> list[int]:
    return [entry.seq for entry in planned.candidates]


def list_recipients(planned: DigestPlan) -> list[tuple[str, int]]:
    rows = db.session.execute(plan.recipients_query(planned, START)).all()
    named = [(db.session.get_one(Subscription, row[0]), row[1]) for row in rows]
    return sorted((row.subscriber.email.split("@")[0], number) for row, number in named)


@pytest.mark.parametrize(
    ("values", "is_recipient"),
    [
        ({}, True),
        ({"cursor": 3}, True),
        ({"cursor": 4}, False),
        ({"cadence": "daily"}, False),
        ({"status": "pending"}, False),
        ({"status": "unsubscribed"}, False),
        ({"paused_until": START}, True),
        ({"paused_until": START + SECOND}, False),
    ],
)
def test_a_digest_is_for_those_of_its_list_and_cadence_who_may_be_mailed(
    env: Environment,
    session: Session,
    blog: MailingList,
    values: dict[str, object],
    is_recipient: bool,
) -> None:
    reader = add_reader(session, blog, "reader@example.com")
    for name, value in values.items():
        setattr(reader, name, value)
    planned = make_plan(env, blog)
    assert ("reader" in dict(list_recipients(planned))) is is_recipient
    assert planned.decision.subscribers == 1 + is_recipient
    assert "weekly" in dict(list_recipients(planned))


def test_a_later_moment_finds_who_is_back_by_then(
    env: Environment, session: Session, blog: MailingList
) -> None:
    away = add_reader(session, blog, "away@example.com")
    away.paused_until = START + timedelta(days=1)
    later = make_plan(env, blog, moment=START + timedelta(days=1))
    assert (make_plan(env, blog).decision.subscribers, later.decision.subscribers) == (1, 2)


@pytest.mark.parametrize(
    ("cursors", "numbers"), [((0, 2), [1, 2, 3, 4]), ((3, 2), [3, 4]), ((4, 4), [])]
)
def test_entries_are_read_from_where_the_furthest_behind_is(
    env: Environment,
    session: Session,
    blog: MailingList,
    cursors: tuple[int, int],
    numbers: list[int],
) -> None:
    weekly = session.scalars(select(Subscription).where(Subscription.list_id == blog.id)).one()
    weekly.cursor = cursors[0]
    add_reader(session, blog, "second@example.com", cursor=cursors[1])
    add_reader(session, blog, "daily@example.com", cadence="daily")
    assert list_numbers(make_plan(env, blog)) == numbers


@pytest.mark.parametrize(
    ("at_most", "cut", "subscribers"), [(1, True, 1), (2, True, 2), (3, False, 2), (None, False, 2)]
)
def test_a_page_counts_those_first_who_are_owed_most(
    env: Environment,
    session: Session,
    blog: MailingList,
    at_most: int | None,
    cut: bool,
    subscribers: int,
) -> None:
    weekly = session.scalars(select(Subscription).where(Subscription.list_id == blog.id)).one()
    weekly.cursor = 3
    add_reader(session, blog, "behind@example.com", cursor=1)
    planned = make_plan(env, blog, count_at_most=at_most)
    assert (planned.cut, planned.decision.subscribers) == (cut, subscribers)
    assert len(planned.decision.entries) == 3


def test_a_page_looks_at_the_newest_entries_only(
    env: Environment, session: Session, blog: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "LOOKED_AT_MOST", 2)
    assert list_numbers(make_plan(env, blog, count_at_most=9)) == [3, 4]
    assert list_numbers(make_plan(env, blog)) == [1, 2, 3, 4]
    blog.entry_seq = 4
    weekly = session.scalars(select(Subscription).where(Subscription.list_id == blog.id)).one()
    weekly.cursor = 3
    assert list_numbers(make_plan(env, blog, count_at_most=9)) == [4]


@pytest.mark.parametrize(
    ("cadence", "hasty", "entries", "through"),
    [
        ("instant", True, None, 4),
        ("instant", False, None, 2),
        ("weekly", False, None, 4),
        ("instant", False, [1], 3),
        ("weekly", True, [1], 3),
    ],
)
def test_how_far_a_digest_goes(
    env: Environment,
    session: Session,
    blog: MailingList,
    cadence: str,
    hasty: bool,
    entries: list[int] | None,
    through: int,
) -> None:
    """To the end, unless it was reviewed or is an instant mail that waits for corrections."""
    add_reader(session, blog, "instant@example.com", cadence="instant")
    add_reader(session, blog, "ahead@example.com", cadence=cadence, cursor=4)
    find_entry("blog 3").matures_at = START + SECOND
    held = DigestReview(
        list_id=blog.id, cadence=cadence, key="k", entries=entries, through=3, created_at=START
    )
    session.add(held)
    session.flush()
    review = reviews.describe_row(held)
    planned = make_plan(env, blog, cadence=cadence, hasty=hasty, review=review)
    assert planned.through == through
    assert planned.decision.settled == (), "nobody's place is moved back"
    assert list_numbers(planned) == list(range(1, through + 1))


@pytest.mark.parametrize(
    ("matures", "cursor", "cadence", "matured"),
    [
        (SECOND, 2, "instant", 2),
        (SECOND, 3, "instant", 4),
        (timedelta(), 2, "instant", 4),
        (SECOND, 2, "weekly", 4),
    ],
)
def test_corrections_are_awaited_for_those_who_are_owed_the_entry(
    env: Environment,
    session: Session,
    blog: MailingList,
    matures: timedelta,
    cursor: int,
    cadence: str,
    matured: int,
) -> None:
    add_reader(session, blog, "instant@example.com", cadence=cadence, cursor=cursor)
    [other] = session.scalars(select(MailingList).where(MailingList.slug == "other"))
    add_reader(session, other, "instant@other.example.com", cadence="instant")
    find_entry("blog 3").matures_at = START + matures
    find_entry("other 1").matures_at = START + timedelta(days=1)
    session.flush()
    assert plan.find_matured(session, blog, START) == matured


@pytest.mark.parametrize(
    ("cursor", "joined", "had", "missed"),
    [
        (2, 1, None, True),
        (3, 1, None, False),
        (2, 2, None, False),
        (2, 1, 0, False),
        (2, 1, 1, True),
        (2, 1, WEB, True),
    ],
)
def test_what_came_back_is_owed_to_those_who_were_there_and_had_it_not(
    env: Environment,
    session: Session,
    blog: MailingList,
    cursor: int,
    joined: int,
    had: int | None,
    missed: bool,
) -> None:
    """Edition 0 carried it, edition 1 did not, and the archive's page is nobody's."""
    entry = find_entry("blog 3")
    entry.first_seq = 2
    weekly = session.scalars(select(Subscription).where(Subscription.list_id == blog.id)).one()
    weekly.cursor = cursor
    weekly.joined_seq = joined
    for title, first in (("blog 1", 1), ("blog 2", None), ("other 3", 2)):
        find_entry(title).first_seq = first
    if had is not None:
        campaign = Campaign(
            list_id=blog.id, kind="digest", status="sent", subject="s", seed="0", created_at=START
        )
        session.add(campaign)
        session.flush()
        session.add(CampaignEntry(campaign_id=campaign.id, entry_id=entry.id, position=0))
        for number, ids in ((0, [entry.id]), (1, []), (WEB, [entry.id])):
            session.add(
                Edition(
                    campaign_id=campaign.id,
                    cursor=number,
                    entries=ids,
                    subject="s",
                    text="t",
                    html="h",
                )
            )
        session.add(
            Delivery(
                campaign_id=campaign.id,
                subscription_id=weekly.id,
                cursor=had,
                mail="digest",
                status="sent",
                created_at=START,
            )
        )
    session.flush()
    clause = plan.missed_clause(session, blog.id, after=cursor, through=4)
    query = select(clause).select_from(Subscription).where(Subscription.id == weekly.id)
    assert session.scalars(query).one() == (f"{entry.id}," if missed else "")
    early = plan.missed_clause(session, blog.id, after=0, through=2)
    query = select(early).select_from(Subscription).where(Subscription.id == weekly.id)
    assert session.scalars(query).one() == "", "it came back with a later number"
    planned = make_plan(env, blog)
    carried = {find_entry("blog 4").id} | ({entry.id} if missed else set())
    assert planned.decision.entries == carried
    assert [one.again for one in planned.candidates if one.id == entry.id] == [True] * (cursor < 3)


def test_an_entry_has_its_own_date_or_that_on_which_it_was_found(
    env: Environment, session: Session, blog: MailingList
) -> None:
    find_entry("blog 1").published_at = START - timedelta(days=9)
    find_entry("blog 2").published_at = None
    find_entry("blog 2").found_at = START - timedelta(days=2)
    session.flush()
    candidates = plan.read_candidates(session, blog.id, after=0, through=2)
    assert [(START - one.date).days for one in candidates] == [9, 2]


def test_members_are_those_of_the_group_in_every_respect(
    env: Environment, session: Session, blog: MailingList
) -> None:
    """Somebody who changed their topics or place since it was planned is not among them."""
    for name in ("moved", "chose", "stayed"):
        add_reader(session, blog, f"{name}@example.com", cursor=2)
    planned = make_plan(env, blog)
    query = select(Subscription).join(Subscription.subscriber)
    for row in session.scalars(query.where(Subscription.list_id == blog.id)):
        name = row.subscriber.email.split("@")[0]
        row.cursor = 3 if name == "moved" else row.cursor
        row.topics = ",9," if name == "chose" else row.topics
    session.flush()
    assert list_recipients(planned) == [("stayed", 1), ("weekly", 0)]
