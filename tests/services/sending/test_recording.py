"""Outcomes are recorded while messages go on: none is lost or counted before it is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import DatabaseError, LeaseLost
from newsletter.models import Delivery, Lease
from newsletter.outbox import DeliveryUpdate, Group, Ledger
from newsletter.outbox.recorder import Recorder
from newsletter.services.runtime import Environment
from newsletter.services.sending.recording import AHEAD, POOL, Recording
from newsletter.services.sending.work_line import RENEW_SECONDS, WorkLine
from newsletter.settings import Settings
from newsletter.vocabulary import DeliveryStatus
from tests.outbox_rows import add_house, add_row
from tests.people import add_reader

ROWS = 6


class SlowRecorder:
    """The recorder of the database in use, whose answer comes when `answers` says so.

    `breaks`: the next group cannot be written at all.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.answers = False
        self.breaks = False
        self.groups: list[Group] = []

    def fileno(self) -> int:
        return 77

    def submit(self, groups: Sequence[Group], *, now: datetime, seconds: int) -> None:
        if self.breaks:
            raise DatabaseError("the disk is full")
        self.groups += groups
        self.recorder.submit(groups, now=now, seconds=seconds)

    def result(self, *, wait: bool) -> set[int] | None:
        if not (wait or self.answers or self.breaks):
            return None
        lost = self.recorder.result(wait=True)
        if self.breaks:
            raise DatabaseError("the disk is full")
        return lost

    def close(self) -> None:
        self.recorder.close()


class Work:
    """A slice of a letter that a worker has read, and one of another list's."""

    def __init__(self, env: Environment) -> None:
        with transaction() as session:
            house = add_house(session)
            for number in range(ROWS):
                reader = add_reader(session, house.blog, f"r{number}@example.com")
                add_row(session, reader, house.letter)
                add_row(session, reader, house.other)
            campaigns = [house.letter, house.other]
            for campaign in campaigns:
                campaign.leased_id = campaign.first_id - 1
            session.flush()
            leases = [
                outbox.lease_slice(session, campaign.id, worker="w:1:1:b", seconds=60)
                for campaign in campaigns
            ]
        self.ledger = Ledger()
        self.slow = SlowRecorder(self.ledger.recorder)
        self.ledger.recorder = self.slow
        self.lines = []
        for batch in leases:
            assert batch is not None
            line = WorkLine(batch, batch.campaign_id, False, batch.first_id - 1, batch.through_id)
            line.rows.extend(self.ledger.read(batch, after_id=0, limit=9))
            self.lines.append(line)
        self.recording = Recording(env, self.ledger, self.lines)
        self.letter, self.other = self.lines

    def take(self, line: WorkLine, count: int = 1) -> list[int]:
        """Note that a server took so many messages."""
        ids = []
        for _ in range(count):
            row = line.rows.popleft()
            line.updates.append(DeliveryUpdate(row.id, DeliveryStatus.SENT, 250, "ok"))
            ids.append(row.id)
        return ids


def list_sent() -> list[int]:
    with reading() as session:
        sent = select(Delivery.id).where(Delivery.status == DeliveryStatus.SENT)
        finished = sent.where(Delivery.campaign_id.is_not(None)).order_by(Delivery.id)
        return list(session.scalars(finished))


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = {"connections": getattr(request, "param", 1)}
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=more)})


@pytest.fixture
def work(env: Environment) -> Iterator[Work]:
    work = Work(env)
    yield work
    work.ledger.close()


@pytest.mark.parametrize(
    ("settings", "pool"), [(1, POOL), (3, POOL), (4, 0), (5, 0)], indirect=["settings"]
)
def test_few_connections_get_a_pool_where_commits_overlap(
    env: Environment, work: Work, pool: int
) -> None:
    connections = env.settings.smtp.connections
    assert (work.recording.pool, work.recording.ahead) == (0, AHEAD * connections)
    assert work.recording.watch() == 77
    assert (work.recording.pool, work.recording.ahead) == (pool, AHEAD * connections + pool)


