"""A lost reply is no poisoned message (findings H1): what is offered again, when, and who is set
aside.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.errors import Refused
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply
from newsletter.models import Campaign, Delivery, Lease, Subscriber, Subscription
from newsletter.services.campaigns import campaigns, explain_delivery, report
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import MailKind
from tests.fakes import Clock, Sink
from tests.people import add_list, add_reader
from tests.services.sending.test_run import Killed, make_campaign, refusal, status, totals

ODD = "reader1@example.com"


def lose_replies(sink: Sink, recipient: str = ODD) -> list[Outgoing]:
    """Let every reply to one recipient's message be lost.

    Return where the messages are collected.
    """
    lost: list[Outgoing] = []

    def script(outgoing: Outgoing) -> Outcome | None:
        if outgoing.recipient != recipient:
            return None
        lost.append(outgoing)
        return Outcome(outgoing.id, "in_doubt", "END", Reply(0, "", "the connection ended"), "sink")

    sink.script = script
    return lost


def row_of(campaign_id: int, email: str) -> Delivery:
    db.session.rollback()
    query = select(Delivery).join(Subscription).join(Subscriber)
    return db.session.scalars(
        query.where(Delivery.campaign_id == campaign_id, Subscriber.email == email)
    ).one()


def run_for(
    env: Environment, clock: Clock, length: timedelta, step: timedelta = timedelta(minutes=1)
) -> None:
    ends = env.now + length
    while env.now < ends:
        sending.send_due(env)
        clock.forward(step)


def test_p08_a_lost_reply_follows_retry_after_with_the_same_message_id(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lost = lose_replies(sink)
    moments = []
    for _ in range(9 * 60):
        before = len(lost)
        sending.send_due(env)
        moments += [env.now] * (len(lost) - before)
        clock.forward(timedelta(minutes=1))
    waits = [later - earlier for earlier, later in pairwise(moments)]
    targets = env.settings.smtp.retry_after[:4]
    assert len(moments) == 5, "after the fifth lost reply it is not offered again"
    for wait, target in zip(waits, targets, strict=True):
        assert target * 0.75 <= wait <= target * 1.3 + timedelta(minutes=1)
    assert len({_message_id(outgoing) for outgoing in lost}) == 1
    row = row_of(campaign, ODD)
    assert (row.status, row.due_at, row.doubts, row.lost_replies, row.attempts) == (
        "in_doubt",
        None,
        5,
        5,
        0,
    )
    assert status(campaign) == "sent", "nothing waits any more"
    assert totals(campaign) == outbox.Totals(recipients=3, sent=2, in_doubt=1, doubted=1)


def _message_id(outgoing: Outgoing) -> bytes:
    return next(
        line for line in outgoing.data.split(b"\r\n") if line.lower().startswith(b"message-id:")
    )


def test_after_patience_it_stays_in_doubt_and_never_fails(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lose_replies(sink)
    clock.forward(timedelta(days=3))
    sending.send_due(env)
    row = row_of(campaign, ODD)
    assert (row.status, row.due_at, row.lost_replies) == ("in_doubt", None, 1)
    assert totals(campaign).failed == 0


def test_a_doubt_that_is_refused_for_now_afterwards_does_not_become_a_failure(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lose_replies(sink)
    sending.send_due(env)
    sink.script = lambda o: refusal(o, 451, "4.3.0", "Later") if o.recipient == ODD else None
    run_for(env, clock, timedelta(days=4), timedelta(hours=3))
    row = row_of(campaign, ODD)
    assert (row.status, row.due_at) == ("in_doubt", None)
    assert (totals(campaign).failed, status(campaign)) == (0, "sent")


def test_retry_offers_it_once_more_and_starts_counting_anew(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lose_replies(sink)
    run_for(env, clock, timedelta(hours=9))
    [left] = report.iterate_deliveries(campaign)
    assert (left.email, left.status, report.report_campaign(env, campaign).left_in_doubt) == (
        ODD,
        "in_doubt",
        1,
    )
    delivery = explain_delivery.explain_delivery(env, campaign, ODD)
    assert (delivery.has_received, delivery.hint) == (None, "newsletter campaign retry")
    assert "nobody knows: the server's reply was lost 5 times" in delivery.verdict
    campaigns.retry(env, campaign)
    row = row_of(campaign, ODD)
    assert (row.status, row.lost_replies, row.crashes) == ("queued", 0, 0)
    sink.script = lambda o: None
    before = len(sink.accepted)
    sending.send_due(env)
    assert [o.recipient for o in sink.accepted[before:]] == [ODD]
    with pytest.raises(Refused):
        campaigns.retry(env, campaign)


def test_what_is_left_in_doubt_is_not_cancelled_and_holds_nothing_up(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    campaign = make_campaign(3)
    lose_replies(sink)
    run_for(env, clock, timedelta(hours=9))
    with transaction() as session:
        row = session.scalars(select(Delivery).where(Delivery.status == "in_doubt")).one()
        assert row.subscription_id is not None
        assert not outbox.is_waiting(session, row.subscription_id, "letter")
        assert outbox.count_waiting(session) == 0
        assert outbox.find_next_due(session) is None
        assert outbox.cancel(session, [row.subscription_id], now=env.now) == 0
    assert row_of(campaign, ODD).status == "in_doubt"


def crash(env: Environment) -> None:
    """Take over what the dead worker held."""
    db.session.remove()
    with transaction() as session:
        outbox.recover(session, now=env.now, alive=lambda worker: False)


def test_r05_a_message_is_set_aside_after_two_deaths_alone(
    env: Environment, sink: Sink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first death may be any message's in flight; then each goes alone, and twice more is
    proof.
    """
    monkeypatch.setattr("newsletter.services.workers.is_alive", lambda worker: False)
    campaign = make_campaign(12)
    deaths: list[datetime] = []

    def script(outgoing: Outgoing) -> None:
        if outgoing.recipient == "reader5@example.com":
            deaths.append(env.now)
            raise Killed

    sink.script = script
    for expected in (1, 2, 3):
        with pytest.raises(Killed):
            sending.send_due(env)
        crash(env)
        assert row_of(campaign, "reader5@example.com").crashes == expected
    sending.send_due(env)
    assert len(deaths) == 3
    row = row_of(campaign, "reader5@example.com")
    assert (row.status, row.text) == ("failed", outbox.SET_ASIDE)
    assert totals(campaign).sent == 11


