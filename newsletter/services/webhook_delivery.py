"""Deliver webhook messages at least once, in order for each subject.

A worker takes a few at a time and holds them for a while; if it dies, another sends them again. The
connection is made outside of every transaction, and never inside a web request. Signed after the
Standard Webhooks specification.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from newsletter.access_vocabulary import NamedRow
from newsletter.db.session import reading, transaction
from newsletter.feeds.post import Posted
from newsletter.i18n import Text
from newsletter.models import MailingList, Subscriber, Webhook, WebhookMessage
from newsletter.services import installation, notifications
from newsletter.services.row_names import get_row_names
from newsletter.services.runtime import Environment
from newsletter.services.unforeseen import describe_error
from newsletter.tokens import RowNames
from newsletter.vocabulary import MessageStatus

KEPT_FOR = timedelta(days=30)
"""Retention of messages, sent or not, in which they can be replayed."""
TRIED_FOR = timedelta(days=3)
"""Time without any successful delivery after which a webhook is paused."""
HELD_FOR = timedelta(minutes=2)
"""Lifetime of a worker's claim on a message: longer than any try takes."""
AT_ONCE = 8
"""Concurrent tries of one webhook; one while it is failing."""
TRIES_AT_MOST = 8 * AT_ONCE
"""Concurrent tries of all webhooks."""
FAILING = 3
"""Consecutive failures after which a webhook counts as failing and all its messages wait."""
WAITS = (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600)
"""Seconds before the next try of a message, by the number of failed tries; the last repeats."""
GONE = 410


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message that this worker has claimed until `held_until`, ready to be posted."""

    id: int
    webhook_id: int
    held_until: datetime
    url: str
    body: bytes
    headers: dict[str, str]


def send_due(env: Environment, *, stop: Callable[[], bool] = lambda: False) -> int:
    """Send the due messages until none is left; return the number that were accepted.

    No webhook waits for the tries of another one. Nothing leaves while mail is held: receivers act
    on what they are told, and a database that was restored tells of what is over.
    """
    sent = 0
    tries: dict[Future[Posted], ClaimedMessage] = {}
    with ThreadPoolExecutor(TRIES_AT_MOST) as pool:
        while True:
            if not stop() and not installation.find_hold():
                in_flight = Counter(message.webhook_id for message in tries.values())
                for message in _claim_due(env, in_flight):
                    tries[pool.submit(_post, env, message)] = message
            if not tries:
                return sent
            for done in wait(tries, return_when=FIRST_COMPLETED).done:
                sent += _record(env, tries.pop(done), done.result())


def _post(env: Environment, message: ClaimedMessage) -> Posted:
    """Post a message; an unexpected error affects this message only."""
    try:
        return env.post(message.url, message.body, message.headers)
    except Exception as error:
        return Posted(0, describe_error(error))


def _claim_due(env: Environment, in_flight: Mapping[int, int]) -> list[ClaimedMessage]:
    """Claim the next messages of each webhook with few tries `in_flight`."""
    busy = [webhook_id for webhook_id, count in in_flight.items() if count > AT_ONCE // 2]
    conditions = (Webhook.paused_at.is_(None), Webhook.id.not_in(busy), *_due_clauses(env.now))
    with reading() as session:
        if not session.scalar(select(exists().where(*conditions))):
            return []
    return _claim(env, in_flight)


def _due_clauses(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Build the conditions for messages that are due, apart from those on their webhook.

    An earlier one of its subject that has not been taken makes it wait.
    """
    earlier = aliased(WebhookMessage)
    waits = exists().where(
        earlier.webhook_id == WebhookMessage.webhook_id,
        earlier.subject == WebhookMessage.subject,
        earlier.status == MessageStatus.QUEUED,
        earlier.id < WebhookMessage.id,
    )
    free = or_(WebhookMessage.held_until.is_(None), WebhookMessage.held_until <= now)
    return (
        WebhookMessage.webhook_id == Webhook.id,
        WebhookMessage.status == MessageStatus.QUEUED,
        WebhookMessage.due_at <= now,
        free,
        ~waits,
    )


