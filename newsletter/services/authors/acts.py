"""The record of what authors do on their pages: written before each act, and read by owners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import ActOutcome
from newsletter.db.session import reading, transaction
from newsletter.models import Author, AuthorAct
from newsletter.services.events import KEPT_FOR
from newsletter.services.runtime import Environment

PAGE = 50
"""Acts on one page of the record."""
SUBJECT_AT_MOST = 80
"""Characters of what an act is on; an address may name what does not exist, and be longer."""
ONE_ACT_FOR = timedelta(minutes=10)
"""What an author does again and again within this time, such as saving a draft, is one act."""


@dataclass(frozen=True, slots=True)
class ActView:
    """One act in the record: by whom, what, on what, and how it ended."""

    id: int
    at: datetime
    author: str
    act: str
    subject: str
    outcome: ActOutcome


@dataclass(frozen=True, slots=True)
class ActPage:
    """A page of the record, newest first; `next` is the key of the page after it, 0 on the last."""

    acts: tuple[ActView, ...]
    next: int


def find_running_act(env: Environment, author_id: int, act: str, subject: str) -> int | None:
    """Return the number of an author's latest act if it was this very one, a moment ago."""
    query = (
        select(AuthorAct)
        .where(AuthorAct.author_id == author_id)
        .order_by(AuthorAct.id.desc())
        .limit(1)
    )
    with reading() as session:
        latest = session.scalars(query).first()
        if latest is None or (latest.act, latest.subject) != (act, subject):
            return None
        fresh = latest.at > env.now - ONE_ACT_FOR
        return latest.id if fresh and latest.outcome is ActOutcome.DONE else None


def begin_act(env: Environment, author_id: int, act: str, subject: str) -> int:
    """Record that an author begins to do something, and return the number of the act."""
    with transaction() as session:
        row = AuthorAct(
            at=env.now, author_id=author_id, act=act, subject=subject, outcome=ActOutcome.BEGUN
        )
        session.add(row)
        session.flush()
        return row.id


def end_act(act_id: int, outcome: ActOutcome) -> None:
    """Record how an act ended."""
    with transaction() as session:
        session.execute(update(AuthorAct).where(AuthorAct.id == act_id).values(outcome=outcome))


def has_act(session: Session, author_id: int, act: str) -> bool:
    """Tell whether an author has done something before, as far back as the record goes."""
    query = select(AuthorAct.id).where(AuthorAct.author_id == author_id, AuthorAct.act == act)
    return session.scalar(query.limit(1)) is not None


def record_act(session: Session, author_id: int, act: str, subject: str, now: datetime) -> None:
    """Record something that is done in the same transaction."""
    session.add(
        AuthorAct(at=now, author_id=author_id, act=act, subject=subject, outcome=ActOutcome.DONE)
    )


def list_acts(*, before: int = 0) -> ActPage:
    """List the acts of all authors before a key (0: the newest)."""
    query = (
        select(AuthorAct, Author.email)
        .join(Author, Author.id == AuthorAct.author_id)
        .order_by(AuthorAct.id.desc())
        .limit(PAGE + 1)
    )
    if before:
        query = query.where(AuthorAct.id < before)
    with reading() as session:
        rows = [
            ActView(row.id, row.at, email, row.act, row.subject, row.outcome)
            for row, email in session.execute(query)
        ]
    acts = tuple(rows[:PAGE])
    return ActPage(acts, acts[-1].id if len(rows) > PAGE else 0)


def delete_old_acts(session: Session, now: datetime) -> None:
    """Delete the acts that are older than their retention, which is that of events."""
    session.execute(delete(AuthorAct).where(AuthorAct.at < now - KEPT_FOR))
