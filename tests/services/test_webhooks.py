"""Webhooks: every event arrives, in its subscriber's order, whatever the receiver does."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import time_machine
from flask import Flask
from jsonschema_rs import Draft202012Validator
from sqlalchemy import event, select, text, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from newsletter.access_vocabulary import NamedRow
from newsletter.db.direct import DirectConnection
from newsletter.db.session import db, reading, transaction
from newsletter.errors import InvalidInput, NotFound
from newsletter.feeds.post import Posted, Poster
from newsletter.models import (
    Delivery,
    Event,
    Lease,
    MailingList,
    Subscription,
    Webhook,
    WebhookMessage,
)
from newsletter.outbox import DeliveryUpdate, LeasedBatch
from newsletter.outbox.recorder import Group, make_recorder
from newsletter.services import installation, webhook_delivery, webhooks
from newsletter.services.consent import Evidence
from newsletter.services.operations import cleanup, hold
from newsletter.services.row_names import name_row
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import admin, privacy
from newsletter.services.subscription_state import record_change
from newsletter.settings import Settings
from newsletter.vocabulary import DeliveryStatus, EvidenceSource, MessageStatus
from newsletter.web.api.webhook_description import describe_webhooks
from tests.fakes import Clock
from tests.people import add_list, add_reader
from tests.receiver import Received, Receiver, reply, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def world(env: Environment) -> Environment:
    """Make an environment that may post to the loopback, with two lists and three subscribers."""
    allowed = env.settings.webhooks.model_copy(update={"allow_private_addresses": True})
    with transaction() as session:
        for slug, names in (("blog", "ab"), ("other", "c")):
            mailing_list = add_list(session, slug)
            for name in names:
                add_reader(session, mailing_list, f"{name}@example.com")
    return replace(
        env,
        settings=env.settings.model_copy(update={"webhooks": allowed}),
        post=Poster(user_agent="newsletter/test", allow_private=True, deadline=2.0),
    )


def described() -> Draft202012Validator:
    """Return what openapi.json says of a message."""
    schemas: dict[str, Any] = {}
    describe_webhooks(schemas)
    reference = {"$ref": "#/components/schemas/EventMessage"}
    return Draft202012Validator({"components": {"schemas": schemas}} | reference)


def verify(env: Environment, secret: str, request: Received) -> dict[str, Any]:
    """Verify a request with the reference library, at the moment of the test's clock."""
    with time_machine.travel(env.now, tick=False):
        event: dict[str, Any] = Verifier(secret).verify(request.body, request.headers)
    return event


def change(env: Environment, times: int = 1) -> None:
    """Record changes of every subscription, one after the other."""
    for number in range(times):
        with transaction() as session:
            for subscription in session.scalars(select(Subscription)):
                reason = f"change {number}"
                record_change(
                    session, subscription, reason, Evidence(EvidenceSource.AUTHOR), env.now
                )


def deliver_all(env: Environment, clock: Clock, *, hours: int = 24) -> None:
    """Let the worker tick until nothing waits, or for so long."""
    until = clock.now + timedelta(hours=hours)
    while clock.now < until:
        webhook_delivery.send_due(env)
        with reading() as session:
            waiting = select(WebhookMessage.due_at).where(
                WebhookMessage.status == MessageStatus.QUEUED
            )
            active = waiting.join(Webhook).where(Webhook.paused_at.is_(None))
            moments = session.scalars(active).all()
        if not moments:
            return
        later = [moment for moment in moments if moment > clock.now]
        clock.now = max(min(later, default=clock.now), clock.now + timedelta(seconds=20))


def first_arrivals(receiver: Receiver) -> dict[int, list[str]]:
    """Return the reasons of each subscriber's messages, in the order of their first arrival."""
    reasons: dict[int, list[str]] = {}
    known = set()
    for request in receiver.requests:
        if request.id not in known:
            known.add(request.id)
            data = request.event["data"]
            reasons.setdefault(data["subscriber"], []).append(data["reason"])
    return reasons


