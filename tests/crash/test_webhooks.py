"""Workers really killed while they tell a webhook: every event arrives, in its subscriber's order."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from newsletter.db.session import reading, transaction
from newsletter.models import Event, Subscription, WebhookMessage
from newsletter.services import webhooks
from newsletter.services.consent import Evidence
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.subscription_state import record_change
from newsletter.vocabulary import EvidenceSource, MessageStatus
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.processes import finish, program_environment, start_program
from tests.receiver import Receiver, accept, running_receiver

pytestmark = pytest.mark.processes

SUBSCRIBERS = 25
ROUNDS = 6
KILLS = 5


def record(env: Environment, round_: int) -> None:
    with transaction() as session:
        for subscription in session.scalars(select(Subscription)):
            reason = f"change {round_}"
            evidence = Evidence(EvidenceSource.AUTHOR)
            record_change(session, subscription, reason, evidence, env.now)


def waiting() -> int:
    with reading() as session:
        queued = select(func.count()).where(WebhookMessage.status == MessageStatus.QUEUED)
        return session.scalar(queued) or 0


def let_claims_expire() -> None:
    """Do what two minutes do for the messages that a killed worker held."""
    with transaction() as session:
        session.execute(update(WebhookMessage).values(held_until=None))


def test_killed_workers_lose_no_event(app: Flask, clock: Clock, tmp_path: Path) -> None:
    def answer(handler: object, received: object, number: int) -> None:
        time.sleep(0.02)
        accept(handler, received, number)  # type: ignore[arg-type]

    with running_receiver(answer) as receiver, app.app_context():
        env: Environment = app.extensions[EXTENSION]
        with transaction() as session:
            mailing_list = add_list(session)
            for number in range(SUBSCRIBERS):
                add_reader(session, mailing_list, f"r{number}@example.com", now=clock.now)
        allowed = env.settings.webhooks.model_copy(update={"allow_private_addresses": True})
        object.__setattr__(env, "settings", env.settings.model_copy(update={"webhooks": allowed}))
        webhooks.add_webhook(env, receiver.url)
        record_and_kill(app, env, clock, receiver, tmp_path)
        check_everything(receiver)


def record_and_kill(
    app: Flask, env: Environment, clock: Clock, receiver: Receiver, folder: Path
) -> None:
    environment = program_environment(app, NEWSLETTER_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES="true")
    dice = random.Random(4)
    interrupted = 0
    for round_ in range(ROUNDS):
        record(env, round_)
        clock.now += timedelta(microseconds=1)
        if round_ < KILLS:
            process = start_program(folder, environment, "worker", "--once")
            before = len(receiver.requests)
            until = time.monotonic() + 20
            while len(receiver.requests) < before + dice.randint(1, 20):
                assert time.monotonic() < until
                time.sleep(0.01)
            process.kill()
            finish(process)
            interrupted += waiting() > 0
            let_claims_expire()
    assert interrupted >= 2
    for _ in range(3):
        output = finish(start_program(folder, environment, "worker", "--once"))
        if not waiting():
            return
    raise AssertionError(output)


def check_everything(receiver: Receiver) -> None:
    with reading() as session:
        assert session.scalar(select(func.count(Event.id))) == SUBSCRIBERS * ROUNDS
        assert session.scalar(select(func.count(WebhookMessage.id))) == SUBSCRIBERS * ROUNDS
    reasons: dict[int, list[str]] = {}
    known = set()
    for request in receiver.requests:
        if request.id not in known:
            known.add(request.id)
            data = request.event["data"]
            reasons.setdefault(data["subscriber"], []).append(data["reason"])
    expected = [f"change {round_}" for round_ in range(ROUNDS)]
    assert list(reasons.values()) == [expected] * SUBSCRIBERS
