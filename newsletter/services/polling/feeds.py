"""Add, list, change, pause and remove the feeds of a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import ChangedMeanwhile, Refused
from newsletter.feeds.discover import discover
from newsletter.feeds.enrich import remove_upcoming
from newsletter.feeds.youtube import KINDS
from newsletter.i18n import Text
from newsletter.models import Feed, MailingList
from newsletter.services.lookup import get_feed, get_list
from newsletter.services.polling import duplicates, store
from newsletter.services.polling.fetch import FeedReading
from newsletter.services.polling.filters import (
    Filters,
    check_pattern,
    clean_categories,
    clean_filters,
)
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus


@dataclass(frozen=True, slots=True)
class FeedView:
    """A feed as its author sees it.

    Times are None where it has not happened yet.
    """

    id: int
    list: str
    url: str
    title: str
    status: FeedStatus
    read_at: datetime | None
    next_poll_at: datetime
    failures: int
    error: str
    leaves_out: tuple[str, ...]
    only_categories: tuple[str, ...]
    not_categories: tuple[str, ...]
    not_title: str
    page_pictures: bool

    @property
    def settings(self) -> tuple[object, ...]:
        """The feed's settings by an author."""
        return (self.status, self.leaves_out, self.filters, self.page_pictures)

    @property
    def filters(self) -> Filters:
        """The filters of this feed."""
        return Filters(self.only_categories, self.not_categories, self.not_title)


@dataclass(frozen=True, slots=True)
class AddedFeed:
    """The result of adding a feed.

    `entries` counts those it has already, `backlog` those of them that will be mailed.
    """

    id: int
    url: str
    title: str
    list: str
    entries: int
    backlog: int


def add(
    env: Environment,
    address: str,
    slug: str | None = None,
    *,
    backlog: int = 0,
    leaves_out: Collection[str] = (),
    page_pictures: bool = False,
    filters: Filters | None = None,
) -> AddedFeed:
    """Discover the feed at `address` and add it to a list.

    What is in it already is not mailed, but for the newest `backlog` entries. `leaves_out` names
    kinds of videos (feeds/youtube.py). Raises `FeedError`, `InvalidInput`, `NotFound`, `Refused`.
    """
    clean = clean_filters(filters or Filters())
    with reading() as session:
        list_id = get_list(session, slug).id
    discovered = discover(address, env.fetch, leaves_out=leaves_out)
    parsed = remove_upcoming(discovered.feed, discovered.feed_url, env.fetch, now=env.now)
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        known = session.scalars(select(Feed).where(Feed.list_id == list_id)).all()
        if any(feed.url in (discovered.feed_url, discovered.fetched.url) for feed in known):
            raise _make_known(mailing_list.slug, discovered.feed_url)
        feed = Feed(
            list_id=list_id,
            url=discovered.feed_url,
            site_url=discovered.site_url,
            title=discovered.title,
            next_poll_at=env.now,
            created_at=env.now,
            leaves_out=[kind for kind in KINDS if kind in leaves_out],
            page_pictures=page_pictures,
            only_categories=clean.only,
            not_categories=clean.never,
            not_title=clean.not_title,
        )
        session.add(feed)
        session.flush()
        waits = len(parsed.entries) < len(discovered.feed.entries)
        feed_reading = FeedReading(discovered.fetched, parsed, waits=waits)
        store.store_reading(env, session, feed, feed_reading, backlog=backlog)
        entries = len(parsed.entries)
        return AddedFeed(
            feed.id, feed.url, feed.title, mailing_list.slug, entries, min(backlog, entries)
        )


