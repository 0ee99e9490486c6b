"""Gather the author's first page: the next digests, open decisions, campaigns being sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.bounce_vocabulary import BounceEffect
from newsletter.db.session import reading
from newsletter.services import bounce_events, installation
from newsletter.services.authors.authors import AuthorView
from newsletter.services.campaigns import campaigns
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.digests import explain_list
from newsletter.services.digests.find_due import list_cadences
from newsletter.services.digests.outlook import Outlook
from newsletter.services.lists.lists import list_time_zones
from newsletter.services.lookup import get_list
from newsletter.services.polling import entries, feeds
from newsletter.services.polling.entries import EntryView
from newsletter.services.polling.feeds import FeedView
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, EntryStatus

HELD_AT_MOST = 10
"""Held entries of a list that the first page shows; the sources' page shows the others."""
UNDER_WAY = (CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class ListToday:
    """The summary of one list on the first page.

    `coming` are its next digests; `held` its newest entries that wait for a decision, `failing` its
    feeds that cannot be read, `paused` its campaigns that were paused, or paused themselves.
    """

    slug: str
    timezone: str
    coming: tuple[Outlook, ...]
    held: tuple[EntryView, ...]
    failing: tuple[FeedView, ...]
    paused: tuple[CampaignView, ...]

    @property
    def next_at(self) -> datetime | None:
        """Return the moment when the next digest goes out, None where no day is known."""
        moments = [outlook.next_at for outlook in self.coming if outlook.next_at]
        return min(moments, default=None)

    @property
    def shown(self) -> Outlook | None:
        """Return the digest that goes first of those that carry something, or None."""
        carrying = [outlook for outlook in self.coming if outlook.owed]
        return min(carrying, key=lambda row: (row.next_at is None, row.next_at), default=None)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A campaign that is scheduled, being sent or paused, in the time zone of its list."""

    campaign: CampaignView
    timezone: str


@dataclass(frozen=True, slots=True)
class Today:
    """The content of an author's first page.

    `hold` tells that nothing is mailed at all, and why; `under_way` is what is being sent.
    `unknown` returned mails were not understood, and `proposals` replies ask to be unsubscribed:
    both of the whole installation, so that only authors of every list see them (else 0).
    """

    lists: tuple[ListToday, ...]
    hold: installation.Hold | None
    under_way: tuple[UnderWay, ...]
    unknown: int = 0
    proposals: int = 0


def read_today(env: Environment, author: AuthorView) -> Today:
    """Gather the first page of an author."""
    slugs = author.lists.values()
    lists = tuple(_read_list(env, slug, lists=len(slugs)) for slug in slugs)
    unknown = 0
    proposals = 0
    if not author.limited:
        with reading() as session:
            unknown = bounce_events.count(session, bounce_events.UNKNOWN)
            proposals = bounce_events.count(session, (BounceEffect.PROPOSED,))
    hold = installation.find_hold()
    return Today(lists, hold, read_under_way(author), unknown, proposals)


def read_under_way(author: AuthorView) -> tuple[UnderWay, ...]:
    """Read the campaigns under way on an author's lists, for a part of the page that is polled."""
    zones = list_time_zones()
    return tuple(
        UnderWay(campaign, zones.get(slug, "UTC"))
        for slug in author.lists.values()
        for campaign in campaigns.list_under_way(slug, UNDER_WAY)
    )


def _read_list(env: Environment, slug: str, *, lists: int) -> ListToday:
    with reading() as session:
        mailing_list = get_list(session, slug)
        zone = mailing_list.timezone
        cadences = list_cadences(session, mailing_list)
        outlooks = explain_list.explain_cadences(env, session, mailing_list, cadences, lists=lists)
    return ListToday(
        slug=slug,
        timezone=zone,
        coming=tuple(outlook for outlook in outlooks if outlook.subscribers),
        held=tuple(entries.list_entries(slug=slug, fate=EntryStatus.HELD, limit=HELD_AT_MOST)),
        failing=tuple(feed for feed in feeds.list_feeds(slug) if feed.error),
        paused=tuple(campaigns.list_under_way(slug, (CampaignStatus.PAUSED,))),
    )
