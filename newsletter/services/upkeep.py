"""Throws away what has served: sign-ups nobody confirmed, and counters of windows long past."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, select

from newsletter.db import transaction
from newsletter.models import Counter, Subscriber, Subscription
from newsletter.services import moving
from newsletter.services.environment import Environment

UNCONFIRMED_FOR = timedelta(days=14)
COUNTERS_FOR = timedelta(days=2)


def tidy(env: Environment) -> None:
    """Deletes unconfirmed subscriptions after 14 days, with subscribers who are left with none, and old counters."""
    now = env.now
    with transaction() as session:
        session.execute(
            delete(Subscription).where(
                Subscription.status == "pending",
                Subscription.confirmed_at.is_(None),
                Subscription.confirmation_at < now - UNCONFIRMED_FOR,
            )
        )
        alone = ~exists(select(Subscription.id).where(Subscription.subscriber_id == Subscriber.id))
        session.execute(delete(Subscriber).where(alone, Subscriber.created_at < now - UNCONFIRMED_FOR))
        moving.tidy(env, session)
        before = (now - COUNTERS_FOR).timestamp()
        sent = Counter.name.startswith("pace/")  # counted in milliseconds
        kept = Counter.name == "warmup"  # when the first message went
        session.execute(delete(Counter).where(~sent, ~kept, Counter.starts_at < before))
        session.execute(delete(Counter).where(sent, Counter.starts_at < before * 1000))