def test_while_one_is_alone_in_flight_nothing_else_is(
    env: Environment, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.services.sending.work_queue.FRESH_SECONDS", 0.0)
    make_campaign(10)
    with transaction() as session:
        reader = add_reader(session, add_list(session, "other"), "single@example.com")
        suspected = select(Delivery.id).order_by(Delivery.id).limit(3)
        suspicious = update(Delivery).where(Delivery.id.in_(session.scalars(suspected).all()))
        session.execute(suspicious.values(status="in_doubt", crashes=1, due_at=env.now))
        outbox.enqueue(session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now)
    suspects = {f"reader{number}@example.com" for number in range(3)}
    flying: list[str] = []
    sizes: list[tuple[str, int]] = []

    class Watch(Sink):
        def _take(self, outgoing: Outgoing) -> Outcome:
            flying.append(outgoing.recipient)
            return super()._take(outgoing)

    watch = Watch(group=50)
    original = watch.deliver

    def deliver(pull, records=None):  # type: ignore[no-untyped-def]
        for group in original(pull):
            for recipient in flying:
                sizes.append((recipient, len(flying)))
            flying.clear()
            yield group

    watch.deliver = deliver  # type: ignore[method-assign]
    assert sending.send_due(env, transport=watch).sent == 11
    assert {recipient: size for recipient, size in sizes if recipient in suspects} == dict.fromkeys(
        suspects, 1
    )
    assert max(size for _, size in sizes) > 1, "all the others go together"


@pytest.mark.parametrize("single", [True, False])
def test_who_lived_through_it_is_cleared(
    env: Environment, sink: Sink, clock: Clock, *, single: bool
) -> None:
    """A refusal, or a lost reply, of a message that was alone: the worker did not die of it."""
    campaign = make_campaign(2)
    with transaction() as session:
        reader = add_reader(session, add_list(session, "other"), "single@example.com")
        single_id = outbox.enqueue(
            session, mail=MailKind.GOODBYE, subscription_id=reader.id, now=env.now
        )
        row_id = (
            single_id
            if single
            else session.scalars(select(Delivery.id).where(Delivery.campaign_id == campaign)).all()[
                0
            ]
        )
        suspect = update(Delivery).where(Delivery.id == row_id)
        session.execute(suspect.values(status="in_doubt", crashes=2, doubts=2, due_at=env.now))
    sink.script = lambda o: refusal(o, 451, "4.3.0", "Later")
    sending.send_due(env)
    db.session.rollback()
    row = db.session.get_one(Delivery, row_id)
    assert (row.crashes, row.attempts) == (0, 1)


def test_an_innocent_neighbour_is_never_set_aside(
    env: Environment, sink: Sink, clock: Clock
) -> None:
    """Twenty deaths, each at another message: everybody gets it, whoever was in flight how
    often.
    """
    campaign = make_campaign(60)
    kills = 0

    def script(outgoing: Outgoing) -> None:
        nonlocal kills
        if kills < 20 and len(sink.accepted) % 3 == 2:
            kills += 1
            sink.accepted.append(outgoing)
            raise Killed

    sink.script = script
    for _ in range(40):
        try:
            sending.send_due(env)
        except Killed:
            crash(env)
    result = totals(campaign)
    assert kills == 20
    assert (result.failed, result.sent) == (0, 60)
    assert status(campaign) == "sent"


def test_a_lease_is_not_void_at_once(env: Environment) -> None:
    """A living worker's lease lasts as long as it says; only then is what it may have offered in
    doubt.
    """
    campaign = make_campaign(5)
    with transaction() as session:
        held = outbox.lease_slice(session, campaign, worker="here:1:1:b", seconds=60)
        assert held is not None
        assert outbox.recover(session, now=env.now, alive=lambda worker: True) == 0
    db.session.rollback()
    assert db.session.get(Lease, held.id) is not None
    assert db.session.get_one(Campaign, campaign).leased_id > 0
    assert {row.due_at for row in db.session.scalars(select(Delivery))} == {None}
