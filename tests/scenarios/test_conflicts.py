"""A broken constraint has a name; callers take the one they expect, and every other is loud."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from newsletter.db.session import db, transaction
from newsletter.errors import Conflict
from newsletter.models import MailingList, Subscriber, Subscription, Tag
from newsletter.services.runtime import Environment
from tests.fakes import START
from tests.people import add_list, add_reader

SUBSCRIBER = {"name": "", "language": "", "created_at": START}


def _same_address(session: Session) -> None:
    values = SUBSCRIBER | {"handle": "h2", "email": "a@example.com", "email_key": "a@example.com"}
    session.execute(insert(Subscriber).values(values))


def _same_subscription(session: Session) -> None:
    first = session.scalars(select(Subscription).order_by(Subscription.id)).first()
    assert first is not None
    values = {"list_id": first.list_id, "subscriber_id": first.subscriber_id, "handle": "other"}
    more = {"status": "active", "cadence": "weekly", "created_at": START}
    session.execute(insert(Subscription).values(values | more))


def _same_tag(session: Session) -> None:
    subscriber = session.scalars(select(Subscriber).order_by(Subscriber.id)).first()
    assert subscriber is not None
    for _ in range(2):
        session.execute(insert(Tag).values(subscriber_id=subscriber.id, tag="berlin"))


def _unknown_cadence(session: Session) -> None:
    session.execute(text("UPDATE subscriptions SET cadence = 'hourly'"))


def _missing_value(session: Session) -> None:
    session.execute(text("UPDATE subscribers SET email = NULL"))


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (_same_address, "uq_subscribers_email_key"),
        (_same_subscription, "uq_subscriptions_list_id_subscriber_id"),
        (_same_tag, "pk_subscriber_tags"),
        (_unknown_cadence, "ck_subscriptions_cadence"),
        (_missing_value, "nn_subscribers_email"),
    ],
)
def test_a_broken_constraint_has_the_same_name_on_both_databases(
    env: Environment, break_it: Callable[[Session], None], name: str
) -> None:
    with transaction() as session:
        add_reader(session, add_list(session), "a@example.com")
        add_reader(session, add_list(session, "other"), "b@example.com")
    with pytest.raises(Conflict) as caught, transaction() as session:
        break_it(session)
    assert caught.value.constraint == name


def test_a_sign_up_that_breaks_another_constraint_is_not_answered_with_check_your_inbox(
    app: Flask, client: FlaskClient
) -> None:
    """A cadence the form offers and the database does not know stored nothing and said nothing."""
    with app.app_context(), transaction() as session:
        add_list(session).cadences = ["weekly", "hourly"]
        add_list(session, "other")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = client.post(
        "/blog/subscribe", json={"email": "new@example.com", "cadence": "hourly"}
    )
    assert response.status_code == 500
    with app.app_context():
        assert db.session.scalar(select(Subscriber.id)) is None
        assert db.session.scalar(select(MailingList.id).where(MailingList.slug == "blog"))
        db.session.remove()
