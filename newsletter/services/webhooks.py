"""Add, list, pause, resume, replay and remove webhooks, and list their messages."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.feeds.ssrf import is_public
from newsletter.i18n import Text
from newsletter.models import MailingList, Webhook, WebhookMessage
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import EventKind, MessageStatus

WEBHOOKS_AT_MOST = 20
"""The most webhooks of an installation; each event is queued for each of them."""


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook as its author sees it; `events` empty for all of them, `lists` None for all."""

    id: int
    url: str
    events: tuple[EventKind, ...]
    lists: tuple[str, ...] | None
    with_address: bool
    created_at: datetime
    paused_at: datetime | None
    paused_because: str
    waiting: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message to a webhook: its event and the result of its latest try."""

    id: str
    webhook: int
    event: EventKind
    subject: str
    status: MessageStatus
    attempts: int
    code: int | None
    text: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None


def add_webhook(
    env: Environment,
    url: str,
    events: Iterable[str] = (),
    slugs: Sequence[str] = (),
    *,
    with_address: bool = False,
) -> tuple[WebhookView, str]:
    """Add a webhook; return it with its secret, which is not shown again.

    Raises `InvalidInput`, `NotFound` (no such list), `Refused` where there are too many.
    """
    _check_url(url, allow_private=env.settings.webhooks.allow_private_addresses)
    kinds = _parse_kinds(events)
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    with transaction() as session:
        if (session.scalar(select(func.count(Webhook.id))) or 0) >= WEBHOOKS_AT_MOST:
            raise Refused(f"there are {WEBHOOKS_AT_MOST} webhooks already")
        row = Webhook(
            url=url,
            secret=secret,
            events=kinds,
            list_ids=sorted({get_list(session, slug).id for slug in slugs}) if slugs else None,
            with_address=with_address,
            created_at=env.now,
        )
        session.add(row)
        session.flush()
        return _describe(session, row), secret


def _check_url(url: str, *, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises ValueError for one that is no number
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or len(url) > 2000:
        raise InvalidInput({"url": "is not a web address; use one like https://example.org/hook"})
    if any(character <= " " for character in url):
        raise InvalidInput({"url": "holds a space or a line break"})
    if parts.username is not None:
        raise InvalidInput({"url": "an address with a user or password is not used"})
    if not allow_private and _is_private(host):
        raise InvalidInput(
            {"url": "leads to a private network; see webhooks.allow_private_addresses"}
        )


def _is_private(host: str) -> bool:
    """Tell whether a host is a private IP address; names are resolved with each try."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)


def _parse_kinds(words: Iterable[str]) -> list[EventKind]:
    """Parse kinds of events, given one by one or as a group (``entry.*``)."""
    kinds: list[EventKind] = []
    for word in (part.strip() for words_ in words for part in words_.split(",")):
        group = word.removesuffix("*")
        chosen = [
            kind
            for kind in EventKind
            if kind.value == word or (group != word and kind.value.startswith(group))
        ]
        if word and not chosen:
            known = ", ".join(EventKind)
            raise InvalidInput({"events": f"{word!r} is not an event; use some of {known}"})
        kinds += chosen if word else []
    return list(dict.fromkeys(kinds))


def list_webhooks() -> list[WebhookView]:
    """List the webhooks in the order in which they were added."""
    with reading() as session:
        rows = session.scalars(select(Webhook).order_by(Webhook.id))
        return [_describe(session, row) for row in rows]


def pause_webhook(env: Environment, webhook_id: int) -> WebhookView:
    """Pause a webhook: its messages wait until it is resumed.

    Raises `NotFound`.
    """
    with transaction() as session:
        row = _get(session, webhook_id)
        row.paused_at = row.paused_at or env.now
        row.paused_because = row.paused_because or Text("paused by hand")
        return _describe(session, row)


def resume_webhook(env: Environment, webhook_id: int) -> WebhookView:
    """Resume a webhook: its waiting messages are sent in order.

    Raises `NotFound`.
    """
    with transaction() as session:
        row = _get(session, webhook_id)
        row.paused_at = None
        row.paused_because = ""
        row.failures = 0
        waiting = (
            WebhookMessage.webhook_id == webhook_id,
            WebhookMessage.status == MessageStatus.QUEUED,
        )
        session.execute(
            update(WebhookMessage).where(*waiting).values(due_at=env.now, first_tried_at=None)
        )
        return _describe(session, row)


def remove_webhook(webhook_id: int) -> WebhookView:
    """Remove a webhook with its messages, and return its description.

    Raises `NotFound`.
    """
    with transaction() as session:
        row = _get(session, webhook_id)
        view = _describe(session, row)
        session.delete(row)
        return view


def replay_messages(
    env: Environment, webhook_id: int, *, since: datetime | None = None, message: str = ""
) -> int:
    """Queue sent messages again, one or all since a moment; return their number.

    Raises `NotFound`.
    """
    with transaction() as session:
        _get(session, webhook_id)
        chosen = [
            WebhookMessage.webhook_id == webhook_id,
            WebhookMessage.status == MessageStatus.SENT,
        ]
        if since is not None:
            chosen.append(WebhookMessage.created_at >= since)
        if message:
            chosen.append(WebhookMessage.handle == message)
        ids = list(session.scalars(select(WebhookMessage.id).where(*chosen)))
        if message and not ids:
            raise NotFound(
                f"webhook {webhook_id} was sent no message {message}",
                hint=f"see `newsletter webhook log {webhook_id}`",
            )
        session.execute(
            update(WebhookMessage)
            .where(*chosen)
            .values(
                status=MessageStatus.QUEUED,
                due_at=env.now,
                finished_at=None,
                first_tried_at=None,
                held_until=None,
            )
        )
        return len(ids)


def list_messages(
    webhook_id: int, *, status: MessageStatus | None = None, limit: int | None = None
) -> list[MessageView]:
    """List the messages to a webhook, newest first.

    Raises `NotFound`.
    """
    query = select(WebhookMessage).where(WebhookMessage.webhook_id == webhook_id)
    if status is not None:
        query = query.where(WebhookMessage.status == status)
    with reading() as session:
        _get(session, webhook_id)
        return [
            MessageView(
                row.handle,
                row.webhook_id,
                row.kind,
                row.subject,
                row.status,
                row.attempts,
                row.code,
                row.text,
                row.created_at,
                row.due_at,
                row.finished_at,
            )
            for row in session.scalars(query.order_by(WebhookMessage.id.desc()).limit(limit))
        ]


def _get(session: Session, webhook_id: int) -> Webhook:
    row = session.get(Webhook, webhook_id)
    if row is None:
        raise NotFound(f"there is no webhook {webhook_id}", hint="see `newsletter webhook ls`")
    return row


def _describe(session: Session, row: Webhook) -> WebhookView:
    waiting = select(func.count(WebhookMessage.id)).where(
        WebhookMessage.webhook_id == row.id, WebhookMessage.status == MessageStatus.QUEUED
    )
    lists = None
    if row.list_ids is not None:
        query = select(MailingList.slug).where(MailingList.id.in_(row.list_ids))
        lists = tuple(session.scalars(query.order_by(MailingList.slug)))
    return WebhookView(
        row.id,
        row.url,
        tuple(row.events),
        lists,
        row.with_address,
        row.created_at,
        row.paused_at,
        row.paused_because,
        session.scalar(waiting) or 0,
    )
