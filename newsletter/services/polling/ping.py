"""Take pings: somebody says that a blog has something new, and the poll of its feeds comes now.

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
"""Pings an hour from one network; a host of many blogs sends them all from there."""
POLLS_PER_FEED = 12
"""Polls of one feed an hour that each of these causes may have, whoever it comes from."""


class PollCause(StrEnum):
    """The reason for which a poll comes now: pings, which anybody sends, use up no other's."""

    PING = "ping"
    """Anybody may send one."""
    PUSH = "push"
    """Its hub has signed it."""
    AUTHOR = "author"


def receive_ping(env: Environment, addresses: Sequence[str], ip: str) -> None:
    """Poll the feeds now that have one of these addresses, their own or their site's.

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
    """Poll a feed now, as its author or their program has asked."""
    with transaction() as session:
        bring_poll_forward(env, session, feed_id, PollCause.AUTHOR)


def bring_poll_forward(env: Environment, session: Session, feed_id: int, cause: PollCause) -> None:
    """Make a feed due now, unless it fails, is due already, or was brought forward too often.

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
