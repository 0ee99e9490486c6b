"""Report the results of a campaign: its numbers, and its failed deliveries with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading
from newsletter.models import Campaign
from newsletter.outbox.references import References
from newsletter.outbox.types import DeliveryRow
from newsletter.services import sender_state
from newsletter.services.campaigns import identify
from newsletter.services.campaigns.campaigns import CampaignView, describe_campaign
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import State
from newsletter.vocabulary import CampaignStatus, DeliveryStatus

NOT_DELIVERED = (DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT, DeliveryStatus.CANCELLED)
"""Statuses whose recipients a report lists; waiting ones are only counted."""
PAGE = 1000
"""Deliveries read with one query."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One recipient of a campaign in its report.

    `doubts`: so often a server may have taken the message unheard.
    """

    email: str
    status: DeliveryStatus
    attempts: int
    doubts: int
    code: int | None
    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """A campaign and its numbers.

    `listed`: how many deliveries `iterate_deliveries` yields; `folded`: how many of those asked for
    are only counted any more (`keep_deliveries`); `sending`: what keeps it waiting;
    `left_in_doubt`: how many are not offered again unless the author retries.
    """

    campaign: CampaignView
    listed: int
    folded: int
    sending: tuple[State, ...]
    left_in_doubt: int


def report_campaign(
    env: Environment, campaign_id: int, *, everybody: bool = False
) -> CampaignReport:
    """Return the numbers of a campaign.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        view = describe_campaign(session, campaign)
        waits = campaign.status == CampaignStatus.SENDING
        states = sender_state.read_states(session, env.now) if waits else ()
        totals = view.totals
        count = totals.recipients
        if not everybody:
            count = totals.failed + totals.in_doubt + totals.cancelled
        folded = outbox.count_folded(campaign, None if everybody else NOT_DELIVERED)
        left = outbox.count_left_in_doubt(session, campaign)
        return CampaignReport(view, count - folded, folded, states, left)


def iterate_deliveries(campaign_id: int, *, everybody: bool = False) -> Iterator[DeliveryView]:
    """Yield a campaign's undelivered recipients with reasons, or all recipients, a page at a time.

    Raises `NotFound`.
    """
    after_id = 0
    statuses = None if everybody else NOT_DELIVERED
    while True:
        with reading() as session:
            campaign = identify.get_campaign(session, campaign_id)
            rows = outbox.list_deliveries(
                session, campaign, statuses=statuses, after_id=after_id, limit=PAGE
            )
            page = _describe_rows(session, campaign, rows)
        yield from page
        if len(rows) < PAGE:
            return
        after_id = rows[-1].id


def list_deliveries(
    campaign_id: int, *, after_id: int = 0, limit: int
) -> list[tuple[int, DeliveryView]]:
    """List a page of a campaign's deliveries with their ids, those after `after_id`.

    Raises `NotFound`.
    """
    with reading() as session:
        campaign = identify.get_campaign(session, campaign_id)
        rows = outbox.list_deliveries(session, campaign, after_id=after_id, limit=limit)
        ids = [row.id for row in rows]
        return list(zip(ids, _describe_rows(session, campaign, rows), strict=True))


def _describe_rows(
    session: Session, campaign: Campaign, rows: list[DeliveryRow]
) -> list[DeliveryView]:
    domain = campaign.mailing_list.from_email.rpartition("@")[2]
    references: References = outbox.get_references(session)
    return [
        DeliveryView(
            row.email,
            row.status,
            row.attempts,
            row.doubts,
            row.code,
            row.text,
            references.message_id(row.id, domain),
        )
        for row in rows
    ]
