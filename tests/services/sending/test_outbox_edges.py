"""Conditions of the outbox and of a run's end that only somebody else's rows can test (findings,
section 6).
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, event, select, text, update

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.mail.render import MailContent
from newsletter.models import Campaign, Delivery, Lease, MailingList, Subscriber, Subscription
from newsletter.services.campaigns import campaigns
from newsletter.services.runtime import Environment
from newsletter.services.sending import finish, trial
from newsletter.services.sending import run as sending
from newsletter.vocabulary import MailKind
from tests.fakes import START, Sink, body, parsed
from tests.people import add_list, add_reader
from tests.services.sending.test_run import make_campaign, status


def interleaved(env: Environment) -> tuple[int, int, int]:
    """Two campaigns and a held confirmation, with ids that lie between each other's.

    Return the ids of the first campaign, of the second, and of the confirmation's delivery.
    """
    first = make_campaign(3)
    with transaction() as session:
        mailing_list = add_list(session, "other")
        readers = [
            add_reader(session, mailing_list, f"other{number}@example.com") for number in range(3)
        ]
        second = Campaign(
            list_id=mailing_list.id,
            kind="letter",
            status="sending",
            subject="x",
            seed="y",
            created_at=START,
        )
        session.add(second)
        session.flush()
        query = select(Subscription.id, Subscription.cursor).where(
            Subscription.list_id == mailing_list.id
        )
        outbox.freeze(session, second, query, mail=MailKind.LETTER, now=START)
        held = outbox.enqueue(
            session, mail=MailKind.CONFIRM, subscription_id=readers[0].id, now=START, held=True
        )
        blog = session.get_one(MailingList, session.get_one(Campaign, first).list_id)
        late = [add_reader(session, blog, f"late{number}@example.com") for number in range(2)]
        more = select(Subscription.id, Subscription.cursor).where(
            Subscription.id.in_([row.id for row in late])
        )
        outbox.freeze(
            session, session.get_one(Campaign, first), more, mail=MailKind.LETTER, now=START
        )
        return first, second.id, held


def test_giving_a_slice_back_touches_no_row_of_others(env: Environment) -> None:
    first, second, held_id = interleaved(env)
    with transaction() as session:
        held = outbox.lease_slice(session, first, worker="w:1:1:b", seconds=60)
        assert held is not None
        assert held.first_id < held_id < held.last_id
        outbox.release(session, held, now=env.now)
    db.session.rollback()
    due = {
        row.id: row.due_at
        for row in db.session.scalars(select(Delivery).where(Delivery.campaign_id == second))
    }
    assert set(due.values()) == {None}
    assert db.session.get_one(Delivery, held_id).due_at is None, "the confirmation is held still"
    mine = db.session.scalars(select(Delivery.due_at).where(Delivery.campaign_id == first)).all()
    assert mine == [env.now] * 5


def test_a_lease_lasts_as_long_as_its_worker_asked(env: Environment) -> None:
    first, second, _ = interleaved(env)
    with transaction() as session:
        held = outbox.lease_slice(session, first, worker="w:1:1:b", seconds=60)
        assert held is not None
        assert outbox.lease_slice(session, second, worker="w:2:2:b", seconds=-1) is not None
        outbox.recover(session, now=env.now, alive=lambda worker: True)
        assert session.scalars(select(Lease.id)).all() == [held.id]


def test_what_a_dead_worker_held_puts_nobody_else_in_doubt(env: Environment) -> None:
    first, second, held_id = interleaved(env)
    with transaction() as session:
        held = outbox.lease_slice(session, first, worker="w:1:1:b", seconds=60)
        assert held is not None
        session.execute(update(Lease).values(through_id=held.last_id))
        assert outbox.recover(session, now=env.now, alive=lambda worker: False) == 5
    db.session.rollback()
    others = select(Delivery.status).where(
        (Delivery.campaign_id == second) | (Delivery.id == held_id)
    )
    assert set(db.session.scalars(others)) == {"queued"}


def test_a_campaign_paused_before_its_slice_is_taken_ends_no_run(
    env: Environment, sink: Sink
) -> None:
    """Between "what is due" and "give me a slice" somebody pauses: there is no slice, and no
    error.
    """
    first, second, _ = interleaved(env)
    campaigns.pause(env, first)
    with transaction() as session:
        assert outbox.lease_slice(session, first, worker="w:1:1:b", seconds=60) is None
        assert outbox.lease_slice(session, second, worker="w:1:1:b", seconds=60) is not None
        assert outbox.lease_slice(session, 999, worker="w:1:1:b", seconds=60) is None


@pytest.mark.parametrize("decided", ["cancelled", "paused"])
def test_a_campaign_that_is_decided_about_at_the_last_moment_is_not_called_sent(
    env: Environment, decided: str
) -> None:
    """Somebody cancels or pauses it between the look and the transaction that would call it
    sent.
    """
    first = make_campaign(2)
    with transaction() as session:
        session.execute(update(Delivery).values(status="sent", finished_at=env.now))
        session.execute(update(Campaign).values(leased_id=Campaign.last_id))
        reader = add_reader(session, add_list(session, "other"), "o@example.com")
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    engine = create_engine(env.settings.database_url)
    done = []

    def decide(session: object) -> None:
        if not done:
            done.append(True)
            with engine.begin() as connection:
                connection.execute(text("UPDATE campaigns SET status = :to"), {"to": decided})

    event.listen(db.session(), "after_rollback", decide)
    try:
        finish.close(env, first)
    finally:
        event.remove(db.session(), "after_rollback", decide)
        engine.dispose()
    assert done
    assert status(first) == decided


def test_a_campaign_whose_sums_are_not_right_is_not_called_sent(env: Environment) -> None:
    first, second, _ = interleaved(env)
    of_first = update(Delivery).where(Delivery.campaign_id == first)
    [waiting, *_] = db.session.scalars(select(Delivery.id).where(Delivery.campaign_id == first))
    recipients = db.session.get_one(Campaign, first).recipients
    with transaction() as session:
        session.execute(update(Campaign).values(leased_id=Campaign.last_id))
        session.execute(
            of_first.where(Delivery.id != waiting).values(status="sent", finished_at=env.now)
        )
    finish.close(env, first)
    assert status(first) == "sending", "one waits, and no worker knows of it"
    with transaction() as session:
        session.execute(of_first.values(status="sent", finished_at=env.now))
        session.get_one(Campaign, first).recipients = recipients + 1
    finish.close(env, first)
    assert status(first) == "sending", "one is missing"
    with transaction() as session:
        session.get_one(Campaign, first).recipients = recipients
    finish.close(env, first)
    assert (status(first), status(second)) == ("sent", "sending")


def test_waiting_and_next_due_count_what_waits_and_nothing_else(env: Environment) -> None:
    """`doctor` warns of a queue that stands still by these two."""
    first, second, _ = interleaved(env)
    with transaction() as session:
        assert (outbox.count_waiting(session), outbox.find_next_due(session)) == (0, None)
        rows = session.scalars(
            select(Delivery).where(Delivery.campaign_id == first).order_by(Delivery.id)
        ).all()
        rows[0].due_at = env.now + timedelta(minutes=30)
        rows[1].due_at = env.now + timedelta(minutes=10)
        rows[1].lease_id = 77
        rows[2].status = "sent"
        rows[2].finished_at = env.now
        other = session.scalars(select(Delivery).where(Delivery.campaign_id == second)).first()
        assert other is not None
        other.due_at = env.now + timedelta(minutes=20)
        session.flush()
        assert outbox.count_waiting(session) == 3
        assert outbox.find_next_due(session) == env.now + timedelta(minutes=20), (
            "what a worker holds is not the next"
        )


def test_a_test_mail_is_its_own_lists(env: Environment, sink: Sink) -> None:
    with transaction() as session:
        add_list(session, "first", title="First", from_email="one@one.example")
        add_list(session, "second", title="Second", from_email="two@two.example")
        add_list(session, "third", title="Third", from_email="three@three.example")
    outcome = trial.send_test(
        env, "second", MailContent("Hello", "text", "<p>text</p>"), to="me@example.com"
    )
    assert outcome.result == "accepted"
    [sent] = sink.accepted
    message = parsed(sent.data)
    assert (sent.sender, sent.recipient) == ("two@two.example", "me@example.com")
    assert message["Subject"] == "[Test] Hello"
    assert "two@two.example" in str(message["From"])
    assert str(message["List-Id"]).startswith("Second")
    assert body(message).strip() == "text"


def test_a_run_of_one_campaign_leaves_the_others_alone(env: Environment, sink: Sink) -> None:
    first, second, _ = interleaved(env)
    assert sending.send_due(env, campaign_id=first).sent == 5
    db.session.rollback()
    assert set(
        db.session.scalars(select(Delivery.status).where(Delivery.campaign_id == second))
    ) == {"queued"}
    assert status(first) == "sent"
    assert status(second) == "sending"
    assert {o.recipient for o in sink.accepted} & set(
        db.session.scalars(select(Subscriber.email).where(Subscriber.email.startswith("other")))
    ) == set()