def test_an_event_arrives_signed_and_without_an_address(
    world: Environment, receiver: Receiver
) -> None:
    view, secret = webhooks.add_webhook(
        world, receiver.url, ["subscription.changed,campaign.*"], ["blog"]
    )
    webhooks.add_webhook(world, receiver.url.replace("/hook", "/never"), ["entry.sent"])
    change(world)
    assert webhook_delivery.send_due(world) == 2
    for request in receiver.requests:
        verified = verify(world, secret, request)
        described().validate(verified)
        assert not described().is_valid(verified | {"data": verified["data"] | {"name": "Ana"}})
        assert verified["type"] == "subscription.changed"
        assert verified["timestamp"] == world.now.isoformat()
        assert verified["data"]["list"] == "blog"
        assert verified["data"]["actor"] == "author"
        with pytest.raises(WebhookVerificationError):
            verify(world, secret, replace(request, body=request.body + b" "))
        assert b"example.com" not in request.body
        assert request.headers["user-agent"] == "newsletter/test"
    assert [row.status for row in webhooks.list_messages(view.id)] == ["sent", "sent"]
    assert webhook_delivery.send_due(world) == 0


def test_nothing_is_told_while_mail_is_held(world: Environment, receiver: Receiver) -> None:
    """Receivers mail people, too, and a restored database knows nothing of who has left since."""
    webhooks.add_webhook(world, receiver.url)
    change(world)
    hold.hold_installation(world, "restored from a backup")
    assert webhook_delivery.send_due(world) == 0
    assert receiver.requests == []
    installation.release_mail()
    assert webhook_delivery.send_due(world) > 0


def test_an_address_is_sent_to_whom_asked_for_it_and_not_after_an_erasure(
    world: Environment, receiver: Receiver
) -> None:
    webhooks.add_webhook(world, receiver.url, with_address=True)
    change(world)
    privacy.erase_address(world, "a@example.com")
    webhook_delivery.send_due(world)
    assert [r.event for r in receiver.requests if not described().is_valid(r.event)] == []
    emails = [request.event["data"].get("email") for request in receiver.requests]
    assert sorted(filter(None, emails)) == ["b@example.com", "c@example.com"]
    ended = [r.event["data"] for r in receiver.requests if r.event["type"] == "subscription.ended"]
    assert [data["reason"] for data in ended] == ["erased"]
    with reading() as session:
        stored = session.scalars(select(WebhookMessage.payload)).all()
    assert "example.com" not in " ".join(stored)


def test_a_receiver_that_refuses_every_third_gets_all_in_order(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    def answer(handler: BaseHTTPRequestHandler, received: Received, number: int) -> None:
        reply(handler, 500 if number % 3 == 0 else 200)

    receiver.answer = answer
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world, times=7)
    deliver_all(world, clock)
    assert webhooks.list_webhooks()[0].waiting == 0
    assert set(map(tuple, first_arrivals(receiver).values())) == {
        tuple(f"change {number}" for number in range(7))
    }
    assert len(webhooks.list_messages(view.id)) == 21


def test_a_receiver_that_is_down_for_a_day_gets_all_in_order(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    began = clock.now
    receiver.answer = lambda handler, received, number: reply(
        handler, 503 if clock.now - began < timedelta(days=1) else 204
    )
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world, times=5)
    deliver_all(world, clock, hours=23)
    tries = len(receiver.requests)
    assert tries < 120, "one try after the other, ever more rarely"
    change(world, times=1)
    deliver_all(world, clock, hours=30)
    assert webhooks.list_webhooks()[0].waiting == 0
    sent = [row for row in webhooks.list_messages(view.id) if row.status == "sent"]
    assert len(sent) == 18
    assert webhooks.list_webhooks()[0].paused_at is None
    order = [*(f"change {number}" for number in range(5)), "change 0"]
    assert set(map(tuple, first_arrivals(receiver).values())) == {tuple(order)}


def test_a_webhook_that_takes_nothing_for_three_days_is_paused_and_its_author_told(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = lambda handler, received, number: reply(handler, 500)
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world, times=2)
    deliver_all(world, clock, hours=100)
    [paused] = webhooks.list_webhooks()
    assert paused.paused_at is not None
    assert paused.paused_because == "answered 500, for 3 days"
    assert paused.waiting == 6
    with reading() as session:
        [notice] = session.scalars(select(Delivery).where(Delivery.mail == "notice"))
        assert "s3cret" not in str(notice.context)
        assert f"newsletter webhook resume {view.id}" in notice.context["commands"]
    tries = len(receiver.requests)
    deliver_all(world, clock, hours=2)
    assert len(receiver.requests) == tries
    receiver.answer = lambda handler, received, number: reply(handler, 200)
    webhooks.resume_webhook(world, view.id)
    deliver_all(world, clock)
    assert webhooks.list_webhooks()[0].waiting == 0


