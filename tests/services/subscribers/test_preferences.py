"""The page of preferences: each change leaves an event, and what stays as it was leaves none."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Event, Subscription
from newsletter.services.consent import Evidence
from newsletter.services.lists import topics
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import preferences, subscriptions
from newsletter.vocabulary import Actor, EventKind, EvidenceSource
from tests.people import add_list, add_reader

PAGE = Evidence(EvidenceSource.PREFERENCES)


@pytest.fixture
def subscription(env: Environment) -> Subscription:
    """Make a subscription with a second list, and a second subscriber, beside it."""
    with transaction() as session:
        mailing_list = add_list(session)
        ana = add_reader(session, mailing_list, "ana@example.com")
        add_reader(session, mailing_list, "bob@example.com")
        add_reader(session, add_list(session, "other"), "cleo@example.com")
        number = ana.id
    for name in ("Calm", "Sleep"):
        topics.add("blog", name)
    return db.session.get_one(Subscription, number)


def changes() -> list[tuple[int | None, EventKind, Actor, str]]:
    db.session.rollback()
    query = select(Event.subscription_id, Event.kind, Event.actor, Event.reason)
    return [tuple(row) for row in db.session.execute(query.order_by(Event.id))]  # type: ignore[misc]


def change(env: Environment, subscription: Subscription, **fields: str) -> None:
    token = env.tokens.sign(LinkPurpose.PREFERENCES, subscription.handle, env.now)
    preferences.change_preferences(
        env, token, {name.replace("_", "-"): value for name, value in fields.items()}, PAGE
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cadence_blog": "monthly"}, "cadence"),
        ({"pause_blog": "2027-01-31"}, "pause"),
        ({"topics_blog": "1", "topic_blog_Calm": "1"}, "topics"),
    ],
)
def test_a_change_leaves_one_event(
    env: Environment, subscription: Subscription, fields: dict[str, str], reason: str
) -> None:
    number = subscription.id
    for _ in range(2):  # the same form once more changes nothing
        change(env, subscription, **fields)
    assert changes() == [(number, EventKind.SUBSCRIPTION_CHANGED, Actor.SUBSCRIBER, reason)]


def test_a_form_that_changes_nothing_leaves_no_event(
    env: Environment, subscription: Subscription
) -> None:
    change(env, subscription, pause_blog="", topics_blog="1", cadence_blog=subscription.cadence)
    assert changes() == []


def test_the_end_of_a_pause_leaves_an_event(env: Environment, subscription: Subscription) -> None:
    number = subscription.id
    change(env, subscription, pause_blog="2027-01-31")
    change(env, subscription, pause_blog="")
    assert [row[3] for row in changes() if row[0] == number] == ["pause", "pause"]


def test_a_pause_instead_of_leaving_leaves_an_event(
    env: Environment, subscription: Subscription
) -> None:
    token = env.tokens.sign(LinkPurpose.UNSUBSCRIBE, subscription.handle, env.now)
    link = Evidence(EvidenceSource.LINK)
    subscriptions.unsubscribe(env, token, link)
    subscriptions.undo_unsubscribe(env, token, link, pause=True)
    assert [row[3] for row in changes()][-1] == "pause"
