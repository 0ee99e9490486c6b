"""Send test mails of letters that programs have requested through the API."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from newsletter.addresses import fold_address, parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import NewsletterError, TooMany
from newsletter.mail.smtp.types import Result
from newsletter.models import Author, RequestedTest
from newsletter.services import counters
from newsletter.services.letters import drafts, rendering
from newsletter.services.runtime import Environment
from newsletter.services.sending import trial
from newsletter.services.suppressions import hash_address

PER_MAILBOX = 6
"""Tests a day to a mailbox that is not an author's."""
PER_HOUR = 60
"""Tests an hour in total."""

log = logging.getLogger("newsletter.worker")


def request_test(env: Environment, campaign_id: int, to: str) -> None:
    """Queue a test of a draft to one address, for a worker to send.

    Raises `InvalidInput`, `NotFound`, `Refused` for a campaign that is no letter, and `TooMany`.
    """
    address = parse_address(to, field="to")
    drafts.load_draft(env, campaign_id, offline=True)
    with transaction() as session:
        _count(env, session, address.key)
        test = RequestedTest(campaign_id=campaign_id, email=address.email, created_at=env.now)
        session.add(test)


def _count(env: Environment, session: Session, email_key: str) -> None:
    """Count a test against the limits of its mailbox and in total.

    Raises `TooMany`; then the caller's transaction is rolled back, and nothing was counted.
    """
    now = int(env.now.timestamp())
    if counters.increment(session, "test/all", now=now, seconds=counters.HOUR) > PER_HOUR:
        raise TooMany(
            f"more than {PER_HOUR} tests in an hour",
            retry_after=counters.HOUR - now % counters.HOUR,
        )
    is_author = exists().where(Author.email_key == email_key, Author.revoked_at.is_(None))
    if session.scalar(select(is_author)):
        return
    mailbox = hash_address(env, fold_address(email_key))[0][:40]
    name = f"test/to/{mailbox}"
    if counters.increment(session, name, now=now, seconds=counters.A_DAY) > PER_MAILBOX:
        raise TooMany(
            f"more than {PER_MAILBOX} tests in a day to one mailbox that is no author's",
            retry_after=counters.A_DAY - now % counters.A_DAY,
        )


def send_requested(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Send the requested tests, each once; return the number of accepted messages."""
    accepted = 0
    while not stop():
        with reading() as session:
            row = session.scalars(select(RequestedTest).order_by(RequestedTest.id)).first()
            if row is None:
                return accepted
            test_id = row.id
            campaign_id = row.campaign_id
            email = row.email
        with transaction() as session:
            result = session.execute(delete(RequestedTest).where(RequestedTest.id == test_id))
            if not result.rowcount:  # type: ignore[attr-defined]
                continue
        accepted += _send(env, campaign_id, email)
    return accepted


def _send(env: Environment, campaign_id: int, email: str) -> int:
    try:
        draft = drafts.load_draft(env, campaign_id, offline=True)
        outcomes = [
            trial.send_test(env, draft.slug, rendering.fill_version(env, version, None), to=email)
            for version in draft.prepared.versions
        ]
    except NewsletterError as error:
        log.error("the test of campaign %s was not mailed: %s", campaign_id, error)
        return 0
    return sum(outcome.result == Result.ACCEPTED for outcome in outcomes)
