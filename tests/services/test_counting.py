"""Test what is counted of a subscription's life: by form and page, by how it ended, after which
mailing.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from newsletter.db.session import db, transaction
from newsletter.models import DailyFigure, Delivery, MailingList, Subscriber, Subscription
from newsletter.services import subscription_state
from newsletter.services.consent import Evidence
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.subscribers import preferences, subscriptions
from newsletter.services.suppressions import suppress
from newsletter.vocabulary import Actor, EvidenceSource, SuppressionReason
from tests.fakes import Clock
from tests.figures import fold_all
from tests.people import add_list
from tests.services.sending.test_run import make_campaign

LINK = Evidence(EvidenceSource.LINK)
CLICK = Evidence(EvidenceSource.ONE_CLICK)


def counted(slug: str = "blog", *, campaign_id: int = 0) -> dict[tuple[str, str], int]:
    """All totals of a list, whatever the day."""
    fold_all()
    query = (
        select(DailyFigure)
        .join(MailingList, MailingList.id == DailyFigure.list_id)
        .where(MailingList.slug == slug, DailyFigure.campaign_id == campaign_id)
    )
    return {(row.figure.value, row.name): row.count for row in db.session.scalars(query)}


def ask(env: Environment, email: str, form: str, page: str, slug: str = "blog") -> None:
    evidence = Evidence(EvidenceSource.FORM, page=page, ip="192.0.2.1", form=form)
    subscribe(env, slug, Submission(email), evidence)


def confirm_link(env: Environment, email: str) -> str:
    row = db.session.scalars(
        select(Subscription).join(Subscriber).where(Subscriber.email_key == email)
    ).one()
    handle = row.handle
    number = row.round
    db.session.rollback()
    return env.links.confirm(handle, number, env.now).rpartition("/confirm/")[2]


@pytest.fixture
def lists(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
        add_list(session, "other")


def test_a_sign_up_is_counted_by_form_and_page(env: Environment, lists: None) -> None:
    page = "https://ana.example/about?utm=x#form"
    ask(env, "a@example.com", "script", page)
    ask(env, "b@example.com", "iframe", "https://ana.example/")
    ask(env, "c@example.com", "page", "https://other.example/", "other")
    subscriptions.confirm(env, confirm_link(env, "a@example.com"), LINK)
    assert counted() == {
        ("asked", "script"): 1,
        ("asked", "iframe"): 1,
        ("asked_page", "ana.example/about"): 1,
        ("asked_page", "ana.example"): 1,
        ("joined", "confirmed"): 1,
        ("confirmed", "script"): 1,
        ("confirmed_page", "ana.example/about"): 1,
    }
    assert counted("other") == {("asked", "page"): 1, ("asked_page", "other.example"): 1}


def test_a_request_of_a_subscriber_is_none(env: Environment, lists: None) -> None:
    """Nor does what is done for nobody (equal work) count."""
    ask(env, "a@example.com", "page", "")
    subscriptions.confirm(env, confirm_link(env, "a@example.com"), LINK)
    before = counted()
    ask(env, "a@example.com", "page", "")
    assert counted() == before


def test_a_request_that_expires_is_no_departure(
    env: Environment, clock: Clock, lists: None
) -> None:
    ask(env, "a@example.com", "page", "")
    clock.forward(timedelta(days=30))
    cleanup.clean_up(env)
    assert counted()["unconfirmed", "expired"] == 1
    assert ("left", "expired") not in counted()


def mailed(env: Environment, days_ago: int) -> tuple[int, str]:
    """Send a campaign to two readers some days ago; return it and the second's link to leave."""
    campaign_id = make_campaign(2)
    sent_at = env.now - timedelta(days=days_ago)
    with transaction() as session:
        session.execute(update(Delivery).values(status="sent", finished_at=sent_at))
        handle = session.scalars(select(Subscription.handle).order_by(Subscription.id)).all()[1]
    return campaign_id, env.links.unsubscribe(handle, env.now).rpartition("/unsubscribe/")[2]


@pytest.mark.parametrize(("days_ago", "expected"), [(6, {("left", "one-click"): 1}), (8, {})])
def test_a_departure_is_the_last_mailing_s_for_a_week(
    env: Environment, days_ago: int, expected: dict[tuple[str, str], int]
) -> None:
    campaign_id, token = mailed(env, days_ago)
    subscriptions.unsubscribe(env, token, CLICK)
    subscriptions.unsubscribe(env, token, CLICK)
    subscriptions.give_reason(env, token, "often", LINK)
    assert counted(campaign_id=campaign_id) == expected
    assert counted() == {("left", "one-click"): 1, ("reason", "often"): 1}


def test_only_a_slower_cadence_is_a_mailing_s(env: Environment) -> None:
    campaign_id, _ = mailed(env, 1)
    handles = db.session.scalars(select(Subscription.handle).order_by(Subscription.id)).all()
    db.session.rollback()
    for handle, cadence in zip(handles, ("monthly", "daily"), strict=True):
        token = env.links.preferences(handle, env.now).rpartition("/preferences/")[2]
        fields = {"cadence-blog": cadence}
        preferences.change_preferences(env, token, fields, Evidence(EvidenceSource.PREFERENCES))
    assert counted(campaign_id=campaign_id) == {("slower", "monthly"): 1}
    assert counted() == {("slower", "monthly"): 1, ("faster", "daily"): 1}


def test_ends_without_a_link_are_no_mailing_s(env: Environment) -> None:
    campaign_id, _ = mailed(env, 1)
    suppress(env, "reader0@example.com", reason=SuppressionReason.COMPLAINT)
    with transaction() as session:
        gone = session.scalars(
            select(Subscriber).where(Subscriber.email_key == "reader1@example.com")
        ).one()
        subscription_state.record_removed(session, gone, Actor.SUBSCRIBER, "erased", env.now)
        session.delete(gone)
    assert counted(campaign_id=campaign_id) == {}
    assert counted() == {("suppressed", "complaint"): 1, ("left", "erased"): 1}
