"""The life of a subscription: one module changes its status, and each change leaves an event."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db, transaction
from newsletter.models import ConsentEvent, Event, Subscription, SubscriptionRequest
from newsletter.services import subscription_state
from newsletter.services.consent import Evidence
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.transfer import import_events
from newsletter.services.transfer.import_events import ImportedTransition
from newsletter.vocabulary import (
    Actor,
    ConsentKind,
    EventKind,
    EvidenceSource,
    SubscriptionStatus,
)
from tests.people import add_list, add_reader

PACKAGE = Path(__file__).parents[2] / "newsletter"
HOME = PACKAGE / "services" / "subscription_state.py"
LINK = Evidence(EvidenceSource.LINK)

Row = tuple[int | None, EventKind, Actor, str]


def events() -> list[Row]:
    query = select(Event.subscription_id, Event.kind, Event.actor, Event.reason)
    return [tuple(row) for row in db.session.execute(query.order_by(Event.id))]  # type: ignore[misc]


@pytest.fixture
def pair(env: Environment) -> tuple[int, int]:
    """Two active subscriptions of different lists, each of another address."""
    with transaction() as session:
        first = add_reader(session, add_list(session), "a@example.com")
        second = add_reader(session, add_list(session, "other"), "b@example.com")
        return first.id, second.id


def test_an_end_is_recorded_once(env: Environment, pair: tuple[int, int]) -> None:
    for expected in (True, False):
        with transaction() as session:
            subscription = session.get_one(Subscription, pair[0])
            was_active = subscription_state.end_subscription(
                session, subscription, ConsentKind.UNSUBSCRIBED, LINK, env.now
            )
            assert was_active is expected
    ended = (pair[0], EventKind.SUBSCRIPTION_ENDED, Actor.SUBSCRIBER, "unsubscribed")
    assert events() == [ended]
    assert db.session.get_one(Subscription, pair[1]).status is SubscriptionStatus.ACTIVE


def end_by_subscriber(env: Environment, session: Session, row: Subscription) -> None:
    kind = ConsentKind.UNSUBSCRIBED
    subscription_state.end_subscription(session, row, kind, LINK, env.now)


def end_by_withdrawal(env: Environment, session: Session, row: Subscription) -> None:
    subscription_state.withdraw_confirmation(session, row, LINK, env.now)


def end_by_silence(env: Environment, session: Session, row: Subscription) -> None:
    row.status = SubscriptionStatus.PENDING
    row.confirmation_at = env.now - timedelta(days=15)
    session.flush()
    subscription_state.expire_unconfirmed(session, env.now - timedelta(days=14), env.now)


def end_by_removal(env: Environment, session: Session, row: Subscription) -> None:
    subscription_state.record_removed(session, row.subscriber, Actor.SUBSCRIBER, "erased", env.now)


def end_by_import(env: Environment, session: Session, row: Subscription) -> None:
    before, after = SubscriptionStatus.ACTIVE, SubscriptionStatus.UNSUBSCRIBED
    transition = ImportedTransition(row.id, row.list_id, before, after)
    import_events.record_import_batch(session, [transition], env.now)


ENDS = (end_by_subscriber, end_by_withdrawal, end_by_silence, end_by_removal, end_by_import)


@pytest.mark.parametrize("end", ENDS)
def test_each_end_writes_the_same_kinds_of_events(
    env: Environment,
    pair: tuple[int, int],
    end: Callable[[Environment, Session, Subscription], None],
) -> None:
    """Whoever waits for an end hears of it, however it came about."""
    with transaction() as session:
        end(env, session, session.get_one(Subscription, pair[0]))
    assert [row[:2] for row in events()] == [(pair[0], EventKind.SUBSCRIPTION_ENDED)]


def test_an_event_names_its_evidence(env: Environment, pair: tuple[int, int]) -> None:
    with transaction() as session:
        for number, kind in ((pair[1], ConsentKind.LAPSED), (pair[0], ConsentKind.UNSUBSCRIBED)):
            subscription = session.get_one(Subscription, number)
            subscription_state.end_subscription(session, subscription, kind, LINK, env.now)
    query = select(Event.reason, ConsentEvent.kind, ConsentEvent.subscription_id).join(
        ConsentEvent, ConsentEvent.id == Event.consent_event_id
    )
    rows = [tuple(row) for row in db.session.execute(query.order_by(Event.id))]
    assert rows == [
        ("lapsed", ConsentKind.LAPSED, pair[1]),
        ("unsubscribed", ConsentKind.UNSUBSCRIBED, pair[0]),
    ]


def test_who_comes_back_is_owed_what_comes_from_now_on(
    env: Environment, pair: tuple[int, int]
) -> None:
    with transaction() as session:
        subscription = session.get_one(Subscription, pair[0])
        confirmed_at = subscription.confirmed_at
        subscription_state.end_subscription(
            session, subscription, ConsentKind.UNSUBSCRIBED, LINK, env.now
        )
        subscription.mailing_list.entry_seq = 7
        subscription_state.activate(
            session, subscription, ConsentKind.RESUBSCRIBED, LINK, env.now + timedelta(hours=1)
        )
        assert (subscription.cursor, subscription.joined_seq) == (7, 7)
        assert (subscription.confirmed_at, subscription.unsubscribed_at) == (confirmed_at, None)


def test_a_request_is_recorded_and_expires(env: Environment, pair: tuple[int, int]) -> None:
    slug = db.session.get_one(Subscription, pair[1]).mailing_list.slug
    evidence = Evidence(EvidenceSource.FORM, ip="192.0.2.1")
    for address in ("new@example.org", "a@example.com", "b@example.com"):
        subscribe(env, slug, Submission(address), evidence)
    new = set(db.session.scalars(select(SubscriptionRequest.subscription_id)))
    assert len(new) == 2  # b is subscribed already, and keeps their subscription
    requested = (EventKind.SUBSCRIPTION_REQUESTED, Actor.SUBSCRIBER, "form")
    assert {(number, *requested) for number in new} == set(events())
    with transaction() as session:  # the request of somebody who had been active before
        again = session.scalars(
            select(Subscription)
            .join(Subscription.subscriber)
            .where(Subscription.status == SubscriptionStatus.PENDING)
        ).all()[-1]
        again.confirmed_at = again.unsubscribed_at = env.now - timedelta(days=90)
        returning = again.id
        for row in session.scalars(select(Subscription)):
            row.confirmation_at = env.now - timedelta(days=15)
    cleanup.clean_up(env)
    assert db.session.get_one(Subscription, returning).status is SubscriptionStatus.UNSUBSCRIBED
    assert [row for row in events() if row[1] is EventKind.SUBSCRIPTION_ENDED] == [
        (returning, EventKind.SUBSCRIPTION_ENDED, Actor.SYSTEM, "expired")
    ]
    left = set(db.session.scalars(select(Subscription.id)))
    assert left == {*pair, returning}


@pytest.mark.parametrize("source", EvidenceSource)
def test_every_source_names_an_actor(source: EvidenceSource) -> None:
    assert source.actor in Actor


def changes(file: Path) -> Iterator[str]:
    """Name each place of a module that changes the status of a subscription."""
    for node in ast.walk(ast.parse(file.read_text())):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            for part in parts:
                if isinstance(part, ast.Attribute) and part.attr == "status":
                    owner = ast.unparse(part.value)
                    value = ast.unparse(node.value) if node.value else ""  # type: ignore[union-attr]
                    if "subscription" in owner.lower() or "SubscriptionStatus." in value:
                        yield f"{file.name}:{node.lineno} {owner}.status"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            first = ast.unparse(node.args[0]) if node.args else ""
            if called == "Subscription":
                yield f"{file.name}:{node.lineno} Subscription(...)"
            if called == "insert" and first in ("Subscription", "_subscriptions"):
                yield f"{file.name}:{node.lineno} insert({first})"
            updates = any(
                f"update({name})" in called for name in ("Subscription", "_subscriptions")
            )
            if updates and any(keyword.arg == "status" for keyword in node.keywords):
                yield f"{file.name}:{node.lineno} {called}(status=...)"


AS_A_SET = {
    "import_statements.py": (
        "writes the rows of an import, with record_import_batch in one transaction"
    ),
}


def test_no_other_module_changes_a_status() -> None:
    assert len(list(changes(HOME))) >= 6
    assignments = [
        place
        for file in sorted(PACKAGE.rglob("*.py"))
        if file != HOME and file.name not in AS_A_SET and "migrations" not in file.parts
        for place in changes(file)
    ]
    assert assignments == []
