"""Store, list and delete the author's introductions to the next digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.authoring.markdown_parser import parse_markdown
from newsletter.authoring.questions import find_first_line
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_lines
from newsletter.i18n import Text
from newsletter.models import DigestIntro
from newsletter.schedule import CADENCES
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Cadence

INTRO_AT_MOST = 5000
"""Characters of an introduction: two pages, so that the entries still fit into the mail."""


@dataclass(frozen=True, slots=True)
class Intro:
    """Markdown that waits for the next digest of one cadence."""

    id: int
    cadence: Cadence
    text: str
    created_at: datetime


def write_intro(
    env: Environment, slug: str | None, text: str, cadence: Cadence | None = None
) -> list[Intro]:
    """Store an introduction for the next digest of one cadence, or of each that the list offers.

    It replaces what waited there before. Returns what waits now. Raises `InvalidInput`.
    """
    words = to_plain_lines(text).strip()
    if not words or len(words) > INTRO_AT_MOST:
        raise InvalidInput(
            {
                "text": Text(
                    "write something, and at most %(most)s characters",
                    most=INTRO_AT_MOST,
                )
            }
        )
    line = find_first_line(parse_markdown(words))
    if line is not None:
        raise InvalidInput(
            {"text": Text("line %(line)s: one-tap questions are for letters", line=line + 1)}
        )
    with transaction() as session:
        mailing_list = get_list(session, slug)
        for word in [cadence] if cadence else map(Cadence, mailing_list.cadences):
            _delete(session, mailing_list.id, word)
            session.add(
                DigestIntro(list_id=mailing_list.id, cadence=word, text=words, created_at=env.now)
            )
        session.flush()
        return _list_waiting(session, mailing_list.id)


def clear_intros(slug: str | None, cadence: Cadence | None = None) -> int:
    """Delete the introductions of one cadence or of all, and return their number."""
    with transaction() as session:
        list_id = get_list(session, slug).id
        before = len(_list_waiting(session, list_id))
        for word in [cadence] if cadence else CADENCES:
            _delete(session, list_id, word)
        return before - len(_list_waiting(session, list_id))


def list_intros(slug: str | None) -> list[Intro]:
    """Return the introductions that wait for the next digests of a list."""
    with reading() as session:
        return _list_waiting(session, get_list(session, slug).id)


def find_intro(session: Session, list_id: int, cadence: Cadence) -> Intro | None:
    """Return the introduction of the next digest of `cadence`, or None."""
    intros = _list_waiting(session, list_id)
    return next((intro for intro in intros if intro.cadence == cadence), None)


def delete_carried(session: Session, intro: Intro) -> None:
    """Delete an introduction once a digest carries it, unless it was rewritten meanwhile."""
    session.execute(delete(DigestIntro).where(DigestIntro.id == intro.id))


def _delete(session: Session, list_id: int, cadence: Cadence) -> None:
    session.execute(
        delete(DigestIntro).where(DigestIntro.list_id == list_id, DigestIntro.cadence == cadence)
    )


def _list_waiting(session: Session, list_id: int) -> list[Intro]:
    rows = session.scalars(
        select(DigestIntro).where(DigestIntro.list_id == list_id).order_by(DigestIntro.id)
    )
    return [Intro(row.id, row.cadence, row.text, row.created_at) for row in rows]
