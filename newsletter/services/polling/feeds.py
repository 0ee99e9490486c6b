"""The feeds of a list: add, look, pause, remove.

What is read from them is polling's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import Refused
from newsletter.feeds.discover import discover
from newsletter.feeds.enrich import remove_upcoming
from newsletter.feeds.youtube import KINDS
from newsletter.models import Feed, MailingList
from newsletter.services.lookup import get_feed, get_list
from newsletter.services.polling import duplicates, store
from newsletter.services.polling.fetch import FeedReading
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
    status: str
    read_at: datetime | None
    next_poll_at: datetime
    failures: int
    error: str
    leaves_out: tuple[str, ...]
    page_pictures: bool


@dataclass(frozen=True, slots=True)
class AddedFeed:
    """A feed that was added: how many entries were there already, and how many of them will be
    mailed.
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
) -> AddedFeed:
    """Find the feed behind `address` and adds it to a list.

    What is in it already is not mailed, but for the newest `backlog` entries. `leaves_out` names
    kinds of videos (feeds/youtube.py). Raises `FeedError`, `NotFound`, `Refused`.
    """
    with reading() as session:
        list_id = get_list(session, slug).id
    found = discover(address, env.fetch, leaves_out=leaves_out)
    parsed = remove_upcoming(found.feed, found.feed_url, env.fetch, now=env.now)
    with transaction() as session:
        mailing_list = session.get_one(MailingList, list_id)
        known = session.scalars(select(Feed).where(Feed.list_id == list_id)).all()
        if any(feed.url in (found.feed_url, found.fetched.url) for feed in known):
            raise Refused(
                f"{mailing_list.slug} has this feed already: {found.feed_url}",
                hint="see `newsletter feed ls`",
            )
        feed = Feed(
            list_id=list_id,
            url=found.feed_url,
            site_url=found.site_url,
            title=found.title,
            next_poll_at=env.now,
            created_at=env.now,
            leaves_out=[kind for kind in KINDS if kind in leaves_out],
            page_pictures=page_pictures,
        )
        session.add(feed)
        session.flush()
        waits = len(parsed.entries) < len(found.feed.entries)
        store.store_reading(
            env, session, feed, FeedReading(found.fetched, parsed, waits=waits), backlog=backlog
        )
        entries = len(parsed.entries)
        return AddedFeed(
            feed.id, feed.url, feed.title, mailing_list.slug, entries, min(backlog, entries)
        )


def edit(
    which: str, *, leaves_out: Mapping[str, bool], page_pictures: bool | None = None
) -> FeedView:
    """Change which kinds of videos a feed leaves out (kind → whether), and whether pages are asked
    for pictures. Holds for what is found from now on.
    """
    with transaction() as session:
        feed = get_feed(session, which)
        feed.leaves_out = [kind for kind in KINDS if leaves_out.get(kind, kind in feed.leaves_out)]
        if page_pictures is not None:
            feed.page_pictures = page_pictures
        return _view(feed)


def list_feeds(slug: str | None = None) -> list[FeedView]:
    """Every feed, or those of one list."""
    with reading() as session:
        query = select(Feed).join(MailingList).order_by(Feed.id)
        return [
            _view(feed)
            for feed in session.scalars(query.where(MailingList.slug == slug) if slug else query)
        ]


def pause(which: str) -> FeedView:
    """Stop asking a feed."""
    return _set_status(which, FeedStatus.PAUSED, None)


def resume(env: Environment, which: str) -> FeedView:
    """Ask a feed again, at once."""
    return _set_status(which, FeedStatus.ACTIVE, env.now)


def _set_status(which: str, status: FeedStatus, due: datetime | None) -> FeedView:
    with transaction() as session:
        feed = get_feed(session, which)
        feed.status = status
        if due is not None:
            feed.next_poll_at, feed.failures, feed.error = due, 0, ""
            feed.failing_since = feed.told_at = None
        return _view(feed)


def remove(env: Environment, which: str) -> FeedView:
    """Forget a feed and what was found in it, but for what another feed of its list has too."""
    with transaction() as session:
        feed = get_feed(session, which)
        shown = _view(feed)
        duplicates.hand_over_duplicates(env, session, feed.id)
        session.delete(feed)
        return shown


def _view(feed: Feed) -> FeedView:
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
        page_pictures=feed.page_pictures,
    )
