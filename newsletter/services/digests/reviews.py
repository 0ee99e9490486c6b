"""Read the review of a digest that is not sent yet, and close it when the digest is composed.

One such row at most is open for each list and cadence. Every change takes the lock on the list's
row first, as composing does, so that a digest goes out as it was last said, or not yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import DigestReview, MailingList
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

KEPT_FOR = timedelta(days=30)
"""Retention of a closed review, so that its links can say that the digest was sent."""


@dataclass(frozen=True, slots=True)
class Review:
    """The state of a digest that is reviewed or held.

    `entries` are the ids that it may carry, None where nothing is fixed (it is only held).
    `mailed`: its authors were mailed it.
    """

    id: int
    handle: str
    list_id: int
    cadence: Cadence
    key: str
    due_at: datetime | None
    go_at: datetime | None
    entries: tuple[int, ...] | None
    left_out: frozenset[int]
    through: int
    recipients: int
    mails: tuple[int, ...]
    waits: bool
    held: bool
    released: bool
    version: int
    settled: bool

    def is_due(self, now: datetime) -> bool:
        """Tell whether the digest is due."""
        if self.stopped or (self.entries is None and not self.released):
            return False
        return self.go_at is not None and self.go_at <= now

    @property
    def stopped(self) -> bool:
        """Tell whether the digest waits until its author releases it."""
        return self.held or (self.waits and not self.released)


def find_open(session: Session, list_id: int, cadence: Cadence) -> Review | None:
    """Return the review of the next digest of a cadence, or None."""
    row = find_row(session, list_id, cadence)
    return describe_row(row) if row else None


def claim(
    env: Environment, session: Session, list_id: int, cadence: Cadence, review: Review | None
) -> bool:
    """Close a review because its digest is being composed; the list's row is locked.

    Return False if the author has said something since `review` was read.
    """
    row = find_row(session, list_id, cadence)
    if row is None or review is None:
        return row is None and review is None
    if (row.id, row.version) != (review.id, review.version):
        return False
    settle_row(env, session, row)
    return True


def settle_row(env: Environment, session: Session, row: DigestReview) -> None:
    """Close a review: its links expire and its queued mails are cancelled."""
    row.settled_at = env.now
    row.version += 1
    outbox.cancel_mails(session, row.mails, now=env.now, why="its digest has gone out")
    session.flush()


def delete_old_reviews(session: Session, now: datetime) -> None:
    """Delete the reviews that were closed more than `KEPT_FOR` ago."""
    session.execute(delete(DigestReview).where(DigestReview.settled_at < now - KEPT_FOR))


def lock_list(session: Session, list_id: int) -> MailingList:
    """Lock a list's row, as composing does, and return it as it is now."""
    session.execute(
        update(MailingList)
        .where(MailingList.id == list_id)
        .values(entry_seq=MailingList.entry_seq)
        .execution_options(synchronize_session=False)
    )
    return session.get_one(MailingList, list_id, populate_existing=True)


def find_row(session: Session, list_id: int, cadence: Cadence) -> DigestReview | None:
    """Return the open row of a list's cadence as it is now, or None."""
    query = select(DigestReview).where(
        DigestReview.list_id == list_id,
        DigestReview.cadence == cadence,
        DigestReview.settled_at.is_(None),
    )
    row: DigestReview | None = session.scalar(query.execution_options(populate_existing=True))
    return row


def describe_row(row: DigestReview) -> Review:
    """Return the row of a review as a `Review`."""
    return Review(
        id=row.id,
        handle=row.handle,
        list_id=row.list_id,
        cadence=row.cadence,
        key=row.key,
        due_at=row.due_at,
        go_at=row.go_at,
        entries=None if row.entries is None else tuple(row.entries),
        left_out=frozenset(row.left_out),
        through=row.through,
        recipients=row.recipients,
        mails=tuple(row.mails),
        waits=row.waits,
        held=row.held_at is not None,
        released=row.released_at is not None,
        version=row.version,
        settled=row.settled_at is not None,
    )