def test_a_webhook_of_many_subscribers_is_paused_after_three_days(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    add_subscribers(60)
    receiver.answer = lambda handler, received, number: reply(handler, 500)
    webhooks.add_webhook(world, receiver.url)
    change(world)
    began = clock.now
    deliver_all(world, clock, hours=100)
    [paused] = webhooks.list_webhooks()
    assert paused.paused_at is not None
    assert timedelta(days=3) <= paused.paused_at - began < timedelta(days=3, hours=8)


def test_410_pauses_at_once(world: Environment, receiver: Receiver) -> None:
    receiver.answer = lambda handler, received, number: reply(handler, 410)
    webhooks.add_webhook(world, receiver.url)
    change(world)
    webhook_delivery.send_due(world)
    assert webhooks.list_webhooks()[0].paused_because == "answered 410 Gone"


def test_a_private_address_is_never_connected_to(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    guarded = replace(world, post=Poster(user_agent="newsletter/test"))
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world)
    webhook_delivery.send_due(guarded)
    assert receiver.requests == []
    assert {row.text for row in webhooks.list_messages(view.id)} == {"leads into a private network"}


@pytest.mark.any_database
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://[::1]/",
        "http://10.1.2.3/x",
        "http://169.254.169.254/",
        "ftp://example.org/",
        "https://ana:pw@example.org/",
        "example.org",
        "https://",
        "https://example.org/a b",
        "https://exämple.org/",
        "https://example.org:port/",
        "javascript:alert(1)",
        "http://a.localhost/",
        "https://example.org/" + "x" * 2000,
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused(env: Environment, url: str) -> None:
    with pytest.raises(InvalidInput):
        webhooks.add_webhook(env, url)


def test_a_redirect_is_not_followed(world: Environment, receiver: Receiver) -> None:
    with running_receiver() as inside:
        receiver.answer = lambda handler, received, number: reply(handler, 307, Location=inside.url)
        view, _ = webhooks.add_webhook(world, receiver.url)
        change(world)
        webhook_delivery.send_due(world)
        assert inside.requests == []
    assert {row.code for row in webhooks.list_messages(view.id)} == {307}


def test_an_endless_answer_takes_neither_memory_nor_time(
    world: Environment, receiver: Receiver
) -> None:
    def answer(handler: BaseHTTPRequestHandler, received: Received, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10_000_000))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 10_000)
        except OSError:
            return

    receiver.answer = answer
    webhooks.add_webhook(world, receiver.url)
    change(world)
    tracemalloc.start()
    assert webhook_delivery.send_due(world) == 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_slow_receiver_is_given_up_and_tried_again(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    impatient = replace(world, post=Poster(user_agent="x", allow_private=True, deadline=0.3))
    released = threading.Event()

    def answer(handler: BaseHTTPRequestHandler, received: Received, number: int) -> None:
        released.wait(5)
        reply(handler, 200)

    receiver.answer = answer
    view, _ = webhooks.add_webhook(world, receiver.url, ["subscription.changed"], ["other"])
    change(world)
    assert webhook_delivery.send_due(impatient) == 0
    released.set()
    assert webhooks.list_messages(view.id)[0].text == "took too long to answer"
    clock.now += timedelta(seconds=10)
    assert webhook_delivery.send_due(impatient) == 1


def test_an_answer_that_breaks_off_has_taken_the_message(
    world: Environment, receiver: Receiver
) -> None:
    """The body is not used, so that nothing depends on it."""

    def answer(handler: BaseHTTPRequestHandler, received: Received, number: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"thank")
        if number == 1:
            time.sleep(2.5)

    receiver.answer = answer
    webhooks.add_webhook(world, receiver.url)
    change(world)
    assert webhook_delivery.send_due(world) == 3
    assert len(receiver.requests) == 3


def test_a_receiver_that_hangs_holds_up_no_other(world: Environment, receiver: Receiver) -> None:
    in_time: list[bool] = []

    def hang(handler: BaseHTTPRequestHandler, received: Received, number: int) -> None:
        ends_at = time.monotonic() + 1.8
        while len(receiver.requests) < 18 and time.monotonic() < ends_at:
            time.sleep(0.02)
        in_time.append(len(receiver.requests) == 18)
        reply(handler, 500)

    with running_receiver(hang) as hanging:
        webhooks.add_webhook(world, hanging.url)
        webhooks.add_webhook(world, receiver.url)
        change(world, times=6)
        webhook_delivery.send_due(world)
    assert in_time
    assert all(in_time), "the other has had everything meanwhile"
    assert set(map(tuple, first_arrivals(receiver).values())) == {
        tuple(f"change {number}" for number in range(6))
    }


def add_subscribers(count: int) -> None:
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList).order_by(MailingList.id)).first()
        assert mailing_list is not None
        for number in range(count):
            add_reader(session, mailing_list, f"more{number}@example.com")


