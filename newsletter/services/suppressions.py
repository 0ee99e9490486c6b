"""Manage suppressions: addresses that are never mailed, stored with a keyed hash.

The hashes have keys of their own (`LastingKey`): replacing `secret_key` must not bring anybody
back.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.prepared import PendingRows, Prepared
from newsletter.db.session import db, reading, transaction
from newsletter.errors import NotFound
from newsletter.models import LastingKey, Subscriber, Subscription, Suppression
from newsletter.services import figures
from newsletter.services.figures import Counted
from newsletter.services.runtime import Environment
from newsletter.statistics_vocabulary import Figure
from newsletter.tokens import make_keyed_hash
from newsletter.vocabulary import SubscriptionStatus, SuppressionReason

COUNTED_AT_MOST = 2_000
"""Suppressions up to which a page counts them itself; above, it shows the last hourly count."""

_KEYS = select(LastingKey.key).order_by(LastingKey.id)
_SUBSCRIBED = (
    select(Subscription.id, Subscription.list_id, Subscription.status)
    .join(Subscriber)
    .where(Subscriber.email_key == bindparam("email_key"))
)


@dataclass(frozen=True, slots=True)
class SuppressionView:
    """A suppression; `email` is empty if the subscriber was erased and only the hash is stored."""

    id: int
    email: str
    reason: SuppressionReason
    note: str
    created_at: datetime


def hash_address(env: Environment, email_key: str) -> list[str]:
    """Hash an address with every lasting key; the first hash is for storing."""
    return [make_keyed_hash(key, email_key) for key in read_lasting_keys(env)]


def read_lasting_keys(env: Environment) -> tuple[str, ...]:
    """Return the keys of lasting hashes, oldest first.

    The migration makes the first one. Where it is missing a transaction makes it; a look gets one
    that is forgotten at once, because without a key there is no hash to be found either.
    """
    if env.lasting_keys:
        return tuple(env.lasting_keys)
    session = db.session()
    keys = tuple(session.connection().execute(_KEYS).scalars())
    if keys and not session.info.get("new_lasting_key"):  # its own new key may be rolled back still
        env.lasting_keys[:] = keys
    if keys:
        return keys
    new_key = secrets.token_hex(32)
    if session.info.get("writes"):
        session.info["new_lasting_key"] = True
        session.connection().execute(insert(LastingKey), {"key": new_key, "created_at": env.now})
    return (new_key,)


def is_suppressed(env: Environment, session: Session, email_key: str) -> bool:
    """Tell whether an address must never be mailed."""
    [row] = ask_suppressed(env, session, email_key).read()
    return bool(row.suppressed)


def ask_suppressed(env: Environment, session: Session, email_key: str) -> PendingRows:
    """Start the query of `is_suppressed`; its only row has the column `suppressed`."""
    hashes = hash_address(env, email_key)
    values = {f"hash{number}": hashed for number, hashed in enumerate(hashes)}
    return _suppressed_query(len(hashes)).start(session, values)


@cache
def _suppressed_query(hashes: int) -> Prepared:
    """Build the query for an address with so many hashes, one for each lasting key."""
    places: list[Any] = [bindparam(f"hash{number}") for number in range(hashes)]
    return Prepared(select(exists().where(Suppression.email_hash.in_(places)).label("suppressed")))


def count_suppressed(session: Session, list_id: int) -> int:
    """Count the active subscriptions of a list whose address is suppressed.

    It begins with the suppressions, which are few: SQLite would walk over the list, were it not
    for the sum.
    """
    query = (
        select(func.count())
        .select_from(Suppression)
        .join(Subscriber, Subscriber.email_key == Suppression.email_key)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(
            Subscription.list_id + 0 == list_id, Subscription.status == SubscriptionStatus.ACTIVE
        )
    )
    return session.scalar(query) or 0


def has_many(session: Session) -> bool:
    """Tell whether there are more suppressions than `COUNTED_AT_MOST`."""
    query = select(Suppression.id).order_by(Suppression.id).offset(COUNTED_AT_MOST).limit(1)
    return session.scalar(query) is not None


def suppress(
    env: Environment,
    address: str,
    *,
    reason: SuppressionReason = SuppressionReason.MANUAL,
    note: str = "",
) -> bool:
    """Suppress `address` and cancel its queued mail.

    Returns False where it was suppressed already.
    """
    key = parse_address(address).key
    with transaction() as session:
        return suppress_key(env, session, key, reason, note)


def suppress_key(
    env: Environment,
    session: Session,
    email_key: str,
    reason: SuppressionReason,
    note: str = "",
    *,
    except_delivery: int = 0,
) -> bool:
    """Suppress the address with a key, and cancel its queued mail.

    The delivery `except_delivery` is left as it is: its outcome is being recorded. Returns False
    where the address was suppressed already; a complaint replaces a bounce as the reason.
    """
    row = _find(env, session, email_key)
    if row is not None:
        if reason is SuppressionReason.COMPLAINT and row.reason is SuppressionReason.BOUNCE:
            row.reason = reason
            row.note = note[:500]
        return False
    session.execute(
        insert(Suppression),
        {
            "email_hash": hash_address(env, email_key)[0],
            "email_key": email_key,
            "reason": reason,
            "note": note[:500],
            "created_at": env.now,
        },
    )
    waiting = session.execute(_SUBSCRIBED, {"email_key": email_key}).all()
    active = (row.list_id for row in waiting if row.status == SubscriptionStatus.ACTIVE)
    figures.note(
        session,
        (Counted(list_id, Figure.SUPPRESSED, env.now, reason.value) for list_id in active),
    )
    outbox.cancel(
        session,
        [row.id for row in waiting],
        now=env.now,
        why=f"suppressed: {reason.value}",
        except_id=except_delivery,
    )
    return True


def _find(env: Environment, session: Session, email_key: str) -> Suppression | None:
    known = Suppression.email_hash.in_(hash_address(env, email_key))
    return session.scalars(select(Suppression).where(known)).first()


def suppress_hash(
    env: Environment, session: Session, hashed: str, reason: SuppressionReason
) -> bool:
    """Suppress an address of which only its keyed hash is known.

    Returns False where it was suppressed already.
    """
    known = select(Suppression.id).where(Suppression.email_hash == hashed)
    if session.scalar(known) is not None:
        return False
    session.add(Suppression(email_hash=hashed, reason=reason, created_at=env.now))
    return True


def lift_suppression(env: Environment, session: Session, email_key: str) -> SuppressionReason:
    """Delete the suppression of an address and return its reason. Raises `NotFound`."""
    row = _find(env, session, email_key)
    if row is None:
        raise NotFound("this address is not suppressed")
    reason = row.reason
    known = Suppression.email_hash.in_(hash_address(env, email_key))
    session.execute(delete(Suppression).where(known))
    return reason


def list_suppressions(
    *, before: int | None = None, limit: int | None = None
) -> list[SuppressionView]:
    """List suppressions, newest first, those before the id `before`."""
    query = select(Suppression).order_by(Suppression.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Suppression.id < before)
    with reading() as session:
        return [_view(row) for row in session.scalars(query)]


def count_suppressions() -> int:
    """Count the suppressions."""
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Suppression)) or 0


def get_suppression(env: Environment, address: str) -> SuppressionView:
    """Return the suppression of an address, including an erased one.

    Raises `InvalidInput`, and `NotFound` if the address may be mailed.
    """
    key = parse_address(address).key
    with reading() as session:
        query = select(Suppression).where(Suppression.email_hash.in_(hash_address(env, key)))
        row = session.scalars(query).first()
        if row is None:
            raise NotFound("this address is not suppressed")
        return _view(row)


def _view(row: Suppression) -> SuppressionView:
    return SuppressionView(row.id, row.email_key or "", row.reason, row.note, row.created_at)
