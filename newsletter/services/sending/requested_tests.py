"""Mail the tests of letters that programs asked for; nothing is mailed inside a web request."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import delete, select

from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import NewsletterError
from newsletter.models import RequestedTest
from newsletter.services.letters import drafts, rendering
from newsletter.services.runtime import Environment
from newsletter.services.sending import trial

log = logging.getLogger("newsletter.worker")


def request_test(env: Environment, campaign_id: int, to: str) -> None:
    """Ask for a test of a draft, which the next worker mails to one address.

    Raises `InvalidInput`, `NotFound`, `Refused` for a campaign that is no letter.
    """
    address = parse_address(to, field="to").email
    drafts.load_draft(env, campaign_id, offline=True)
    with transaction() as session:
        session.add(RequestedTest(campaign_id=campaign_id, email=address, created_at=env.now))


def send_requested(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Mail what was asked for, each once; return how many messages were accepted."""
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
    return sum(outcome.result == "accepted" for outcome in outcomes)
