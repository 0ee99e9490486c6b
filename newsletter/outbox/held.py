"""List, release and drop the mails that are held at the gate (`Mail.held`).

They go where a visitor said, and are held until it is known that their domain takes mail and no
flood of sign-ups is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Row, bindparam, delete, func, select, text, update
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.models.outbox import held_clause
from newsletter.outbox.types import deliveries
from newsletter.vocabulary import DeliveryStatus


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A mail that is held at the gate.

    `list_id` and `domain` are None if its subscription is gone.
    `network` is that of the visitor who asked; `proven` tells that they brought a puzzle's
    solution. `to_nobody`: it uses the allowance of a mail, and is none.
    """

    id: int
    list_id: int | None
    domain: str | None
    network: str = ""
    proven: bool = False
    to_nobody: bool = False


_HELD = text(held_clause("deliveries."))
ASKED_AT_ONCE = 20
"""The most mails in one call of `find_untaken`."""
_PLACES = [f"id{number}" for number in range(ASKED_AT_ONCE)]
_UNTAKEN = Prepared(
    select(deliveries.c.id).where(
        deliveries.c.id.in_([bindparam(place) for place in _PLACES]),
        deliveries.c.status.in_((DeliveryStatus.FAILED, DeliveryStatus.CANCELLED)),
        deliveries.c.doubts == 0,
    )
)


def list_held(session: Session, *, after_id: int, limit: int) -> list[HeldMail]:
    """List the held mails, oldest first."""
    query = (
        select(
            deliveries.c.id,
            deliveries.c.context,
            deliveries.c.subscription_id,
            Subscription.list_id,
            Subscriber.email_key,
            SubscriptionRequest.network,
            SubscriptionRequest.proven,
        )
        .outerjoin_from(deliveries, Subscription, Subscription.id == deliveries.c.subscription_id)
        .outerjoin(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .outerjoin(SubscriptionRequest, SubscriptionRequest.delivery_id == deliveries.c.id)
        .where(_HELD, deliveries.c.id > after_id)
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return [_make_held_mail(row) for row in session.execute(query)]


def _make_held_mail(row: Row[*tuple[Any, ...]]) -> HeldMail:
    """Make a row of `list_held`.

    A mail that confirms no request holds in its context the network of the visitor; that to a new
    address also where it goes.
    """
    id_, context, subscription_id, list_id, key, network, proven = tuple(row)
    context = context or {}
    address = key and str(context.get("to") or key)
    domain = address.rpartition("@")[2] if address else context.get("domain")
    network = network or str(context.get("network", ""))
    to_nobody = subscription_id is None and domain is not None
    is_proven = bool(proven or context.get("proven"))
    return HeldMail(id_, list_id, domain, network, is_proven, to_nobody)


def count_held(session: Session, list_id: int) -> int:
    """Count the held mails of one list."""
    query = (
        select(func.count())
        .select_from(deliveries)
        .join(Subscription)
        .where(_HELD, Subscription.list_id == list_id)
    )
    return session.scalar(query) or 0


def find_still_held(session: Session, ids: Sequence[int]) -> set[int]:
    """Return those of `ids` that are still held."""
    return set(session.scalars(select(deliveries.c.id).where(_HELD, deliveries.c.id.in_(ids))))


def release(session: Session, ids: Sequence[int], *, now: datetime) -> int:
    """Release held mails; return their number, which another worker may have reduced."""
    return _update(session, ids, due_at=now)


def drop(session: Session, ids: Sequence[int], why: str, *, now: datetime) -> int:
    """Cancel held mails; return their number."""
    return _update(session, ids, status=DeliveryStatus.CANCELLED, text=why[:500], finished_at=now)


def delete_nobodys(session: Session, ids: Sequence[int]) -> None:
    """Delete the placeholders that passed the gate in place of a mail."""
    is_nobodys = deliveries.c.subscription_id.is_(None)
    session.execute(delete(deliveries).where(_HELD, is_nobodys, deliveries.c.id.in_(ids)))


def find_untaken(session: Session, ids: Sequence[int]) -> set[int]:
    """Find those of a few mails that no server accepted and that are not retried."""
    places = dict.fromkeys(_PLACES, 0) | {f"id{number}": id_ for number, id_ in enumerate(ids)}
    return {row.id for row in _UNTAKEN.run(session, places)}


def _update(session: Session, ids: Sequence[int], **values: object) -> int:
    result = session.execute(
        update(deliveries).where(_HELD, deliveries.c.id.in_(ids)).values(**values)
    )
    return cast("CursorResult[Any]", result).rowcount
