"""Write and list the audit log of authors: each act is recorded before it runs."""

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
"""Acts on one page of the audit log."""
SUBJECT_AT_MOST = 80
"""Characters of an act's subject; longer ones, from addresses that do not exist, are cut."""
ONE_ACT_FOR = timedelta(minutes=10)
"""The same act repeated within this time, such as saving a draft, is recorded once."""


@dataclass(frozen=True, slots=True)
class ActView:
    """One act in the audit log: its author, action, subject and outcome."""

    id: int
    at: datetime
    author: str
    act: str
    subject: str
    outcome: ActOutcome


@dataclass(frozen=True, slots=True)
class ActPage:
    """A page of the audit log, newest first; `next` is the following page's key, 0 on the last."""

    acts: tuple[ActView, ...]
    next: int


def find_running_act(env: Environment, author_id: int, act: str, subject: str) -> int | None:
    """Return the id of an author's latest act if it was the same one, within `ONE_ACT_FOR`."""
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
    """Record that an author begins an act, and return its id."""
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
    """Tell whether the audit log holds an earlier act of this kind by an author."""
    query = select(AuthorAct.id).where(AuthorAct.author_id == author_id, AuthorAct.act == act)
    return session.scalar(query.limit(1)) is not None


def record_act(session: Session, author_id: int, act: str, subject: str, now: datetime) -> None:
    """Record an act that the same transaction carries out."""
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
