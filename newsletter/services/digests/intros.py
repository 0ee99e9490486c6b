"""What an author says at the head of the next digest: written once, carried once to the readers of
each rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_lines
from newsletter.models import DigestIntro
from newsletter.schedule import CADENCES
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

INTRO_AT_MOST = 5000


@dataclass(frozen=True, slots=True)
class Intro:
    """Markdown that waits for the next digest of one cadence."""

    id: int
    cadence: str
    text: str
    created_at: datetime


def write_intro(
    env: Environment, slug: str | None, text: str, cadence: Cadence | None = None
) -> list[Intro]:
    """Put `text` at the head of the next digest of one cadence, or of each that is offered: every
    reader sees it once. What waited there before is replaced. Raises `InvalidInput`.
    """
    words = to_plain_lines(text).strip()
    if not words or len(words) > INTRO_AT_MOST:
        raise InvalidInput({"text": f"write something, and at most {INTRO_AT_MOST} characters"})
    with transaction() as session:
        mailing_list = get_list(session, slug)
        for each in [cadence] if cadence else mailing_list.cadences:
            _clear(session, mailing_list.id, each)
            session.add(
                DigestIntro(list_id=mailing_list.id, cadence=each, text=words, created_at=env.now)
            )
        session.flush()
        return _waiting(session, mailing_list.id)


def clear_intros(slug: str | None, cadence: Cadence | None = None) -> int:
    """Take back what waits.

    Returns for how many rhythms.
    """
    with transaction() as session:
        list_id = get_list(session, slug).id
        before = len(_waiting(session, list_id))
        for each in [cadence] if cadence else CADENCES:
            _clear(session, list_id, each)
        return before - len(_waiting(session, list_id))


def list_intros(slug: str | None) -> list[Intro]:
    """What waits."""
    with reading() as session:
        return _waiting(session, get_list(session, slug).id)


def find_intro(session: Session, list_id: int, cadence: str) -> Intro | None:
    """What the next digest of `cadence` begins with."""
    return next((intro for intro in _waiting(session, list_id) if intro.cadence == cadence), None)


def delete_carried(session: Session, intro: Intro) -> None:
    """Note that a digest carries it.

    What was written in its place meanwhile stays.
    """
    session.execute(delete(DigestIntro).where(DigestIntro.id == intro.id))


def _clear(session: Session, list_id: int, cadence: str) -> None:
    session.execute(
        delete(DigestIntro).where(DigestIntro.list_id == list_id, DigestIntro.cadence == cadence)
    )


def _waiting(session: Session, list_id: int) -> list[Intro]:
    rows = session.scalars(
        select(DigestIntro).where(DigestIntro.list_id == list_id).order_by(DigestIntro.id)
    )
    return [Intro(row.id, row.cadence, row.text, row.created_at) for row in rows]
