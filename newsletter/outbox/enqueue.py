"""Write the rows of the outbox: queue, freeze, cancel, retry and scrub messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    and_,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from newsletter.db.prepared import Prepared
from newsletter.models import Campaign, Subscription
from newsletter.outbox.folded import had_folded_clause, had_folded_edition_clause
from newsletter.outbox.types import deliveries, of_campaign_clause, unsettled_clause
from newsletter.vocabulary import DeliveryStatus, MailKind

_QUEUED = Prepared(insert(deliveries).returning(deliveries.c.id))
_QUEUED_AS = Prepared(insert(deliveries))


def enqueue(
    session: Session,
    *,
    mail: MailKind,
    subscription_id: int | None,
    now: datetime,
    context: dict[str, Any] | None = None,
    held: bool = False,
    reserved: int | None = None,
) -> int:
    """Queue a single mail, such as a confirmation; return its id, the `reserved` one if any.

    It goes as soon as a worker looks; a `held` one waits until it is let go. Without a subscription
    it is a notice to the list's author, and `context` names the address.
    """
    row = {
        "mail": mail,
        "subscription_id": subscription_id,
        "status": DeliveryStatus.QUEUED,
        "created_at": now,
        "due_at": None if held else now,
        "context": context or {},
    }
    if reserved is not None:
        _QUEUED_AS.run(session, {**row, "id": reserved})
        return reserved
    [queued] = _QUEUED.run(session, row)
    return int(queued.id)


def freeze(
    session: Session,
    campaign: Campaign,
    recipients: Select[int, int],
    *,
    mail: MailKind,
    now: datetime,
) -> int:
    """Freeze a campaign's recipients: insert a row for each (subscription id, cursor) of a query.

    Return how many there are, and note them and their ids on the campaign. A second call adds to
    them (the recipients of a letter's better subject).
    """
    floor = session.scalar(select(func.coalesce(func.max(deliveries.c.id), 0)))
    chosen = recipients.subquery()
    columns = ["subscription_id", "campaign_id", "mail", "cursor", "status", "created_at"]
    rows = select(
        chosen.c[0],
        literal(campaign.id),
        literal(mail.value),
        chosen.c[1],
        literal(DeliveryStatus.QUEUED.value),
        literal(now, deliveries.c.created_at.type),
    ).order_by(chosen.c[0])
    session.execute(insert(deliveries).from_select(columns, rows))
    first, last, count = session.execute(
        select(func.min(deliveries.c.id), func.max(deliveries.c.id), func.count()).where(
            deliveries.c.id > floor, deliveries.c.campaign_id == campaign.id
        )
    ).one()
    if not campaign.recipients:
        campaign.first_id = first or 0
        campaign.last_id = last or 0
        campaign.leased_id = campaign.first_id - 1 if count else 0
    campaign.last_id = last or campaign.last_id
    campaign.recipients += count
    return int(count)


def recipients_query(campaign: Campaign) -> Select[tuple[int]]:
    """Select the subscriptions that a campaign was frozen for."""
    return select(deliveries.c.subscription_id).where(of_campaign_clause(campaign))


def without_delivery_clause(campaign: Campaign) -> ColumnElement[bool]:
    """Build the condition for subscriptions without a row in a campaign."""
    return ~exists().where(
        deliveries.c.campaign_id == campaign.id, deliveries.c.subscription_id == Subscription.id
    )


def had_edition_clause(editions: Collection[tuple[int, int]]) -> ColumnElement[bool]:
    """Build the condition for subscriptions that are recipients of one of these editions.

    An edition is (campaign id, number).
    """
    one_of = (
        and_(deliveries.c.campaign_id == campaign_id, deliveries.c.cursor == number)
        for campaign_id, number in editions
    )
    had = exists().where(deliveries.c.subscription_id == Subscription.id, or_(false(), *one_of))
    return or_(had, had_folded_edition_clause(editions))


def was_mailed_clause(campaign_ids: Collection[int]) -> ColumnElement[bool]:
    """Build the condition for subscriptions that were sent, or may be sent, one of these campaigns.

    What failed or was cancelled reached nobody.
    """
    statuses = (DeliveryStatus.SENT, DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT)
    had = exists().where(
        deliveries.c.subscription_id == Subscription.id,
        deliveries.c.campaign_id.in_(campaign_ids),
        deliveries.c.status.in_(statuses),
    )
    return or_(had, had_folded_clause(campaign_ids, statuses=statuses))


def cancel(
    session: Session,
    subscription_ids: Sequence[int],
    *,
    now: datetime,
    why: str = "the subscriber was removed",
    except_id: int = 0,
) -> int:
    """Cancel every waiting message to these subscriptions, except the delivery `except_id`.

    Returns how many there were.
    """
    others = deliveries.c.id != except_id
    condition = and_(deliveries.c.subscription_id.in_(subscription_ids), others)
    return _cancel(session, condition, now, why)


def cancel_mails(session: Session, ids: Collection[int], *, now: datetime, why: str) -> int:
    """Cancel those of these mails that are waiting; return their number."""
    return _cancel(session, deliveries.c.id.in_(ids), now, why)


def scrub(session: Session, subscription_ids: Sequence[int]) -> None:
    """Delete the personal data (replies, contexts) of these subscriptions' messages."""
    condition = deliveries.c.subscription_id.in_(subscription_ids)
    session.execute(update(deliveries).where(condition).values(text=None, context=null()))


def scrub_old(session: Session, mails: Sequence[MailKind], *, before: datetime) -> None:
    """Delete the personal data of mails of these kinds that were finished before `before`."""
    condition = (
        deliveries.c.mail.in_(mails),
        deliveries.c.finished_at < before,
        deliveries.c.context.is_not(None),
    )
    session.execute(update(deliveries).where(*condition).values(text=None, context=null()))


def cancel_campaign(session: Session, campaign: Campaign, *, now: datetime) -> int:
    """Cancel every waiting message of a campaign; return their number."""
    return _cancel(session, of_campaign_clause(campaign), now, "the campaign was cancelled")


def _cancel(session: Session, condition: Any, now: datetime, why: str) -> int:
    result = session.execute(
        update(deliveries)
        .where(condition, unsettled_clause)
        .values(
            status=DeliveryStatus.CANCELLED, text=why, due_at=None, lease_id=None, finished_at=now
        )
    )
    return cast("CursorResult[Any]", result).rowcount


def retry(session: Session, campaign: Campaign, *, now: datetime) -> int:
    """Queue a campaign's failed and doubtful deliveries again; return their number."""
    counts = dict.fromkeys(("attempts", "doubts", "lost_replies", "crashes"), 0)
    left_in_doubt = and_(
        deliveries.c.status == DeliveryStatus.IN_DOUBT, deliveries.c.due_at.is_(None)
    )
    result = session.execute(
        update(deliveries)
        .where(
            of_campaign_clause(campaign),
            or_(deliveries.c.status == DeliveryStatus.FAILED, left_in_doubt),
        )
        .values(
            status=DeliveryStatus.QUEUED,
            due_at=now,
            finished_at=None,
            code=None,
            text=None,
            **counts,
        )
    )
    return cast("CursorResult[Any]", result).rowcount
