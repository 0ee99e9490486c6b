"""Receive pings: notifications that a blog has changed, upon which its feeds are polled.

A ping is never believed as content. Known and unknown addresses cost and answer the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import TooMany
from newsletter.feeds.identity import canonicalize_link
from newsletter.models import Feed
from newsletter.services.counters import HOUR, count_since, increment
from newsletter.services.request_limits import name_networks
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus

PINGS_PER_NETWORK = 120
"""Pings an hour from one network, which may host many blogs."""
POLLS_PER_FEED = 12
"""Polls of one feed an hour for each cause, whoever the sender is."""


class PollCause(StrEnum):
    """The cause of an early poll; each has its own limit."""

    PING = "ping"
    """Anybody may send one."""
    PUSH = "push"
    """Its hub has signed it."""
    AUTHOR = "author"


def receive_ping(env: Environment, addresses: Sequence[str], ip: str) -> None:
    """Poll the feeds that have one of these URLs, of the feed or its site.

    Raises `TooMany`.
    """
    now = int(env.now.timestamp())
    network_name = f"ping/net/{name_networks(ip)[1]}"
    with reading() as session:
        count = count_since(session, [network_name], since=now - now % HOUR)[network_name]
        if count >= PINGS_PER_NETWORK:
            raise TooMany("too many pings from one network", retry_after=HOUR - now % HOUR)
        feed_ids = _find_feeds(session, addresses)
    with transaction() as session:
        increment(session, network_name, now=now, seconds=HOUR)
        for feed_id in feed_ids:
            bring_poll_forward(env, session, feed_id, PollCause.PING)


def poll_soon(env: Environment, feed_id: int) -> None:
    """Poll a feed now, on request of its author or their program."""
    with transaction() as session:
        bring_poll_forward(env, session, feed_id, PollCause.AUTHOR)


def bring_poll_forward(env: Environment, session: Session, feed_id: int, cause: PollCause) -> None:
    """Make a feed due now, unless it is failing, due already, or over its limit.

    Nothing is written then: who may ask without end must not slow the mail that is going out.
    """
    feed = session.scalar(select(Feed).where(Feed.id == feed_id).with_for_update())
    if feed is None or feed.status != FeedStatus.ACTIVE or feed.failures:
        return
    now = int(env.now.timestamp())
    if feed.next_poll_at <= env.now:
        return
    name = f"{cause}/feed/{feed_id}"
    if count_since(session, [name], since=now - now % HOUR)[name] < POLLS_PER_FEED:
        increment(session, name, now=now, seconds=HOUR)
        feed.next_poll_at = env.now


def _find_feeds(session: Session, addresses: Sequence[str]) -> list[int]:
    keys = {canonicalize_link(address) for address in addresses} - {""}
    query = select(Feed.id, Feed.url, Feed.site_url).where(Feed.status == FeedStatus.ACTIVE)
    return sorted(
        feed_id
        for feed_id, url, site_url in session.execute(query)
        if not keys.isdisjoint((canonicalize_link(url), canonicalize_link(site_url)))
    )
