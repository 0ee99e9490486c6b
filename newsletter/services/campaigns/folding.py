"""Fold the deliveries of old campaigns into totals, in small transactions (outbox/fold.py).

Of mails of no campaign those that prove no consent are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.models import Campaign
from newsletter.outbox import single_mails
from newsletter.services.campaigns.totals import FINISHED, store_totals
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Folded

ROWS_AT_ONCE = 1_000
"""Deliveries folded in one transaction: other writers wait for these at most."""
STEPS_AT_ONCE = 500
"""Transactions in one run of the clean-up; the next run, an hour later, continues."""
FAILURES_TIMES = 2
"""Factor by which failed deliveries are kept longer: they may be retried, and hold the reason."""


def fold_old_deliveries(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Fold what is older than `keep_deliveries`, and return how many deliveries that were.

    Single mails of that age that prove no consent are deleted.
    """
    kept_for = env.settings.keep_deliveries
    with reading() as session:
        campaign_ids = outbox.find_foldable(
            session,
            before=env.now - kept_for,
            failures_before=env.now - FAILURES_TIMES * kept_for,
        )
    folded = 0
    for campaign_id in campaign_ids:
        after_id = 0
        while not stop() and folded < STEPS_AT_ONCE * ROWS_AT_ONCE:
            ids = _fold_step(env, campaign_id, after_id)
            folded += len(ids)
            if len(ids) < ROWS_AT_ONCE:
                break
            after_id = ids[-1]
    _delete_old_mails(env, stop)
    return folded


def _delete_old_mails(env: Environment, stop: Callable[[], bool]) -> None:
    before = env.now - env.settings.keep_deliveries
    for _ in range(STEPS_AT_ONCE):
        if stop():
            return
        with transaction() as session:
            count = single_mails.delete_passing_mails(session, before=before, limit=ROWS_AT_ONCE)
        if count < ROWS_AT_ONCE:
            return


def _fold_step(env: Environment, campaign_id: int, after_id: int) -> Sequence[int]:
    """Fold a batch of a campaign's deliveries in one transaction, and return their ids.

    Of one that is sent once more meanwhile it folds nothing.
    """
    kept_for = env.settings.keep_deliveries
    with transaction() as session:
        campaign = session.scalar(
            select(Campaign).where(Campaign.id == campaign_id).with_for_update()
        )
        if campaign is None or campaign.finished_at is None or campaign.status not in FINISHED:
            return ()
        if campaign.final_totals is None:
            store_totals(session, campaign)
        failures = campaign.finished_at < env.now - FAILURES_TIMES * kept_for
        if campaign.folded is Folded.ALL or campaign.finished_at >= env.now - kept_for:
            return ()
        return outbox.fold(
            session, campaign, failures=failures, after_id=after_id, limit=ROWS_AT_ONCE
        )
