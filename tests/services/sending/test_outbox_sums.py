"""Folding, totals by reply and time, and depths count each row once, where it belongs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Campaign, Delivery, FoldedDelivery, Lease, Subscription
from newsletter.outbox.depth import QueueDepth
from newsletter.outbox.summary import ReplyCount
from newsletter.vocabulary import (
    CampaignStatus,
    Folded,
    MailKind,
    QueueState,
    SubscriptionStatus,
)
from tests.fakes import START
from tests.outbox_rows import (
    CANCELLED,
    FAILED,
    HOUR,
    IN_DOUBT,
    SENT,
    House,
    add_campaign,
    add_row,
)
from tests.people import add_reader


def test_what_is_foldable_has_ended_long_enough_ago(session: Session, house: House) -> None:
    def add(hours: int, **values: object) -> int:
        ended = {"status": CampaignStatus.SENT, "finished_at": START + hours * HOUR}
        return add_campaign(session, house.blog, **(ended | values)).id

    partly = {"folded": Folded.SENT}
    expected = [
        add(1),
        add(1, status=CampaignStatus.CANCELLED),
        add(-3, **partly),
        add(1, answer_by=START, settled_at=START),
    ]
    add(2)
    add(-3, folded=Folded.ALL)
    add(-2, **partly)
    add(1, status=CampaignStatus.PAUSED)
    add(1, answer_by=START)
    ids = outbox.find_foldable(session, before=START + 2 * HOUR, failures_before=START - 2 * HOUR)
    assert ids == expected


def test_folding_takes_settled_rows_of_one_campaign_step_by_step(
    session: Session, house: House
) -> None:
    letter = house.letter
    other = house.other
    dan, eva, finn = (
        add_reader(session, house.blog, f"{name}@example.com") for name in ("dan", "eva", "finn")
    )
    sent = add_row(session, house.ana, letter, status=SENT, doubts=1)
    elsewhere = add_row(session, house.zoe, other, status=SENT)
    failed = add_row(session, house.bea, letter, status=FAILED)
    cancelled = add_row(session, house.cleo, letter, status=CANCELLED)
    busy = add_row(session, dan, letter, status=SENT, lease_id=4)
    late = add_row(session, eva, letter, status=CANCELLED, due_at=START)
    erased = add_row(session, None, letter, status=SENT)
    doubt = add_row(session, house.zoe, letter, status=IN_DOUBT, doubts=2)
    waits = add_row(session, finn, letter, status=IN_DOUBT, due_at=START)

    def fold(after_id: int, limit: int, *, failures: bool = False) -> list[int]:
        ids = outbox.fold(session, letter, failures=failures, after_id=after_id, limit=limit)
        session.flush()
        return list(ids)

    def left() -> list[int]:
        query = select(Delivery.id).where(Delivery.campaign_id == letter.id)
        return list(session.scalars(query.order_by(Delivery.id)))

    assert fold(0, 1) == [sent]
    assert (letter.folded, left()) == (
        Folded.NOTHING,
        [failed, cancelled, busy, late, erased, doubt, waits],
    )
    assert fold(cancelled, 1) == [erased], "what is not behind the id is left"
    assert fold(sent, 2) == [cancelled]
    assert (letter.folded, left()) == (Folded.SENT, [failed, busy, late, doubt, waits])
    assert letter.erased == 1
    totals = outbox.count_totals(session, letter)
    assert (totals.sent, totals.cancelled, totals.failed, totals.doubted) == (3, 2, 1, 2)
    assert outbox.count_removed(session, letter) == 1
    assert fold(0, 9, failures=True) == [failed, doubt]
    assert (letter.folded, left()) == (Folded.ALL, [busy, late, waits])
    assert outbox.count_totals(session, letter) == totals
    assert outbox.count_folded(letter) == 5
    assert outbox.count_folded(letter, [SENT, FAILED]) == 3
    assert fold(0, 9, failures=True) == []
    assert outbox.count_totals(session, letter) == totals
    assert other.folded_totals is None
    assert session.get_one(Delivery, elsewhere).status == SENT
    remains = {(row.subscription_id, row.status) for row in session.scalars(select(FoldedDelivery))}
    assert remains == {
        (house.ana.id, SENT),
        (house.cleo.id, CANCELLED),
        (house.bea.id, FAILED),
        (house.zoe.id, IN_DOUBT),
    }


def test_recipients_who_were_removed_are_counted_folded_or_not(
    session: Session, house: House
) -> None:
    for campaign in (house.letter, house.other, house.letter):
        add_row(session, None, campaign, status=SENT)
    add_row(session, house.ana, house.letter, status=SENT)
    house.letter.erased = 5
    assert outbox.count_removed(session, house.letter) == 7
    assert outbox.count_removed(session, house.other) == 1
    assert outbox.count_removed(session, house.later) == 0


def test_folding_keeps_the_numbers_of_two_subjects(session: Session, house: House) -> None:
    letter = house.letter
    letter.subject_b = "Second"
    house.bea.status = SubscriptionStatus.UNSUBSCRIBED
    dan, eva = (add_reader(session, house.blog, f"{name}@example.com") for name in ("dan", "eva"))
    add_row(session, house.ana, letter, status=SENT, cursor=1)
    add_row(session, house.zoe, house.other, status=SENT, cursor=1)
    add_row(session, house.bea, letter, status=SENT, cursor=1)
    add_row(session, dan, letter, status=CANCELLED, cursor=1)
    add_row(session, house.cleo, letter, status=SENT, cursor=0)
    add_row(session, eva, letter, status=SENT, cursor=1, created_at=START + HOUR)
    before = outbox.count_by_edition(session, letter)
    assert before == {0: (1, 0), 1: (2, 1)}
    after_id = 0
    while letter.folded is Folded.NOTHING:
        [*_, after_id] = outbox.fold(
            session, letter, failures=True, after_id=after_id, limit=2
        ) or [0]
        assert outbox.count_by_edition(session, letter) == before
    assert outbox.count_totals(session, letter).sent == 4


def fold_all(session: Session, *campaigns: Campaign) -> None:
    for campaign in campaigns:
        outbox.fold(session, campaign, failures=True, after_id=0, limit=99)
        campaign.finished_at = START + HOUR
    session.flush()


def test_what_stays_of_folded_rows_tells_who_had_what(session: Session, house: House) -> None:
    add_row(session, house.ana, house.letter, status=SENT, cursor=2)
    add_row(session, house.bea, house.letter, status=CANCELLED, cursor=3)
    add_row(session, house.zoe, house.other, status=SENT, cursor=2)
    add_row(session, house.ana, house.later, status=IN_DOUBT, cursor=3)
    fold_all(session, house.letter, house.other, house.later)

    def pick(condition: object) -> list[int]:
        query = select(Subscription.id).where(condition).order_by(Subscription.id)  # type: ignore[arg-type]
        return list(session.scalars(query))

    ana, bea, zoe = (row.id for row in (house.ana, house.bea, house.zoe))
    letter, other, later = (row.id for row in (house.letter, house.other, house.later))
    assert pick(outbox.was_mailed_clause([letter])) == [ana]
    assert pick(outbox.was_mailed_clause([letter, other])) == [zoe, ana]
    assert pick(outbox.was_mailed_clause([])) == []
    assert pick(outbox.had_edition_clause([(letter, 3)])) == [bea]
    assert pick(outbox.had_edition_clause([(letter, 2), (later, 3)])) == [ana]
    assert pick(outbox.had_edition_clause([(letter, 3), (other, 2)])) == [zoe, bea]
    assert outbox.find_campaigns_of(session, ana) == {letter, later}
    assert outbox.list_editions(session, ana) == [
        (letter, 2, SENT, START + HOUR),
        (later, 3, IN_DOUBT, START + HOUR),
    ]
    [cancelled] = outbox.list_history(session, bea)
    assert (cancelled.id, cancelled.attempts, cancelled.doubts) == (0, 0, 0)
    assert (cancelled.email, cancelled.mail) == ("bea@second.example", MailKind.LETTER)
    first, second = outbox.list_history(session, ana)
    assert (first.attempts, first.finished_at, second.status) == (1, START + HOUR, IN_DOUBT)
    [only] = outbox.list_history(session, ana, campaign_id=later)
    assert only.campaign_id == later
    assert outbox.list_history(session, house.cleo.id) == []


def test_forgetting_deletes_ones_bits_and_counts_them_as_erased(
    session: Session, house: House
) -> None:
    add_row(session, house.ana, house.letter, status=SENT)
    add_row(session, house.bea, house.letter, status=SENT)
    add_row(session, house.ana, house.later, status=SENT)
    add_row(session, house.zoe, house.other, status=SENT)
    fold_all(session, house.letter, house.other, house.later)
    outbox.forget_folded(session, [house.ana.id, house.cleo.id])
    outbox.forget_folded(session, [house.ana.id])
    session.expire_all()
    assert [c.erased for c in (house.letter, house.other, house.later)] == [1, 0, 1]
    left = session.scalars(select(FoldedDelivery.subscription_id)).all()
    assert set(left) == {house.bea.id, house.zoe.id}


def test_outcomes_are_counted_by_reply_and_domain(session: Session, house: House) -> None:
    first = add_row(session, house.ana, house.letter, status=SENT, code=250, attempts=1)
    add_row(session, house.zoe, house.other, status=SENT, code=250)
    add_row(session, house.cleo, house.letter, status=SENT, code=250, attempts=2)
    add_row(session, house.bea, house.letter, status=SENT, code=250)
    last = add_row(session, None, house.letter, status=FAILED)
    add_row(session, house.zoe, house.letter, status=SENT, code=250)
    assert set(outbox.count_replies(session, house.letter, first, last)) == {
        ReplyCount(SENT, 250, "example.com", 2, 2),
        ReplyCount(SENT, 250, "second.example", 1, 0),
        ReplyCount(FAILED, None, "", 1, 0),
    }
    [one] = outbox.count_replies(session, house.letter, first, first)
    assert (one.recipients, one.deferred) == (1, 1)


def test_settled_messages_are_counted_by_ten_minutes(session: Session, house: House) -> None:
    def add(reader: Subscription, campaign: Campaign, minutes: int, **values: object) -> int:
        moment = START + timedelta(minutes=minutes, seconds=59)
        settled: dict[str, object] = {"status": SENT, "finished_at": moment}
        return add_row(session, reader, campaign, **(settled | values))  # type: ignore[arg-type]

    dan, eva = (add_reader(session, house.blog, f"{name}@example.com") for name in ("dan", "eva"))
    first = add(house.ana, house.letter, 9)
    add(house.zoe, house.other, 9)
    add(house.bea, house.letter, 10)
    add(house.cleo, house.letter, 19)
    add(dan, house.letter, 19, status=CANCELLED)
    add(house.zoe, house.letter, 0, finished_at=None)
    last = add(eva, house.letter, 10, status=FAILED)
    assert set(outbox.count_minutes(session, house.letter, first, last)) == {
        ("2026-11-24 09:0", SENT, 1),
        ("2026-11-24 09:1", SENT, 2),
        ("2026-11-24 09:1", FAILED, 1),
    }
    assert len(list(outbox.count_minutes(session, house.letter, first, first))) == 1


def test_depths_tell_what_waits_for_what_and_since_when(session: Session, house: House) -> None:
    assert set(outbox.read_depths(session, START).values()) == {QueueDepth()}
    for number, (due_at, lease_id) in enumerate(
        [(START, None), (START - HOUR, None), (START + HOUR, None), (START - HOUR, 5)]
    ):
        moment = START - (number + 1) * HOUR
        add_row(session, house.ana, None, due_at=due_at, lease_id=lease_id, created_at=moment)
    add_row(session, house.zoe, None, mail=MailKind.CONFIRM, created_at=START - 7 * HOUR)
    add_row(session, house.ana, house.letter)
    for reader in (house.bea, house.cleo):
        add_row(session, reader, house.letter)
    add_row(session, house.zoe, house.other)
    add_row(session, house.ana, house.later)
    house.letter.leased_id -= 2
    house.other.leased_id -= 1
    house.other.status = CampaignStatus.PAUSED
    for status in (CampaignStatus.CANCELLED, CampaignStatus.SENT):
        add_campaign(session, house.blog, status=status, leased_id=1, last_id=9)
    house.later.started_at = START - 9 * HOUR
    session.add(
        Lease(campaign_id=house.letter.id, first_id=11, last_id=13, worker="w", expires_at=1)
    )
    session.add(Lease(first_id=21, last_id=33, worker="w", expires_at=1))
    session.flush()
    assert outbox.read_depths(session, START) == {
        QueueState.DUE: QueueDepth(2, START - 2 * HOUR),
        QueueState.LATER: QueueDepth(1, START - 3 * HOUR),
        QueueState.LEASED: QueueDepth(4, START - 4 * HOUR),
        QueueState.HELD: QueueDepth(1, START - 7 * HOUR),
        QueueState.CAMPAIGN: QueueDepth(2, START),
        QueueState.PAUSED: QueueDepth(1, START),
    }