def _claim(
    env: Environment, in_flight: Mapping[int, int] = MappingProxyType({})
) -> list[ClaimedMessage]:
    """Claim the next messages of each webhook for this worker."""
    claimed: list[ClaimedMessage] = []
    with transaction() as session:
        webhooks = session.scalars(select(Webhook).where(Webhook.paused_at.is_(None))).all()
        for webhook in webhooks:
            at_once = AT_ONCE if webhook.failures < FAILING else 1
            free = at_once - in_flight.get(webhook.id, 0)
            if free <= 0:
                continue
            query = (
                select(WebhookMessage)
                .join(Webhook, and_(*_due_clauses(env.now)))
                .where(Webhook.id == webhook.id)
                .order_by(WebhookMessage.due_at, WebhookMessage.id)
                .limit(free)
                .with_for_update(of=WebhookMessage, skip_locked=True)
            )
            rows = session.scalars(query).all()
            addresses = _read_addresses(session, webhook, rows)
            names = get_row_names(session)
            for row in rows:
                row.held_until = env.now + HELD_FOR
                row.first_tried_at = row.first_tried_at or env.now
                email = addresses.get(row.subscriber_id or 0)
                try:
                    claimed.append(_prepare(webhook, row, email, names, env.now))
                except Exception as error:  # that message waits, and the others go
                    row.held_until = None
                    row.attempts += 1
                    row.text = describe_error(error)[:300]
                    row.due_at = env.now + timedelta(seconds=WAITS[-1])
    return claimed


def _read_addresses(
    session: Session, webhook: Webhook, rows: Sequence[WebhookMessage]
) -> dict[int, str]:
    """Read the addresses for messages of webhooks that include them."""
    if not webhook.with_address:
        return {}
    ids = [row.subscriber_id for row in rows if row.subscriber_id is not None]
    email = Subscriber.email if webhook.list_ids is None else Subscriber.email_key
    query = select(Subscriber.id, email.label("email")).where(Subscriber.id.in_(ids))
    return {row.id: row.email for row in session.execute(query)}


def _prepare(
    webhook: Webhook,
    row: WebhookMessage,
    email: str | None,
    names: Mapping[NamedRow, RowNames],
    now: datetime,
) -> ClaimedMessage:
    payload = json.loads(row.payload)
    for kind in (NamedRow.SUBSCRIBER, NamedRow.SUBSCRIPTION):
        if kind in payload["data"]:
            payload["data"][kind] = names[kind].name(payload["data"][kind])
    if email is not None:
        payload["data"]["email"] = email
    body = json.dumps(payload).encode()
    assert row.held_until is not None
    headers = {
        "Content-Type": "application/json",
        **sign_message(webhook.secret, row.handle, now, body),
    }
    return ClaimedMessage(row.id, webhook.id, row.held_until, webhook.url, body, headers)


def sign_message(secret: str, handle: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a signed message (Standard Webhooks 1.0.0, symmetric)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    timestamp = str(int(now.timestamp()))
    content = f"{handle}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "webhook-id": handle,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{mac}",
    }


