"""List the campaigns of a mailing list that stand in its public archive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.models import Campaign, MailingList
from newsletter.vocabulary import CampaignKind, CampaignStatus

_QUERY = (
    select(Campaign.handle, Campaign.subject, Campaign.started_at)
    .join(MailingList)
    .where(
        MailingList.slug == bindparam("slug"),
        Campaign.started_at.is_not(None),
        Campaign.status.in_((CampaignStatus.SENT, CampaignStatus.SENDING)),
        # A letter to a segment is not public.
        Campaign.segment == "",
        Campaign.kind != CampaignKind.PERMISSION,
        Campaign.repeats.is_(False),
    )
    .order_by(Campaign.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
"""Built once, because it is run for each visitor of a list's page."""


@dataclass(frozen=True, slots=True)
class ArchivedCampaign:
    """A campaign as the archive names it, by its handle."""

    handle: str
    subject: str
    sent_at: datetime


def list_archived(slug: str, *, limit: int = 20) -> tuple[ArchivedCampaign, ...]:
    """Return what was mailed to a list, newest first."""
    with reading() as session:
        return find_archived(session, slug, limit=limit)


def find_archived(session: Session, slug: str, *, limit: int) -> tuple[ArchivedCampaign, ...]:
    """Return what was mailed to a list, newest first, within a transaction."""
    rows = session.connection().execute(_QUERY, {"slug": slug, "limit": limit})
    return tuple(
        ArchivedCampaign(handle, subject, sent_at)
        for handle, subject, sent_at in rows
        if sent_at is not None
    )
