"""Run a request once for each idempotency key, and repeat its response to later requests.

The row of a key is written before the request runs, so that of a hundred at once one runs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import NamedRow
from newsletter.db.session import transaction
from newsletter.errors import Conflict
from newsletter.models import (
    AddressChange,
    ApiToken,
    ConsentEvent,
    IdempotencyKey,
    Subscriber,
    Subscription,
)
from newsletter.services.row_names import get_row_names
from newsletter.services.runtime import Environment
from newsletter.vocabulary import ConsentKind

KEPT_FOR = timedelta(hours=24)
RUNS_AT_MOST = timedelta(minutes=5)
"""Time after which an unfinished request counts as crashed, so that the next one runs again."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The stored response to an earlier request."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run the request of a key, since `claimed_at`, and to store its response."""

    token_id: int
    key: str
    claimed_at: datetime


class AnswerForgotten(Exception):
    """The request has run, but its response was deleted together with a subscriber's data."""


class StillRunning(Exception):
    """The first request with this key is still running."""


class OtherRequest(Exception):
    """The key was used by a request with another method, URL or body."""


def hash_request(token: str, method: str, path: str, body: bytes) -> str:
    """Return a hash of a request's method, URL and body.

    It is keyed with the `token`, of which the database holds a hash only: whoever reads the
    database does not learn by trying which address a request named.
    """
    text = f"{method} {path}\n".encode() + body
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


def begin(env: Environment, token_id: int, key: str, request_hash: str) -> StoredAnswer | Claim:
    """Claim a key, or return the stored response if its request has run already.

    Raises `StillRunning`, `OtherRequest`, `AnswerForgotten`.
    """
    now = env.now
    try:
        with transaction() as session:
            _share_token(session, token_id)
            row = session.get(IdempotencyKey, (token_id, key), with_for_update=True)
            if row is not None and _is_over(row, now):
                session.delete(row)
                session.flush()
                row = None
            if row is None:
                session.add(
                    IdempotencyKey(
                        token_id=token_id,
                        key=key,
                        request_hash=request_hash,
                        created_at=now,
                    )
                )
                return Claim(token_id, key, now)
            return _read_answer(row, request_hash)
    except Conflict as conflict:
        if conflict.constraint != "pk_idempotency_keys":
            raise
        raise StillRunning from None


def _share_token(session: Session, token_id: int) -> None:
    """Take a shared lock, so that no subscriber is deleted (`forget_answers`) until the end."""
    token = select(ApiToken.id).where(ApiToken.id == token_id)
    session.execute(token.with_for_update(read=True, key_share=True))


def _is_over(row: IdempotencyKey, now: datetime) -> bool:
    kept_for = RUNS_AT_MOST if row.status is None else KEPT_FOR
    return now - row.created_at > kept_for


def _read_answer(row: IdempotencyKey, request_hash: str) -> StoredAnswer:
    if row.is_forgotten and row.status is not None:
        raise AnswerForgotten
    if row.request_hash != request_hash:
        raise OtherRequest
    if row.status is None:
        raise StillRunning
    return StoredAnswer(row.status, dict(row.headers or {}), row.body or "")


def finish(claim: Claim, answer: StoredAnswer) -> None:
    """Store the response to a request, unless another one has claimed the key meanwhile.

    Of an answer that may name somebody who was deleted while the request ran, nothing is kept but
    that it was given.
    """
    with transaction() as session:
        kept_request = session.get(
            IdempotencyKey, (claim.token_id, claim.key), with_for_update=True
        )
        if kept_request is None or kept_request.created_at != claim.claimed_at:
            return
        kept_request.status = answer.status
        if kept_request.is_forgotten and answer.body:
            kept_request.request_hash = ""
            return
        kept_request.is_forgotten = False
        kept_request.headers = answer.headers
        kept_request.body = answer.body


def abandon(claim: Claim) -> None:
    """Release the key of a request that failed with an internal error, for a retry."""
    with transaction() as session:
        session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.token_id == claim.token_id,
                IdempotencyKey.key == claim.key,
                IdempotencyKey.created_at == claim.claimed_at,
            )
        )


def forget_answers(session: Session, subscriber: Subscriber) -> None:
    """Delete the responses that name a subscriber who is being deleted.

    They may hold any of the addresses, in small letters or capitals. Requests that run now may have
    read the subscriber already: their answers are not kept (`finish`). One that begins meanwhile
    waits for this transaction, and reads what it leaves.
    """
    session.execute(select(ApiToken.id).order_by(ApiToken.id).with_for_update())
    running = IdempotencyKey.status.is_(None)
    session.execute(update(IdempotencyKey).where(running).values(is_forgotten=True))
    body = func.lower(IdempotencyKey.body)
    words = {_write(word.lower()) for word in _list_names(session, subscriber)}
    named = [body.contains(word, autoescape=True) for word in words]
    session.execute(delete(IdempotencyKey).where(or_(*named)))


def _write(word: str) -> str:
    """Return a text as it is escaped in JSON; an address may hold quotes."""
    return json.dumps(word)[1:-1]


def _list_names(session: Session, subscriber: Subscriber) -> set[str]:
    """List the names of a subscriber in responses: the API's name, and each of their addresses."""
    changed = select(AddressChange.old_email).where(AddressChange.subscriber_id == subscriber.id)
    moved = (
        select(ConsentEvent.note)
        .join(Subscription, Subscription.id == ConsentEvent.subscription_id)
        .where(Subscription.subscriber_id == subscriber.id, ConsentEvent.kind == ConsentKind.MOVED)
    )
    return {
        get_row_names(session)[NamedRow.SUBSCRIBER].name(subscriber.id),
        subscriber.email,
        subscriber.email_key,
        *session.scalars(changed),
        *(
            word.strip(";")
            for note in session.scalars(moved)
            for word in note.split()
            if "@" in word
        ),
    }


def delete_old_answers(session: Session, now: datetime) -> None:
    """Delete the responses older than `KEPT_FOR`."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEPT_FOR))
