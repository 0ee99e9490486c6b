"""Events: one row a transition, never changed, gone with what they are about."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError

from newsletter.db.session import db, transaction
from newsletter.errors import Conflict
from newsletter.models import Event, Subscriber
from newsletter.services.events import KEPT_FOR, NewEvent, record_events
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, EventKind
from tests.people import add_list, add_reader


@pytest.fixture
def subscriptions(env: Environment) -> list[int]:
    """Two subscriptions with an event each; the ids of the subscriptions."""
    with transaction() as session:
        mailing_list = add_list(session)
        add_list(session, "other")
        ids = [add_reader(session, mailing_list, f"{name}@example.com").id for name in "ab"]
        record_events(
            session,
            (
                NewEvent(
                    EventKind.SUBSCRIPTION_CONFIRMED,
                    Actor.SUBSCRIBER,
                    env.now,
                    mailing_list.id,
                    subscription_id=subscription_id,
                )
                for subscription_id in ids
            ),
        )
    return ids


def about() -> list[int | None]:
    return list(db.session.scalars(select(Event.subscription_id).order_by(Event.id)))


def test_an_event_is_never_changed(env: Environment, subscriptions: list[int]) -> None:
    with pytest.raises((DBAPIError, Conflict), match=r"append.only"), transaction() as session:
        session.execute(text("UPDATE events SET reason = 'other'"))
    assert about() == subscriptions


def test_an_event_goes_with_its_subscription(env: Environment, subscriptions: list[int]) -> None:
    with transaction() as session:
        session.execute(delete(Subscriber).where(Subscriber.email == "a@example.com"))
    assert about() == subscriptions[1:]


def test_old_events_are_deleted_and_young_ones_stay(
    env: Environment, subscriptions: list[int]
) -> None:
    with transaction() as session:
        old = NewEvent(
            EventKind.CAMPAIGN_FINISHED,
            Actor.SYSTEM,
            env.now - KEPT_FOR - timedelta(days=1),
            session.scalars(select(Event.list_id)).first() or 0,
        )
        record_events(session, [old])
    cleanup.clean_up(env)
    assert about() == subscriptions
