"""A broken constraint has a name; callers take the one they expect, and every other is loud."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

import newsletter
from newsletter.db.session import db, transaction
from newsletter.errors import Conflict
from newsletter.models import MailingList, Subscriber, Subscription, Tag
from newsletter.services.runtime import Environment
from newsletter.services.signup import double_opt_in
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
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what two sign-ups of one address break is no error."""
    with app.app_context(), transaction() as session:
        add_list(session)
        known = add_reader(session, add_list(session, "other"), "b@example.com").subscriber.handle
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(double_opt_in, "new_handle", lambda: known)
    response = client.post(
        "/blog/subscribe", json={"email": "new@example.com", "cadence": "weekly"}
    )
    assert response.status_code == 500
    with app.app_context():
        assert db.session.scalars(select(Subscriber.email)).all() == ["b@example.com"]
        assert db.session.scalar(select(MailingList.id).where(MailingList.slug == "blog"))
        db.session.remove()


def test_every_handler_of_a_conflict_asks_which_constraint_it_was() -> None:
    """One that takes every conflict for a race says that what was lost is stored."""
    package = Path(newsletter.__file__).parent
    careless = []
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ExceptHandler) and "Conflict" in ast.unparse(
                node.type or ast.Name("")
            ):
                body = "\n".join(map(ast.unparse, node.body))
                if f"{node.name}.constraint" not in body or "raise" not in body:
                    careless.append(f"{file.relative_to(package)}:{node.lineno}")
    assert careless == []
