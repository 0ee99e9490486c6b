"""Sending: everybody once, whatever the server says and wherever the worker dies."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from newsletter import outbox
from newsletter.db.direct import DirectConnection
from newsletter.db.session import db, reading, transaction
from newsletter.mail.slots import make_slot
from newsletter.mail.smtp.types import Outcome, Outgoing, Pull, Records, Reply
from newsletter.models import (
    Campaign,
    Delivery,
    DomainBackoff,
    Edition,
    Lease,
    Subscriber,
    Subscription,
    Suppression,
)
from newsletter.services.campaigns import campaigns
from newsletter.services.letters import send as letters
from newsletter.services.operations.status import read_status
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sender_state import SERVER, read_states
from newsletter.services.sending import run as sending
from newsletter.services.sending.recording import LEASE_SECONDS
from newsletter.services.sending.run import UNHEARD_AT_MOST
from newsletter.tokens import make_keyed_hash
from newsletter.vocabulary import DeliveryStatus, MailKind
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader


def make_campaign(readers: int, *, names: str = "reader{}@example.com") -> int:
    """Return a letter frozen for so many active readers."""
    with transaction() as session:
        mailing_list = add_list(session)
        for number in range(readers):
            add_reader(session, mailing_list, names.format(number), name=f"Reader {number}")
        campaign = Campaign(
            list_id=mailing_list.id,
            kind="letter",
            status="sending",
            subject="Hello",
            seed=secrets.token_hex(16),
            created_at=mailing_list.created_at,
            started_at=mailing_list.created_at,
        )
        session.add(campaign)
        session.flush()
        link = make_slot("unsubscribe_url")
        session.add(
            Edition(
                campaign_id=campaign.id,
                subject="Hello",
                text=f"Dear {make_slot('name')}, bye: {link}\n",
                html=f'<p>Dear {make_slot("name")}, <a href="{link}">bye</a></p>',
            )
        )
        readers_query = select(Subscription.id, Subscription.cursor).where(
            Subscription.list_id == mailing_list.id
        )
        outbox.freeze(
            session, campaign, readers_query, mail=MailKind.LETTER, now=mailing_list.created_at
        )
        return campaign.id


def totals(campaign_id: int) -> outbox.Totals:
    db.session.rollback()
    return outbox.count_totals(db.session(), db.session.get_one(Campaign, campaign_id))


def status(campaign_id: int) -> str:
    db.session.rollback()
    return db.session.get_one(Campaign, campaign_id).status


def refusal(
    outgoing: Outgoing, code: int, enhanced: str, text: str, stage: str = "RCPT"
) -> Outcome:
    return Outcome(outgoing.id, "refused", stage, Reply(code, enhanced, text), "sink")  # type: ignore[arg-type]


def test_everybody_gets_a_letter_exactly_once(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(1203)
    sent = sending.send_due(env)
    assert sent.sent == 1203
    assert len({outgoing.recipient for outgoing in sink.accepted}) == len(sink.accepted) == 1203
    assert totals(campaign) == outbox.Totals(recipients=1203, sent=1203)
    assert status(campaign) == "sent"
    assert db.session.scalars(select(Lease)).all() == []
    assert sending.send_due(env).sent == 0


def test_each_message_is_its_readers_own(env: Environment, sink: Sink) -> None:
    make_campaign(3)
    sending.send_due(env)
    message = sink.to("reader1@example.com")[0]
    assert "Dear Reader 1" in body(message)
    assert "Dear Reader 1" in body(message, "html")
    assert len({m["Message-ID"] for m in sink.messages}) == 3
    assert len({m["List-Unsubscribe"] for m in sink.messages}) == 3


def test_r09_who_unsubscribed_a_moment_ago_is_not_mailed(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(5)
    with transaction() as session:
        readers = session.scalars(select(Subscription).order_by(Subscription.id)).all()
        readers[1].status = "unsubscribed"
        session.delete(readers[2].subscriber)
        email = readers[3].subscriber.email_key
        session.add(
            Suppression(
                email_hash=make_keyed_hash("k", email),
                email_key=email,
                reason="complaint",
                created_at=env.now,
            )
        )
    sending.send_due(env)
    assert {outgoing.recipient for outgoing in sink.accepted} == {
        "reader0@example.com",
        "reader4@example.com",
    }
    assert totals(campaign) == outbox.Totals(recipients=5, sent=2, cancelled=3)
    assert status(campaign) == "sent"


def test_p05_one_dead_address_fails_alone(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(10)
    sink.script = lambda o: (
        refusal(o, 550, "5.1.1", "No such user") if o.recipient.startswith("reader3@") else None
    )
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=10, sent=9, failed=1)
    assert status(campaign) == "sent"
    failed = outbox.list_deliveries(
        db.session(), db.session.get_one(Campaign, campaign), statuses={DeliveryStatus.FAILED}
    )
    assert [(row.email, row.code, row.text) for row in failed] == [
        ("reader3@example.com", 550, "No such user")
    ]


def test_p03_refused_for_now_is_tried_again(env: Environment, sink: Sink, clock: Clock) -> None:
    campaign = make_campaign(4)
    sink.script = lambda o: (
        refusal(o, 451, "4.7.1", "Greylisted") if o.recipient.startswith("reader2@") else None
    )
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=4, sent=3, waiting=1)
    assert status(campaign) == "sending"
    sink.script = lambda o: None
    assert sending.send_due(env).sent == 0, "not before a minute has passed"
    clock.forward(timedelta(minutes=20))
    assert sending.send_due(env).sent == 1
    assert status(campaign) == "sent"


def test_a_recipient_put_off_for_too_long_fails(env: Environment, sink: Sink, clock: Clock) -> None:
    campaign = make_campaign(2)
    sink.script = lambda o: (
        refusal(o, 451, "4.3.0", "Later") if o.recipient.startswith("reader1@") else None
    )
    for _ in range(30):
        sending.send_due(env)
        clock.forward(timedelta(hours=9))
    assert totals(campaign) == outbox.Totals(recipients=2, sent=1, failed=1)
    assert status(campaign) == "sent"


def test_p06_refused_for_everyone_pauses_and_marks_nobody(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(30)
    sink.script = lambda o: (
        refusal(o, 550, "5.7.1", "Message rejected as spam", "END")
        if o.recipient.startswith("reader")
        else None
    )
    sending.send_due(env)
    assert status(campaign) == "paused"
    assert "rejected as spam" in db.session.get_one(Campaign, campaign).reason
    result = totals(campaign)
    assert (result.failed, result.waiting) == (0, 30)
    sink.script = lambda o: None
    sending.send_due(env)
    assert [message["Subject"] for message in sink.messages] == [
        "Slow Letters: A campaign has paused itself"
    ]


def test_p08_a_lost_reply_is_in_doubt_and_sent_again_with_the_same_id(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lost: list[Outgoing] = []

    def script(outgoing: Outgoing) -> Outcome | None:
        if outgoing.recipient.startswith("reader1@") and not lost:
            lost.append(outgoing)
            return Outcome(outgoing.id, "in_doubt", "END", Reply(0, "", "connection lost"), "sink")
        return None

    sink.script = script
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=3, sent=2, in_doubt=1, doubted=1)
    clock.forward(timedelta(minutes=2))
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=3, sent=3, doubted=1)
    again = next(o for o in sink.accepted if o.recipient.startswith("reader1@"))
    assert _message_id(again.data) == _message_id(lost[0].data)


def _message_id(data: bytes) -> bytes:
    return next(line for line in data.split(b"\r\n") if line.lower().startswith(b"message-id:"))


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may run after it."""


