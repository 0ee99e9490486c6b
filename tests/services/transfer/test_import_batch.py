"""The rows that a batch of an import writes, beside those of somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.db.session import db
from newsletter.import_formats.types import ConsentRecord, SubscriberRow
from newsletter.models import (
    ConsentEvent,
    MailingList,
    Subscriber,
    Subscription,
    Tag,
    Topic,
)
from newsletter.services.lists.topics import pack_topics
from newsletter.services.runtime import Environment
from newsletter.services.transfer.import_batch import ImportBatch
from newsletter.vocabulary import (
    ConsentKind,
    EvidenceSource,
    SubscriptionStatus,
)
from tests.fakes import START
from tests.people import add_list, add_reader

KEY = "ann@example.com"
ADDRESS = Address(KEY, KEY)
ROW = SubscriberRow(2, KEY)
DAY = timedelta(days=1)
ACTIVE = SubscriptionStatus.ACTIVE
PENDING = SubscriptionStatus.PENDING
UNSUBSCRIBED = SubscriptionStatus.UNSUBSCRIBED

Values = dict[str, object]


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture(autouse=True)
def blog(session: Session) -> Iterator[MailingList]:
    """Yield a list that has numbered nine entries, with a subscriber whom no import touches."""
    other = add_list(session, "other")
    session.add(Topic(list_id=other.id, name="Sleep"))
    blog = add_list(session, entry_seq=9)
    bystander = add_reader(session, blog, "bob@example.com", name="Bob", cursor=3)
    add_consent(session, bystander, ConsentKind.CONFIRMED)
    session.add_all(Topic(list_id=blog.id, name=name, position=1) for name in ("Rest", "Walk"))
    session.flush()
    yield blog
    session.expire_all()
    row = (bystander.status, bystander.cursor, bystander.cadence, bystander.subscriber.name)
    assert row == (ACTIVE, 3, "weekly", "Bob")
    assert (bystander.subscriber.language, bystander.unsubscribed_at) == ("", None)


def add_consent(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    *,
    days: int = 0,
    source: EvidenceSource = EvidenceSource.FORM,
) -> None:
    at = START - days * DAY
    session.add(ConsentEvent(subscription_id=subscription.id, kind=kind, at=at, source=source))
    session.flush()


def make_batch(env: Environment, *erased: str) -> ImportBatch:
    return ImportBatch(env, db.session(), [KEY, "bob@example.com"], None, erased)


def put(env: Environment, status: SubscriptionStatus, *rows: SubscriberRow) -> Subscription:
    """Write a batch of rows about one address."""
    batch = make_batch(env)
    for row in rows:
        batch.put(row, ADDRESS, "blog", status, note="because")
    batch.write()
    return read()


def read() -> Subscription:
    db.session.expire_all()
    query = select(Subscription).join(Subscriber).where(Subscriber.email_key == KEY)
    return db.session.scalars(query).one()


def list_evidence() -> list[tuple[ConsentKind, str, str]]:
    query = select(ConsentEvent).where(ConsentEvent.subscription_id == read().id)
    rows = db.session.scalars(query.order_by(ConsentEvent.id))
    return [(row.kind, row.source, row.note) for row in rows]


@pytest.mark.parametrize(
    ("status", "values", "confirmed_at", "unsubscribed_at"),
    [
        (ACTIVE, {}, START, None),
        (ACTIVE, {"consented_at": START - DAY}, START - DAY, None),
        (ACTIVE, {"left_at": START - DAY}, START, None),
        (PENDING, {"consented_at": START - DAY, "left_at": START}, None, None),
        (PENDING, {"consented_at": START - DAY, "left_at": START, "ours": True}, -1, START),
        (UNSUBSCRIBED, {}, None, START),
        (UNSUBSCRIBED, {"left_at": START - DAY, "consented_at": START}, None, START - DAY),
        (UNSUBSCRIBED, {"left_at": START, "consented_at": START - DAY, "ours": True}, -1, START),
    ],
)
def test_a_new_subscription_has_the_dates_of_its_file(
    env: Environment,
    status: SubscriptionStatus,
    values: Values,
    confirmed_at: object,
    unsubscribed_at: object,
) -> None:
    row = put(env, status, replace(ROW, **values))  # type: ignore[arg-type]
    expected = START - DAY if confirmed_at == -1 else confirmed_at
    assert (row.status, row.confirmed_at, row.unsubscribed_at) == (
        status,
        expected,
        unsubscribed_at,
    )
    assert (row.cursor, row.joined_seq, row.created_at, row.cadence) == (9, 9, START, "weekly")
    assert list_evidence() == [(ConsentKind.IMPORTED, "import", "because")]


def test_a_new_subscription_has_what_its_row_says(env: Environment, blog: MailingList) -> None:
    row = replace(
        ROW,
        name="Ann",
        language="de",
        cadence="daily",
        created_at=START - DAY,
        paused_until=START + DAY,
        topics=("REST", "unknown"),
        answers={"1": "yes"},
        tags=("vip",),
        source="form",
        ip="192.0.2.1",
    )
    written = put(env, ACTIVE, row)
    subscriber = written.subscriber
    assert (subscriber.name, subscriber.language, subscriber.created_at) == (
        "Ann",
        "de",
        START - DAY,
    )
    assert (written.cadence, written.created_at) == ("daily", START - DAY)
    assert (written.paused_until, written.answers) == (START + DAY, {"1": "yes"})
    [rest] = db.session.scalars(select(Topic.id).where(Topic.name == "Rest"))
    assert written.topics == pack_topics([rest])
    assert db.session.scalars(select(Tag.tag)).all() == ["vip"]
    assert list_evidence() == [(ConsentKind.IMPORTED, "form", "because")]


@pytest.mark.parametrize("topics", [(), ("rest", "walk")])
def test_all_topics_are_no_choice(env: Environment, topics: tuple[str, ...]) -> None:
    """Those to come are included."""
    assert put(env, ACTIVE, replace(ROW, topics=topics)).topics == ""


def test_topics_are_known_by_their_list(env: Environment) -> None:
    batch = make_batch(env)
    row = replace(ROW, topics=("Rest", "Sleep"))
    assert batch.find_unknown_topics(row, "blog") == {"Sleep"}
    assert batch.find_unknown_topics(row, "other") == {"Rest"}
    assert batch.find_unknown_topics(ROW, "blog") == set()


@pytest.mark.parametrize(
    ("before", "after", "cursor", "kind", "left_at"),
    [
        ("active", UNSUBSCRIBED, 2, ConsentKind.UNSUBSCRIBED, START),
        ("pending", UNSUBSCRIBED, 2, ConsentKind.UNSUBSCRIBED, START),
        ("pending", ACTIVE, 9, ConsentKind.IMPORTED, None),
        ("active", ACTIVE, 2, None, None),
    ],
)
def test_a_known_subscription_changes_its_status_only(
    env: Environment,
    session: Session,
    blog: MailingList,
    before: str,
    after: SubscriptionStatus,
    cursor: int,
    kind: ConsentKind | None,
    left_at: object,
) -> None:
    record = ConsentRecord("confirmed", START, source="form")
    known = add_reader(session, blog, KEY, status=before, cursor=2, cadence="daily")
    row = put(env, after, replace(ROW, events=(record,)))
    assert (row.id, row.status, row.cursor, row.cadence) == (known.id, after, cursor, "daily")
    assert row.unsubscribed_at == left_at
    evidence = [(kind, "import", "because")] if kind else []
    assert list_evidence() == evidence, "its record is kept here already"


def test_a_new_subscription_has_the_whole_record_of_a_file_of_ours(env: Environment) -> None:
    records = tuple(
        ConsentRecord(kind, START - DAY, source=source, note=kind, wording=wording)
        for kind, source, wording in (
            ("confirmed", "form", "I agree"),
            ("changed", "a carrier pigeon", ""),
        )
    )
    put(env, ACTIVE, replace(ROW, ours=True, events=records))
    assert list_evidence() == [
        (ConsentKind.CONFIRMED, "form", "confirmed"),
        (ConsentKind.CHANGED, "import", "changed"),
    ]
    wordings = select(ConsentEvent.wording_hash).where(ConsentEvent.subscription_id == read().id)
    assert [bool(wording) for wording in db.session.scalars(wordings)] == [True, False]


@pytest.mark.parametrize(
    ("kind", "source", "is_kept"),
    [
        (ConsentKind.CHANGED, EvidenceSource.LINK, True),
        (ConsentKind.CONFIRMED, EvidenceSource.FORM, True),
        (ConsentKind.CONFIRMED, EvidenceSource.AUTHOR, False),
        (ConsentKind.REQUESTED, EvidenceSource.FORM, False),
    ],
)
def test_what_subscribers_chose_themselves_no_file_changes(
    env: Environment,
    session: Session,
    blog: MailingList,
    kind: ConsentKind,
    source: EvidenceSource,
    is_kept: bool,
) -> None:
    reader = add_reader(session, blog, KEY)
    reader.subscriber.language = "fr"
    add_consent(session, reader, kind, source=source)
    row = replace(ROW, language="de", cadence="daily", name="Ann")
    assert make_batch(env).corrects(replace(row, name=""), KEY, "blog") is not is_kept
    after = put(env, ACTIVE, row)
    expected = ("fr", "weekly") if is_kept else ("de", "daily")
    assert (after.subscriber.language, after.cadence) == expected
    assert after.subscriber.name == "Ann", "a name that is missing is added"
    assert list_evidence() == [(kind, source, "")]


@pytest.mark.parametrize(
    ("values", "slug", "corrects"),
    [
        ({}, "blog", False),
        ({"name": "Another"}, "blog", False),
        ({"language": "fr"}, "blog", False),
        ({"language": "tlh"}, "blog", False),
        ({"language": "tlh", "ours": True}, "blog", True),
        ({"language": "de"}, "other", True),
        ({"cadence": "weekly"}, "blog", False),
        ({"cadence": "hourly"}, "blog", False),
        ({"cadence": "daily"}, "blog", True),
        ({"cadence": "daily"}, "other", False),
    ],
)
def test_a_row_corrects_what_differs(
    env: Environment,
    session: Session,
    blog: MailingList,
    values: Values,
    slug: str,
    corrects: bool,
) -> None:
    reader = add_reader(session, blog, KEY, name="Ann")
    reader.subscriber.language = "fr"
    session.flush()
    row = replace(ROW, **values)  # type: ignore[arg-type]
    assert make_batch(env).corrects(row, KEY, slug) is corrects


def test_later_rows_of_a_batch_add_to_the_first(env: Environment) -> None:
    rows = (
        replace(ROW, tags=("vip",)),
        replace(ROW, name="Ann", cadence="daily", tags=("vip", "guest")),
        replace(ROW, name="Another", language="de"),
    )
    row = put(env, ACTIVE, *rows)
    assert (row.subscriber.name, row.subscriber.language, row.cadence) == ("Ann", "de", "daily")
    assert set(db.session.scalars(select(Tag.tag))) == {"vip", "guest"}
    assert len(list_evidence()) == 1
