"""Gather what an author looks at first: what goes out next, what waits for them, what is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.services import installation
from newsletter.services.authors.authors import AuthorView
from newsletter.services.campaigns import campaigns
from newsletter.services.campaigns.campaigns import CampaignView
from newsletter.services.digests import explain_list
from newsletter.services.digests.explain_list import Outlook
from newsletter.services.polling import entries, feeds
from newsletter.services.polling.entries import EntryView
from newsletter.services.polling.feeds import FeedView
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, EntryStatus

HELD_AT_MOST = 10
"""Held entries of a list that the first page shows; the others are on the sources' page."""
UNDER_WAY = (CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class ListToday:
    """One list at a look.

    `coming` are its next digests; `held` its newest entries that wait for a decision, `failing` its
    feeds that cannot be read, `under_way` its campaigns that are scheduled, sent or paused.
    """

    slug: str
    timezone: str
    coming: tuple[Outlook, ...]
    held: tuple[EntryView, ...]
    failing: tuple[FeedView, ...]
    under_way: tuple[CampaignView, ...]

    @property
    def next_at(self) -> datetime | None:
        """Return when the next digest goes out, None where no day is known."""
        moments = [outlook.next_at for outlook in self.coming if outlook.next_at]
        return min(moments, default=None)


@dataclass(frozen=True, slots=True)
class Today:
    """An author's lists; `hold` tells that nothing is mailed at all, and why."""

    lists: tuple[ListToday, ...]
    hold: installation.Hold | None


def read_today(env: Environment, author: AuthorView) -> Today:
    """Gather the first page of an author."""
    lists = tuple(_read_list(env, slug) for slug in author.lists.values())
    return Today(lists, installation.find_hold())


def _read_list(env: Environment, slug: str) -> ListToday:
    explanation = explain_list.explain(env, slug)
    return ListToday(
        slug=slug,
        timezone=explanation.timezone,
        coming=tuple(outlook for outlook in explanation.outlooks if outlook.subscribers),
        held=tuple(entries.list_entries(slug=slug, fate=EntryStatus.HELD, limit=HELD_AT_MOST)),
        failing=tuple(feed for feed in feeds.list_feeds(slug) if feed.error),
        under_way=tuple(campaigns.list_under_way(slug, UNDER_WAY)),
    )
