"""A run offers single mails first, then retries, then slices, then what must go alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.models import Delivery, Lease, Subscription
from newsletter.outbox import DeliveryUpdate
from newsletter.services import workers
from newsletter.services.runtime import Environment
from newsletter.services.sending.work_queue import ALONE_WAIT, FRESH_SECONDS, WorkQueue
from newsletter.vocabulary import CampaignStatus, DeliveryStatus, SubscriptionStatus
from tests.fakes import START
from tests.outbox_rows import IN_DOUBT, QUEUED, House, add_house, add_row


@pytest.fixture
def queue(env: Environment) -> Iterator[WorkQueue]:
    queue = WorkQueue(env, campaign_id=None)
    yield queue
    queue.ledger.close()


def add_letter(session: Session, house: House) -> dict[str, int]:
    """Add a letter with a slice of two rows, a retry, and one that was in flight at a crash."""
    ids = {
        "crashed": add_row(session, house.zoe, house.letter, due_at=START, crashes=1),
        "first": add_row(session, house.ana, house.letter),
        "other": add_row(session, house.zoe, house.other),
        "second": add_row(session, house.bea, house.letter),
        "retry": add_row(session, house.cleo, house.letter, due_at=START),
    }
    for campaign in (house.letter, house.other):
        campaign.leased_id = campaign.first_id - 1
    return ids


def offer(queue: WorkQueue) -> int | float | None:
    """Offer the next row, as a run does, and return its id; or what `next` returned."""
    following = queue.next()
    if following is None or isinstance(following, float):
        return following
    line, row = following
    assert queue.allow(line, row)
    line.flying[row.id] = row
    return row.id


def finish(queue: WorkQueue, id_: int) -> None:
    """Take the outcome of a message, which a server has accepted."""
    line, row = queue.land(id_)
    assert row.id == id_
    line.updates.append(DeliveryUpdate(id_, DeliveryStatus.SENT, 250, "ok"))
    queue.recording.write()


def test_the_order_in_which_rows_go(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        ids = add_letter(session, house)
        alone = add_row(session, house.ana, None, due_at=START, crashes=1)
        single = add_row(session, house.ana, None, due_at=START)
    assert offer(queue) == single
    assert offer(queue) == ALONE_WAIT, "something is in flight"
    finish(queue, single)
    assert offer(queue) == alone
    assert offer(queue) == ALONE_WAIT, "it is alone"
    finish(queue, alone)
    assert [offer(queue) for _ in range(4)] == [
        ids[name] for name in ("other", "retry", "first", "second")
    ]
    assert offer(queue) == ALONE_WAIT
    for name in ("retry", "first", "other", "second"):
        finish(queue, ids[name])
    assert offer(queue) == ids["crashed"]
    finish(queue, ids["crashed"])
    assert offer(queue) is None
    with pytest.raises(KeyError):
        queue.land(single)
    assert queue.campaigns == {house.letter.id, house.other.id}
    queue.give_back(all_known=True)
    with reading() as session:
        assert session.scalars(select(Lease)).all() == []


def test_a_mail_that_comes_meanwhile_goes_before_the_rest_of_a_letter(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        ids = add_letter(session, house)
    assert offer(queue) == ids["other"]
    assert offer(queue) == ids["retry"]
    with transaction() as session:
        late = [add_row(session, house.ana, None, due_at=START) for _ in range(2)]
    assert offer(queue) == ids["first"], "it was looked for a moment ago"
    queue._looked_at -= FRESH_SECONDS
    assert [offer(queue) for _ in range(3)] == [*late, ids["second"]]


def test_one_campaign_only_or_single_mails_only(env: Environment) -> None:
    with transaction() as session:
        house = add_house(session)
        ids = add_letter(session, house)
        single = add_row(session, house.ana, None, due_at=START)
        letter = house.letter.id
    queue = WorkQueue(env, campaign_id=letter)
    assert [offer(queue) for _ in range(4)] == [
        single,
        *(ids[name] for name in ("retry", "first", "second")),
    ]
    assert queue.campaigns == {letter}
    queue.ledger.close()
    queue = WorkQueue(env, campaign_id=None, bulk=False)
    assert offer(queue) is None
    queue.ledger.close()


def test_the_end_of_bulk_leaves_single_mails(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        add_letter(session, house)
        mails = [add_row(session, house.ana, None, due_at=START) for _ in range(2)]
    assert offer(queue) == mails[0]
    begun = queue._lease_bulk()
    assert begun is not None
    assert begun.rows
    queue.end_bulk()
    assert not begun.rows
    assert offer(queue) == mails[1]
    assert offer(queue) is None
    queue.give_back(all_known=True)


def test_a_row_that_was_put_back_goes_next(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        ids = add_letter(session, house)
    assert offer(queue) == ids["other"]
    assert offer(queue) == ids["retry"]
    following = queue.next()
    assert isinstance(following, tuple)
    line, row = following
    assert row.id == ids["first"]
    queue.put_back(line, row)
    assert line.after_id == row.id - 1
    line.read_at -= FRESH_SECONDS
    assert [offer(queue), offer(queue)] == [ids["first"], ids["second"]]


def test_what_was_read_a_second_ago_is_read_again(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        mails = [add_row(session, house.ana, None, due_at=START) for _ in range(3)]
        ana = house.ana.id
    assert offer(queue) == mails[0]
    with transaction() as session:
        session.get_one(Subscription, ana).status = SubscriptionStatus.UNSUBSCRIBED
    following = queue.next()
    assert isinstance(following, tuple)
    assert following[1].status == SubscriptionStatus.ACTIVE
    following[0].read_at -= FRESH_SECONDS
    following = queue.next()
    assert isinstance(following, tuple)
    assert (following[1].id, following[1].status) == (mails[2], SubscriptionStatus.UNSUBSCRIBED)


def test_a_campaign_that_is_paused_has_no_rows_and_others_go_on(queue: WorkQueue) -> None:
    with transaction() as session:
        house = add_house(session)
        ids = add_letter(session, house)
    assert [offer(queue) for _ in range(3)] == [ids[name] for name in ("other", "retry", "first")]
    with transaction() as session:
        single = add_row(session, house.ana, None, due_at=START)
        more = add_row(session, house.ana, house.other, due_at=START)
    queue.drop_campaign(house.letter.id)
    queue._looked_at = float("-inf")
    with transaction() as session:
        session.merge(house.letter).status = CampaignStatus.PAUSED
    assert [offer(queue), offer(queue), offer(queue)] == [single, more, None]


def test_a_lease_that_was_taken_over_offers_nothing_more(queue: WorkQueue) -> None:
    with transaction() as session:
        add_letter(session, add_house(session))
    following = queue.next()
    assert isinstance(following, tuple)
    line, row = following
    with transaction() as session:
        session.execute(update(Lease).values(id=Lease.id + 1000))
    assert queue.allow(line, row._replace(id=line.through_id)), "that was promised before"
    assert not queue.allow(line, row)
    assert queue.recording.lost
    assert not line.rows


@pytest.mark.parametrize("all_known", [True, False])
def test_a_lease_with_messages_of_unknown_outcome_is_not_given_back(
    queue: WorkQueue, all_known: bool
) -> None:
    with transaction() as session:
        house = add_house(session)
        mails = [add_row(session, house.ana, None, due_at=START) for _ in range(2)]
    assert offer(queue) == mails[0]
    queue.give_back(all_known=all_known)
    with reading() as session:
        leases = session.scalars(select(Lease)).all()
        held = session.scalars(select(Delivery.id).where(Delivery.lease_id.is_not(None))).all()
    assert (len(leases), held) == ((0, []) if all_known else (1, mails))


def test_only_sqlite_forgets_what_was_noted_before_the_machine_stopped(
    queue: WorkQueue, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "is_before_restart", lambda _: True)
    with transaction() as session:
        house = add_house(session)
        id_ = add_row(session, house.ana, house.letter)
        lease = Lease(worker="gone", expires_at=0, campaign_id=house.letter.id)
        lease.first_id = lease.last_id = id_
        lease.through_id = id_ - 1
        session.add(lease)
    assert queue.recover() == (1 if database_kind == "sqlite" else 0)
    with reading() as session:
        status = session.get_one(Delivery, id_).status
    assert status == (IN_DOUBT if database_kind == "sqlite" else QUEUED)
