"""Workers really killed while they tell a webhook: every event arrives, in its subscriber's
order.
"""

from __future__ import annotations

import random
import re
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as Verifier

from newsletter.db.session import reading, transaction
from newsletter.models import Event, Subscription, WebhookMessage
from newsletter.services import webhooks
from newsletter.services.consent import Evidence
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.subscription_state import record_change
from newsletter.vocabulary import EvidenceSource, MessageStatus
from tests.fakes import Clock
from tests.feeds_server import Answer, feeds_server, raw, status
from tests.people import add_list, add_reader
from tests.processes import finish, program_environment, start_program
from tests.receiver import Receiver, accept, reply, running_receiver
from tests.waiting import PATIENCE

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


def waiting(webhook_ids: Sequence[int] = (), *, due: bool = False) -> int:
    """Count what waits, of these webhooks or of all; only what is due, or held by a worker."""
    queued = select(func.count()).where(WebhookMessage.status == MessageStatus.QUEUED)
    if webhook_ids:
        queued = queued.where(WebhookMessage.webhook_id.in_(webhook_ids))
    if due:
        queued = queued.where(WebhookMessage.due_at <= datetime.now(UTC))
    with reading() as session:
        return session.scalar(queued) or 0


def wait_until(ready: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def let_claims_expire() -> None:
    """Do what two minutes do for the messages that a killed worker held."""
    with transaction() as session:
        session.execute(update(WebhookMessage).values(held_until=None))


def set_up(app: Flask, clock: Clock, *, subscribers: int) -> Environment:
    """Make a list with subscribers, in an environment that may post to the loopback."""
    env: Environment = app.extensions[EXTENSION]
    with transaction() as session:
        mailing_list = add_list(session, created_at=clock.now, schedule_since=clock.now)
        for number in range(subscribers):
            add_reader(session, mailing_list, f"r{number}@example.com", now=clock.now)
    allowed = env.settings.webhooks.model_copy(update={"allow_private_addresses": True})
    object.__setattr__(env, "settings", env.settings.model_copy(update={"webhooks": allowed}))
    return env


def test_killed_workers_lose_no_event(app: Flask, clock: Clock, tmp_path: Path) -> None:
    def answer(handler: object, received: object, number: int) -> None:
        time.sleep(0.02)
        accept(handler, received, number)  # type: ignore[arg-type]

    with running_receiver(answer) as receiver, app.app_context():
        env = set_up(app, clock, subscribers=SUBSCRIBERS)
        webhooks.add_webhook(env, receiver.url)
        record_and_kill(app, env, clock, receiver, tmp_path)
        with reading() as session:
            assert session.scalar(select(func.count(Event.id))) == SUBSCRIBERS * ROUNDS
            assert session.scalar(select(func.count(WebhookMessage.id))) == SUBSCRIBERS * ROUNDS
        check_everything(receiver, subscribers=SUBSCRIBERS, rounds=ROUNDS)


def flood(piece: bytes) -> Answer:
    """Send `piece` until nobody listens any more."""

    def answer(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        while True:
            connection.sendall(piece)
            time.sleep(0.02)  # the machine is shared

    return answer


def hang(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
    """Say nothing for longer than anybody waits."""
    connection.recv(1)
    time.sleep(30)


HOSTILE: dict[str, Answer] = {
    "/hangs": hang,
    "/cut": raw(b""),
    "/cut-head": raw(b"HTTP/1.1 200 O"),
    "/garbage": raw(b"\x00\xff\r\n" * 1000),
    "/huge": raw(b"HTTP/1.1 500 No\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000),
    "/endless-line": flood(b"x" * 100_000),
    "/endless-head": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000),
    "/continue": flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
    "/retry": status(503, Retry_After="9" * 5000),
}


def test_hostile_receivers_take_nothing_from_the_others(
    app: Flask, clock: Clock, tmp_path: Path
) -> None:
    """Ten receivers that lie, hang and flood, beside one that is good and one that refuses every
    third: these get everything, in order and signed, from workers that are killed.
    """

    def refuse_every_third(handler: object, received: object, number: int) -> None:
        reply(handler, 500 if number % 3 == 0 else 204)  # type: ignore[arg-type]

    with (
        feeds_server() as hostile,
        running_receiver() as inside,
        running_receiver() as good,
        running_receiver(refuse_every_third) as fickle,
        app.app_context(),
    ):
        env = set_up(app, clock, subscribers=8)
        hostile.answers |= HOSTILE | {"/moved": status(307, Location=inside.url)}
        for path in hostile.answers:
            webhooks.add_webhook(env, hostile.url + path)
        webhooks.add_webhook(env, f"https://127.0.0.1:{hostile.port}/no-tls")
        secrets = [webhooks.add_webhook(env, server.url) for server in (good, fickle)]
        webhook_ids = [view.id for view, _ in secrets]
        environment = program_environment(app, NEWSLETTER_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES="true")
        dice = random.Random(7)
        for round_ in range(3):
            record(env, round_)
            clock.now += timedelta(microseconds=1)
            process = start_program(tmp_path, environment, "worker", "--once")
            before = len(good.requests)
            wait_until(lambda: len(good.requests) >= before + dice.randint(1, 6))  # noqa: B023
            process.kill()
            finish(process)
            let_time_pass()
        peak = run_until_told(tmp_path, environment, webhook_ids)
        assert peak < 200, "MB"
        assert inside.requests == []
        for receiver, (_, secret) in zip((good, fickle), secrets, strict=True):
            check_everything(receiver, subscribers=8, rounds=3)
            verifier = Verifier(secret)
            for request in receiver.requests:
                verifier.verify(request.body, request.headers)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_library_writes_the_address_of_a_receiver_into_the_log(
    app: Flask, clock: Clock, tmp_path: Path, level: str
) -> None:
    """It may hold a key. urllib3 logs each address, and with a warning one of broken headers."""
    with feeds_server() as broken, running_receiver() as good, app.app_context():
        env = set_up(app, clock, subscribers=2)
        broken.answers["/hook?key=s3cret"] = raw(b"HTTP/1.1 500 No\r\nno colon\r\n: x\r\n\r\n")
        for url in (f"{broken.url}/hook?key=s3cret", good.url):
            webhooks.add_webhook(env, url)
        record(env, 0)
        environment = program_environment(
            app, NEWSLETTER_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES="true", NEWSLETTER_LOG__LEVEL=level
        )
        process = start_program(tmp_path, environment, "worker")
        wait_until(lambda: len(broken.requests) >= 2 and len(good.requests) >= 2)
        process.terminate()
        output = finish(process)
    assert "s3cret" not in output
    assert "127.0.0.1" not in output


def run_until_told(folder: Path, environment: dict[str, str], webhook_ids: list[int]) -> int:
    """Let workers run until these webhooks have had all; return the peak of their memory in MB."""
    peak = 0
    while waiting(webhook_ids):
        process = start_program(folder, environment, "worker", "--once")
        proc = Path(f"/proc/{process.pid}/status")
        ends_at = time.monotonic() + PATIENCE
        while process.poll() is None and waiting(webhook_ids, due=True):
            assert time.monotonic() < ends_at
            match = re.search(r"VmHWM:\s+(\d+) kB", proc.read_text())
            peak = max(peak, int(match[1]) // 1024 if match else 0)
            time.sleep(0.1)
        process.kill()
        finish(process)
        let_time_pass()
    return peak


def let_time_pass() -> None:
    """Do what hours do: what was held is free, and all that waits is due."""
    with transaction() as session:
        session.execute(
            update(WebhookMessage)
            .where(WebhookMessage.status == MessageStatus.QUEUED)
            .values(held_until=None, due_at=WebhookMessage.created_at)
        )


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
            until = time.monotonic() + PATIENCE
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


def check_everything(receiver: Receiver, *, subscribers: int, rounds: int) -> None:
    """Every subscriber's changes have come, in their order."""
    reasons: dict[int, list[str]] = {}
    known = set()
    for request in receiver.requests:
        if request.id not in known:
            known.add(request.id)
            data = request.event["data"]
            reasons.setdefault(data["subscriber"], []).append(data["reason"])
    expected = [f"change {round_}" for round_ in range(rounds)]
    assert list(reasons.values()) == [expected] * subscribers
