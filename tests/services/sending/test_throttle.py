"""Ceilings hold over every worker and restart, and never delay a confirmation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import transaction
from newsletter.models import Counter, Delivery, Subscriber, Subscription
from newsletter.services import counters
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.sending.throttle import LOCK, Throttle, Turn
from newsletter.setting_types import Ceiling
from newsletter.settings import Settings
from newsletter.vocabulary import MailKind
from tests.fakes import Clock, Sink
from tests.services.sending.test_run import make_campaign, status


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=request.param)})


@pytest.mark.parametrize("settings", [{"max_per_hour": 30}], indirect=True)
def test_r10_so_many_an_hour_whoever_sends(env: Environment, sink: Sink, clock: Clock) -> None:
    campaign = make_campaign(100)
    sent = [sending.send_due(env).sent for _ in range(4)]
    assert sent == [30, 0, 0, 0]
    clock.forward(timedelta(minutes=59))
    assert sending.send_due(env).sent == 0
    clock.forward(timedelta(minutes=5))
    assert sending.send_due(env).sent == 30
    for _ in range(3):
        clock.forward(timedelta(hours=2))
        sending.send_due(env)
    assert len(sink.accepted) == len({outgoing.recipient for outgoing in sink.accepted}) == 100
    assert status(campaign) == "sent"


@pytest.mark.parametrize("settings", [{"max_per_hour": 1}], indirect=True)
def test_r10_a_worker_waits_for_another_that_counts(env: Environment) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def take() -> Turn:
        with app.app_context():
            return Throttle(env).take(single=False, domain="")

    [window] = Throttle(env).windows
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            counters.increment(session, LOCK, now=0, seconds=1)
            turn = pool.submit(take)
            wait([turn], timeout=1)
            now = int(env.now.timestamp() * 1000)
            counters.increment(session, window.name, now=now, seconds=window.bucket)
        assert turn.result().wait > 0, "the only message of this hour is the other worker's"


@pytest.mark.parametrize("settings", [{"max_per_day": 5}], indirect=True)
def test_a_confirmation_waits_for_no_ceiling(env: Environment, sink: Sink) -> None:
    make_campaign(10)
    sending.send_due(env)
    with transaction() as session:
        reader = session.scalars(select(Subscription)).first()
        assert reader is not None
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    assert sending.send_due(env).sent == 1
    assert len(sink.accepted) == 6


@pytest.mark.parametrize(
    "settings", [{"max_per_second": 4}, {"max_per_second": 0.5}], indirect=True
)
@pytest.mark.any_database
def test_so_many_a_second_in_any_second(env: Environment, clock: Clock) -> None:
    pace = Throttle(env)
    rate = env.settings.smtp.max_per_second
    assert rate is not None
    moments = []
    for _ in range(400):
        if not pace.take(single=False, domain="").wait:
            moments.append(clock.now)
        clock.forward(timedelta(milliseconds=50))
    window = timedelta(seconds=max(1, 1 / rate))
    for begun in moments:
        assert sum(begun <= moment < begun + window for moment in moments) <= max(1, rate)
    assert len(moments) >= 0.8 * rate * 20


@pytest.mark.parametrize("settings", [{"max_per_hour": 5}], indirect=True)
def test_old_counts_are_thrown_away(env: Environment, sink: Sink, clock: Clock) -> None:
    make_campaign(3)
    sending.send_due(env)
    clock.forward(timedelta(days=3))
    cleanup.clean_up(env)
    with transaction() as session:
        assert session.scalars(select(Counter).where(Counter.name == "pace/hour")).all() == []


@pytest.mark.parametrize(
    "settings", [{"max_per_domain": {"slow.example": Ceiling(3, 3600)}}], indirect=True
)
def test_a_domains_ceiling_holds_nobody_else_up(env: Environment, sink: Sink, clock: Clock) -> None:
    campaign = make_campaign(20, names="reader{}@slow.example")
    with transaction() as session:
        for row in session.scalars(select(Subscriber).where(Subscriber.id % 2 == 0)):
            row.email = row.email_key = row.email.replace("slow", "quick")
    deferred = sending.send_due(env).deferred
    with transaction() as session:
        waiting = session.scalars(
            select(Delivery.due_at).where(Delivery.campaign_id == campaign, Delivery.code.is_(None))
        ).all()
    assert deferred == len(waiting) == 7
    assert None not in waiting, "each waits for the moment at which its domain has room"
    assert min(filter(None, waiting)) > clock.now + timedelta(minutes=59)
    went = [outgoing.recipient.partition("@")[2] for outgoing in sink.accepted]
    assert (went.count("quick.example"), went.count("slow.example")) == (10, 3)
    hours = [3]
    while status(campaign) != "sent":
        clock.forward(timedelta(minutes=65))
        before = len(sink.accepted)
        sending.send_due(env)
        hours.append(len(sink.accepted) - before)
    assert max(hours) <= 3
    assert sum(hours) == 10
    assert len(hours) <= 6, "as fast as there is room for them"


@pytest.mark.parametrize("settings", [{"warmup": 5, "max_per_day": 30}], indirect=True)
def test_a_new_sender_warms_up(env: Environment, sink: Sink, clock: Clock) -> None:
    make_campaign(100)
    sent = []
    for _ in range(5):
        sending.send_due(env)
        sent.append(len(sink.accepted))
        cleanup.clean_up(env)
        clock.forward(timedelta(days=1, hours=2))
    assert sent == [5, 15, 35, 65, 95], "5, 10, 20 a day, then the ceiling"