def edit(
    number_or_url: str,
    *,
    leaves_out: Mapping[str, bool],
    page_pictures: bool | None = None,
    only: Sequence[str] | None = None,
    never: Sequence[str] | None = None,
    not_title: str | None = None,
    expected: FeedView | None = None,
) -> FeedView:
    """Change a feed's filters: kinds of videos, categories, titles, and fetching of pages.

    `leaves_out` maps kinds to whether they are left out. Holds for entries found from now on;
    filters also for those that have not been mailed, once the feed is read again, which is soon.
    Raises `InvalidInput`, `NotFound`, `ChangedMeanwhile` (it is not set as `expected` any more).
    """
    with transaction() as session:
        feed = get_feed(session, number_or_url)
        session.refresh(feed, with_for_update=True)
        if expected is not None and expected.settings != _make_view(feed).settings:
            raise ChangedMeanwhile
        feed.leaves_out = [kind for kind in KINDS if leaves_out.get(kind, kind in feed.leaves_out)]
        if page_pictures is not None:
            feed.page_pictures = page_pictures
        if only is not None:
            feed.only_categories = clean_categories(only)
        if never is not None:
            feed.not_categories = clean_categories(never)
        if not_title is not None:
            feed.not_title = check_pattern(not_title)
        if (only, never, not_title) != (None, None, None):  # read it in full the next time
            feed.etag = None
            feed.last_modified = None
            feed.body_digest = ""
        return _make_view(feed)


def list_feeds(slug: str | None = None) -> list[FeedView]:
    """List every feed, or those of one list."""
    with reading() as session:
        query = select(Feed).join(MailingList).order_by(Feed.id)
        return [
            _make_view(feed)
            for feed in session.scalars(query.where(MailingList.slug == slug) if slug else query)
        ]


def get(number_or_url: str) -> FeedView:
    """Return one feed, by its number or URL.

    Raises `NotFound`.
    """
    with reading() as session:
        return _make_view(get_feed(session, number_or_url))


def pause(number_or_url: str) -> FeedView:
    """Stop polling a feed."""
    return _set_status(number_or_url, FeedStatus.PAUSED, None)


def resume(env: Environment, number_or_url: str) -> FeedView:
    """Resume polling a feed, beginning now."""
    return _set_status(number_or_url, FeedStatus.ACTIVE, env.now)


def poll_soon(env: Environment, feed_id: int) -> FeedView:
    """Schedule a feed to be polled with the next tick of a worker.

    Raises `NotFound`, and `Refused` for a feed that is not polled at all.
    """
    with transaction() as session:
        feed = get_feed(session, str(feed_id))
        if feed.status != FeedStatus.ACTIVE:
            raise Refused(
                Text("feed %(feed_id)s is %(status)s", feed_id=feed_id, status=feed.status),
                hint=Text("resume it first"),
            )
        feed.next_poll_at = env.now
        return _make_view(feed)


def _set_status(number_or_url: str, status: FeedStatus, due: datetime | None) -> FeedView:
    with transaction() as session:
        feed = get_feed(session, number_or_url)
        feed.status = status
        if due is not None:
            feed.next_poll_at = due
            feed.failures = 0
            feed.error = ""
            feed.failing_since = None
            feed.told_at = None
        return _make_view(feed)


def remove(env: Environment, number_or_url: str) -> FeedView:
    """Delete a feed and its entries, except those that another feed of its list has too."""
    with transaction() as session:
        feed = get_feed(session, number_or_url)
        view = _make_view(feed)
        duplicates.hand_over_duplicates(env, session, feed.id)
        session.delete(feed)
        return view


def _make_view(feed: Feed) -> FeedView:
    return FeedView(
        id=feed.id,
        list=feed.mailing_list.slug,
        url=feed.url,
        title=feed.title,
        status=feed.status,
        read_at=feed.read_at,
        next_poll_at=feed.next_poll_at,
        failures=feed.failures,
        error=feed.error,
        leaves_out=tuple(feed.leaves_out),
        only_categories=tuple(feed.only_categories),
        not_categories=tuple(feed.not_categories),
        not_title=feed.not_title,
        page_pictures=feed.page_pictures,
    )


def _make_known(slug: str, feed_url: str) -> Refused:
    problem = Text("%(slug)s has this feed already: %(feed_url)s", slug=slug, feed_url=feed_url)
    return Refused(problem, hint=Text("see `newsletter feed ls`"))
