"""The suppressions of a batch of an import, and the knowledge that it gathers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.import_formats.types import SubscriberRow
from newsletter.models import (
    ConsentEvent,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.services.transfer.import_batch import ImportBatch
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.vocabulary import (
    Cadence,
    ConsentKind,
    EvidenceSource,
    SubscriptionStatus,
    SuppressionReason,
)
from tests.fakes import START
from tests.people import add_list, add_reader
from tests.services.transfer.test_import_batch import (
    ACTIVE,
    ADDRESS,
    DAY,
    KEY,
    PENDING,
    ROW,
    UNSUBSCRIBED,
    Values,
)


@pytest.fixture
def session(env: Environment) -> Session:
    return db.session()


@pytest.fixture
def blog(session: Session) -> MailingList:
    """Add a list, with a subscriber of another who has confirmed."""
    other = add_reader(session, add_list(session, "other"), "bob@example.com")
    add_consent(session, other, ConsentKind.CONFIRMED)
    return add_list(session)


def add_consent(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    *,
    days: int = 0,
) -> None:
    at = START - days * DAY
    session.add(
        ConsentEvent(subscription_id=subscription.id, kind=kind, at=at, source=EvidenceSource.FORM)
    )
    session.flush()


def make_batch(env: Environment, *erased: str) -> ImportBatch:
    return ImportBatch(env, db.session(), [KEY, "bob@example.com"], None, erased)


@pytest.mark.parametrize(
    ("known", "status", "values", "left"),
    [
        (None, ACTIVE, {"left_at": START, "ours": True}, False),
        (None, PENDING, {}, False),
        (None, PENDING, {"left_at": START}, False),
        (None, PENDING, {"left_at": START, "ours": True}, True),
        (None, UNSUBSCRIBED, {}, True),
        (KnownSubscription(PENDING, left=True), PENDING, {"tags": ("x",)}, True),
        (KnownSubscription(PENDING, left=True), ACTIVE, {}, False),
    ],
)
def test_a_batch_remembers_who_has_left(
    env: Environment,
    blog: MailingList,
    known: KnownSubscription | None,
    status: SubscriptionStatus,
    values: Values,
    left: bool,
) -> None:
    batch = make_batch(env)
    if known:
        batch.known.set_subscription(KEY, "blog", known)
    batch.put(replace(ROW, **values), ADDRESS, "blog", status, note="")  # type: ignore[arg-type]
    after = batch.known.find_subscription(KEY, "blog")
    assert (after.status, after.left) == (status, left)
    if not known:
        assert after.cadence == Cadence.WEEKLY


def test_the_last_confirmation_is_that_of_the_subscription(
    env: Environment, session: Session, blog: MailingList
) -> None:
    reader = add_reader(session, blog, KEY)
    batch = make_batch(env)
    known = batch.known.find_subscription(KEY, "blog")
    assert batch.find_last_confirmation(known) is None
    for days, kind in ((1, ConsentKind.CHANGED), (5, ConsentKind.CONFIRMED)):
        add_consent(session, reader, kind, days=days)
    assert batch.find_last_confirmation(known) == START - 5 * DAY
    add_consent(session, reader, ConsentKind.REAFFIRMED, days=3)
    add_consent(session, reader, ConsentKind.CONFIRMED, days=4)
    assert batch.find_last_confirmation(known) == START - 3 * DAY


@pytest.mark.parametrize(("ours", "note"), [(True, "their words"), (False, "because")])
@pytest.mark.parametrize("at", [None, START - DAY])
def test_a_suppression_is_kept_with_its_reason(
    env: Environment, blog: MailingList, ours: bool, note: str, at: object
) -> None:
    row = replace(ROW, ours=ours, suppressed_at=at, suppressed_note="their words")  # type: ignore[arg-type]
    batch = make_batch(env)
    reason = SuppressionReason.COMPLAINT
    batch.put(row, ADDRESS, "blog", UNSUBSCRIBED, note="because", suppress=reason)
    assert batch.known.find_address(KEY).suppressed
    batch.write()
    [stored] = db.session.scalars(select(Suppression))
    assert (stored.email_key, stored.email_hash) == (KEY, hash_address(env, KEY)[0])
    assert (stored.reason, stored.note, stored.created_at) == (reason, note, at or START)


def test_the_hash_of_an_erased_address_is_stored_once(env: Environment, session: Session) -> None:
    row = SubscriberRow(2, "", suppressed_hash="f" * 64, suppressed_note="asked for it")
    batch = make_batch(env, row.suppressed_hash)
    assert [batch.suppress_hash(row) for _ in range(2)] == [True, False]
    batch.write()
    assert not make_batch(env, row.suppressed_hash).suppress_hash(row)
    [stored] = session.scalars(select(Suppression))
    assert (stored.email_key, stored.email_hash) == (None, "f" * 64)
    assert (stored.reason, stored.note, stored.created_at) == ("erased", "asked for it", START)


@pytest.mark.parametrize(
    ("values", "is_new"),
    [({}, False), ({"tags": ("vip",)}, False), ({"tags": ("new",)}, True), ({"name": "A"}, True)],
)
def test_a_subscriber_without_a_list_is_stored_once(
    env: Environment, session: Session, blog: MailingList, values: Values, is_new: bool
) -> None:
    batch = make_batch(env)
    assert batch.put_subscriber(replace(ROW, tags=("vip",)), ADDRESS)
    batch.write()
    row = replace(ROW, **values)  # type: ignore[arg-type]
    assert make_batch(env).put_subscriber(row, ADDRESS) is is_new
    assert set(session.scalars(select(Subscriber.email_key))) == {"bob@example.com", KEY}
    assert len(session.scalars(select(Subscription)).all()) == 1


def test_long_words_are_cut_to_what_is_stored(env: Environment, blog: MailingList) -> None:
    row = replace(ROW, ours=True, language="l" * 30, suppressed_note="s" * 600)
    batch = make_batch(env)
    reason = SuppressionReason.MANUAL
    batch.put(row, ADDRESS, "blog", UNSUBSCRIBED, note="n" * 600, suppress=reason)
    batch.write()
    [stored] = db.session.scalars(select(Suppression.note))
    query = select(ConsentEvent.note).where(ConsentEvent.kind == ConsentKind.IMPORTED)
    [evidence] = db.session.scalars(query)
    languages = select(Subscriber.language).where(Subscriber.email_key == KEY)
    [language] = db.session.scalars(languages)
    assert (len(stored), len(evidence), len(language)) == (500, 500, 20)
