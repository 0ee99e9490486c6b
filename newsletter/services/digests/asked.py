"""Compose mails with one post that a program has asked to send immediately.

The request is a moment in the entry's row, so that nothing is composed inside a web request and a
worker that dies loses nothing. Who was mailed the post is not owed it any more, so twice is once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from newsletter.db.session import reading, transaction
from newsletter.models import Entry, MailingList
from newsletter.services.digests import reviews
from newsletter.services.digests.alone import plan_alone
from newsletter.services.digests.compose import ComposedDigest, DueDigest, compose
from newsletter.services.digests.find_due import list_cadences
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.unforeseen import describe_error
from newsletter.vocabulary import Cadence

RETRY_AFTER = timedelta(minutes=5)
"""Delay before a failed request is retried."""
TRIED_FOR = timedelta(minutes=10)
"""Time after which an unfinished request is given up."""


def send_asked(env: Environment) -> list[ComposedDigest]:
    """Compose each requested post for every cadence of its list.

    What changed while it was composed is composed again the next time. What the authors hold or
    review is theirs to send.
    """
    with reading() as session:
        query = (
            select(Entry.id, Entry.list_id, Entry.send_asked_at, MailingList.slug)
            .join(MailingList, MailingList.id == Entry.list_id)
            .where(Entry.send_asked_at <= env.now)
            .order_by(Entry.id)
        )
        rows = session.execute(query).all()
    for list_id in {row.list_id for row in rows}:
        polling.refresh_list(env, list_id)
    digests: list[ComposedDigest] = []
    for entry_id, list_id, since, slug in rows:
        asked_at = since or env.now
        again_at = None
        cadence = Cadence.INSTANT
        try:
            for cadence in _find_owed(env, list_id, entry_id):
                key = f"{entry_id}!{asked_at:%Y%m%dT%H%M%S%f}"
                due = DueDigest(list_id, cadence, key, hasty=True, alone=entry_id)
                composed = compose(env, due)
                digests += [composed] if composed else []
            if _find_owed(env, list_id, entry_id) and env.now - asked_at < TRIED_FOR:
                continue
        except Exception as error:  # such as a list's own template; the other posts go out
            again_at = env.now + RETRY_AFTER
            problem = describe_error(error)
            digests.append(ComposedDigest(slug, cadence, None, "", 0, 0, "", problem=problem))
        _settle(entry_id, asked_at, again_at)
    return digests


def _find_owed(env: Environment, list_id: int, entry_id: int) -> list[Cadence]:
    """Find the cadences whose subscribers are owed an entry, without those that are reviewed."""
    with reading() as session:
        mailing_list = session.get_one(MailingList, list_id)
        return [
            cadence
            for cadence in list_cadences(session, mailing_list)
            if not reviews.find_open(session, list_id, cadence)
            and plan_alone(env, session, mailing_list, cadence, entry_id).decision.subscribers
        ]


def _settle(entry_id: int, asked_at: datetime, again_at: datetime | None) -> None:
    """Mark a request as done or set its next try, unless it was made again meanwhile."""
    with transaction() as session:
        session.execute(
            update(Entry)
            .where(Entry.id == entry_id, Entry.send_asked_at == asked_at)
            .values(send_asked_at=again_at)
        )
