"""Many rows at once are stored exactly as a single one would be, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import Table, insert, select

from newsletter.db.bulk import FEW, insert_rows, reserve_ids
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict
from newsletter.html.text import drop_control_characters
from newsletter.models import Subscriber, Subscription
from newsletter.tokens import new_handles
from newsletter.vocabulary import Cadence, SubscriptionStatus
from tests.naughty import NAUGHTY
from tests.people import add_list, add_reader

SUBSCRIBERS = cast(Table, Subscriber.__table__)
SUBSCRIPTIONS = cast(Table, Subscription.__table__)
START = datetime(2026, 3, 29, 1, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
MANY = FEW + 30


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    """Every test runs inside the application's context."""
    with app.app_context():
        yield


def make_subscribers(count: int, names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "handle": handle,
            "email": f"p{number}@example.org",
            "email_key": f"p{number}@example.org",
            "name": names[number % len(names)],
            "language": "",
            "created_at": START + timedelta(seconds=number),
        }
        for number, handle in enumerate(new_handles(count))
    ]


def add_slow_list(bystander: str = "bystander@example.org") -> int:
    """Add the list "slow", and another one with a subscriber; return the id of the first."""
    with transaction() as session:
        slow = add_list(session, "slow")
        add_reader(session, add_list(session, "other"), bystander)
        session.flush()
        return slow.id


def read_subscribers(like: str) -> list[Any]:
    columns = [column for column in SUBSCRIBERS.columns if column.name not in ("id", "handle")]
    with reading() as session:
        query = select(*columns).where(Subscriber.email.like(like)).order_by(Subscriber.email_key)
        return [tuple(row) for row in session.execute(query)]


def test_texts_and_moments_are_stored_as_single_rows_are() -> None:
    names = [drop_control_characters(name)[:200] for name in NAUGHTY]
    names += ["\\N", "\\.", "a\tb\nc\\d\"e'f", "\r\n", "é́", "😀", ""]
    rows = make_subscribers(max(MANY, len(names)), names)
    with transaction() as session:
        insert_rows(session, SUBSCRIBERS, rows)
    at_once = read_subscribers("p%")
    with transaction() as session:
        session.execute(SUBSCRIBERS.delete())
        for row in rows:
            session.execute(insert(SUBSCRIBERS), row)
    assert at_once == read_subscribers("p%")
    assert len(at_once) == len(rows)


def test_json_members_and_defaults_are_stored_as_single_rows_are() -> None:
    slow_id = add_slow_list()
    answers: list[dict[str, Any]] = [{}, {"town": 'Köln\t"x"'}, {"n": [1, None, True]}]
    with transaction() as session:
        owners = make_subscribers(MANY, [""])
        ids = reserve_ids(session, SUBSCRIBERS, MANY)
        insert_rows(
            session,
            SUBSCRIBERS,
            [{"id": id_, **row} for id_, row in zip(ids, owners, strict=True)],
        )
        insert_rows(
            session,
            SUBSCRIPTIONS,
            [
                {
                    "handle": handle,
                    "list_id": slow_id,
                    "subscriber_id": id_,
                    "status": SubscriptionStatus.PENDING if id_ % 2 else SubscriptionStatus.ACTIVE,
                    "cadence": Cadence.WEEKLY,
                    "answers": answers[id_ % 3],
                    "paused_until": None if id_ % 5 else START,
                    "created_at": START,
                }
                for id_, handle in zip(ids, new_handles(MANY), strict=True)
            ],
        )
    with reading() as session:
        query = select(Subscription).where(Subscription.list_id == slow_id)
        stored = list(session.scalars(query.order_by(Subscription.subscriber_id)))
    assert [row.subscriber_id for row in stored] == list(ids)
    for row in stored:
        assert row.answers == answers[row.subscriber_id % 3]
        assert row.status is (
            SubscriptionStatus.PENDING if row.subscriber_id % 2 else SubscriptionStatus.ACTIVE
        )
        assert row.paused_until == (None if row.subscriber_id % 5 else START.astimezone(UTC))
        assert (row.round, row.cursor, row.topics, row.series_at) == (1, 0, "", None)


@pytest.mark.parametrize("count", [3, MANY])
def test_a_broken_constraint_is_named_and_nothing_is_stored(count: int) -> None:
    add_slow_list("p1@example.org")
    with pytest.raises(Conflict) as refused, transaction() as session:
        insert_rows(session, SUBSCRIBERS, make_subscribers(count, ["Ana"]))
    assert refused.value.constraint == "uq_subscribers_email_key"
    assert len(read_subscribers("p%")) == 1


def test_a_member_outside_of_the_set_is_refused() -> None:
    slow_id = add_slow_list()
    rows = [
        {
            "handle": handle,
            "list_id": slow_id,
            "subscriber_id": 1,
            "status": SubscriptionStatus.ACTIVE,
            "cadence": "yearly",
            "created_at": START,
        }
        for handle in new_handles(MANY)
    ]
    with pytest.raises(ValueError, match="yearly"), transaction() as session:
        insert_rows(session, SUBSCRIPTIONS, rows)


def test_an_id_is_never_given_twice() -> None:
    """Neither to two who reserve at once, nor after the last row was deleted."""
    with transaction() as session:
        first = list(reserve_ids(session, SUBSCRIBERS, 5))
        rows = make_subscribers(5, [""])
        session.execute(
            insert(SUBSCRIBERS), [{"id": id_, **row} for id_, row in zip(first, rows, strict=True)]
        )
    with transaction() as session:
        session.execute(SUBSCRIBERS.delete())
    with transaction() as session:
        second = list(reserve_ids(session, SUBSCRIBERS, 5))
    assert len(set(first) | set(second)) == 10
    assert min(second) > max(first)


def test_handles_are_many_different_and_begin_and_end_with_a_letter_or_digit() -> None:
    handles = new_handles(5_000)
    assert len(set(handles)) == 5_000
    assert {len(handle) for handle in handles} == {12}
    assert all(handle[0].isalnum() and handle[-1].isalnum() for handle in handles)
    assert new_handles(0) == []
