"""The worker's part of the totals: old events counted once, and who hears how often in which
language.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from newsletter.db.session import db, transaction
from newsletter.models import Counter, DailyFigure, FigureNote, Subscriber, Subscription
from newsletter.services import suppressions
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.statistics import backfill, gather, read
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
    states = {figure.value for figure in Figure if figure.is_state}
    now = {key: count for key, count in counted().items() if key[0] not in states}
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
        ("never_mailed", ""): 0,
    }
    assert counted() == states
    with transaction() as session:
        session.execute(delete(Subscriber).where(Subscriber.email.like("1@%")))
    gather.gather(env)
    assert counted() == states, "an hour has not passed"
    clock.forward(timedelta(hours=2))
    gather.gather(env)
    nobody = {("never_mailed", ""): 0}
    assert counted() == nobody | {
        ("cadence", "daily"): 2,
        ("cadence", "monthly"): 2,
        ("language", ""): 4,
    }
    assert counted("other") == nobody | {("cadence", "weekly"): 1, ("language", ""): 1}
    assert Figure.CADENCE.is_state


def test_of_many_suppressions_the_page_shows_the_count_of_the_last_hour(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppressions, "COUNTED_AT_MOST", 1)
    with transaction() as session:
        blog = add_list(session)
        other = add_list(session, "other")
        for slug, mailing_list in (("blog", blog), ("other", other)):
            for number in range(3):
                add_reader(session, mailing_list, f"{slug}{number}@example.com")
        ids = [blog.id, other.id]

    def shown() -> list[int]:
        return [row.suppressed for row in read.read_lists(env, ids)]

    suppressions.suppress(env, "blog0@example.com")
    gather.gather(env)
    assert shown() == [1, 0], "few are counted for each page"
    suppressions.suppress(env, "blog1@example.com")
    suppressions.suppress(env, "other1@example.com")
    assert shown() == [1, 0], "many are not"
    for list_id in ids:
        gather.count_subscribers(env, list_id)
    assert shown() == [2, 1]