def _record(env: Environment, message: ClaimedMessage, posted: Posted) -> int:
    """Record the result of a try; return 1 if the message was accepted.

    If another worker has taken the message over, the result is that worker's to write, but what was
    taken was taken. The webhook is locked before its message, as it is where authors change both.
    """
    is_taken = 200 <= posted.status < 300
    with transaction() as session:
        webhook = session.get(Webhook, message.webhook_id, with_for_update=True)
        stored_message = session.get(WebhookMessage, message.id, with_for_update=True)
        if webhook is None or stored_message is None:
            return 0
        is_over = stored_message.held_until != message.held_until and not is_taken
        if is_over or stored_message.status is MessageStatus.SENT:
            return 0
        stored_message.attempts += 1
        stored_message.held_until = None
        stored_message.code = posted.status or None
        stored_message.text = posted.why[:300]
        if is_taken:
            stored_message.status = MessageStatus.SENT
            stored_message.finished_at = env.now
            if webhook.failures >= FAILING:
                _end_rest(session, webhook, env.now)
            webhook.failures = 0
            return 1
        webhook.failures += 1
        stored_message.due_at = env.now + _choose_wait(stored_message.attempts, posted)
        if webhook.failures >= FAILING:
            _rest(session, webhook, stored_message, env.now)
        _pause_if_hopeless(env, session, webhook, stored_message)
        return 0


def _rest(session: Session, webhook: Webhook, tried: WebhookMessage, now: datetime) -> None:
    """Postpone all messages of a failing webhook, with the one that was `tried` last.

    Its failures count from those that were in flight together.
    """
    stage = min(max(webhook.failures - AT_ONCE, 0), len(WAITS) - 1)
    until = now + timedelta(seconds=WAITS[stage])
    tried.due_at = max(tried.due_at, until + timedelta(seconds=1))
    session.execute(
        update(WebhookMessage)
        .where(
            _queued_clause(webhook), WebhookMessage.id != tried.id, WebhookMessage.due_at < until
        )
        .values(due_at=until)
    )


def _end_rest(session: Session, webhook: Webhook, now: datetime) -> None:
    """Make the messages of a webhook that works again due now."""
    later = WebhookMessage.due_at > now
    session.execute(update(WebhookMessage).where(_queued_clause(webhook), later).values(due_at=now))


def _queued_clause(webhook: Webhook) -> ColumnElement[bool]:
    """Build the condition for waiting messages that no worker has claimed."""
    return and_(
        WebhookMessage.webhook_id == webhook.id,
        WebhookMessage.status == MessageStatus.QUEUED,
        WebhookMessage.held_until.is_(None),
    )


def _choose_wait(attempts: int, posted: Posted) -> timedelta:
    """Return the wait after a number of tries: at least as the receiver asks, ± 20 %."""
    jitter = random.uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
    usual = WAITS[min(attempts, len(WAITS)) - 1] * jitter
    return timedelta(seconds=max(usual, min(posted.retry_after or 0, WAITS[-1])))


def _pause_if_hopeless(
    env: Environment, session: Session, webhook: Webhook, row: WebhookMessage
) -> None:
    if webhook.paused_at is not None:
        return
    since = row.first_tried_at or env.now
    if webhook.failures >= FAILING:  # its messages take turns
        first = select(func.min(WebhookMessage.first_tried_at)).where(_queued_clause(webhook))
        since = min(since, session.scalar(first) or since)
    if row.code != GONE and env.now - since < TRIED_FOR:
        return
    answer = Text("answered %(code)s", code=row.code) if row.code else row.text
    webhook.paused_at = env.now
    webhook.paused_because = (
        Text("answered 410 Gone")
        if row.code == GONE
        else Text("%(answer)s, for %(days)s days", answer=answer, days=TRIED_FOR.days)
    )
    query = select(MailingList).order_by(MailingList.id).limit(1)
    if webhook.list_ids:
        query = query.where(MailingList.id.in_(webhook.list_ids))
    mailing_list = session.scalar(query)
    if mailing_list is not None:
        notifications.notify_webhook_paused(
            env,
            session,
            mailing_list,
            webhook.id,
            host=str(urlsplit(webhook.url).hostname),
            why=webhook.paused_because,
            kept_for=KEPT_FOR,
        )


def delete_old_messages(session: Session, now: datetime) -> None:
    """Delete the messages older than `KEPT_FOR`."""
    session.execute(delete(WebhookMessage).where(WebhookMessage.created_at < now - KEPT_FOR))
