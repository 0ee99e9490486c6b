"""Merge withdrawals since the backup: consents, access, webhooks, retired handles.

A restore must give nobody back what the database that is replaced had taken from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import AuthorRole
from newsletter.models import (
    ApiToken,
    Author,
    AuthorList,
    AuthorLogin,
    AuthorPasskey,
    AuthorSession,
    FormField,
    MailingList,
    RetiredHandle,
    Subscription,
    Webhook,
)
from newsletter.services.consent import Evidence
from newsletter.services.operations.replaced_database import (
    OldRow,
    ReplacedDatabase,
    parse_stored_moment,
)
from newsletter.services.subscription_state import record_change
from newsletter.vocabulary import ConsentKind, FieldKind

GONE = "it was removed from the database that was replaced"


def withdraw_consents(
    session: Session,
    pairs: Iterable[tuple[OldRow, Subscription]],
    evidence: Evidence,
    now: datetime,
) -> None:
    """Withdraw the consents of forms that were withdrawn since the backup."""
    query = select(FormField.list_id, FormField.name).where(FormField.kind == FieldKind.CONSENT)
    consents = {(row.list_id, row.name) for row in session.execute(query)}
    for row, subscription in pairs:
        before = json.loads(row["answers"] or "{}")
        withdrawn = {
            name: False
            for name, value in subscription.answers.items()
            if value and not before.get(name) and (subscription.list_id, name) in consents
        }
        if row["answers"] is not None and withdrawn:
            subscription.answers = subscription.answers | withdrawn
            kind = ConsentKind.CHANGED
            record_change(session, subscription, "fields", evidence, now, kind=kind)


def end_access(session: Session, old: ReplacedDatabase, now: datetime) -> None:
    """End access of authors and programs that was revoked since the backup, and every log-in.

    Of one installation only. What was made after the replaced database last changed was not ended
    in it.
    """
    session.execute(delete(AuthorSession))
    session.execute(delete(AuthorLogin))
    columns = ["id", "email_key", "role", "limited", "revoked_at"]
    rows = {row["email_key"]: row for row in old.read_rows("authors", columns)}
    for author in session.scalars(select(Author).where(Author.revoked_at.is_(None))).all():
        if row := rows.get(author.email_key):
            author.revoked_at = parse_stored_moment(row["revoked_at"])
            _narrow_access(session, old, author, row)
    changed_at = _find_last_change(old)
    if changed_at is None:
        return
    _remove_tokens(session, old, changed_at)
    _remove_passkeys(session, old, changed_at)
    _pause_webhooks(session, old, changed_at, now)


def _remove_tokens(session: Session, old: ReplacedDatabase, changed_at: datetime) -> None:
    tokens = {row["token_hash"] for row in old.read_rows("api_tokens", ["token_hash"])}
    for token in session.scalars(select(ApiToken).where(ApiToken.created_at <= changed_at)):
        if token.token_hash not in tokens:
            session.delete(token)


def _narrow_access(session: Session, old: ReplacedDatabase, author: Author, row: OldRow) -> None:
    """Reduce an author to the lesser of both roles, and to the lists that both databases allow."""
    if row["role"] and author.role.includes(role := AuthorRole(row["role"])):
        author.role = role
    if not row["limited"]:
        return
    allowed = {
        entry["list_id"]
        for entry in old.read_rows("author_lists", ["author_id", "list_id"])
        if entry["author_id"] == row["id"]
    }
    mine = AuthorList.author_id == author.id
    if author.limited:
        session.execute(delete(AuthorList).where(mine, AuthorList.list_id.not_in(allowed)))
        return
    author.limited = True
    known = session.scalars(select(MailingList.id).where(MailingList.id.in_(allowed))).all()
    session.add_all(AuthorList(author_id=author.id, list_id=list_id) for list_id in known)


def _remove_passkeys(session: Session, old: ReplacedDatabase, changed_at: datetime) -> None:
    """Remove passkeys removed since the backup, and keep the higher signature counter of each."""
    columns = ["credential_id", "sign_count"]
    counts = {
        row["credential_id"]: row["sign_count"] or 0
        for row in old.read_rows("author_passkeys", columns)
    }
    for passkey in session.scalars(select(AuthorPasskey)):
        if passkey.credential_id in counts:
            passkey.sign_count = max(passkey.sign_count, counts[passkey.credential_id])
        elif passkey.created_at <= changed_at:
            session.delete(passkey)


def _pause_webhooks(
    session: Session, old: ReplacedDatabase, changed_at: datetime, now: datetime
) -> None:
    columns = ["secret", "paused_at", "paused_because"]
    rows = {row["secret"]: row for row in old.read_rows("webhooks", columns)}
    running = select(Webhook).where(Webhook.paused_at.is_(None), Webhook.created_at <= changed_at)
    for webhook in session.scalars(running):
        row: dict[str, Any] = rows.get(webhook.secret) or {"paused_at": now.isoformat()}
        if row["paused_at"]:
            webhook.paused_at = now
            webhook.paused_because = row.get("paused_because") or GONE


def _find_last_change(old: ReplacedDatabase) -> datetime | None:
    """Return the time of the last change in the replaced database, None if it is unknown."""
    moments = (row["at"] for row in old.read_rows("events", ["at"]))
    return parse_stored_moment(max(moments, default=None))


def keep_retired_handles(session: Session, old: ReplacedDatabase) -> None:
    """Copy the handles that changes of address have retired: old mails contain them.

    Only within one installation, where the ids of subscriptions mean the same.
    """
    columns = ["handle", "subscription_id"]
    for rows in old.read_batches("retired_handles", columns):
        ids = {row["subscription_id"] for row in rows}
        kept_ids = set(session.scalars(select(Subscription.id).where(Subscription.id.in_(ids))))
        for row in rows:
            if row["subscription_id"] in kept_ids and not session.get(RetiredHandle, row["handle"]):
                session.add(
                    RetiredHandle(handle=row["handle"], subscription_id=row["subscription_id"])
                )
