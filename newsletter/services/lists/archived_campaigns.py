"""List the campaigns in the public archive of a mailing list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, bindparam, select
from sqlalchemy.orm import Session

from newsletter.db.looks import read_alone
from newsletter.db.prepared import Prepared
from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.models import Campaign, Edition, MailingList
from newsletter.services.list_look import ListLook, describe_look
from newsletter.services.lookup import get_list
from newsletter.vocabulary import CampaignStatus

PAGE_LENGTH = 50
"""Campaigns on one page of the archive: a year of weekly mail."""
SEARCH_AT_MOST = 100
"""The most characters of a search: no subject is longer."""

PUBLIC = (
    # Only what went to the whole list, and is no request to confirm again, has a name.
    Campaign.archive_name.is_not(None),
    Campaign.status.in_((CampaignStatus.SENT, CampaignStatus.SENDING)),
)
LISTED = (*PUBLIC, Campaign.repeats.is_(False))
_COLUMNS = (Campaign.handle, Campaign.archive_name, Campaign.subject, Campaign.started_at)
_NEWEST = Prepared(
    select(*_COLUMNS)
    .join(MailingList)
    .where(MailingList.slug == bindparam("slug"), *LISTED)
    .order_by(Campaign.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class ArchiveOwner:
    """The list of an archive page, without counts, which would slow each request down."""

    slug: str
    title: str
    description: str
    language: str
    from_name: str
    look: ListLook


@dataclass(frozen=True, slots=True)
class ArchivedCampaign:
    """A campaign in the archive; `name` is the last part of its page's URL."""

    handle: str
    name: str
    subject: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class ArchiveListing:
    """A page of the archive, newest first; `older` is the beginning of the next page, if any.

    `complete`: it holds the whole archive.
    """

    campaigns: tuple[ArchivedCampaign, ...]
    older: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The campaigns before and after one in the archive, if any."""

    previous: ArchivedCampaign | None
    next: ArchivedCampaign | None


def list_archived(slug: str, *, limit: int = 20) -> tuple[ArchivedCampaign, ...]:
    """Return the campaigns of a list's archive, newest first."""
    return tuple(_read(read_alone(_NEWEST, {"slug": slug, "limit": limit})))


def list_page(
    slug: str, *, before: str = "", search: str = "", limit: int = PAGE_LENGTH
) -> ArchiveListing:
    """Return a page of the archive: the campaigns sent `before` the one of that name.

    `search`: only subjects that contain it. Raises `NotFound` for the list; a name that there is
    not begins at the newest.
    """
    with reading() as session:
        list_id = get_list(session, slug).id
        query = _select_public(list_id).order_by(Campaign.id.desc()).limit(limit + 1)
        if start := _find_id(session, list_id, before) if before else None:
            query = query.where(Campaign.id < start)
        if search:
            query = query.where(
                Campaign.subject.icontains(search[:SEARCH_AT_MOST], autoescape=True)
            )
        rows = _read(session.execute(query))
    page = tuple(rows[:limit])
    more = len(rows) > limit
    return ArchiveListing(
        page, page[-1].name if more else "", not more and not start and not search
    )


def get_archive_owner(slug: str) -> ArchiveOwner:
    """Return the list called `slug` as its archive shows it.

    Raises `NotFound`.
    """
    with reading() as session:
        row = get_list(session, slug)
        return ArchiveOwner(
            row.slug, row.title, row.description, row.language, row.from_name, describe_look(row)
        )


def get_archived_html(slug: str, handle: str) -> str:
    """Return the HTML of a public campaign: its largest edition, with slots.

    Raises `NotFound`.
    """
    query = (
        select(Edition.html)
        .join(Campaign, Campaign.id == Edition.campaign_id)
        .join(MailingList)
        .where(MailingList.slug == slug, Campaign.handle == handle, *PUBLIC)
        .order_by(Edition.cursor, Edition.language)
        .limit(1)
    )
    with reading() as session:
        html = session.scalar(query)
    if html is None:
        raise NotFound("the archive has no such campaign")
    return html


def find_neighbours(session: Session, campaign: Campaign) -> Neighbours:
    """Return the campaigns in the archive before and after `campaign`."""
    query = _select_public(campaign.list_id).limit(1)
    earlier = query.where(Campaign.id < campaign.id).order_by(Campaign.id.desc())
    later = query.where(Campaign.id > campaign.id).order_by(Campaign.id)
    return Neighbours(
        next(iter(_read(session.execute(earlier))), None),
        next(iter(_read(session.execute(later))), None),
    )


def _read(rows: Iterable[Any]) -> list[ArchivedCampaign]:
    return [ArchivedCampaign(*row) for row in rows]


def _select_public(list_id: int) -> Select[str, str | None, str, datetime | None]:
    return select(*_COLUMNS).where(Campaign.list_id == list_id, *LISTED)


def _find_id(session: Session, list_id: int, name: str) -> int | None:
    query = select(Campaign.id).where(Campaign.list_id == list_id, Campaign.archive_name == name)
    campaign_id: int | None = session.scalar(query)
    return campaign_id
