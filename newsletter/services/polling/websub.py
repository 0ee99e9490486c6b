"""Subscribe to the hubs of feeds (W3C WebSub), which push new posts.

A push is never believed as content: it only makes the poll come now. Polling goes on, more rarely
where a hub is alive.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.feeds.hub import Hub
from newsletter.feeds.post import Posted
from newsletter.models import Feed, HubSubscription
from newsletter.services.polling.ping import PollCause, bring_poll_forward
from newsletter.services.runtime import Environment
from newsletter.tokens import new_handle
from newsletter.vocabulary import FeedStatus

LEASE = timedelta(days=10)
"""The lease that is requested of a hub, and the longest that is accepted."""
LEASE_AT_LEAST = timedelta(minutes=10)
"""The shortest lease; a shorter one counts as this long."""
RENEW_AT = 0.8
"""Share of a lease after which it is renewed."""
ASK_AGAIN = timedelta(hours=1)
"""Wait before a failed request to a hub is repeated; doubled each time."""
ASK_AT_MOST = timedelta(days=1)
"""The longest wait before a request to a hub is repeated."""
ANSWERS_WITHIN = timedelta(hours=1)
"""Time in which a hub may verify a request."""
ASKED_AT_ONCE = 20
"""Requests to hubs in one run."""
NOTED_EVERY = timedelta(minutes=1)
"""The shortest time between two recorded pushes of a hub."""
ALIVE_FOR = timedelta(days=30)
"""Time after its last push in which a hub counts as alive."""
POLL_WITH_HUB = timedelta(hours=1)
"""Interval of polls of a feed whose hub is alive."""
METHODS = frozenset({"sha1", "sha256", "sha384", "sha512"})
"""Hash functions of signatures (WebSub section 8)."""


@dataclass(frozen=True, slots=True)
class HubRequest:
    """A request to a hub, to be posted."""

    subscription_id: int
    url: str
    body: bytes


def note_hub(env: Environment, session: Session, feed: Feed, hub: Hub | None) -> None:
    """Store the hub of a feed, and schedule a subscription if it is a new one."""
    row = session.scalar(select(HubSubscription).where(HubSubscription.feed_id == feed.id))
    if row is not None and (hub is None or (row.hub, row.topic) != (hub.url, hub.topic)):
        session.delete(row)
        session.flush()
        row = None
    if row is None and hub is not None:
        session.add(
            HubSubscription(
                feed_id=feed.id,
                handle=new_handle(),
                hub=hub.url,
                topic=hub.topic,
                secret=secrets.token_urlsafe(32),
                ask_at=env.now,
            )
        )


def is_alive(env: Environment, session: Session, feed_id: int) -> bool:
    """Tell whether a feed's hub has a valid lease and has pushed recently."""
    query = select(HubSubscription.id).where(
        HubSubscription.feed_id == feed_id,
        HubSubscription.leased_until > env.now,
        HubSubscription.pushed_at > env.now - ALIVE_FOR,
    )
    return session.scalar(query) is not None


def ask_hubs(env: Environment) -> int:
    """Subscribe to hubs or renew leases that are due; return the number of accepted requests.

    Hubs are waited for together: the end of the process must not wait for each that stalls.
    """
    requests = _claim_requests(env)
    if not requests:
        return 0
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = [pool.submit(_ask, env, request) for request in requests]
    return sum(200 <= answer.result().status < 300 for answer in answers)


def _ask(env: Environment, request: HubRequest) -> Posted:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return env.ask_hub(request.url, request.body, headers)


def _claim_requests(env: Environment) -> list[HubRequest]:
    """Claim due subscriptions by advancing `ask_at` to the next retry."""
    with reading() as session:
        due = HubSubscription.ask_at <= env.now
        if session.scalar(select(HubSubscription.id).where(due).limit(1)) is None:
            return []
    with transaction() as session:
        query = (
            select(HubSubscription)
            .join(Feed)
            .where(due, Feed.status == FeedStatus.ACTIVE)
            .order_by(HubSubscription.ask_at)
            .limit(ASKED_AT_ONCE)
            .with_for_update(of=HubSubscription, skip_locked=True)
        )
        rows = session.scalars(query).all()
        for row in rows:
            wait = min(ASK_AGAIN * (1 << min(row.failures, 10)), ASK_AT_MOST)
            row.ask_at = env.now + wait
            row.asked_at = env.now
            row.failures += 1
        return [HubRequest(row.id, row.hub, _write_request(env, row)) for row in rows]


def _write_request(env: Environment, row: HubSubscription) -> bytes:
    fields = {
        "hub.mode": "subscribe",
        "hub.topic": row.topic,
        "hub.callback": env.links.to(f"/websub/{row.handle}"),
        "hub.secret": row.secret,
        "hub.lease_seconds": str(int(LEASE.total_seconds())),
    }
    return urlencode(fields).encode()


def verify(env: Environment, handle: str, mode: str, topic: str, lease: str) -> bool:
    """Tell whether a hub's verification request matches our latest request.

    Of a denied subscription (section 5.2) the lease ends.
    """
    query = select(HubSubscription).where(HubSubscription.handle == handle)
    with reading() as session:
        if session.scalar(query) is None:  # strangers' questions write nothing
            return False
    with transaction() as session:
        row = session.scalar(query.with_for_update())
        if row is None or topic != row.topic:
            return False
        if mode == "denied":
            row.leased_until = None
            row.asked_at = None
            return True
        asked_lately = row.asked_at is not None and env.now - row.asked_at <= ANSWERS_WITHIN
        if mode != "subscribe" or not asked_lately:
            return False
        is_number = lease.isascii() and lease.isdecimal()
        seconds = int(lease[:9]) if is_number else int(LEASE.total_seconds())
        length = min(max(timedelta(seconds=seconds), LEASE_AT_LEAST), LEASE)
        row.leased_until = env.now + length
        row.ask_at = env.now + length * RENEW_AT
        row.asked_at = None
        row.failures = 0
        return True


def receive_push(env: Environment, handle: str, body: bytes, signature: str) -> bool:
    """Schedule a poll of a feed if its hub signed the push; return whether the hub is known.

    A wrong signature is told to nobody (section 8).
    """
    with reading() as session:
        row = session.scalar(select(HubSubscription).where(HubSubscription.handle == handle))
        if row is None:
            return False
        row_id = row.id
        feed_id = row.feed_id
        secret = row.secret
    if _is_signed(secret, body, signature):
        with transaction() as session:
            bring_poll_forward(env, session, feed_id, PollCause.PUSH)
            subscription = session.get(HubSubscription, row_id)
            if subscription is not None and _is_noted_long_ago(subscription.pushed_at, env.now):
                subscription.pushed_at = env.now
    return True


def _is_noted_long_ago(moment: datetime | None, now: datetime) -> bool:
    return moment is None or now - moment >= NOTED_EVERY


def _is_signed(secret: str, body: bytes, signature: str) -> bool:
    method, _, digest = signature.partition("=")
    if method not in METHODS:
        return False
    expected = hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()
    return hmac.compare_digest(expected.encode(), digest.strip().lower().encode())
