"""A worker reads the rows of its lease and writes their outcomes, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import LeaseLost
from newsletter.models import Delivery, Event, Lease
from newsletter.outbox import DeliveryUpdate, Group, LeasedBatch, Ledger
from newsletter.services.runtime import Environment
from newsletter.vocabulary import DeliveryStatus, EventKind, MailKind
from tests.fakes import START
from tests.outbox_rows import (
    CANCELLED,
    FAILED,
    HOUR,
    IN_DOUBT,
    LATE,
    QUEUED,
    SENT,
    add_house,
    add_row,
)
from tests.people import add_reader

WORKER = "w:1:1:b"
WRITTEN = (
    *("id", "status", "code", "text", "attempts", "doubts", "crashes"),
    *("due_at", "finished_at", "lost_replies"),
)


@pytest.fixture
def ledger(env: Environment) -> Iterator[Ledger]:
    ledger = Ledger()
    yield ledger
    ledger.close()


def add_letter(*statuses: DeliveryStatus, worker: str = WORKER) -> tuple[LeasedBatch, list[int]]:
    """Add a letter with these deliveries between another list's, and lease a slice of it."""
    with transaction() as session:
        house = add_house(session)
        ids = []
        for number, status in enumerate(statuses):
            reader = add_reader(session, house.blog, f"r{number}@example.com")
            stranger = add_reader(session, house.blog, f"x{number}@example.com")
            ids.append(add_row(session, reader, house.letter, status=status))
            add_row(session, stranger, house.other)
        house.letter.leased_id = ids[0] - 1
        session.flush()
        batch = outbox.lease_slice(session, house.letter.id, worker=worker, seconds=60)
        assert batch is not None
        return batch, ids


def write(
    ledger: Ledger, batch: LeasedBatch, updates: Sequence[DeliveryUpdate], now: datetime = LATE
) -> set[int]:
    ledger.recorder.submit([Group(batch, batch.last_id, updates)], now=now, seconds=60)
    lost = ledger.recorder.result(wait=True)
    assert lost is not None
    return lost


def list_rows() -> list[tuple[object, ...]]:
    """List what is written of every delivery, by id."""
    with reading() as session:
        return [
            tuple(getattr(row, name) for name in WRITTEN)
            for row in session.scalars(select(Delivery).order_by(Delivery.id))
        ]


def test_a_lease_has_its_own_open_rows_in_order(env: Environment, ledger: Ledger) -> None:
    batch, ids = add_letter(QUEUED, SENT, QUEUED, CANCELLED, QUEUED)
    rows = ledger.read(batch, after_id=0, limit=9)
    assert [row.id for row in rows] == [ids[0], ids[2], ids[4]]
    assert [row.email for row in rows] == [f"r{n}@example.com" for n in (0, 2, 4)]
    assert [row.id for row in ledger.read(batch, after_id=ids[0], limit=1)] == [ids[2]]
    assert (rows[0].created_at, rows[0].context) == (START, None)
    with transaction() as session:
        lease = Lease(worker=WORKER, expires_at=1 << 40)
        session.add(lease)
        session.flush()
        context = {"to": "me@example.com"}
        author = add_row(session, None, None, mail=MailKind.NOTICE, context=context)
        session.get_one(Delivery, author).lease_id = lease.id
        single = LeasedBatch(lease.id, None, author, author, author - 1)
    [row] = ledger.read(single, after_id=0, limit=9)
    assert (row.id, row.status, row.cadence, row.context) == (author, None, None, context)


def test_outcomes_are_written_once_and_for_their_own_row_only(
    env: Environment, ledger: Ledger
) -> None:
    batch, ids = add_letter(QUEUED, QUEUED, QUEUED, QUEUED)
    with transaction() as session:
        session.get_one(Delivery, ids[2]).crashes = 2
        session.get_one(Delivery, ids[3]).crashes = 2
        before = {row.id: row.status for row in session.scalars(select(Delivery))}
    updates = [
        DeliveryUpdate(ids[0], SENT, 250, "Ok" * 300),
        DeliveryUpdate(ids[1], FAILED, 550, "unknown", attempts=1),
        DeliveryUpdate(ids[2], QUEUED, 451, None, attempts=1, due_at=LATE + HOUR, offered=True),
        DeliveryUpdate(ids[3], IN_DOUBT, None, "lost", doubts=1, due_at=LATE, lost_replies=1),
    ]
    assert write(ledger, batch, updates) == set()
    first = list_rows()
    assert write(ledger, batch, updates) == set()
    assert list_rows() == first, "written twice"
    mine = [row for row in first if row[0] in ids]
    assert [row[1:] for row in mine] == [
        (SENT, 250, "Ok" * 250, 0, 0, 0, None, LATE, 0),
        (FAILED, 550, "unknown", 1, 0, 0, None, LATE, 0),
        (QUEUED, 451, None, 1, 0, 0, LATE + HOUR, None, 0),
        (IN_DOUBT, None, "lost", 0, 1, 2, LATE, None, 1),
    ]
    assert {row[0]: row[1] for row in first if row[0] not in ids} == {
        id_: status for id_, status in before.items() if id_ not in ids
    }
    with reading() as session:
        [event] = session.scalars(select(Event)).all()
        assert (event.kind, event.reason, event.campaign_id) == (
            EventKind.DELIVERY_FAILED,
            "550",
            batch.campaign_id,
        )


def test_a_lease_that_was_taken_over_is_told(env: Environment, ledger: Ledger) -> None:
    batch, ids = add_letter(QUEUED, QUEUED)
    ledger.advance(batch, through_id=ids[0], seconds=60)
    with transaction() as session:
        lease = session.get_one(Lease, batch.id)
        assert lease.through_id == ids[0]
        session.delete(lease)
    with pytest.raises(LeaseLost):
        ledger.advance(batch, through_id=ids[0], seconds=60)
    updates = [DeliveryUpdate(ids[0], SENT, 250, ""), DeliveryUpdate(ids[1], FAILED, 550, "no")]
    assert write(ledger, batch, updates) == {batch.id}
    with reading() as session:
        query = select(Delivery.status, Delivery.text).where(Delivery.id.in_(ids))
        rows = session.execute(query.order_by(Delivery.id))
        assert [tuple(row) for row in rows] == [(SENT, None), (QUEUED, None)]
