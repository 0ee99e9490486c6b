"""The rows that composing one digest writes, and whose places it moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db, reading, transaction
from newsletter.models import (
    Campaign,
    CampaignEntry,
    Delivery,
    DigestPeriod,
    DigestReview,
    Edition,
    Entry,
    MailingList,
    Subscriber,
    Subscription,
    Topic,
    TopicSource,
)
from newsletter.schedule import Period
from newsletter.services.digests import compose, intros, plan, reviews
from newsletter.services.digests.compose import ComposedDigest, DueDigest
from newsletter.services.digests.reviews import Review
from newsletter.services.digests.selection import DigestDecision, SubscriberGroup
from newsletter.services.lists.topics import pack_topics
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence
from tests.fakes import START
from tests.people import add_entry, add_feed, add_list, add_reader

WEEKLY = Cadence.WEEKLY
KEY = "2026-W48"
NEXT = Period(WEEKLY, "2026-W49", START + timedelta(days=7))


@pytest.fixture
def list_id(env: Environment) -> int:
    """Add a list whose weekly subscribers are at three places, beside another list like it."""
    with transaction() as session:
        for slug in ("other", "blog"):
            mailing_list = add_list(session, slug, from_email=f"ana@{slug}.example.com")
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            for number in (1, 2, 3):
                add_entry(session, feed, f"{slug} {number}")
            for name, cursor in (("new", 0), ("some", 2), ("all", 3)):
                add_reader(session, mailing_list, f"{name}@{slug}.example.com", cursor=cursor)
            add_reader(session, mailing_list, f"daily@{slug}.example.com", cadence="daily")
        return mailing_list.id


def make_due(list_id: int, **values: object) -> DueDigest:
    return DueDigest(list_id, WEEKLY, KEY, **values)  # type: ignore[arg-type]


def read_cursors() -> dict[str, int]:
    db.session.rollback()
    rows = db.session.scalars(select(Subscription))
    cursors = {row.subscriber.email.removesuffix(".example.com"): row.cursor for row in rows}
    assert [cursors.pop(f"{name}@other") for name in ("new", "some", "all")] == [0, 2, 3]
    assert cursors.pop("daily@other") == 0
    return {name.partition("@")[0]: cursor for name, cursor in cursors.items()}


def read_period() -> DigestPeriod:
    db.session.rollback()
    return db.session.scalars(select(DigestPeriod)).one()


def count_rows() -> list[int]:
    db.session.rollback()
    tables = (Campaign, CampaignEntry, Edition, Delivery, DigestPeriod)
    return [len(db.session.scalars(select(table)).all()) for table in tables]


def test_a_digest_moves_those_who_get_it_and_nobody_else(env: Environment, list_id: int) -> None:
    composed = compose.compose(env, make_due(list_id))
    assert composed is not None
    assert (composed.entries, composed.recipients) == (3, 2)
    assert read_cursors() == {"new": 3, "some": 3, "all": 3, "daily": 0}
    campaign = db.session.get_one(Campaign, composed.campaign_id)
    assert (campaign.list_id, campaign.kind, campaign.status) == (list_id, "digest", "sending")
    period = read_period()
    assert (period.list_id, period.cadence, period.key) == (list_id, WEEKLY, KEY)
    assert (period.campaign_id, period.why) == (
        composed.campaign_id,
        "3 entries to 2 subscribers",
    )
    assert period.composed_at == START
    places = select(CampaignEntry.position, Entry.title).join(CampaignEntry.entry)
    assert [tuple(row) for row in db.session.execute(places.order_by(CampaignEntry.position))] == [
        (0, "blog 1"),
        (1, "blog 2"),
        (2, "blog 3"),
    ]
    fates = {entry.title: entry.fate for entry in db.session.scalars(select(Entry))}
    assert fates == {f"blog {n}": "sent" for n in (1, 2, 3)} | {
        f"other {n}": "ready" for n in (1, 2, 3)
    }
    editions = db.session.scalars(select(Edition).order_by(Edition.cursor)).all()
    assert [(row.cursor, len(row.entries)) for row in editions] == [(-1, 3), (0, 3), (1, 1)]


def test_whoever_is_further_on_stays_there(env: Environment, list_id: int) -> None:
    composed = compose.compose(env, make_due(list_id))
    assert composed is not None
    with transaction() as session:
        query = select(Subscription).where(Subscription.list_id == list_id)
        for row in session.scalars(query):
            row.cursor = 9 if row.subscriber.email.startswith("some") else 1
        session.flush()
        compose._move_cursors(session, session.get_one(Campaign, composed.campaign_id), 3)
    assert read_cursors() == {"new": 3, "some": 9, "all": 1, "daily": 1}


def test_a_campaign_is_named_for_all_that_anybody_gets(env: Environment, list_id: int) -> None:
    with transaction() as session:
        for name, titles in (("rest", ["blog 1"]), ("walk", ["blog 2", "blog 3"])):
            topic = Topic(list_id=list_id, name=name, sources=[TopicSource(category=name)])
            session.add(topic)
            session.flush()
            for entry in session.scalars(select(Entry).where(Entry.title.in_(titles))):
                entry.categories = [name]
            email = {"rest": "new@blog.example.com", "walk": "some@blog.example.com"}[name]
            query = select(Subscription).join(Subscriber).where(Subscriber.email_key == email)
            reader = session.scalars(query).one()
            reader.cursor = 0
            reader.topics = pack_topics([topic.id])
    composed = compose.compose(env, make_due(list_id))
    assert composed is not None
    db.session.rollback()
    rows = db.session.scalars(select(Edition).order_by(Edition.cursor)).all()
    assert [len(row.entries) for row in rows] == [3, 2, 1]
    assert composed.subject == rows[0].subject
    assert composed.subject not in (rows[1].subject, rows[2].subject)


def test_a_rehearsal_leaves_nothing(env: Environment, list_id: int) -> None:
    composed = compose.compose(env, make_due(list_id), rehearse=True)
    assert composed is not None
    assert (composed.entries, composed.recipients) == (3, 2)
    assert count_rows() == [0] * 5
    assert read_cursors() == {"new": 0, "some": 2, "all": 3, "daily": 0}


def test_a_period_is_composed_once(env: Environment, list_id: int) -> None:
    assert compose.compose(env, make_due(list_id)) is not None
    before = count_rows()
    assert compose.compose(env, make_due(list_id)) is None
    assert count_rows() == before
    assert compose.compose(env, replace(make_due(list_id), key="2026-W49")) is not None
    assert count_rows()[0] == 1, "nothing new"


def test_what_an_author_said_meanwhile_stops_a_digest(env: Environment, list_id: int) -> None:
    with transaction() as session:
        session.add(DigestReview(list_id=list_id, cadence=WEEKLY, key=KEY, created_at=START))
    assert compose.compose(env, make_due(list_id)) is None
    assert count_rows() == [0] * 5


@pytest.mark.parametrize(
    ("status", "carried", "intro", "repeats"),
    [
        ("sent", (1, 2, 3), "", True),
        ("sending", (1, 2, 3), "", True),
        ("sent", (1, 3), "", False),
        ("cancelled", (1, 2, 3), "", False),
        ("sent", (1, 2, 3), "Hello", False),
    ],
)
def test_a_digest_repeats_where_each_entry_is_archived_and_nothing_is_added(
    env: Environment,
    list_id: int,
    status: str,
    carried: tuple[int, ...],
    intro: str,
    repeats: bool,
) -> None:
    with transaction() as session:
        for _ in range(2):
            earlier = Campaign(
                list_id=list_id,
                kind="digest",
                status=status,
                subject="Before",
                seed="0",
                created_at=START,
            )
            session.add(earlier)
            session.flush()
            titles = [f"blog {number}" for number in carried]
            for entry in session.scalars(select(Entry).where(Entry.title.in_(titles))):
                session.add(CampaignEntry(campaign_id=earlier.id, entry_id=entry.id, position=0))
    if intro:
        intros.write_intro(env, "blog", intro)
    composed = compose.compose(env, make_due(list_id))
    assert composed is not None
    assert db.session.get_one(Campaign, composed.campaign_id).repeats is repeats
    left = {row.cadence for row in intros.list_intros("blog")}
    assert left == ({Cadence.INSTANT, Cadence.DAILY, Cadence.MONTHLY} if intro else set())


def test_one_entry_alone_moves_nobody(env: Environment, list_id: int) -> None:
    with reading() as session:
        alone = session.scalars(select(Entry.id).where(Entry.title == "blog 3")).one()
    composed = compose.compose(env, make_due(list_id, alone=alone))
    assert composed is not None
    assert (composed.entries, composed.recipients) == (1, 2)
    assert read_cursors() == {"new": 0, "some": 2, "all": 3, "daily": 0}
    numbers = {entry.title: entry.first_seq for entry in db.session.scalars(select(Entry))}
    assert numbers == {f"{slug} {n}": None for slug in ("blog", "other") for n in (1, 2, 3)} | {
        "blog 3": 3
    }


def test_who_waits_for_more_is_named_and_stays(env: Environment, list_id: int) -> None:
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        mailing_list.digest_min_entries = 3
        add_reader(session, mailing_list, "second@blog.example.com", cursor=1)
    composed = compose.compose(env, make_due(list_id, following=NEXT))
    assert composed is not None
    assert (composed.entries, composed.recipients) == (3, 1)
    assert read_period().why == "3 entries to 1 subscriber; 2 subscribers wait for more"
    assert read_cursors() == {"new": 3, "some": 2, "all": 3, "second": 1, "daily": 0}


def test_those_who_are_owed_nothing_are_not_read_again(env: Environment, list_id: int) -> None:
    with transaction() as session:
        for entry in session.scalars(select(Entry).where(Entry.list_id == list_id)):
            entry.fate = "skipped"
    composed = compose.compose(env, make_due(list_id))
    assert composed is not None
    assert (composed.campaign_id, composed.why) == (None, compose.NOTHING_NEW)
    assert read_period().why == compose.NOTHING_NEW
    assert read_cursors() == {"new": 3, "some": 3, "all": 3, "daily": 0}


GROUP = SubscriberGroup(0, "", 1)
PAIR = SubscriberGroup(0, "", 2)


@pytest.mark.parametrize(
    ("decision", "reviewed", "why"),
    [
        (DigestDecision(), None, compose.NOTHING_NEW),
        (DigestDecision(settled=(GROUP,)), None, compose.NOTHING_NEW),
        (DigestDecision(), (1,), compose.ALL_LEFT_OUT),
        (DigestDecision(), (), compose.NOTHING_NEW),
        (
            DigestDecision(later=(GROUP,)),
            (1,),
            "1 subscriber waits for entries that were not reviewed",
        ),
        (DigestDecision(waiting=(GROUP,), few=2), None, "2 entries: 1 subscriber waits for more"),
        (
            DigestDecision(waiting=(GROUP, PAIR), few=1),
            (1,),
            "1 entry: 3 subscribers wait for more",
        ),
    ],
)
def test_a_digest_that_carries_nothing_says_why(
    env: Environment,
    list_id: int,
    decision: DigestDecision,
    reviewed: tuple[int, ...] | None,
    why: str,
) -> None:
    review: Review | None = None
    if reviewed is not None:
        row = DigestReview(id=1, list_id=list_id, cadence=WEEKLY, key=KEY, entries=list(reviewed))
        row.left_out = []
        row.mails = []
        review = reviews.describe_row(row)
    session: Session = db.session()
    mailing_list = session.get_one(MailingList, list_id)
    planned = replace(plan.make_plan(env, session, mailing_list, WEEKLY), decision=decision)
    noted = compose.note_nothing(env, session, planned, make_due(list_id, review=review))
    assert noted == ComposedDigest("blog", WEEKLY, None, "", 0, 0, why)
    instant = replace(make_due(list_id), cadence=Cadence.INSTANT)
    assert compose.note_nothing(env, session, planned, instant) is None
    session.flush()
    assert session.scalars(select(DigestPeriod.why)).all() == [why]