def test_r01_what_was_in_flight_is_in_doubt_and_nothing_else(
    env: Environment, sink: Sink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(40)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 18:
            raise Killed

    sink.script = script
    with pytest.raises(Killed):
        sending.send_due(env)
    db.session.remove()
    monkeypatch.setattr("newsletter.services.workers.is_alive", lambda worker: False)
    sink.script = lambda o: None
    with transaction() as session:
        outbox.recover(session, now=env.now, alive=lambda worker: False)
    result = totals(campaign)
    assert result.sent == 16, "two groups of four a line were recorded before"
    assert 0 < result.in_doubt <= 4 * env.settings.smtp.connections
    assert result.balanced
    sending.send_due(env)
    clock.forward(timedelta(minutes=5))
    sending.send_due(env)
    assert status(campaign) == "sent"
    everyone = [outgoing.recipient for outgoing in sink.accepted]
    assert len(set(everyone)) == 40
    assert len(everyone) - 40 == 2, "accepted, and not recorded when it died"
    assert totals(campaign).doubted == result.in_doubt


def test_r05_a_message_that_kills_its_worker_is_set_aside(
    env: Environment, sink: Sink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(12)
    monkeypatch.setattr("newsletter.services.workers.is_alive", lambda worker: False)

    def script(outgoing: Outgoing) -> None:
        if outgoing.recipient.startswith("reader5@"):
            raise Killed

    sink.script = script
    for _ in range(10):
        try:
            sending.send_due(env)
        except Killed:
            db.session.remove()
        clock.forward(timedelta(minutes=5))
    assert totals(campaign) == outbox.Totals(
        recipients=12, sent=11, failed=1, doubted=totals(campaign).doubted
    )
    aside = outbox.list_deliveries(
        db.session(), db.session.get_one(Campaign, campaign), statuses={DeliveryStatus.FAILED}
    )
    assert [(row.email, row.text) for row in aside] == [("reader5@example.com", outbox.SET_ASIDE)]


def test_p02_a_conversation_that_ended_costs_nobody_an_attempt(
    env: Environment, sink: Sink
) -> None:
    campaign = make_campaign(6)
    ended: list[int] = []

    def script(outgoing: Outgoing) -> Outcome | None:
        if len(ended) < 3:
            ended.append(outgoing.id)
            return Outcome(outgoing.id, "unsent", "MAIL", Reply(421, "4.3.2", "Closing"), "sink")
        return None

    sink.script = script
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=6, sent=6)
    assert db.session.scalars(select(Delivery.attempts).where(Delivery.attempts > 0)).all() == []


def test_a_server_that_never_listens_ends_the_run(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(50)
    offered: list[int] = []

    def hang_up(outgoing: Outgoing) -> Outcome:
        offered.append(outgoing.id)
        return Outcome(outgoing.id, "unsent", "MAIL", Reply(421, "", "Go away"), "sink")  # type: ignore[arg-type]

    sink.script, sink.group = hang_up, 1
    sent = sending.send_due(env)
    assert (sent.sent, sent.failed, sent.deferred, sent.cancelled) == (0, 0, 20, 0)
    assert sent.problem
    assert len(offered) == UNHEARD_AT_MOST == 20
    assert totals(campaign) == outbox.Totals(recipients=50, waiting=50)
    assert status(campaign) == "sending"
    with reading() as session:
        [resting] = read_states(session, env.now)
        assert read_states(session, env.now + timedelta(minutes=2)) == ()
    assert (resting.cause, resting.why) == (SERVER, "it keeps ending the conversation")


def test_single_mails_go_before_bulk(env: Environment, sink: Sink) -> None:
    make_campaign(20)
    with transaction() as session:
        reader = session.scalars(select(Subscription)).first()
        assert reader is not None
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    sending.send_due(env)
    assert "Hello" not in sink.messages[0]["Subject"]
    assert len(sink.accepted) == 21


def test_a_paused_campaign_stops_nobody_else(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(20)
    campaigns.pause(env, campaign)
    with transaction() as session:
        reader = session.scalars(select(Subscription)).first()
        assert reader is not None
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    assert sending.send_due(env).sent == 1
    assert status(campaign) == "paused"


def test_r04_a_lease_taken_over_ends_the_old_ones_work(env: Environment, sink: Sink) -> None:
    """The old worker sends what it had in flight at most; what was accepted of it is recorded all
    the same.
    """
    campaign = make_campaign(60)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 10:
            with transaction() as session:
                outbox.recover(session, now=env.now, alive=lambda worker: False)

    sink.script = script
    sending.send_due(env)
    while (result := totals(campaign)).waiting or result.in_doubt:
        sending.send_due(env)
    recipients = [outgoing.recipient for outgoing in sink.accepted]
    assert len(set(recipients)) == 60
    assert len(recipients) - 60 <= 2 * env.settings.smtp.connections
    assert status(campaign) == "sent"


def test_pausing_by_hand_stops_within_moments(
    env: Environment, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(40)
    monkeypatch.setattr("newsletter.services.sending.work_queue.FRESH_SECONDS", 0.0)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 8:
            campaigns.pause(env, campaign)

    sink.script = script
    sending.send_due(env)
    assert 8 < len(sink.accepted) <= 14
    result = totals(campaign)
    assert (status(campaign), result.sent, result.waiting) == (
        "paused",
        len(sink.accepted),
        40 - len(sink.accepted),
    )
    sink.script = lambda o: None
    campaigns.resume(env, campaign)
    sending.send_due(env)
    assert totals(campaign) == outbox.Totals(recipients=40, sent=40)


def test_cancelling_ends_it_for_good(
    env: Environment, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(40)
    monkeypatch.setattr("newsletter.services.sending.work_queue.FRESH_SECONDS", 0.0)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 8:
            campaigns.cancel(env, campaign)

    sink.script = script
    sending.send_due(env)
    sending.send_due(env)
    result = totals(campaign)
    assert result.sent == len(sink.accepted) <= 14
    assert result.cancelled == 40 - result.sent
    assert status(campaign) == "cancelled"


def test_a_letter_leaves_readers_on_a_break_alone(env: Environment, sink: Sink) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        add_reader(session, mailing_list, "here@example.com")
        away = add_reader(session, mailing_list, "away@example.com")
        away.paused_until = env.now + timedelta(days=3)
    letters.send_letter(env, letters.parse("---\nsubject: x\n---\nHello"))
    sending.send_due(env)
    assert [outgoing.recipient for outgoing in sink.accepted] == ["here@example.com"]


def test_a_domain_that_refuses_us_rests_and_nobody_is_marked(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    """5.7.x from one domain, while others take mail: it is left alone for a while, and no attempt
    is counted.
    """
    campaign = make_campaign(60)
    with transaction() as session:
        for row in session.scalars(select(Subscriber).where(Subscriber.id % 3 == 0)):
            row.email = row.email_key = row.email.replace("example.com", "strict.example")
    recipients: list[str] = []

    def script(outgoing: Outgoing) -> Outcome | None:
        if outgoing.recipient.endswith("@strict.example"):
            recipients.append(outgoing.recipient)
            return refusal(outgoing, 550, "5.7.1", "Blocked by policy")
        return None

    sink.script = script
    sending.send_due(env)
    assert status(campaign) == "sending"
    assert totals(campaign) == outbox.Totals(recipients=60, sent=40, waiting=20)
    assert len(recipients) <= 3 + sink.group
    [resting] = read_status(env).resting
    assert resting.domain == "strict.example"
    assert "Blocked by policy" in resting.why
    assert db.session.scalars(select(Delivery.attempts).where(Delivery.attempts > 0)).all() == []
    sink.script = lambda outgoing: None
    assert sending.send_due(env).sent == 1, "the author is told"
    [notice] = sink.to("ana@news.example.com")
    assert notice["Subject"] == "Slow Letters: strict.example refuses your mail"
    clock.forward(timedelta(minutes=10))
    assert sending.send_due(env).sent == 0
    clock.forward(timedelta(minutes=30))
    assert sending.send_due(env).sent == 20
    assert status(campaign) == "sent"
    assert db.session.scalars(select(DomainBackoff)).all() == []
    assert read_status(env).resting == ()


def test_one_domain_in_a_row_does_not_pause_a_campaign(env: Environment, sink: Sink) -> None:
    """Its readers are neighbours, and several of them are on their way before it is known that it
    refuses.
    """
    campaign = make_campaign(60)
    with transaction() as session:
        for row in session.scalars(select(Subscriber).order_by(Subscriber.id).offset(20).limit(20)):
            row.email = row.email_key = row.email.replace("example.com", "strict.example")
    sink.group = 10
    sink.script = lambda outgoing: (
        refusal(outgoing, 550, "5.7.1", "Blocked by policy")
        if outgoing.recipient.endswith("@strict.example")
        else None
    )
    sending.send_due(env)
    assert (status(campaign), totals(campaign).sent) == ("sending", 40)


def test_after_a_restart_of_the_machine_all_that_was_held_is_in_doubt(
    env: Environment, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(40)

    def script(outgoing: Outgoing) -> None:
        if len(sink.accepted) == 18:
            raise Killed

    sink.script = script
    with pytest.raises(Killed):
        sending.send_due(env)
    db.session.remove()
    with transaction() as session:
        outbox.recover(
            session, now=env.now, alive=lambda worker: False, forgetful=lambda worker: True
        )
    result = totals(campaign)
    assert (result.sent, result.in_doubt) == (16, 24)


def test_an_envelope_names_its_message_where_bounces_have_an_address(
    app: Flask, sink: Sink
) -> None:
    with app.app_context():
        env: Environment = app.extensions[EXTENSION]
        settings = env.settings.model_copy(
            update={
                "bounces": env.settings.bounces.model_copy(
                    update={"address": "back@news.example.com"}
                )
            }
        )
        make_campaign(2)
        sending.send_due(replace(env, settings=settings))
    senders = [outgoing.sender for outgoing in sink.accepted]
    ids = [str(message["Message-ID"]).strip("<>").partition("@")[0] for message in sink.messages]
    names = [outgoing.envelope_id for outgoing in sink.accepted]
    assert senders == [f"back+{name}@news.example.com" for name in names]
    assert len({*names, *ids}) == 4, "whoever knows the one name does not know the other"


def test_a_server_that_refuses_the_sender_is_left_to_rest(env: Environment, sink: Sink) -> None:
    campaign = make_campaign(30)
    servers = iter("ab" * 30)

    def script(outgoing: Outgoing) -> Outcome | None:
        if sink.rested or next(servers) == "b":
            return None
        return Outcome(outgoing.id, "refused", "MAIL", Reply(550, "5.1.8", "Sender refused"), "a")

    sink.script = script
    sending.send_due(env)
    assert set(sink.rested) == {"a"}
    result = totals(campaign)
    assert (status(campaign), result.failed) == ("sending", 0)
    assert result.waiting <= 3 + sink.group


def test_a_lease_is_kept_while_a_server_takes_its_time(
    env: Environment, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes over what is on its way to a slow server."""
    make_campaign(5)
    monkeypatch.setattr("newsletter.services.sending.work_line.RENEW_SECONDS", -1)
    monkeypatch.setattr("newsletter.services.sending.recording.LEASE_SECONDS", 1000)
    left: list[int] = []

    class Slow(Sink):
        def deliver(
            self, pull: Pull, records: Records | None = None
        ) -> Generator[list[Outcome], None, None]:
            held = [outgoing for outgoing in iter(pull, None) if isinstance(outgoing, Outgoing)]
            with transaction() as session:
                session.execute(update(Lease).values(expires_at=1))
            yield []
            db.session.rollback()
            left.extend(db.session.scalars(select(Lease.expires_at)).all())
            yield [self._take(outgoing) for outgoing in held]

    assert sending.send_due(env, transport=Slow()).sent == 5
    assert left
    assert min(left) > 1


def test_d01_outcomes_wait_while_a_backup_holds_the_database(
    app: Flask, database_kind: str
) -> None:
    """Half a minute, as D01 has it, and no longer than a lease."""
    if database_kind != "sqlite":
        return  # its writers do not lock each other out
    with app.app_context():
        direct = DirectConnection()
        [(patience,)] = direct.rows("PRAGMA busy_timeout", {})
        direct.close()
    assert 30_000 < patience < LEASE_SECONDS * 1000


def test_a_message_at_which_the_server_always_hangs_up_is_given_up(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    """A server that is down costs nobody anything; one that ends the conversation at this very
    message does, in the end.
    """
    campaign = make_campaign(2)
    stages = iter(["CONNECT", "RCPT", "RCPT"])

    def script(outgoing: Outgoing) -> Outcome | None:
        if not outgoing.recipient.startswith("reader1@"):
            return None
        return Outcome(
            outgoing.id, "unsent", next(stages, "RCPT"), Reply(421, "4.3.2", "Closing"), "sink"
        )  # type: ignore[arg-type]

    sink.script = script
    clock.forward(timedelta(days=3))
    assert sending.send_due(env).failed == 0, "that server was never reached"
    assert sending.send_due(env).failed == 1
    assert totals(campaign) == outbox.Totals(recipients=2, sent=1, failed=1)
