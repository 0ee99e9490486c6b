"""Test what a confirmation changes besides the subscription, beside the requests of others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.db.session import db, transaction
from newsletter.models import Mailbox, Subscriber, Subscription, SubscriptionRequest
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup import confirmations
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.subscribe import Submission
from newsletter.services.subscribers import subscriptions
from newsletter.vocabulary import EvidenceSource
from tests.fakes import Clock, Sink, body
from tests.people import add_list

LINK = Evidence(EvidenceSource.LINK, ip="198.51.100.4")


@pytest.fixture(autouse=True)
def blog(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
        add_list(session, "other", title="The other one")


def ask(env: Environment, name: str, slug: str = "blog") -> None:
    evidence = Evidence(EvidenceSource.FORM, ip="192.0.2.77")
    signup.subscribe(env, slug, Submission(f"{name}@example.com"), evidence)
    sending.send_due(env)


def confirm(env: Environment, sink: Sink, name: str) -> None:
    """Confirm by the newest link that was mailed to an address."""
    texts = [
        body(message)
        for outgoing, message in zip(sink.accepted, sink.messages, strict=True)
        if outgoing.recipient == f"{name}@example.com" and "/confirm/" in body(message)
    ]
    subscriptions.confirm(env, texts[-1].split("/confirm/")[1].split()[0], LINK)
    sending.send_due(env)


def count_mails(sink: Sink, name: str) -> int:
    return sum(outgoing.recipient == f"{name}@example.com" for outgoing in sink.accepted)


def read_numbers(name: str) -> list[int]:
    """Return the numbers of the requests of an address."""
    query = (
        select(SubscriptionRequest.number)
        .join(Subscription)
        .join(Subscriber)
        .where(Subscriber.email == f"{name}@example.com")
        .order_by(SubscriptionRequest.number)
    )
    db.session.rollback()
    return list(db.session.scalars(query))


def test_requests_of_others_stay_whatever_their_number(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    ask(env, "bob")
    clock.forward(timedelta(days=1, minutes=1))
    ask(env, "bob")
    ask(env, "ana")
    before = read_numbers("bob")
    assert len(before) == 2 and read_numbers("ana") == before[:1]
    confirm(env, sink, "ana")
    assert read_numbers("bob") == before
    confirm(env, sink, "bob")
    assert read_numbers("bob") == before[-1:], "the one that was confirmed"


def test_who_confirms_is_asked_again_as_often_as_before(
    env: Environment, clock: Clock, sink: Sink
) -> None:
    """Somebody else's unanswered confirmations stay counted."""
    for name in ("ana", "bob"):
        ask(env, name)
    clock.forward(timedelta(days=1, minutes=1))
    for name in ("ana", "bob"):
        ask(env, name)
    confirm(env, sink, "ana")
    with transaction() as session:
        subscription = session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == "ana@example.com")
        ).one()
        subscriptions.leave(env, session, subscription, LINK)
    sending.send_due(env)
    mails = {name: count_mails(sink, name) for name in ("ana", "bob")}
    for _ in range(5):
        clock.forward(timedelta(days=1, minutes=1))
        for name in mails:
            ask(env, name)
    assert {name: count_mails(sink, name) - mails[name] for name in mails} == {"ana": 3, "bob": 1}


def test_a_withheld_confirmation_counts_as_the_subscribers_own_mail(
    env: Environment, sink: Sink
) -> None:
    ask(env, "ana")
    ask(env, "ana", "other")
    ask(env, "bob")
    confirm(env, sink, "ana")
    db.session.rollback()
    counted = [[row[0] for row in mails] for mails in db.session.scalars(select(Mailbox.mails))]
    assert sorted(counted) == [["asked"], ["asked", "own", "own"]]


def test_a_number_of_a_link_is_looked_up_only_if_it_is_one(env: Environment) -> None:
    ask(env, "ana")
    with transaction() as session:
        subscription = session.scalars(select(Subscription)).one()
        for number, is_known in (
            (str(subscription.round), True),
            ("9" * 9, False),
            ("9" * 10, False),
            ("1" * 30, False),
            ("²", False),
            ("", False),
        ):
            assert confirmations.is_current(session, subscription, number) == is_known
        assert session.scalar(select(func.count()).select_from(SubscriptionRequest)) == 1
