"""Mail a list what it is owed, because a program asked for it: "send this post now".

The request is a moment in the list's row, so that nothing is composed inside a web request and a
worker that dies loses nothing. What is composed is not owed any more, so twice is once.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from newsletter.db.session import reading, transaction
from newsletter.errors import TemplateProblem
from newsletter.models import MailingList
from newsletter.services.digests import due
from newsletter.services.digests.due import ComposedDigest
from newsletter.services.runtime import Environment

RETRY_AFTER = timedelta(minutes=5)
"""Time after which a list whose template is broken is tried again."""
TRIED_FOR = timedelta(minutes=10)
"""A request of which something is left for so long is over."""


def send_asked(env: Environment) -> list[ComposedDigest]:
    """Compose the digests of each list that was asked for, for every cadence.

    What changed while it was composed is composed again the next time. What the authors hold or
    review is theirs to send.
    """
    columns = MailingList.slug, MailingList.default_cadence, MailingList.send_asked_at
    with reading() as session:
        query = select(*columns).where(MailingList.send_asked_at <= env.now)
        lists = session.execute(query).all()
    digests: list[ComposedDigest] = []
    for slug, cadence, asked_at in lists:
        again_at = None
        try:
            digests += due.send_now(env, slug, with_reviewed=False)
            planned = due.plan_now(env, slug, with_reviewed=False)
            is_left = any(outlook.recipients for outlook in planned)
            if is_left and asked_at and env.now - asked_at < TRIED_FOR:
                continue
        except TemplateProblem as error:
            again_at = env.now + RETRY_AFTER
            digests.append(ComposedDigest(slug, cadence, None, "", 0, 0, "", problem=str(error)))
        with transaction() as session:
            session.execute(
                update(MailingList)
                .where(MailingList.slug == slug, MailingList.send_asked_at == asked_at)
                .values(send_asked_at=again_at)
            )
    return digests
