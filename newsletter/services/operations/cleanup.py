"""Delete what has expired: requests nobody confirmed, old counters, events, addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import delete, exists, or_, select

from newsletter.db.session import checkpoint, transaction
from newsletter.models import Counter, Subscriber, Subscription, SubscriptionRequest
from newsletter.services import (
    bounce_events,
    consent,
    idempotency,
    mailbox_limits,
    sender_state,
    webhook_delivery,
)
from newsletter.services.authors.acts import delete_old_acts
from newsletter.services.authors.log_in import delete_old_logins
from newsletter.services.campaigns import tapped_answers
from newsletter.services.campaigns.folding import fold_old_deliveries
from newsletter.services.campaigns.totals import recount_finished
from newsletter.services.digests.reviews import delete_old_reviews
from newsletter.services.events import delete_old_events
from newsletter.services.inbound.forwarding import delete_forwarded
from newsletter.services.letters.unused_pictures import delete_unused
from newsletter.services.mailbox_limits import Allowance
from newsletter.services.runtime import Environment
from newsletter.services.signup import confirmations
from newsletter.services.subscribers import address_change, reconfirmation
from newsletter.services.subscription_state import expire_unconfirmed
from newsletter.services.transfer.import_files import delete_old_files
from newsletter.services.unforeseen import run_each

UNCONFIRMED_FOR = timedelta(days=14)
"""Retention of requests that nobody has confirmed."""
COUNTERS_FOR = timedelta(days=2)
"""Retention of counters: twice the longest window of one."""
PERMANENT = ("warmup", "backup/last")
"""Counters that are never deleted: times of the first message and of the last backup."""
PERMANENT_KINDS = ("metrics/", "told/", "backfill/")
"""Prefixes of counters that are never deleted: metrics, reported troubles, progress of backfills.
"""
WAITING_AT_ONCE = 500
"""Withheld confirmations that one run queues at most; the next run continues."""


def clean_up(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Delete what has expired, and fold old deliveries.

    Requests that were not confirmed within 14 days end, and subscribers without a subscription go
    with them. IP addresses of old evidence are cut to their network.
    """
    now = env.now
    with transaction() as session:
        expire_unconfirmed(session, now - UNCONFIRMED_FOR, now)
        session.execute(
            delete(SubscriptionRequest).where(
                SubscriptionRequest.created_at < now - UNCONFIRMED_FOR
            )
        )
        mailbox_limits.delete_old_mailboxes(session, now)
        alone = ~exists(select(Subscription.id).where(Subscription.subscriber_id == Subscriber.id))
        session.execute(
            delete(Subscriber).where(alone, Subscriber.created_at < now - UNCONFIRMED_FOR)
        )
        address_change.delete_old_changes(env, session)
        delete_old_events(session, now)
        delete_old_acts(session, now)
        delete_old_reviews(session, now)
        delete_old_logins(session, now)
        idempotency.delete_old_answers(session, now)
        webhook_delivery.delete_old_messages(session, now)
        recount_finished(session, now)
        bounce_events.delete_old(session, now)
        before = (now - COUNTERS_FOR).timestamp()
        is_pace = Counter.name.startswith("pace/")  # counted in milliseconds
        is_permanent = or_(
            Counter.name.in_(PERMANENT), *map(Counter.name.startswith, PERMANENT_KINDS)
        )
        session.execute(delete(Counter).where(~is_pace, ~is_permanent, Counter.starts_at < before))
        session.execute(delete(Counter).where(is_pace, Counter.starts_at < before * 1000))
        sender_state.delete_old_states(session, now)
    run_each(
        delete_forwarded,
        partial(delete_old_files, env),
        partial(delete_unused, env),
        partial(_ask_withheld, env),
        partial(reconfirmation.settle, env),
        partial(_shorten_addresses, env),
        partial(tapped_answers.fold_old_answers, env, stop=stop),
        partial(fold_old_deliveries, env, stop=stop),
        checkpoint,
    )


def _shorten_addresses(env: Environment) -> None:
    cut = consent.CUT_AT_ONCE
    while cut == consent.CUT_AT_ONCE:
        with transaction() as session:
            cut = consent.shorten_old_addresses(
                session, kept_for=env.settings.signup.keep_ip, now=env.now
            )


def _ask_withheld(env: Environment) -> None:
    """Queue confirmations that a mailbox's daily limit had withheld, one a day for each mailbox."""
    with transaction() as session:
        for subscriber in confirmations.find_withheld(session, limit=WAITING_AT_ONCE):
            confirmations.queue_withheld(env, session, subscriber, Allowance.ASKED)