def test_a_receiver_that_is_down_is_asked_for_all_by_one_message(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    """However many wait; and once it is back, they do not wait for the tries of each."""
    add_subscribers(60)
    receiver.answer = lambda handler, received, number: reply(handler, 503)
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world)
    deliver_all(world, clock, hours=1)
    assert 10 < len(receiver.requests) < 30
    deliver_all(world, clock, hours=12)
    assert len(receiver.requests) < 40
    deliver_all(world, clock, hours=58)
    assert webhooks.list_webhooks()[0].paused_at is None
    receiver.answer = lambda handler, received, number: reply(handler, 204)
    deliver_all(world, clock, hours=8)
    assert webhooks.list_webhooks()[0].waiting == 0
    taken_at = {row.finished_at for row in webhooks.list_messages(view.id, limit=100)}
    assert len(taken_at) == 1, "all at once"


def test_a_message_that_is_never_taken_holds_up_its_own_subscriber_only(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    add_subscribers(20)
    webhooks.add_webhook(world, receiver.url)
    change(world)
    with reading() as session:
        query = select(WebhookMessage.handle).order_by(WebhookMessage.id)
        poison = session.scalars(query).first()
    began = clock.now
    receiver.answer = lambda handler, received, number: reply(
        handler, 500 if received.id == poison or clock.now - began < timedelta(hours=3) else 204
    )
    deliver_all(world, clock, hours=12)
    assert webhooks.list_webhooks()[0].waiting == 1


def test_what_a_dead_worker_held_is_sent_by_another(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    webhooks.add_webhook(world, receiver.url)
    change(world, times=2)
    held = webhook_delivery._claim(world)
    assert len(held) == 3
    assert webhook_delivery.send_due(world) == 0, "the first of each subject is held"
    clock.now += webhook_delivery.HELD_FOR + timedelta(seconds=1)
    deliver_all(world, clock)
    assert len(receiver.requests) == 6
    assert set(map(tuple, first_arrivals(receiver).values())) == {("change 0", "change 1")}


def test_a_webhook_is_resumed_while_a_try_of_it_ends(
    app: Flask, world: Environment, receiver: Receiver, database_kind: str
) -> None:
    """Two that lock it and its messages in different orders would wait for each other."""
    view, _ = webhooks.add_webhook(world, receiver.url)
    webhooks.add_webhook(world, receiver.url, ["entry.sent"])
    change(world)
    tried = webhook_delivery._claim(world)[0]
    webhooks.pause_webhook(world, view.id)
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    tries: list[Future[int]] = []

    def end_try() -> int:
        with app.app_context():
            return webhook_delivery._record(world, tried, Posted(500))

    def meet(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE webhook_messages") and not tries:
            tries.append(pool.submit(end_try))
            while database_kind == "postgresql" and not tries[0].done():
                with db.engine.connect() as looking:
                    if looking.scalar(waits):
                        return

    with ThreadPoolExecutor(1) as pool:
        event.listen(db.engine, "before_cursor_execute", meet)
        webhooks.resume_webhook(world, view.id)
        event.remove(db.engine, "before_cursor_execute", meet)
        assert tries[0].result() == 0
    [row] = [row for row in webhooks.list_messages(view.id) if row.attempts]
    assert (row.status, row.code) == ("queued", 500)


def test_messages_are_replayed_with_their_ids(world: Environment, receiver: Receiver) -> None:
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world)
    webhook_delivery.send_due(world)
    ids = [request.id for request in receiver.requests]
    assert webhooks.replay_messages(world, view.id, message=ids[1]) == 1
    webhook_delivery.send_due(world)
    assert [request.id for request in receiver.requests] == [*ids, ids[1]]
    with pytest.raises(NotFound):
        webhooks.replay_messages(world, view.id, message="msg_unknown")
    assert webhooks.replay_messages(world, view.id, since=world.now) == 3


def test_messages_are_kept_for_thirty_days(
    world: Environment, receiver: Receiver, clock: Clock
) -> None:
    view, _ = webhooks.add_webhook(world, receiver.url)
    change(world)
    clock.now += webhook_delivery.KEPT_FOR - timedelta(hours=1)
    change(world)
    cleanup.clean_up(world)
    assert len(webhooks.list_messages(view.id)) == 6
    clock.now += timedelta(hours=2)
    cleanup.clean_up(world)
    assert len(webhooks.list_messages(view.id)) == 3


def test_a_rolled_back_event_tells_nobody(world: Environment, receiver: Receiver) -> None:
    webhooks.add_webhook(world, receiver.url)
    with pytest.raises(ZeroDivisionError), transaction() as session:
        subscription = session.scalars(select(Subscription)).first()
        assert subscription is not None
        record_change(session, subscription, "x", Evidence(EvidenceSource.AUTHOR), world.now)
        raise ZeroDivisionError
    assert webhook_delivery.send_due(world) == 0


def test_a_delivery_that_failed_is_told_with_its_outcome(
    world: Environment, receiver: Receiver
) -> None:
    _, secret = webhooks.add_webhook(world, receiver.url, ["delivery.*"], ["blog"])
    webhooks.add_webhook(world, receiver.url.replace("hook", "other"), [], ["other"])
    webhooks.add_webhook(world, receiver.url.replace("hook", "entries"), ["entry.*"])
    with transaction() as session:
        subscription = session.scalars(select(Subscription)).first()
        assert subscription is not None
        subscriber_id = subscription.subscriber_id
        rows = [
            Delivery(
                subscription_id=subscription.id,
                mail="welcome",
                status="queued",
                created_at=world.now,
                due_at=world.now,
                lease_id=7,
            )
            for _ in range(2)
        ]
        session.add(Lease(id=7, worker="tests", expires_at=2**40))
        session.add_all(rows)
        session.flush()
        ids = [row.id for row in rows]
    updates = [
        DeliveryUpdate(ids[0], DeliveryStatus.FAILED, code=550, text="no"),
        DeliveryUpdate(ids[1], DeliveryStatus.SENT, code=250, text="ok"),
    ]
    direct = DirectConnection()
    recorder = make_recorder(direct)
    for _ in range(2):  # as after a commit of which nothing was heard
        recorder.submit(
            [Group(LeasedBatch(7, None, 0, 0, 0), 0, updates)], now=world.now, seconds=60
        )
        assert recorder.result(wait=True) == set()
    recorder.close()
    direct.close()
    with reading() as session:
        assert [row.kind for row in session.scalars(select(Event))] == ["delivery.failed"]
    assert webhook_delivery.send_due(world) == 1
    event = verify(world, secret, receiver.requests[0])
    assert event["type"] == "delivery.failed"
    assert event["data"]["reason"] == "550"
    assert event["data"]["list"] == "blog"
    assert event["data"]["subscriber"] == name_row(NamedRow.SUBSCRIBER, subscriber_id)
    assert "campaign" not in event["data"]


def test_a_subscriber_who_is_removed_has_ended(world: Environment, receiver: Receiver) -> None:
    webhooks.add_webhook(world, receiver.url, ["subscription.ended"])
    admin.remove_subscriber(world, "b@example.com")
    webhook_delivery.send_due(world)
    assert receiver.requests[0].event["data"]["reason"] == "removed"


def test_a_webhook_of_a_removed_list_is_told_of_nothing(
    world: Environment, receiver: Receiver
) -> None:
    webhooks.add_webhook(world, receiver.url, [], ["blog"])
    with transaction() as session:
        session.execute(update(Webhook).values(list_ids=[999]))
    change(world)
    assert webhook_delivery.send_due(world) == 0


def test_the_kinds_of_events_are_checked(env: Environment, settings: Settings) -> None:
    for wrong in ("subscription.confirm", "x.*"):
        with pytest.raises(InvalidInput):
            webhooks.add_webhook(env, "https://example.org/", [wrong])
    view, secret = webhooks.add_webhook(env, "https://example.org/", ["entry.*, entry.found"])
    assert view.events[0] == "entry.found"
    assert len(view.events) == len(set(view.events)) == 5
    assert secret.startswith("whsec_")
