"""Leases, what dead workers leave, and the gate concern the rows they are meant for, no others."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Campaign, Delivery, Lease, SubscriptionRequest
from newsletter.outbox import held
from newsletter.outbox.held import HeldMail
from newsletter.outbox.lease import LARGE_SLICE, SLICE
from newsletter.vocabulary import Cadence, CampaignStatus, DeliveryStatus, MailKind
from tests.fakes import START
from tests.outbox_rows import (
    CANCELLED,
    FAILED,
    HOUR,
    IN_DOUBT,
    LATE,
    QUEUED,
    SENT,
    House,
    add_row,
    read_row,
)

WORKER = "w:1:1:b"


def test_a_slice_is_what_follows_the_last_one(
    session: Session, house: House, database_kind: str
) -> None:
    letter = house.letter
    other = house.other

    def set_range(campaign: Campaign, leased_id: int, last_id: int) -> None:
        campaign.first_id = leased_id + 1
        campaign.leased_id = leased_id
        campaign.last_id = last_id
        session.flush()

    set_range(letter, 1000, 1000 + SLICE + 1)
    set_range(other, 2000, 2001)

    def lease(campaign_id: int) -> tuple[int, int, int] | None:
        batch = outbox.lease_slice(session, campaign_id, worker=WORKER, seconds=60)
        assert batch is None or batch.campaign_id == campaign_id
        return batch and (batch.first_id, batch.last_id, batch.through_id)

    session.flush()
    assert lease(letter.id) == (1001, 1000 + SLICE, 1000)
    assert lease(letter.id) == (1001 + SLICE, 1001 + SLICE, 1000 + SLICE)
    assert lease(letter.id) is None
    session.refresh(other)
    assert (other.leased_id, session.scalar(select(Lease.through_id))) == (2000, 1000)
    other.status = CampaignStatus.PAUSED
    session.flush()
    assert lease(other.id) is None
    other.status = CampaignStatus.SENDING
    for left, size in ((16 * (SLICE + 1), SLICE + 1), (17 * LARGE_SLICE, LARGE_SLICE)):
        set_range(other, 2000, 2000 + left)
        expected = size if database_kind == "postgresql" else SLICE
        assert lease(other.id) == (2001, 2000 + expected, 2000)
        session.expire_all()


def test_due_rows_are_leased_in_the_order_they_are_due(session: Session, house: House) -> None:
    mails = [add_row(session, house.ana, None, due_at=START - n * HOUR) for n in (0, 2, 1)]
    add_row(session, house.ana, None, due_at=START + HOUR)
    add_row(session, house.ana, None, due_at=START, lease_id=99)
    add_row(session, house.ana, None, due_at=START, status=SENT)
    crashed = add_row(session, house.ana, None, due_at=START, crashes=1)
    crashed_too = add_row(session, house.ana, None, due_at=START, crashes=1)
    retries = [
        add_row(session, house.ana, house.letter, due_at=START),
        add_row(session, house.bea, house.letter, due_at=START, crashes=2, status=IN_DOUBT),
    ]
    add_row(session, house.zoe, house.other, due_at=START)

    def lease(campaign_id: int | None, limit: int, *, alone: bool = False) -> list[int]:
        batch = outbox.lease_due(
            session,
            now=START,
            worker=WORKER,
            seconds=60,
            campaign_id=campaign_id,
            limit=limit,
            alone=alone,
        )
        if batch is None:
            return []
        ids = select(Delivery.id).where(Delivery.lease_id == batch.id).order_by(Delivery.id)
        rows = list(session.scalars(ids))
        assert (batch.first_id, batch.last_id, batch.campaign_id) == (rows[0], rows[-1], None)
        row = session.get_one(Lease, batch.id)
        assert (row.alone, row.worker, row.through_id) == (alone, WORKER, rows[0] - 1)
        return rows

    assert lease(None, 9, alone=True) == [crashed]
    assert lease(None, 2) == mails[1:]
    assert lease(None, 9) == mails[:1]
    assert lease(None, 9) == []
    assert lease(None, 9, alone=True) == [crashed_too]
    assert lease(house.letter.id, 9) == retries[:1]
    assert lease(house.letter.id, 9, alone=True) == retries[1:]


def test_what_a_dead_worker_held_is_told_by_how_far_it_came(session: Session, house: House) -> None:
    letter = house.letter
    offered = [add_row(session, house.ana, letter), add_row(session, house.bea, letter)]
    mine = add_row(session, house.zoe, house.other)
    sent = add_row(session, house.zoe, letter, status=SENT)
    waits = add_row(session, None, letter, due_at=START)
    rest = add_row(session, house.cleo, letter)
    of_next_slice = add_row(session, None, letter)

    def add_lease(worker: str, **values: object) -> int:
        lease = Lease(worker=worker, expires_at=1 << 40, **values)
        session.add(lease)
        session.flush()
        return lease.id

    slice_ = {"campaign_id": letter.id, "first_id": offered[0], "last_id": rest}
    add_lease("dead", **slice_, through_id=offered[1])
    alive = add_lease("alive", campaign_id=house.other.id, first_id=mine, last_id=mine)
    single = add_lease("dead", through_id=10_000)
    single_row = add_row(session, house.ana, None, due_at=START, lease_id=single)
    kept_row = add_row(session, house.ana, None, due_at=START, lease_id=alive)
    count = outbox.recover(session, now=LATE, alive=lambda worker: worker == "alive")
    assert count == 3
    assert session.scalars(select(Lease.id)).all() == [alive]
    for id_ in (*offered, single_row):
        row = read_row(session, id_)
        assert (row.status, row.crashes, row.doubts, row.due_at) == (IN_DOUBT, 1, 1, LATE)
        assert row.lease_id is None
    row = read_row(session, rest)
    assert (row.status, row.crashes, row.doubts, row.due_at) == (QUEUED, 0, 0, LATE)
    assert [read_row(session, id_).due_at for id_ in (mine, of_next_slice)] == [None, None]
    assert (read_row(session, waits).status, read_row(session, waits).due_at) == (QUEUED, START)
    assert read_row(session, kept_row).lease_id == alive
    assert (read_row(session, sent).status, read_row(session, sent).due_at) == (SENT, None)


def test_of_a_forgetful_worker_all_may_have_been_offered(session: Session, house: House) -> None:
    ids = [add_row(session, reader, house.letter) for reader in (house.ana, house.bea)]
    for worker, campaign in (("forgetful", house.letter), ("other", house.other)):
        lease = Lease(worker=worker, expires_at=1 << 40, campaign_id=campaign.id)
        lease.first_id = ids[0]
        lease.last_id = ids[1]
        lease.through_id = ids[0] - 1
        session.add(lease)
    theirs = add_row(session, house.zoe, house.other)
    count = outbox.recover(
        session,
        now=LATE,
        alive=lambda _: False,
        forgetful=lambda worker: worker == "forgetful",
    )
    assert count == 2
    assert read_row(session, theirs).status == QUEUED


@pytest.mark.parametrize(
    ("alone", "crashes", "status", "counted"),
    [
        (False, 0, IN_DOUBT, 1),
        (False, 2, IN_DOUBT, 1),
        (True, 0, IN_DOUBT, 1),
        (True, 1, IN_DOUBT, 2),
        (True, 2, FAILED, 3),
    ],
)
def test_a_message_that_was_alone_too_often_is_set_aside(
    session: Session,
    house: House,
    alone: bool,
    crashes: int,
    status: DeliveryStatus,
    counted: int,
) -> None:
    lease = Lease(worker="dead", expires_at=1 << 40, alone=alone, through_id=10_000)
    session.add(lease)
    session.flush()
    values = {"due_at": START, "crashes": crashes, "doubts": 1}
    id_ = add_row(session, house.ana, None, lease_id=lease.id, **values)  # type: ignore[arg-type]
    theirs = add_row(session, house.zoe, None, lease_id=lease.id + 1, **values)  # type: ignore[arg-type]
    outbox.recover(session, now=LATE, alive=lambda _: False)
    row = read_row(session, id_)
    assert (row.status, row.crashes, row.doubts, row.lease_id) == (status, counted, 2, None)
    ended = status is FAILED
    assert (row.text, row.finished_at) == ((outbox.SET_ASIDE, LATE) if ended else (None, None))
    assert row.due_at == (None if ended else LATE)
    row = read_row(session, theirs)
    assert (row.status, row.crashes, row.doubts) == (QUEUED, crashes, 1)


def test_the_gate_knows_who_asked_for_each_mail(session: Session, house: House) -> None:
    confirm = add_row(session, house.ana, None, mail=MailKind.CONFIRM, context={"network": "other"})
    move = add_row(
        session,
        house.zoe,
        None,
        mail=MailKind.ADDRESS,
        context={"to": "zoe@New.example", "network": "192.0.2.0/24"},
    )
    gone = add_row(session, None, None, mail=MailKind.CONFIRM, context={"to": "x@gone.example"})
    add_row(session, house.ana, None, mail=MailKind.CONFIRM, due_at=START)
    add_row(session, house.ana, None, mail=MailKind.CONFIRM, status=SENT)
    add_row(session, house.ana, None, mail=MailKind.WELCOME)
    plain = add_row(session, house.bea, None, mail=MailKind.CONFIRM)
    for delivery, reader, network in ((confirm, house.ana, "10.0.0.0/8"), (7777, house.bea, "x")):
        session.add(
            SubscriptionRequest(
                subscription_id=reader.id,
                delivery_id=delivery,
                network=network,
                proven=True,
                number=5,
                cadence=Cadence.WEEKLY,
                created_at=START,
            )
        )
    session.flush()
    blog = house.blog.id
    other = house.zoe.list_id
    mails = [
        HeldMail(confirm, blog, "example.com", "10.0.0.0/8", proven=True),
        HeldMail(move, other, "New.example", "192.0.2.0/24"),
        HeldMail(gone, None, None),
        HeldMail(plain, blog, "second.example"),
    ]
    assert held.list_held(session, after_id=0, limit=9) == mails
    assert held.list_held(session, after_id=confirm, limit=2) == mails[1:3]
    assert (held.count_held(session, blog), held.count_held(session, other)) == (2, 1)


def test_the_gate_moves_only_what_it_still_holds(session: Session, house: House) -> None:
    confirm = {"mail": MailKind.CONFIRM}
    ids = [add_row(session, house.ana, None, **confirm) for _ in range(4)]  # type: ignore[arg-type]
    free = add_row(session, house.ana, None, **confirm, due_at=START)  # type: ignore[arg-type]
    assert held.find_still_held(session, [*ids[:2], free]) == set(ids[:2])
    assert held.release(session, [ids[0], free], now=LATE) == 1
    assert held.drop(session, [*ids[:2], free], "x" * 600, now=LATE) == 1
    assert [read_row(session, id_).due_at for id_ in (ids[0], ids[2], free)] == [LATE, None, START]
    row = read_row(session, ids[1])
    assert (row.status, row.text, row.finished_at) == (CANCELLED, "x" * 500, LATE)
    assert held.find_still_held(session, [*ids, free]) == set(ids[2:])


def test_mails_that_no_server_took_are_told_from_those_it_may_have(
    session: Session, house: House
) -> None:
    cases = [(FAILED, 0), (CANCELLED, 0), (FAILED, 1), (CANCELLED, 2), (SENT, 0), (QUEUED, 0)]
    ids = [add_row(session, house.ana, None, status=status, doubts=n) for status, n in cases]
    session.execute(update(Delivery).where(Delivery.id.not_in(ids)).values(status=FAILED))
    assert held.find_untaken(session, ids) == set(ids[:2])
    assert held.find_untaken(session, ids[1:2]) == {ids[1]}
    assert held.find_untaken(session, []) == set()