def test_outcomes_wait_while_others_are_being_written(work: Work) -> None:
    recording = work.recording
    recording.watch()
    first = work.take(work.letter, 2)
    recording.write_behind(2)
    assert recording.count() == 0
    second = work.take(work.letter) + work.take(work.other)
    recording.write_behind(2)
    assert recording.count() == 0
    assert [len(group.updates) for group in work.slow.groups] == [2]
    assert [update.id for update in recording.unwritten] == second
    assert [update.id for update in work.letter.recording] == first
    work.slow.answers = True
    assert recording.count() == 2
    assert [len(group.updates) for group in work.slow.groups] == [2, 1, 1]
    assert recording.unwritten == []
    assert recording.count() == 4
    assert recording.count() == 4
    assert list_sent() == sorted(first + second)
    assert (work.letter.recording, work.letter.updates) == ([], [])


def test_what_a_write_promises_is_known_when_it_is_written(work: Work) -> None:
    recording = work.recording
    recording.watch()
    work.letter.through_id = work.letter.rows[1].id
    work.take(work.letter, 2)
    before = work.letter.through_id
    through_id = work.letter.horizon(recording.ahead)
    assert through_id > before
    recording.write_behind(2)
    assert work.letter.through_id == before
    work.slow.answers = True
    recording.count()
    assert work.letter.through_id == through_id
    with reading() as session:
        assert session.get_one(Lease, work.letter.batch.id).through_id == through_id


def test_all_is_written_before_a_run_goes_on_where_it_must_be(work: Work) -> None:
    recording = work.recording
    recording.watch()
    sent = work.take(work.letter, 2)
    recording.write_behind(2)
    sent += work.take(work.other)
    begun = work.other.renewed_at
    recording.write()
    assert list_sent() == sorted(sent)
    renewed_at = work.other.renewed_at
    assert renewed_at > begun, "with its outcomes"
    recording.write()
    assert work.other.renewed_at == renewed_at, "not for nothing"
    sent += work.take(work.letter)
    recording.write_behind(1)
    sent += work.take(work.letter)
    work.other.renewed_at = time.monotonic() - RENEW_SECONDS - 1
    recording.write_behind(1)
    assert list_sent() == sorted(sent), "a lease was not renewed for long"
    assert not work.other.is_silent
    assert recording.unwritten == []


def test_what_could_not_be_written_is_written_again_in_its_order(work: Work) -> None:
    recording = work.recording
    recording.watch()
    first = work.take(work.letter, 2)
    recording.write_behind(2)
    first += work.take(work.letter)
    work.slow.breaks = True
    with pytest.raises(DatabaseError):
        recording.count()
    assert [update.id for update in recording.unwritten] == first
    assert work.letter.recording == []
    with pytest.raises(DatabaseError):
        recording.write()
    assert [update.id for update in recording.unwritten] == first
    work.slow.breaks = False
    recording.write()
    assert list_sent() == first
    assert work.letter.recording == []


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_lease_that_was_taken_over_stops_the_run(work: Work, is_silent: bool) -> None:
    recording = work.recording
    recording.watch()
    with transaction() as session:
        session.delete(session.get_one(Lease, work.letter.batch.id))
    work.slow.answers = True
    if is_silent:
        work.letter.renewed_at = time.monotonic() - RENEW_SECONDS - 1
    else:
        work.take(work.letter)
    recording.write()
    assert recording.lost
    assert (work.letter.lost, work.letter.ended) == (True, True)
    assert not work.letter.rows
    assert (work.other.lost, work.other.ended) == (False, False)
    with pytest.raises(LeaseLost):
        recording.count()
    work.letter.renewed_at = time.monotonic() - RENEW_SECONDS - 1
    recording.write()
    assert work.lines == [work.other]


def test_a_lease_is_given_back_once_nothing_of_it_is_left(work: Work) -> None:
    recording = work.recording
    sent = work.take(work.letter, ROWS)
    work.letter.end()
    row = work.other.rows.popleft()
    work.other.flying[row.id] = row
    work.other.end()
    recording.write_behind(ROWS)
    assert list_sent() == sent, "nobody watches: it is written at once"
    assert recording.count() == ROWS
    assert work.lines == [work.other]
    with reading() as session:
        leases = session.scalars(select(Lease.id)).all()
        assert leases == [work.other.batch.id], "a message of it is in flight"
    work.other.flying.clear()
    recording.watch()
    recording.write_behind(0)
    assert work.lines == []
    with reading() as session:
        due = select(Delivery.id).where(Delivery.due_at.is_not(None))
        assert len(session.scalars(due).all()) == ROWS, "none of it was taken"
