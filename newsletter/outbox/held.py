"""Confirmations that wait at the gate: held until it is known that their domain takes mail and no flood is on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, text, update
from sqlalchemy.orm import Session

from newsletter.models import Subscriber, Subscription
from newsletter.outbox.types import deliveries


@dataclass(frozen=True, slots=True)
class Waiting:
    """A confirmation at the gate; `list_id` and `domain` are None where its subscription is gone."""

    id: int
    list_id: int | None
    domain: str | None


# As the partial index has it, to the letter: with parameters no planner would know that it fits.
_HELD = text("deliveries.mail = 'confirm' AND deliveries.due_at IS NULL AND deliveries.status = 'queued'")


def held(session: Session, *, after_id: int, limit: int) -> list[Waiting]:
    """Those that wait, oldest first."""
    query = (
        select(deliveries.c.id, Subscription.list_id, Subscriber.email_key)
        .outerjoin_from(deliveries, Subscription, Subscription.id == deliveries.c.subscription_id)
        .outerjoin(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(_HELD, deliveries.c.id > after_id)
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return [Waiting(id_, list_id, key and key.rpartition("@")[2]) for id_, list_id, key in session.execute(query)]


def held_of(session: Session, list_id: int) -> int:
    """How many wait for one list."""
    query = (
        select(func.count()).select_from(deliveries).join(Subscription).where(_HELD, Subscription.list_id == list_id)
    )
    return session.scalar(query) or 0


def still_held(session: Session, ids: Sequence[int]) -> int:
    """How many of these wait still."""
    return session.scalar(select(func.count()).select_from(deliveries).where(_HELD, deliveries.c.id.in_(ids))) or 0


def let_go(session: Session, ids: Sequence[int], *, now: datetime) -> int:
    """Lets confirmations go. Returns how many: another worker may have been quicker."""
    return _update(session, ids, due_at=now)


def drop(session: Session, ids: Sequence[int], why: str, *, now: datetime) -> int:
    """Never sends these. Returns how many there were."""
    return _update(session, ids, status="cancelled", text=why[:500], finished_at=now)


def _update(session: Session, ids: Sequence[int], **values: object) -> int:
    result = session.execute(update(deliveries).where(_HELD, deliveries.c.id.in_(ids)).values(**values))
    return cast("CursorResult[Any]", result).rowcount
