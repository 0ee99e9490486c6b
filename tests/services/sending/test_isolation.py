"""A run of sending never ends because of one row, and says what it could not do (findings A2)."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.errors import DatabaseError
from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import Delivery, Edition, Lease, Subscription
from newsletter.services import sender_state
from newsletter.services.campaigns import campaigns
from newsletter.services.operations import status as statuses
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import MailKind
from tests.fakes import Clock, Sink
from tests.people import add_list, add_reader
from tests.services.sending.test_run import make_campaign, status, totals


def add_mail_that_cannot_be_made(env: Environment, email: str = "victim@example.com") -> int:
    """Add a mail whose composition raises `UnicodeEncodeError`: a visitor asked for a resource
    named é.
    """
    with transaction() as session:
        other = add_list(session, "other")
        reader = add_reader(session, other, email)
        context = {"resource": "é"}
        return outbox.enqueue(
            session, mail=MailKind.RESOURCE, subscription_id=reader.id, now=env.now, context=context
        )


def delivery(id_: int) -> Delivery:
    db.session.rollback()
    return db.session.get_one(Delivery, id_)


def test_a_row_that_cannot_be_composed_stops_nobody(
    env: Environment, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    row_id = add_mail_that_cannot_be_made(env)
    campaign = make_campaign(30)
    with caplog.at_level(logging.ERROR):
        sent = sending.send_due(env)
    assert (sent.sent, sent.deferred, sent.problem) == (30, 1, "")
    assert (status(campaign), totals(campaign).doubted) == ("sent", 0)
    row = delivery(row_id)
    assert (row.status, row.doubts, row.crashes, row.attempts) == ("queued", 0, 0, 1)
    assert row.due_at is not None
    assert row.due_at > env.now
    assert row.text is not None
    assert row.text.startswith("Internal error: Unicode")
    [message] = [record.getMessage() for record in caplog.records]
    assert f"the resource mail {row_id} cannot be composed: Internal error: Unicode" in message
    assert "victim" not in message
    [state] = statuses.read_status(env).sending
    assert state.cause == sender_state.COMPOSING
    assert f"the resource mail {row_id}" in state.sentence


def test_it_is_tried_again_until_patience_ends(env: Environment, sink: Sink, clock: Clock) -> None:
    row_id = add_mail_that_cannot_be_made(env)
    for _ in range(12):
        sending.send_due(env)
        clock.forward(timedelta(hours=9))
    row = delivery(row_id)
    assert (row.status, row.doubts) == ("failed", 0)
    assert 4 < row.attempts < 10, "it follows smtp.retry_after"


def test_many_of_them_during_a_letter_cost_nobody_a_doubt(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(60)
    for number in range(5):
        with transaction() as session:
            reader = session.scalars(
                select(Subscription).order_by(Subscription.id).offset(number)
            ).first()
            assert reader is not None
            outbox.enqueue(
                session,
                mail=MailKind.RESOURCE,
                subscription_id=reader.id,
                now=env.now,
                context={"resource": "é"},
            )
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=60, sent=60)
    assert len(sink.accepted) == 60
    assert db.session.scalars(select(Lease)).all() == []


def test_a_letter_that_cannot_be_composed_for_anybody_pauses_and_fails_nobody(
    env: Environment, sink: Sink
) -> None:
    broken = make_campaign(20)
    with transaction() as session:
        session.execute(
            update(Edition).where(Edition.campaign_id == broken).values(fields={"broken": True})
        )
        reader = add_reader(session, add_list(session, "second"), "x@example.com")
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    sent = sending.send_due(env)
    assert sent.sent == 1, "the goodbye"
    assert status(broken) == "paused"
    assert (
        "5 messages in a row could not be composed. The last: Internal error:"
        in campaigns.get_campaign(broken).reason
    )
    result = totals(broken)
    assert (result.failed, result.waiting, result.doubted) == (0, 20, 0)
    assert db.session.scalar(select(func.count()).where(Delivery.attempts > 0)) == 5


def test_an_unforeseen_error_of_the_wire_doubts_what_was_offered_and_nothing_else(
    env: Environment, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(40)
    sink.group = 2

    def script(outgoing: Outgoing) -> Exception | None:
        return ValueError(outgoing.recipient) if len(sink.accepted) == 11 else None

    sink.script = script
    sent = sending.send_due(env)
    assert "Internal error while sending: ValueError in fakes.py" in sent.problem
    assert "@" not in caplog.text
    result = totals(campaign)
    assert (result.sent, result.in_doubt, result.waiting, result.doubted) == (10, 2, 28, 2)
    assert db.session.scalars(select(Lease)).all() == []
    sink.script = lambda o: None
    assert sending.send_due(env).sent == 28


def test_what_goes_wrong_at_the_gate_keeps_no_letter_waiting(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(3)
    with transaction() as session:
        reader = add_reader(
            session, add_list(session, "other"), "new@odd.example", status="pending"
        )
        outbox.enqueue(
            session, mail=MailKind.CONFIRM, subscription_id=reader.id, now=env.now, held=True
        )

    def broken(domains: object) -> dict[str, str]:
        raise UnicodeError("label too long")

    assert sending.send_due(replace(env, domains=broken)).sent == 3
    assert status(campaign) == "sent"


def test_u21_a_database_that_fails_says_what_was_sent(
    app: Flask, env: Environment, sink: Sink, database_kind: str
) -> None:
    """Nothing is claimed of the whole run that is only true of its last step."""
    if database_kind != "sqlite":
        return
    make_campaign(20)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 6:
            with db.engine.begin() as connection:
                connection.exec_driver_sql(
                    "CREATE TRIGGER full BEFORE UPDATE ON deliveries BEGIN SELECT "
                    "RAISE(ABORT, 'no room'); END"
                )

    sink.script = script
    with pytest.raises(DatabaseError) as caught:
        sending.send_due(env)
    assert "no room" in str(caught.value)
    assert (
        "4 messages were sent and recorded; the outcomes of 4 more could not be written down"
        in str(caught.value)
    )
    assert len(sink.accepted) == 8, "it stops at once (D05)"


def test_u21_a_full_database_is_named(env: Environment, database_kind: str) -> None:
    if database_kind != "sqlite":
        return
    with transaction() as session:
        add_list(session)
    with (
        pytest.raises(DatabaseError, match=r"the disk is full .*\(the last step was not saved"),
        transaction() as session,
    ):
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1")
        for number in range(2000):
            add_reader(session, add_list(session, f"l{number}"), f"r{number}@example.com")


def test_refusing_a_message_does_not_need_the_recipient_to_be_writable(env: Environment) -> None:
    """A lone surrogate in an address has no octets; that message is refused and the conversation
    goes on.
    """
    talk = Conversation("x:25", {"smtputf8": ""})
    talk.advance(Outgoing(1, "a@example.com", "b\udce9@example.com", b"x\r\n"))
    assert [(one.result, one.reply.code) for one in talk.outcomes] == [("refused", 553)]
    assert talk.room
