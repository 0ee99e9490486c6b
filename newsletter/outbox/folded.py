"""Store, read and delete the bits of folded deliveries (`FoldedDelivery`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    false,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from newsletter.models import Campaign, Subscriber, Subscription
from newsletter.models.outbox import CAMPAIGNS_A_ROW
from newsletter.outbox.types import DeliveryRow, deliveries, folded
from newsletter.vocabulary import CampaignKind, DeliveryStatus, MailKind

_MAILS = {
    CampaignKind.DIGEST: MailKind.DIGEST,
    CampaignKind.LETTER: MailKind.LETTER,
    CampaignKind.PERMISSION: MailKind.PERMISSION,
}


@dataclass(frozen=True, slots=True)
class FoldedMessage:
    """A folded message of a campaign to a subscription: its edition and status."""

    campaign_id: int
    cursor: int
    status: DeliveryStatus


def keep(session: Session, campaign: Campaign, step: ColumnElement[bool]) -> None:
    """Set the bit of a campaign for the subscriptions of its deliveries in `step`."""
    block, bit = _find_block(campaign.id)
    columns = deliveries.c
    had = select(
        columns.subscription_id, literal(block), columns.cursor, columns.status, literal(bit)
    ).where(step, columns.subscription_id.is_not(None))
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = (postgresql if on_postgresql else sqlite).insert(folded)
    # In the order of subscriptions, so that two campaigns at once do not wait for each other.
    rows = insert.from_select(
        [column.name for column in folded.c], had.order_by(columns.subscription_id)
    )
    bits = folded.c.campaigns.bitwise_or(rows.excluded.campaigns)
    session.execute(
        rows.on_conflict_do_update(
            index_elements=list(folded.primary_key), set_={"campaigns": bits}
        )
    )


def had_folded_clause(
    campaign_ids: Collection[int], *, statuses: Collection[DeliveryStatus]
) -> ColumnElement[bool]:
    """Build the condition for subscriptions that had one of these, in one of these statuses."""
    return _had_clause(_make_masks(campaign_ids), folded.c.status.in_(statuses))


def had_folded_edition_clause(editions: Collection[tuple[int, int]]) -> ColumnElement[bool]:
    """Build the condition for subscriptions of these editions, (campaign id, number)."""
    numbers = sorted({number for _, number in editions})
    return or_(
        false(),
        *(
            _had_clause(
                _make_masks(id_ for id_, one in editions if one == number),
                folded.c.cursor == number,
            )
            for number in numbers
        ),
    )


def _had_clause(masks: dict[int, int], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    one_of = (
        and_(folded.c.block == block, folded.c.campaigns.bitwise_and(mask) != 0)
        for block, mask in sorted(masks.items())
    )
    return exists().where(
        folded.c.subscription_id == Subscription.id, condition, or_(false(), *one_of)
    )


def read_messages(session: Session, subscription_id: int) -> list[FoldedMessage]:
    """Return the folded messages of one subscription, in the order of their campaigns."""
    query = select(folded).where(folded.c.subscription_id == subscription_id)
    messages = (
        FoldedMessage(campaign_id, row.cursor, row.status)
        for row in session.execute(query)
        for campaign_id in _list_campaign_ids(row.block, row.campaigns)
    )
    return sorted(messages, key=lambda message: message.campaign_id)


def list_folded(
    session: Session, subscription_id: int, *, campaign_id: int | None = None
) -> list[DeliveryRow]:
    """List the folded deliveries of one subscription, oldest first, at the end of each campaign.

    With `campaign_id`, only that of one campaign.
    """
    messages = {
        message.campaign_id: message
        for message in read_messages(session, subscription_id)
        if campaign_id in (None, message.campaign_id)
    }
    if not messages:
        return []
    email = session.scalar(
        select(Subscriber.email)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscription.id == subscription_id)
    )
    campaigns = select(Campaign.id, Campaign.kind, Campaign.finished_at)
    of_these = campaigns.where(Campaign.id.in_(messages)).order_by(Campaign.id)
    return [
        DeliveryRow(
            0,
            row.id,
            _MAILS[row.kind],
            email or "",
            messages[row.id].status,
            attempts=int(messages[row.id].status != DeliveryStatus.CANCELLED),
            doubts=0,
            code=None,
            text="",
            due_at=None,
            finished_at=row.finished_at,
        )
        for row in session.execute(of_these)
    ]


def forget_folded(session: Session, subscription_ids: Sequence[int]) -> None:
    """Delete the folded deliveries of these subscriptions, which stay in the totals."""
    theirs = folded.c.subscription_id.in_(subscription_ids)
    # In one order, so that two erasures at once do not wait for each other.
    query = select(folded).where(theirs).order_by(folded.c.subscription_id, folded.c.block)
    ids = {
        campaign_id
        for row in session.execute(query.with_for_update())
        for campaign_id in _list_campaign_ids(row.block, row.campaigns)
    }
    if not ids:
        return
    of_these = Campaign.id.in_(ids)
    session.execute(select(Campaign.id).where(of_these).order_by(Campaign.id).with_for_update())
    session.execute(update(Campaign).where(of_these).values(erased=Campaign.erased + 1))
    session.execute(delete(folded).where(theirs))


def _find_block(campaign_id: int) -> tuple[int, int]:
    """Return the block of a campaign, and its bit in the block."""
    block, place = divmod(campaign_id, CAMPAIGNS_A_ROW)
    return block, 1 << place


def _make_masks(campaign_ids: Iterator[int] | Collection[int]) -> dict[int, int]:
    """Return the bits of some campaigns by block."""
    masks: defaultdict[int, int] = defaultdict(int)
    for block, bit in map(_find_block, campaign_ids):
        masks[block] |= bit
    return masks


def _list_campaign_ids(block: int, bits: int) -> list[int]:
    first = block * CAMPAIGNS_A_ROW
    return [first + place for place in range(CAMPAIGNS_A_ROW) if bits >> place & 1]
