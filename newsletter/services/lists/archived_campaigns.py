"""List the campaigns of a mailing list that stand in its public archive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Campaign, Edition, MailingList
from newsletter.services.list_look import ListLook, look_of
from newsletter.services.lookup import get_list
from newsletter.vocabulary import CampaignKind, CampaignStatus

_PUBLIC = (
    MailingList.slug == bindparam("slug"),
    Campaign.started_at.is_not(None),
    Campaign.status.in_((CampaignStatus.SENT, CampaignStatus.SENDING)),
    # A letter to a segment is not public.
    Campaign.segment == "",
    Campaign.kind != CampaignKind.PERMISSION,
)
_QUERY = (
    select(Campaign.handle, Campaign.subject, Campaign.started_at)
    .join(MailingList)
    .where(*_PUBLIC, Campaign.repeats.is_(False))
    .order_by(Campaign.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
"""Built once, because it is run for each visitor of a list's page."""


@dataclass(frozen=True, slots=True)
class ArchiveOwner:
    """The list whose archive is shown, without numbers: to count them costs each visitor time."""

    slug: str
    title: str
    language: str
    from_name: str
    look: ListLook


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


def get_archive_owner(slug: str) -> ArchiveOwner:
    """Return the list called `slug` as its archive shows it.

    Raises `NotFound`.
    """
    with reading() as session:
        row = get_list(session, slug)
        return ArchiveOwner(row.slug, row.title, row.language, row.from_name, look_of(row))


def get_archived_html(slug: str, handle: str) -> str:
    """Return the HTML of a public campaign of a list: its widest edition, with slots.

    Raises `NotFound`.
    """
    query = (
        select(Edition.html)
        .join(Campaign, Campaign.id == Edition.campaign_id)
        .join(MailingList)
        .where(*_PUBLIC, Campaign.handle == bindparam("handle"))
        .order_by(Edition.cursor, Edition.language)
        .limit(1)
    )
    with reading() as session:
        html: str | None = session.scalar(query, {"slug": slug, "handle": handle})
    if html is None:
        raise NotFound("no such campaign")
    return html
