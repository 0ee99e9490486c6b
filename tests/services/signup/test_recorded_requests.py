"""Test what a sign-up leaves behind, and whom its ceilings and locks concern."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.exc import OperationalError

from newsletter.db.session import db, reading, transaction
from newsletter.errors import TooMany
from newsletter.models import (
    ConsentEvent,
    Delivery,
    Event,
    Mailbox,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionRequest,
)
from newsletter.services.consent import Evidence, hash_wording
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmations, forms
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.vocabulary import Actor, EventKind, EvidenceSource, FieldKind
from tests.fakes import START
from tests.people import add_list, add_reader

FORM = Evidence(EvidenceSource.FORM, ip="192.0.2.77")
AUTHOR = Evidence(EvidenceSource.AUTHOR)


@pytest.fixture(autouse=True)
def lists(env: Environment) -> None:
    with transaction() as session:
        add_reader(session, add_list(session, "other"), "zoe@example.com")
        add_list(session)


def test_a_request_is_an_event_and_a_counted_mail_with_one_evidence(env: Environment) -> None:
    subscribe(env, "other", Submission("bob@example.com"), FORM)
    form = subscribe(env, "blog", Submission("ana@example.com", language="de"), FORM)
    with reading() as session:
        blog = session.scalars(select(MailingList.id).where(MailingList.slug == "blog")).one()
        query = select(Subscription).where(Subscription.list_id == blog)
        subscription = session.scalars(query).one()
        request = session.get_one(SubscriptionRequest, (subscription.id, 1))
        evidence = session.scalars(
            select(ConsentEvent).where(ConsentEvent.subscription_id == subscription.id)
        ).one()
        row = session.scalars(select(Event).where(Event.list_id == blog)).one()
        assert (row.kind, row.actor, row.reason, row.at) == (
            EventKind.SUBSCRIPTION_REQUESTED,
            Actor.SUBSCRIBER,
            "form",
            START,
        )
        assert (row.subscription_id, row.consent_event_id) == (subscription.id, evidence.id)
        delivery = session.scalars(
            select(Delivery).where(Delivery.subscription_id == subscription.id)
        ).one()
        assert (request.delivery_id, request.message_id) == (delivery.id, evidence.message_id)
        assert request.wording_hash == hash_wording(form.wording("de")) == evidence.wording_hash
        moment = int(START.timestamp())
        mails = list(session.scalars(select(Mailbox.mails)))
        assert [["asked", moment, delivery.id]] in mails
        assert len(mails) == 2
        assert list(session.scalars(select(Mailbox.unanswered))) == [1, 1]


def test_a_refused_request_writes_nothing_and_no_ceiling_is_the_authors(env: Environment) -> None:
    policy = env.settings.signup.model_copy(update={"per_ip": 1})
    env = replace(env, settings=env.settings.model_copy(update={"signup": policy}))
    subscribe(env, "blog", Submission("ana@example.com"), FORM)
    written: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with pytest.raises(TooMany):
            subscribe(env, "blog", Submission("bob@example.com"), FORM)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert written == []
    for name in ("cat", "dan"):
        subscribe(env, "blog", Submission(f"{name}@example.com"), replace(AUTHOR, ip=FORM.ip))
    subscribe(env, "blog", Submission("eve@example.com"), replace(FORM, ip="198.51.100.4"))
    with reading() as session:
        names = {email.partition("@")[0] for email in session.scalars(select(Subscriber.email))}
    assert names == {"zoe", "ana", "cat", "dan", "eve"}


def test_what_an_author_leaves_empty_is_not_required(env: Environment) -> None:
    forms.add_field("blog", "town", FieldKind.TEXT, "Town", required=True)
    forms.add_field("blog", "tea", FieldKind.TEXT, "Tea", required=True)
    submission = Submission("ana@example.com", answers={"town": "", "tea": "green"})
    subscribe(env, "blog", submission, AUTHOR)
    with reading() as session:
        request = session.scalars(select(SubscriptionRequest)).one()
        assert request.answers == {"tea": "green"}


def test_an_owner_is_locked_and_read_anew(env: Environment) -> None:
    """Nobody else waits meanwhile; SQLite has no locks of rows."""
    with transaction() as session:
        zoe = session.scalars(select(Subscription)).one()
        ana = add_reader(session, zoe.mailing_list, "ana@example.com", name="Ana")
        session.flush()
        changed = update(Subscriber).where(Subscriber.id == ana.subscriber_id).values(name="Bea")
        session.connection().execute(changed)
        assert ana.subscriber.name == "Ana"
        confirmations.lock_owner(session, ana.handle)
        assert ana.subscriber.name == "Bea"
    if db.engine.dialect.name == "sqlite":
        return
    with transaction() as session, db.engine.connect() as other:
        confirmations.lock_owner(session, ana.handle)
        query = select(Subscriber.id).with_for_update(nowait=True)
        other.execute(query.where(Subscriber.email == "zoe@example.com"))
        with pytest.raises(OperationalError):
            other.execute(query.where(Subscriber.email == "ana@example.com"))
