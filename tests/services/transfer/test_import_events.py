"""The events of an import: its transitions as a set, and one for each list when it has finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import DailyFigure, Event, MailingList, Subscription
from newsletter.services.runtime import Environment
from newsletter.services.transfer.import_events import ImportedTransition, record_import_batch
from newsletter.services.transfer.import_subscribers import import_file
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import Actor, EventKind, SubscriptionStatus
from tests.figures import fold_all
from tests.people import add_list, add_reader

ACTIVE = SubscriptionStatus.ACTIVE
UNSUBSCRIBED = SubscriptionStatus.UNSUBSCRIBED


def events() -> list[tuple[int | None, EventKind, Actor, str]]:
    query = select(Event.subscription_id, Event.kind, Event.actor, Event.reason)
    return [tuple(row) for row in db.session.execute(query.order_by(Event.id))]  # type: ignore[misc]


def finished() -> list[tuple[str, Actor, str]]:
    db.session.rollback()
    query = select(MailingList.slug, Event.actor, Event.reason).join(MailingList)
    rows = db.session.execute(query.where(Event.kind == EventKind.IMPORT_FINISHED))
    return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.fixture
def pair(env: Environment) -> tuple[int, int]:
    """Two active subscriptions of different lists, each of another address."""
    with transaction() as session:
        first = add_reader(session, add_list(session), "a@example.com")
        second = add_reader(session, add_list(session, "other"), "b@example.com")
        return first.id, second.id


def test_an_import_writes_its_events_as_a_set(env: Environment, pair: tuple[int, int]) -> None:
    lists = [db.session.get_one(Subscription, number).list_id for number in pair]
    with transaction() as session:
        record_import_batch(
            session,
            [
                ImportedTransition(pair[0], lists[0], None, ACTIVE),
                ImportedTransition(pair[0], lists[0], ACTIVE, ACTIVE),
                ImportedTransition(pair[1], lists[1], ACTIVE, UNSUBSCRIBED),
                ImportedTransition(pair[1], lists[1], None, UNSUBSCRIBED),
            ],
            env.now,
        )
    assert events() == [
        (pair[0], EventKind.SUBSCRIPTION_CONFIRMED, Actor.IMPORT, "imported"),
        (pair[1], EventKind.SUBSCRIPTION_ENDED, Actor.IMPORT, "imported"),
    ]


def test_an_import_counts_on_the_list_of_each_change(
    env: Environment, pair: tuple[int, int]
) -> None:
    lists = [db.session.get_one(Subscription, number).list_id for number in pair]
    with transaction() as session:
        record_import_batch(
            session,
            [
                ImportedTransition(pair[0], lists[0], None, ACTIVE),
                ImportedTransition(pair[0], lists[0], None, SubscriptionStatus.PENDING),
                ImportedTransition(pair[1], lists[1], ACTIVE, UNSUBSCRIBED),
                ImportedTransition(pair[1], lists[1], SubscriptionStatus.PENDING, UNSUBSCRIBED),
                ImportedTransition(pair[1], lists[1], None, UNSUBSCRIBED),
            ],
            env.now,
        )
    fold_all()
    rows = db.session.scalars(select(DailyFigure).where(DailyFigure.name == "imported"))
    assert {(row.list_id, row.figure): row.count for row in rows} == {
        (lists[0], Figure.JOINED): 1,
        (lists[0], Figure.ASKED): 1,
        (lists[1], Figure.LEFT): 1,
        (lists[1], Figure.UNCONFIRMED): 1,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("email\nc@example.com\nd@example.com\n")
    return path


def test_an_import_that_has_finished_leaves_one_event(
    env: Environment, pair: tuple[int, int], file: Path
) -> None:
    done = import_file(env, file, slug="blog", because="a card")
    assert done.new == 2
    assert finished() == [("blog", Actor.IMPORT, done.platform)]


def test_a_dry_run_leaves_no_event(env: Environment, pair: tuple[int, int], file: Path) -> None:
    import_file(env, file, slug="blog", because="a card", dry_run=True)
    assert finished() == []


def test_an_import_of_rejected_rows_is_of_no_list(
    env: Environment, pair: tuple[int, int], file: Path
) -> None:
    file.write_text("email\nno address\n")
    assert import_file(env, file, slug="blog", because="a card").rejected == 1
    assert finished() == []
