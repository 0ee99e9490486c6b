"""The rule who may be mailed is the same as SQL and as a predicate."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Subscriber, Subscription
from newsletter.services.audience import segments
from newsletter.services.audience.mailable import (
    is_mailable,
    is_receiving,
    mailable_clause,
    receiving_clause,
)
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import suppress
from newsletter.vocabulary import SubscriptionStatus
from tests.fakes import START
from tests.people import add_list, add_reader

PAUSES = (None, START - timedelta(seconds=1), START, START + timedelta(seconds=1))


@pytest.fixture
def kinds(env: Environment) -> dict[int, tuple[str, datetime | None, bool]]:
    """A subscription of each kind on two lists: status, pause, suppressed by its id."""
    kinds: dict[int, tuple[str, datetime | None, bool]] = {}
    suppressed: list[str] = []
    with transaction() as session:
        lists = [add_list(session, "blog"), add_list(session, "other")]
        for number, (status, pause, barred) in enumerate(
            product(SubscriptionStatus, PAUSES, (False, True))
        ):
            for mailing_list in lists:
                email = f"{mailing_list.slug}{number}@example.com"
                subscription = add_reader(session, mailing_list, email, status=status)
                subscription.paused_until = pause
                kinds[subscription.id] = (status, pause, barred)
                suppressed += [email] if barred else []
    for email in suppressed:
        suppress(env, email)
    return kinds


@pytest.mark.parametrize("with_subscriber", [True, False])
def test_sql_and_predicate_agree(
    env: Environment, kinds: dict[int, tuple[str, datetime | None, bool]], *, with_subscriber: bool
) -> None:
    query = select(Subscription.id)
    if with_subscriber:
        query = query.join(Subscriber)
    mailable = set(db.session.scalars(query.where(mailable_clause(START))))
    receiving = set(db.session.scalars(query.where(receiving_clause())))
    assert mailable == {
        number
        for number, (status, pause, barred) in kinds.items()
        if is_mailable(status, pause, START, suppressed=barred)
    }
    assert receiving == {
        number
        for number, (status, _, barred) in kinds.items()
        if is_receiving(status, suppressed=barred)
    }
    assert len(receiving) > len(mailable) > 0


def test_a_segment_is_of_those_who_may_be_mailed(
    env: Environment, kinds: dict[int, tuple[str, datetime | None, bool]]
) -> None:
    with transaction() as session:
        first = session.get_one(Subscription, min(kinds))
        mailing_list = first.mailing_list
        mine = [
            number
            for number in kinds
            if session.get_one(Subscription, number).list_id == mailing_list.id
        ]
        members = {n for n in mine if is_mailable(*kinds[n][:2], START, suppressed=kinds[n][2])}
        assert set(session.scalars(segments.segment_query(mailing_list, "", START))) == members
        assert segments.count_segment(session, mailing_list, "", START) == len(members)
        read: list[int] = []
        after = 0
        while page := session.execute(
            segments.segment_page(mailing_list, "", START, after=after, limit=2)
        ).all():
            read += [row.id for row in page]
            after = page[-1].subscriber_id
        assert sorted(read) == sorted(members)
