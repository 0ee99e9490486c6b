"""The worker's part of the totals: old events counted once, and who hears how often in which language."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from newsletter.db.session import db, transaction
from newsletter.models import Counter, DailyFigure, FigureNote, Subscriber, Subscription
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.statistics import backfill, gather
from newsletter.services.subscribers import subscriptions
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import EvidenceSource
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.services.test_counting import confirm_link, counted

FORM = Evidence(EvidenceSource.FORM, page="https://ana.example/", form="iframe")
LINK = Evidence(EvidenceSource.LINK)


def live(env: Environment) -> None:
    """Two sign up, one of them to another list, too; one confirms and leaves."""
    with transaction() as session:
        add_list(session)
        add_list(session, "other")
    subscribe(env, "blog", Submission("a@example.com"), FORM)
    subscribe(env, "blog", Submission("b@example.com"), FORM)
    subscribe(env, "other", Submission("b@example.com"), FORM)
    subscriptions.confirm(env, confirm_link(env, "a@example.com"), LINK)
    handle = db.session.scalars(select(Subscription.handle).order_by(Subscription.id)).first()
    db.session.rollback()
    token = env.links.unsubscribe(str(handle), env.now).rpartition("/unsubscribe/")[2]
    subscriptions.unsubscribe(env, token, LINK)


def forget() -> None:
    """Make it a database from before totals were kept."""
    with transaction() as session:
        session.execute(delete(FigureNote))
        session.execute(delete(DailyFigure))
        session.execute(delete(Counter).where(Counter.name.startswith("backfill/")))


def test_old_events_give_the_same_totals(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    live(env)
    expected = {slug: counted(slug) for slug in ("blog", "other")}
    expected["blog"]["left", "unsubscribed"] = expected["blog"].pop(("left", "link"))
    forget()
    monkeypatch.setattr(backfill, "EVENTS_AT_ONCE", 2)  # several steps
    steps = [backfill.count_old_events() for _ in range(6)]
    assert steps == [2, 2, 1, 0, 0, 0]
    assert {slug: counted(slug) for slug in ("blog", "other")} == expected
    subscribe(env, "blog", Submission("c@example.com"), FORM)  # is counted as it happens
    backfill.count_old_events()
    assert counted()["asked", "iframe"] == 3


def test_what_was_counted_as_it_happened_is_not_old(env: Environment) -> None:
    live(env)
    expected = counted()
    gather.gather(env)
    gather.gather(env)
    now = {key: count for key, count in counted().items() if key[0] not in ("cadence", "language")}
    assert now == expected


def test_subscribers_are_counted_by_cadence_and_language(
    env: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "SUBSCRIPTIONS_AT_ONCE", 2)
    with transaction() as session:
        blog = add_list(session)
        other = add_list(session, "other")
        for number in range(5):
            cadence = "daily" if number < 3 else "monthly"
            add_reader(session, blog, f"{number}@example.com", cadence=cadence)
        add_reader(session, blog, "gone@example.com", status="unsubscribed")
        add_reader(session, other, "else@example.com", cadence="weekly")
        session.execute(
            update(Subscriber).where(Subscriber.email.like("1@%")).values(language="de")
        )
    gather.gather(env)
    states = {
        ("cadence", "daily"): 3,
        ("cadence", "monthly"): 2,
        ("language", ""): 4,
        ("language", "de"): 1,
    }
    assert counted() == states
    with transaction() as session:
        session.execute(delete(Subscriber).where(Subscriber.email.like("1@%")))
    gather.gather(env)
    assert counted() == states, "an hour has not passed"
    clock.forward(timedelta(hours=2))
    gather.gather(env)
    assert counted() == {("cadence", "daily"): 2, ("cadence", "monthly"): 2, ("language", ""): 4}
    assert counted("other") == {("cadence", "weekly"): 1, ("language", ""): 1}
    assert Figure.CADENCE.is_state
