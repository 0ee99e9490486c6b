"""The outbox answers about one campaign or subscription, whatever rows others have."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Lease, Subscription
from newsletter.outbox import FailureGroup
from newsletter.outbox.types import Totals
from newsletter.vocabulary import CampaignStatus, DeliveryStatus, MailKind, SubscriptionStatus
from tests.fakes import START
from tests.outbox_rows import (
    CANCELLED,
    FAILED,
    HOUR,
    IN_DOUBT,
    QUEUED,
    SENT,
    House,
    add_row,
)
from tests.people import add_reader


def test_totals_are_those_of_one_campaign_with_what_is_folded(
    session: Session, house: House
) -> None:
    add_row(session, house.ana, house.letter, status=SENT, doubts=1)
    add_row(session, house.zoe, house.letter, status=IN_DOUBT, doubts=2)
    add_row(session, house.zoe, house.other, status=IN_DOUBT, doubts=1)
    add_row(session, house.ana, house.other, status=FAILED)
    add_row(session, house.bea, house.letter, status=FAILED)
    add_row(session, house.cleo, house.letter)
    totals = outbox.count_totals(session, house.letter)
    assert totals == Totals(4, sent=1, failed=1, waiting=1, in_doubt=1, doubted=2)
    house.letter.folded_totals = {"sent": 5, "cancelled": 4, "failed": 3, "doubted": 7}
    house.letter.recipients += 12
    totals = outbox.count_totals(session, house.letter)
    assert totals == Totals(16, 6, 4, 4, waiting=1, in_doubt=1, doubted=9)
    assert totals.balanced
    assert outbox.count_totals(session, house.later) == Totals()


def test_only_doubts_that_nobody_looks_after_are_left(session: Session, house: House) -> None:
    add_row(session, house.ana, house.letter, status=IN_DOUBT)
    assert outbox.count_left_in_doubt(session, house.other) == 0
    add_row(session, house.zoe, house.other, status=IN_DOUBT)
    add_row(session, house.bea, house.other, status=IN_DOUBT)
    add_row(session, house.bea, house.letter, status=IN_DOUBT, due_at=START)
    add_row(session, house.cleo, house.letter, status=FAILED)
    assert outbox.count_left_in_doubt(session, house.letter) == 1
    assert outbox.count_left_in_doubt(session, house.other) == 2


def test_two_subjects_are_compared_by_those_who_tried_them_out(
    session: Session, house: House
) -> None:
    dan, eva, finn = (
        add_reader(session, house.blog, f"{name}@example.com") for name in ("dan", "eva", "finn")
    )
    house.bea.status = finn.status = SubscriptionStatus.UNSUBSCRIBED
    add_row(session, house.ana, house.letter, status=SENT, cursor=0)
    add_row(session, house.zoe, house.other, status=SENT, cursor=0)
    add_row(session, house.bea, house.letter, status=SENT, cursor=1)
    add_row(session, house.cleo, house.letter, status=FAILED, cursor=1)
    add_row(session, dan, house.letter, status=SENT, cursor=1)
    add_row(session, eva, house.other, status=SENT, cursor=1)
    add_row(session, finn, house.letter, status=SENT, cursor=1, created_at=START + HOUR)
    add_row(session, None, house.letter, status=SENT, cursor=1)
    assert outbox.count_by_edition(session, house.letter) == {0: (1, 0), 1: (3, 1)}
    house.letter.folded_totals = {"editions": {"1": [10, 4]}}
    assert outbox.count_by_edition(session, house.letter) == {0: (1, 0), 1: (13, 5)}


def test_a_campaign_is_worked_through_when_none_of_its_own_waits(
    session: Session, house: House
) -> None:
    add_row(session, house.ana, house.letter, status=SENT)
    add_row(session, house.zoe, house.other, due_at=START)
    session.add(Lease(campaign_id=house.other.id, worker="w:1:1:b", expires_at=1))
    session.flush()
    assert outbox.is_worked_through(session, house.letter)
    assert not outbox.is_worked_through(session, house.other)
    house.letter.leased_id -= 1
    assert not outbox.is_worked_through(session, house.letter), "a slice that nobody has taken"
    house.letter.leased_id += 1
    lease = Lease(campaign_id=house.letter.id, worker="w:1:1:b", expires_at=1)
    session.add(lease)
    session.flush()
    assert not outbox.is_worked_through(session, house.letter), "a slice in work"
    session.delete(lease)
    add_row(session, house.bea, house.letter, due_at=START + HOUR, status=IN_DOUBT)
    assert not outbox.is_worked_through(session, house.letter), "a retry"


@pytest.mark.parametrize(
    ("due_at", "lease_id", "status", "slices", "is_due"),
    [
        (START, None, CampaignStatus.SENDING, 0, True),
        (START + HOUR, None, CampaignStatus.SENDING, 0, False),
        (START, 77, CampaignStatus.SENDING, 0, False),
        (START, None, CampaignStatus.PAUSED, 1, False),
        (None, None, CampaignStatus.SENDING, 0, False),
        (None, None, CampaignStatus.SENDING, 1, True),
    ],
)
def test_a_campaign_is_due_when_a_worker_can_do_something(
    session: Session,
    house: House,
    due_at: datetime | None,
    lease_id: int | None,
    status: CampaignStatus,
    slices: int,
    is_due: bool,
) -> None:
    add_row(session, house.zoe, house.other, due_at=START)
    add_row(session, house.ana, house.letter, due_at=due_at, lease_id=lease_id)
    add_row(session, house.ana, None, due_at=START)
    house.letter.status = status
    house.letter.leased_id -= slices
    session.flush()
    expected = [house.other.id] + [house.letter.id] * is_due
    assert outbox.find_due_campaigns(session, now=START) == expected


def test_the_next_recipients_are_the_campaigns_own_in_order(session: Session, house: House) -> None:
    add_row(session, house.cleo, house.letter)
    first = add_row(session, house.bea, house.letter)
    add_row(session, house.zoe, house.other)
    add_row(session, None, house.letter)
    add_row(session, house.ana, house.letter)
    query = outbox.next_recipients_query(house.letter.id, first, limit=2)
    assert session.scalars(query).all() == [house.bea.id, house.ana.id]
    query = outbox.next_recipients_query(house.letter.id, first, limit=1)
    assert session.scalars(query).all() == [house.bea.id]


@pytest.mark.parametrize(
    ("status", "due_at", "waits"),
    [
        (QUEUED, None, True),
        (IN_DOUBT, START, True),
        (IN_DOUBT, None, False),
        (SENT, None, False),
        (CANCELLED, None, False),
    ],
)
def test_a_mail_waits_while_a_server_may_still_be_offered_it(
    session: Session, house: House, status: DeliveryStatus, due_at: datetime | None, waits: bool
) -> None:
    add_row(session, house.ana, None, mail=MailKind.GOODBYE)
    add_row(session, house.zoe, None, mail=MailKind.WELCOME)
    id_ = add_row(session, house.ana, None, mail=MailKind.WELCOME, status=status, due_at=due_at)
    assert outbox.is_waiting(session, house.ana.id, MailKind.WELCOME) is waits
    assert outbox.is_any_waiting(session, [id_, 10_000]) is waits
    assert outbox.count_waiting(session) == int(due_at is not None)


def test_reports_list_one_campaigns_deliveries_page_by_page(session: Session, house: House) -> None:
    ids = [
        add_row(session, house.ana, house.letter, status=SENT, attempts=2, text="Ok", code=250),
        add_row(session, house.bea, house.letter, status=FAILED, attempts=2, doubts=3),
        add_row(session, None, house.letter, status=FAILED),
    ]
    add_row(session, house.zoe, house.other, status=SENT)
    ids.append(add_row(session, house.cleo, house.letter))
    sent, failed, removed, waiting = outbox.list_deliveries(session, house.letter)
    assert [sent.id, failed.id, removed.id, waiting.id] == ids
    assert (sent.attempts, sent.email, sent.text, sent.code) == (3, "ana@example.com", "Ok", 250)
    assert (failed.attempts, failed.doubts, failed.text) == (2, 3, "")
    assert (removed.email, waiting.attempts) == ("", 0)

    def page(after_id: int, limit: int, *statuses: DeliveryStatus) -> list[int]:
        rows = outbox.list_deliveries(
            session, house.letter, statuses=statuses, after_id=after_id, limit=limit
        )
        return [row.id for row in rows]

    assert page(ids[0], 2) == ids[1:3]
    assert page(0, 9, FAILED, QUEUED) == ids[1:]
    assert page(ids[1], 9, FAILED) == [ids[2]]


def test_failures_are_grouped_by_what_befell_them_most_first(
    session: Session, house: House
) -> None:
    dan = add_reader(session, house.blog, "dan@example.com")
    add_row(session, None, house.letter, status=IN_DOUBT)
    add_row(session, house.ana, house.letter, status=FAILED, code=550, text="unknown b")
    add_row(session, house.zoe, house.other, status=FAILED, code=550)
    add_row(session, house.bea, house.letter, status=FAILED, code=550, text="unknown")
    add_row(session, house.cleo, house.letter, status=FAILED, code=550, text="unknown a")
    add_row(session, dan, house.letter, status=SENT, code=250)
    groups = outbox.group_failures(session, house.letter, limit=9)
    assert groups[0] == FailureGroup(FAILED, 550, "example.com", 2, "unknown a")
    assert set(groups[1:]) == {
        FailureGroup(FAILED, 550, "second.example", 1, "unknown"),
        FailureGroup(IN_DOUBT, None, "", 1, ""),
    }
    assert outbox.group_failures(session, house.letter, limit=1) == groups[:1]


def test_a_history_is_that_of_one_subscription(session: Session, house: House) -> None:
    welcome = add_row(session, house.ana, None)
    letter = add_row(session, house.ana, house.letter, status=SENT)
    add_row(session, house.zoe, house.letter)
    add_row(session, house.zoe, house.other)
    add_row(session, house.zoe, None)
    later = add_row(session, house.ana, house.later, cursor=4)
    ana = house.ana.id
    assert [row.id for row in outbox.list_history(session, ana)] == [welcome, letter, later]
    of_letter = outbox.list_history(session, ana, campaign_id=house.letter.id)
    assert [row.id for row in of_letter] == [welcome, letter], "and the mails of no campaign"
    assert outbox.find_campaigns_of(session, ana) == {house.letter.id, house.later.id}
    assert [row.id for row in outbox.list_latest(session, ana, limit=2)] == [later, letter]
    assert outbox.list_editions(session, ana) == [
        (house.letter.id, 0, SENT, None),
        (house.later.id, 4, QUEUED, None),
    ]


def test_the_last_campaign_is_what_was_sent_last_and_lately(session: Session, house: House) -> None:
    def last(since: datetime = START) -> int | None:
        return outbox.find_last_campaign(session, house.ana.id, since=since)

    def add(*values: object, hours: int, status: DeliveryStatus = SENT) -> None:
        reader, campaign = values
        moment = START + hours * HOUR
        add_row(session, reader, campaign, status=status, finished_at=moment)  # type: ignore[arg-type]

    add(house.zoe, house.later, hours=9)
    add(house.ana, None, hours=8)
    add(house.ana, house.other, hours=7, status=FAILED)
    assert last() is None
    add(house.ana, house.later, hours=2)
    add(house.ana, house.letter, hours=1)
    assert last() == house.later.id
    assert last(since=START + 2 * HOUR) == house.later.id
    assert last(since=START + 3 * HOUR) is None


def test_a_campaign_is_open_after_a_moment_if_something_goes_later(
    session: Session, house: House
) -> None:
    moment = START + HOUR
    add_row(session, house.ana, house.letter, status=SENT, finished_at=moment)
    add_row(session, house.zoe, house.other, status=SENT, finished_at=moment + HOUR)
    add_row(session, house.bea, house.letter, status=FAILED, finished_at=moment + HOUR)
    add_row(session, house.ana, house.other, status=SENT, finished_at=moment)
    add_row(session, house.cleo, house.letter, status=SENT, finished_at=moment + 2 * HOUR)
    mailed = outbox.mailed_until_query(house.letter, moment)
    assert session.scalars(mailed).all() == [house.ana.id]
    assert outbox.is_open_after(session, house.letter, moment)
    add_row(session, None, house.letter, status=FAILED, finished_at=moment + 3 * HOUR)
    add_row(session, house.zoe, house.later, status=SENT, finished_at=moment + 3 * HOUR)
    add_row(session, house.zoe, None)
    assert not outbox.is_open_after(session, house.letter, moment + 2 * HOUR)
    add_row(session, house.ana, house.later)
    assert outbox.is_open_after(session, house.later, moment)


def test_who_had_an_edition_or_a_campaign_is_told_from_others(
    session: Session, house: House
) -> None:
    statuses = {house.ana: SENT, house.bea: QUEUED, house.cleo: IN_DOUBT}
    for number, (reader, status) in enumerate(statuses.items()):
        add_row(session, reader, house.letter, status=status, cursor=number)
    add_row(session, house.zoe, house.letter, status=FAILED, cursor=1)
    add_row(session, house.zoe, house.other, status=SENT, cursor=0)

    def pick(condition: object) -> list[int]:
        query = select(Subscription.id).where(condition).order_by(Subscription.id)  # type: ignore[arg-type]
        return list(session.scalars(query))

    ana, bea, cleo, zoe = (row.id for row in (house.ana, house.bea, house.cleo, house.zoe))
    letter = house.letter.id
    other = house.other.id
    assert pick(outbox.was_mailed_clause([letter])) == [ana, bea, cleo]
    assert pick(outbox.was_mailed_clause([other])) == [zoe]
    assert pick(outbox.was_mailed_clause([])) == []
    assert pick(outbox.had_edition_clause([(letter, 1)])) == [zoe, bea]
    assert pick(outbox.had_edition_clause([(letter, 2), (other, 0)])) == [zoe, cleo]
    assert pick(outbox.had_edition_clause([])) == []
    assert pick(outbox.without_delivery_clause(house.other)) == [ana, bea, cleo]
    assert session.scalars(outbox.recipients_query(house.other)).all() == [zoe]
